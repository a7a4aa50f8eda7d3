//! Env files and literals.

use crate::error::{Error, ErrorKind, Result};

/// The pairs of an env file: one `key=value` per line, `#` for comments. Neither keys nor values are
/// trimmed, but for white space in front of a line.
pub(super) fn parse(content: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut pairs = Vec::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let Ok(line) = std::str::from_utf8(line) else {
            let message = format!("line {number} has invalid utf8 bytes");
            return Err(Error::new(ErrorKind::Syntax, message).at_line(number, 1));
        };
        let line = if index == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if key.is_empty() {
            // The original takes a line without a key for an empty one.
            continue;
        }
        pairs.push((key.to_owned(), value.as_bytes().to_vec()));
    }
    Ok(pairs)
}

/// A literal `key=value`; one pair of quotes around the value is taken off.
pub(super) fn parse_literal(source: &str) -> Result<(String, Vec<u8>)> {
    let (key, value) =
        source.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Error::new(
                ErrorKind::Field,
                format!("invalid literal source {source}, expected key=value"),
            )
            .expecting("`key=value`")
        })?;
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    Ok((key.to_owned(), unquoted.as_bytes().to_vec()))
}

/// The original validates keys only in name: every key passes. Only an empty one is refused here,
/// since no API server takes it.
pub(super) fn check_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::new(ErrorKind::Field, "a key must not be empty"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_lines() {
        let pairs = parse(b"\xef\xbb\xbfA=1\r\n  # comment\n B =x=y \n\nC").unwrap();
        let texts: Vec<_> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), std::str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(texts, [("A", "1"), ("B ", "x=y "), ("C", "")]);
        let error = parse(b"A=1\nB=\xff").unwrap_err();
        assert_eq!(error.line(), Some(2));
    }

    #[test]
    fn literals() {
        for (source, value) in
            [("a=b=c", "b=c"), ("a='b'", "b"), ("a=\"b\"", "b"), ("a='", "'"), ("a=", "")]
        {
            assert_eq!(
                parse_literal(source).unwrap(),
                ("a".to_owned(), value.as_bytes().to_vec()),
                "{source}"
            );
        }
        assert!(parse_literal("=a").is_err() && parse_literal("a").is_err());
    }
}
