//! CEL: custom health checks and readiness expressions.
//!
//! Expressions are parsed once. Evaluation is bounded by the size of the expression and by a time
//! limit, on a thread that does not block the runtime. Follows fluxcd/pkg `runtime/cel`; differs
//! in: there is no static type check, and a whole number never equals a fraction.

mod checks;
mod optional;

use std::{sync::Arc, time::Duration};

use gitops_core::{Class, Classify};
use kube_cel::{KubeCelExt as _, cel};
use serde_json::Value;

pub use checks::{HealthCheckExpression, HealthChecks};

/// Longer expressions are refused.
const LENGTH_LIMIT: usize = 64 << 10;
/// How long an evaluation may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CelError {
    /// It is no CEL.
    #[error("failed to parse the CEL expression '{expression}': {message}")]
    Parse {
        /// The expression.
        expression: String,
        /// The parser's message.
        message: String,
    },
    /// A health check lacks the expression `current`.
    #[error(
        "failed to create custom status evaluator for healthchecks[{index}]: expression Current not \
         specified"
    )]
    NoCurrent {
        /// Which one.
        index: usize,
    },
    /// A health check is malformed.
    #[error(
        "failed to create custom status evaluator for healthchecks[{index}]: failed to parse the \
         expression {field}: {message}"
    )]
    HealthCheck {
        /// Which one.
        index: usize,
        /// `Current`, `Failed` or `InProgress`.
        field: &'static str,
        /// Why.
        message: String,
    },
    /// Two health checks are for the same kind.
    #[error("duplicate custom health check for GroupKind {kind} at healthchecks[{index}]")]
    Duplicate {
        /// The second of them.
        index: usize,
        /// `Kind.group`.
        kind: String,
    },
    /// It could not be evaluated.
    #[error("failed to evaluate the CEL expression '{expression}': {message}")]
    Evaluate {
        /// The expression.
        expression: String,
        /// Why.
        message: String,
    },
    /// Its value is neither true nor false.
    #[error("failed to evaluate CEL expression as boolean: '{0}'")]
    NotBoolean(String),
}

impl Classify for CelError {
    fn class(&self) -> Class {
        match self {
            Self::Evaluate { .. } | Self::NotBoolean(_) => Class::Transient,
            _ => Class::Invalid,
        }
    }
}

/// A parsed expression.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    program: Arc<cel::parser::Expression>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// [`CelError::Parse`].
    pub fn parse(text: &str) -> Result<Self, CelError> {
        let error = |message: String| CelError::Parse { expression: text.to_owned(), message };
        if text.len() > LENGTH_LIMIT {
            let short = gitops_core::truncate(text, 100);
            let message = format!("longer than {LENGTH_LIMIT} bytes");
            return Err(CelError::Parse { expression: short, message });
        }
        let mut program = cel::parser::Parser::default()
            .enable_optional_syntax(true)
            .parse(text)
            .map_err(|errors| error(parse_text(&errors, text)))?;
        optional::lower(&mut program).map_err(error)?;
        Ok(Self { text: Arc::from(text), program: Arc::new(program) })
    }

    /// The value of the expression, which must be true or false, with these variables.
    ///
    /// # Errors
    /// [`CelError::Evaluate`] or [`CelError::NotBoolean`].
    pub async fn evaluate(
        &self,
        variables: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<bool, CelError> {
        let variables: Vec<_> = variables.into_iter().collect();
        let this = self.clone();
        let work = tokio::task::spawn_blocking(move || this.evaluate_now(variables));
        let failed = |message: &str| CelError::Evaluate {
            expression: self.text.to_string(),
            message: message.to_owned(),
        };
        match tokio::time::timeout(TIME_LIMIT, work).await {
            Ok(Ok(value)) => value,
            Ok(Err(_)) => Err(failed("the evaluation crashed")),
            Err(_) => Err(failed("it takes too long")),
        }
    }

    fn evaluate_now(&self, variables: Vec<(String, Value)>) -> Result<bool, CelError> {
        let failed =
            |message: String| CelError::Evaluate { expression: self.text.to_string(), message };
        let mut context = cel::Context::default().with_all();
        optional::add_functions(&mut context);
        for (name, value) in variables {
            context.add_variable_from_value(name, to_cel(&value));
        }
        match context.resolve(&self.program) {
            Ok(cel::Value::Bool(value)) => Ok(value),
            Ok(_) => Err(CelError::NotBoolean(self.text.to_string())),
            Err(error) => Err(failed(evaluation_text(&error))),
        }
    }
}

/// JSON as the API machinery of Kubernetes reads it: whole numbers are signed.
fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::from(text.as_str()),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.as_str().into(), to_cel(value)));
            cel::Value::Map(cel::objects::Map { map: Arc::new(fields.collect()) })
        }
    }
}

/// cel-go's way to show where the parser stopped: columns count from one, and every line of the
/// snippet begins with a space.
fn parse_text(errors: &cel::ParseErrors, text: &str) -> String {
    let shown: Vec<String> = errors
        .errors
        .iter()
        .map(|error| {
            let (line, column) = (error.pos.0.max(1), error.pos.1.max(0));
            let source = usize::try_from(line - 1).ok().and_then(|line| text.lines().nth(line));
            let dots = ".".repeat(usize::try_from(column - 1).unwrap_or(0));
            // cel-go names only the first of what could have followed.
            let message = match error.msg.split_once(" expecting {<EOF>,") {
                Some((before, _)) => format!("{before} expecting <EOF>"),
                None => error.msg.clone(),
            };
            let source = source.unwrap_or_default();
            format!("ERROR: <input>:{line}:{column}: {message}\n | {source}\n | {dots}^")
        })
        .collect();
    shown.join("\n")
}

fn evaluation_text(error: &cel::ExecutionError) -> String {
    match error {
        cel::ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        cel::ExecutionError::UndeclaredReference(name) => format!("no such attribute(s): {name}"),
        cel::ExecutionError::NoSuchOverload => "no such overload".to_owned(),
        cel::ExecutionError::FunctionError { message, .. } if optional::is_own(message) => {
            message.clone()
        }
        // Values of the object could be secret and are not shown.
        other => {
            let text = other.to_string();
            text.split(':').next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn syntax_errors_read_like_cel_go() {
        let error = Expression::parse("this is not cel").unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to parse the CEL expression 'this is not cel': ERROR: <input>:1:6: Syntax error: \
             mismatched input 'is' expecting <EOF>\n | this is not cel\n | .....^"
        );
    }

    #[tokio::test]
    async fn values() {
        let dep = json!({"metadata": {"name": "x"}});
        for (text, expected) in [
            ("dep.metadata.name == 'x'", Ok(true)),
            ("has(dep.status)", Ok(false)),
            (
                "dep.metadata.labels['a'] == 'b'",
                Err("failed to evaluate the CEL expression \
                'dep.metadata.labels['a'] == 'b'': no such key: labels"),
            ),
            ("1 + 1", Err("failed to evaluate CEL expression as boolean: '1 + 1'")),
        ] {
            let expression = Expression::parse(text).unwrap();
            let value = expression.evaluate([("dep".to_owned(), dep.clone())]).await;
            assert_eq!(value.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        }
    }
}
