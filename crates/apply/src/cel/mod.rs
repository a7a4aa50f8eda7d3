//! CEL: custom health checks and readiness expressions.
//!
//! Expressions are parsed once. Evaluation is bounded by the size of the expression and by a time
//! limit, on a thread that does not block the runtime. Follows fluxcd/pkg `runtime/cel`; differs
//! in: there is no static type check, and a whole number never equals a fraction.

mod checks;
mod optional;
mod types;

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
    /// Its value can be neither true nor false.
    #[error("CEL expression output type mismatch: expected bool, got {0}")]
    Output(String),
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

    /// Parses an expression and checks it, as cel-go compiles one: it may name nothing but these
    /// variables, and its value must be true or false as far as can be told without them.
    ///
    /// # Errors
    /// [`CelError::Parse`] and [`CelError::Output`].
    pub fn compile(text: &str, variables: &[&str]) -> Result<Self, CelError> {
        let this = Self::parse(text)?;
        if let Some(name) = types::undeclared(&this.program, variables) {
            let message = format!("undeclared reference to '{name}' (in container '')");
            let message = shown_at(place_of(name, text), &message, text);
            return Err(CelError::Parse { expression: text.to_owned(), message });
        }
        match types::output(&this.program) {
            Some(other) if other != "bool" => Err(CelError::Output(other)),
            _ => Ok(this),
        }
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
            Err(error) => Err(failed(evaluation_text(&error, &self.program))),
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
            // cel-go names only the first of what could have followed.
            let message = match error.msg.split_once(" expecting {<EOF>,") {
                Some((before, _)) => format!("{before} expecting <EOF>"),
                None => error.msg.clone(),
            };
            shown_at((error.pos.0.max(1), error.pos.1.max(0)), &message, text)
        })
        .collect();
    shown.join("\n")
}

/// A message with the place that it is about: line and column from one.
fn shown_at((line, column): (isize, isize), message: &str, text: &str) -> String {
    let source = usize::try_from(line - 1).ok().and_then(|line| text.lines().nth(line));
    let dots = ".".repeat(usize::try_from(column - 1).unwrap_or(0));
    let source = source.unwrap_or_default();
    format!("ERROR: <input>:{line}:{column}: {message}\n | {source}\n | {dots}^")
}

/// Line and column of the first word that is this name.
fn place_of(name: &str, text: &str) -> (isize, isize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let at = text.match_indices(name).map(|(at, _)| at).find(|at| {
        !text[..*at].ends_with(|c| is_word(c) || c == '.')
            && !text[at + name.len()..].starts_with(is_word)
    });
    let before = &text[..at.unwrap_or(0)];
    let line = before.matches('\n').count();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let from_one = |number: usize| isize::try_from(number + 1).unwrap_or(1);
    (from_one(line), from_one(column))
}

fn evaluation_text(error: &cel::ExecutionError, program: &cel::parser::Expression) -> String {
    match error {
        cel::ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        cel::ExecutionError::UndeclaredReference(name) => {
            let attribute = types::attribute(program, name);
            format!("no such attribute(s): {}", attribute.as_deref().unwrap_or(name))
        }
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
    async fn names_that_are_not_there_are_shown_with_what_was_asked_of_them() {
        let error = async |text: &str| {
            let spec = ("spec".to_owned(), json!({}));
            Expression::parse(text).unwrap().evaluate([spec]).await.unwrap_err().to_string()
        };
        assert!(error("status.phase == 'x'").await.ends_with("attribute(s): status.phase"));
        assert!(error("spec == {} && status.a.b[0].c").await.ends_with("attribute(s): status.a.b"));
        assert!(error("status.a.exists(x, x)").await.ends_with("attribute(s): status.a"));
    }

    #[test]
    fn what_cannot_be_true_or_false_is_refused() {
        let got = |text: &str| {
            Expression::compile(text, &["self", "dep"]).err().map(|error| error.to_string())
        };
        let mismatch = "CEL expression output type mismatch: expected bool, got";
        for (text, of) in [
            ("1 + 1", "int"),
            ("dep.spec.suspend", "dyn"),
            ("'a' + dep.metadata.name", "string"),
            ("dep", "map(string, dyn)"),
            ("size(dep.spec) + 1", "int"),
            ("dep.a ? 1 : 2", "int"),
            ("[1]", "list(int)"),
        ] {
            assert_eq!(got(text), Some(format!("{mismatch} {of}")), "{text}");
        }
        for text in [
            "dep.spec.suspend == true",
            "has(dep.status)",
            "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
            "dep.status.conditions.filter(c, c.type == 'Ready').all(c, c.status == 'True')",
            "dep.metadata.?labels['a'].orValue('') == 'b'",
            "dep.metadata.name in ['a', self.metadata.name]",
            "!(self.spec.path.startsWith('x'))",
            "true ? dep.a == 1 : false",
            "type(dep.a) == string",
            "sets.contains(['a'], dep.list)",
        ] {
            assert_eq!(got(text), None, "{text}");
        }
        assert_eq!(
            got("dep.a == 1 &&\n  other == 2").unwrap(),
            "failed to parse the CEL expression 'dep.a == 1 &&\n  other == 2': ERROR: <input>:2:3: \
             undeclared reference to 'other' (in container '')\n |   other == 2\n | ..^"
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
