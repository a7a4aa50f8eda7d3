//! values.yaml and `-f` files.

use std::borrow::Cow;

use memchr::memchr;
use serde_json::Value;

use crate::{Compat, chart::ValuesFileError, decode::read_object, values::Values};

/// Reads values. Helm 4 merges all documents of the text, Helm 3 reads the first one.
///
/// # Errors
/// [`ValuesFileError`], in Helm's words.
pub fn read_values(text: &[u8], compat: Compat) -> Result<Values, ValuesFileError> {
    match compat {
        Compat::Helm3 => Ok(read_object(text)?),
        Compat::Helm4 => {
            let mut values = Values::new();
            // Helm reads line by line, and ends the last line as well.
            let ended = match text.last() {
                None | Some(b'\n') => Cow::Borrowed(text),
                _ => Cow::Owned([text, b"\n"].concat()),
            };
            for document in documents(&ended) {
                let document = document.map_err(ValuesFileError::Separator)?;
                let document = read_object(document).map_err(ValuesFileError::OneOfMany)?;
                merge(&mut values, document);
            }
            Ok(values)
        }
    }
}

/// Puts values over others: objects are merged, everything else replaces what was there, also
/// `null`.
pub fn merge(into: &mut Values, from: Values) {
    if into.is_empty() {
        *into = from;
        return;
    }
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(value)) => merge(into, value),
            (Some(slot), value) => *slot = value,
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The documents of a stream, as the reader of `k8s.io/apimachinery` cuts them: at lines of `---`
/// with nothing or a comment behind. Anything else behind is an error, with which it ends.
pub(crate) fn documents(text: &[u8]) -> Vec<Result<&[u8], String>> {
    let mut documents = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        let end = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1);
        if let Some(rest) = text[at..end].strip_prefix(b"---") {
            let rest = rest.trim_ascii();
            if !matches!(rest.first(), None | Some(b'#')) {
                documents.push(Err(String::from_utf8_lossy(rest).into_owned()));
                return documents;
            }
            // A first such line stays with the document that it begins.
            if at > start {
                documents.push(Ok(&text[start..at]));
                start = end;
            }
        }
        at = end;
    }
    if start < text.len() {
        documents.push(Ok(&text[start..]));
    }
    documents
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn helm_4_merges_documents_and_helm_3_reads_one() {
        let text = b"---\na: 1\nb: {c: 2}\n--- # x\nb: {d: null}\n---\n";
        let four = read_values(text, Compat::Helm4).unwrap();
        assert_eq!(Value::Object(four), json!({"a": 1.0, "b": {"c": 2.0, "d": null}}));
        let three = read_values(text, Compat::Helm3).unwrap();
        assert_eq!(Value::Object(three), json!({"a": 1.0, "b": {"c": 2.0}}));
    }

    #[test]
    fn helm_4_ends_the_last_line() {
        let read = |compat| Value::Object(read_values(b"a: |\n  x", compat).unwrap());
        assert_eq!(read(Compat::Helm4), json!({"a": "x\n"}));
        assert_eq!(read(Compat::Helm3), json!({"a": "x"}));
    }

    #[test]
    fn errors_are_in_helms_words() {
        let text = |text: &[u8], compat| {
            let error = read_values(text, compat).unwrap_err();
            gitops_core::one_line(&error)
        };
        assert_eq!(
            text(b"- a", Compat::Helm4),
            "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: \
             cannot unmarshal array into Go value of type map[string]interface {}"
        );
        assert_eq!(
            text(b"a: 1\n--- {}", Compat::Helm4),
            "error reading yaml document: invalid Yaml document separator: {}"
        );
        assert_eq!(
            text(b"a: {", Compat::Helm3),
            "error converting YAML to JSON: yaml: line 1: did not find expected node content"
        );
    }
}
