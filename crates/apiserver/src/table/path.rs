//! The part of `JSONPath` that printer columns use.
//!
//! Follows client-go's `util/jsonpath`; differs in: no recursive descent, ranges and unions, which
//! definitions may not use either.

use serde_json::Value;

/// Filters within filters end here.
const DEPTH: usize = 8;

/// Where a value stands in an object, such as `.status.conditions[?(@.type=="Ready")].status`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    All,
    /// From the end where it is negative.
    Index(i64),
    /// The items of a list of which something holds.
    Where(Path, Comparison, Operand),
    /// The items of a list that have something.
    Having(Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Path(Path),
}

impl Path {
    /// Reads a path; `None` where it is malformed or uses more of `JSONPath`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse(text, 0)
    }

    /// The first value that the path leads to.
    pub(crate) fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut found = vec![value];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.follow(value)).collect();
        }
        found.first().copied()
    }
}

impl Step {
    fn follow<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Field(name), Value::Object(fields)) => fields.get(name).into_iter().collect(),
            (Self::All, Value::Object(fields)) => fields.values().collect(),
            (Self::All, Value::Array(items)) => items.iter().collect(),
            (Self::Index(index), Value::Array(items)) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let index = if *index < 0 { index + length } else { *index };
                let index = usize::try_from(index).ok();
                index.and_then(|index| items.get(index)).into_iter().collect()
            }
            (Self::Where(path, comparison, operand), Value::Array(items)) => {
                let holds = |item: &&Value| {
                    let right = match operand {
                        Operand::Literal(value) => Some(value),
                        Operand::Path(path) => path.first(item),
                    };
                    let (Some(left), Some(right)) = (path.first(item), right) else { return false };
                    comparison.holds(left, right)
                };
                items.iter().filter(holds).collect()
            }
            (Self::Having(path), Value::Array(items)) => {
                items.iter().filter(|item| path.first(item).is_some()).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (left, right) {
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (Value::Number(left), Value::Number(right)) => {
                left.as_f64().and_then(|left| left.partial_cmp(&right.as_f64()?))
            }
            (left, right) if left == right => Some(Equal),
            (Value::Bool(_), Value::Bool(_)) => return self == Self::Unequal,
            _ => None,
        };
        let Some(order) = order else { return false };
        match self {
            Self::Equal => order == Equal,
            Self::Unequal => order != Equal,
            Self::Less => order == Less,
            Self::LessOrEqual => order != Greater,
            Self::Greater => order == Greater,
            Self::GreaterOrEqual => order != Less,
        }
    }
}

fn parse(text: &str, depth: usize) -> Option<Path> {
    if depth > DEPTH {
        return None;
    }
    let mut rest = text.trim();
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inner) => {
                let end = closing(inner)?;
                (Some(bracket(inner[..end].trim(), depth)?), &inner[end + 1..])
            }
            None => dotted(rest.strip_prefix('.')?)?,
        };
        steps.extend(step);
        rest = after;
    }
    Some(Path(steps))
}

/// A name behind a dot, with what follows it. A dot alone is the object itself.
fn dotted(text: &str) -> Option<(Option<Step>, &str)> {
    let mut name = String::new();
    let mut letters = text.char_indices();
    let mut end = text.len();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '\\' => name.push(letters.next()?.1),
            '.' | '[' => {
                end = place;
                break;
            }
            letter => name.push(letter),
        }
    }
    let step = match name.as_str() {
        "" if end == text.len() => None,
        "" => return None,
        "*" => Some(Step::All),
        _ => Some(Step::Field(name)),
    };
    Some((step, &text[end..]))
}

/// Where the bracket ends that is open, outside of quotes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (1_usize, None);
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match (quote, letter) {
            (_, '\\') => drop(letters.next()),
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Some(place);
                }
            }
            _ => {}
        }
    }
    None
}

fn bracket(text: &str, depth: usize) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(Value::String(name)) = literal(text) {
        return Some(Step::Field(name));
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        return filter_step(filter.trim(), depth);
    }
    text.parse().ok().map(Step::Index)
}

fn filter_step(text: &str, depth: usize) -> Option<Step> {
    const SIGNS: [(&str, Comparison); 6] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let relative = |text: &str| parse(text.trim().strip_prefix('@')?, depth + 1);
    let found = SIGNS.iter().filter_map(|(sign, comparison)| {
        let place = text.find(sign)?;
        Some((place, sign.len(), *comparison))
    });
    // The longer sign where two begin at the same place.
    let first = found.min_by_key(|(place, length, _)| (*place, usize::MAX - length));
    let Some((place, length, comparison)) = first else {
        return relative(text).map(Step::Having);
    };
    let right = text[place + length..].trim();
    let operand = match relative(right) {
        Some(path) => Operand::Path(path),
        None => Operand::Literal(literal(right).or_else(|| serde_json::from_str(right).ok())?),
    };
    Some(Step::Where(relative(&text[..place])?, comparison, operand))
}

/// A text in quotes.
fn literal(text: &str) -> Option<Value> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let inner = text[1..].strip_suffix(quote)?;
    let mut plain = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next()? } else { letter });
    }
    Some(plain.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_where_kubectl_looks() {
        let object = json!({
            "spec": {"a.b": 1, "list": [{"n": 1, "k": "x"}, {"n": 2, "k": "y]"}], "deep": {"x": {"y": true}}},
        });
        for (path, found) in [
            (".spec.list[0].n", json!(1)),
            (".spec.list[-1].n", json!(2)),
            (".spec.list[*].k", json!("x")),
            (r".spec.a\.b", json!(1)),
            (".spec['a.b']", json!(1)),
            (r#".spec.list[?(@.k=="y]")].n"#, json!(2)),
            (".spec.list[?(@.n>1)].k", json!("y]")),
            (".spec.list[?(@.n >= 1)].k", json!("x")),
            (".spec.list[?(@.k != 'x')].n", json!(2)),
            (".spec.list[?(@.k)].n", json!(1)),
            (".spec.deep.*.y", json!(true)),
        ] {
            let read = Path::parse(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(read.first(&object), Some(&found), "{path}");
        }
        for path in [".spec.none", ".spec.list[7]", ".spec.list.n", ".spec.list[?(@.n=='x')]"] {
            assert_eq!(Path::parse(path).unwrap().first(&object), None, "{path}");
        }
        for malformed in ["spec", ".spec[", ".spec[x]", ".spec..x", ".a[?(.n==1)]", ".a\\"] {
            assert_eq!(Path::parse(malformed), None, "{malformed}");
        }
        assert_eq!(Path::parse(".").unwrap().first(&object), Some(&object));
    }
}
