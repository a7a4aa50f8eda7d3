//! The documents of a stream as texts.

/// Splits a stream at its lines that begin with `---`, as Helm splits what a template gave. The
/// documents have no white space around them; empty ones are left out.
///
/// Follows Helm's `releaseutil.SplitManifests`, which looks at no syntax: a `---` within a block
/// scalar splits as well.
///
/// ```
/// assert_eq!(gitops_yaml::split_documents("---\na: 1\n--- # two\nb: 2\n---\n"), ["a: 1", "# two\nb: 2"]);
/// ```
pub fn split_documents(stream: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut rest = stream.trim();
    // At the very start no line break is needed.
    if let Some(after) = rest.strip_prefix(SEPARATOR) {
        rest = after.trim_start_matches(is_space);
    }
    loop {
        let end = next_separator(rest);
        let document = end.map_or(rest, |end| rest[..end].trim_end_matches(is_space));
        if !document.is_empty() {
            documents.push(document.trim());
        }
        let Some(end) = end else { return documents };
        rest = rest[end + 1 + SEPARATOR.len()..].trim_start_matches(is_space);
    }
}

const SEPARATOR: &str = "---";

/// The line break before the next separator.
fn next_separator(text: &str) -> Option<usize> {
    text.find("\n---")
}

/// What `\s` is to Go's regular expressions.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}
