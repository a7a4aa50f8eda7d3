//! A failure of a template as a page for people and as a document for machines.

use std::fmt::{self, Write as _};

use gitops_core::{ErrorDocument, ErrorPlace};
use gitops_template::{Error, ErrorKind, Frame};
use serde_json::{Value, json};

/// Where a template failed, what led there, and what may help.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What went wrong, without places.
    pub message: String,
    /// The template that failed; for a text given to `tpl`, the template that called it.
    pub place: Option<Place>,
    /// The line of the template.
    pub snippet: Option<String>,
    /// The actions that led there, outermost first.
    pub chain: Vec<Place>,
    /// What may help.
    pub hint: Option<String>,
}

/// An action of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The path of the template.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// The column of the action, from 1; 0 where it is not known.
    pub column: u32,
    /// The action.
    pub action: String,
}

/// What Go names a text that was given to `tpl`.
const TPL: &str = "gotpl";

impl Diagnostic {
    /// A failure somewhere in a file.
    pub(crate) fn of_file(message: String, file: &str) -> Self {
        let place = Place { file: file.to_owned(), line: 0, column: 0, action: String::new() };
        Self { message, place: Some(place), ..Self::default() }
    }

    /// `source` gives the text of a template by its path.
    pub(super) fn new(error: &Error, source: impl Fn(&str) -> Option<String>) -> Self {
        let mut diagnostic = Self { message: error.message().to_owned(), ..Self::default() };
        if let Some((file, line)) = error.parse_location() {
            let action = String::new();
            diagnostic.place = Some(Place { file: file.to_owned(), line, column: 0, action });
        }
        let mut places: Vec<Place> = error.frames().iter().map(place).collect();
        if diagnostic.place.as_ref().is_none_or(|place| place.file == TPL) {
            let last = places.iter().rposition(|place| place.file != TPL);
            diagnostic.place = last.map(|last| places.remove(last)).or(diagnostic.place);
        }
        places.retain(|place| place.file != TPL);
        diagnostic.chain = places;
        diagnostic.snippet = diagnostic.place.as_ref().and_then(|place| {
            let text = source(&place.file)?;
            text.lines().nth(place.line.checked_sub(1)? as usize).map(str::to_owned)
        });
        diagnostic.hint = hint(error);
        diagnostic
    }

    /// What it knows, as a document for machines.
    pub(crate) fn document(&self, code: &'static str, message: String) -> ErrorDocument {
        let known = |number: u32| Some(number).filter(|number| *number > 0);
        let place = self.place.as_ref();
        ErrorDocument {
            code,
            message,
            file: place.map(|place| place.file.clone()),
            line: place.and_then(|place| known(place.line)),
            column: place.and_then(|place| known(place.column)),
            snippet: self.snippet.clone(),
            chain: self.chain.iter().map(Place::document).collect(),
            hint: self.hint.clone(),
            ..ErrorDocument::default()
        }
    }
}

impl Place {
    /// `{file, line, column, action}`; a column that is not known is `null`.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.line,
            "column": Some(self.column).filter(|column| *column > 0),
            "action": self.action,
        })
    }

    fn document(&self) -> ErrorPlace {
        let known = |number: u32| Some(number).filter(|number| *number > 0);
        ErrorPlace {
            file: self.file.clone(),
            line: known(self.line),
            column: known(self.column),
            action: Some(self.action.clone()),
        }
    }
}

fn place(frame: &Frame) -> Place {
    Place {
        file: frame.template.to_string(),
        line: frame.line,
        column: frame.column + 1,
        action: frame.context.clone(),
    }
}

fn hint(error: &Error) -> Option<String> {
    let message = error.message();
    let frame = error.frames().last();
    if let Some(field) = message.strip_prefix("nil pointer evaluating interface {}.") {
        let context = &frame?.context;
        let before =
            context.split(&format!(".{field}")).next().filter(|before| !before.is_empty())?;
        let path = before.trim_start_matches('$');
        return Some(match path.strip_prefix(".Values.") {
            Some(value) => {
                let file = values_file(&frame?.template);
                format!(
                    "{path} is nil: neither the given values nor {file} set {value}; set it there, \
                     or write ({path}).{field} where it may be missing"
                )
            }
            None => format!("{before} is nil; write ({before}).{field} where it may be missing"),
        });
    }
    if message.starts_with("function ") && message.ends_with(" not defined") {
        return Some("charts may call Go's own functions, those of sprig, and Helm's".to_owned());
    }
    if message.starts_with("incompatible types for comparison: float64 and int") {
        return Some("numbers of values are float64: convert the value with int first".to_owned());
    }
    match error.kind() {
        ErrorKind::Limit => Some("the limits of a run are the caller's to set".to_owned()),
        _ => None,
    }
}

/// Where the default of a template's values would stand.
fn values_file(template: &str) -> String {
    match template.rsplit_once("/templates/") {
        Some((chart, _)) => format!("{chart}/values.yaml"),
        None => "values.yaml".to_owned(),
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.details(f)
    }
}

impl Diagnostic {
    /// What stands below the message.
    pub(crate) fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "\n  --> {}", place.file)?;
            if place.line > 0 {
                write!(f, ":{}", place.line)?;
            }
            if place.column > 0 {
                write!(f, ":{}", place.column)?;
            }
            if let Some(snippet) = &self.snippet {
                let number = place.line.to_string();
                let margin = " ".repeat(number.len());
                write!(f, "\n {margin} |\n {number} | {snippet}\n {margin} |")?;
                if place.column > 0 {
                    // Tabs stay tabs, so that the mark stands below what it means.
                    let before = snippet.get(..place.column as usize - 1).unwrap_or_default();
                    f.write_char(' ')?;
                    for char in before.chars() {
                        f.write_char(if char == '\t' { '\t' } else { ' ' })?;
                    }
                    f.write_char('^')?;
                }
            }
        }
        for place in self.chain.iter().rev() {
            write!(
                f,
                "\n  called from {}:{}:{} {}",
                place.file, place.line, place.column, place.action
            )?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::Scope;
    use gitops_template::{Functions, Map, MissingKey, Options, Sealed, Templates, Value};

    use super::*;

    #[test]
    fn a_missing_value_says_where_it_would_stand() {
        let text = "a: 1\nb:\t{{ .Values.db.host }}\n";
        let mut templates = Templates::new(Functions::builtin());
        templates.add("c/templates/a.yaml", text).unwrap();
        let values: Map = Map::from_iter([("Values", Value::Map(Map::new()))]);
        let options = Options { missing: MissingKey::Zero, ..Options::default() };
        let scope = Scope::background();
        let error = templates
            .render("c/templates/a.yaml", Value::Map(values), options, &Sealed, &scope)
            .unwrap_err();
        let diagnostic = Diagnostic::new(&error, |_| Some(text.to_owned()));
        assert_eq!(
            diagnostic.to_string(),
            "nil pointer evaluating interface {}.host\n  --> c/templates/a.yaml:2:14\n   |\n 2 | \
             b:\t{{ .Values.db.host }}\n   |   \t          ^\n  hint: .Values.db is nil: neither the \
             given values nor c/values.yaml set db; set it there, or write (.Values.db).host where \
             it may be missing"
        );
        let document = diagnostic.document("template", error.to_string());
        assert_eq!((document.line, document.column), (Some(2), Some(14)));
    }
}
