//! The texts of our own cases: lines of a head, then a section behind each line `-- name --`.

/// The head, and the sections with their names.
pub(crate) fn sections(text: &str) -> (&str, Vec<(String, String)>) {
    let mut sections: Vec<(String, String)> = Vec::new();
    let mut head = 0;
    for line in text.split_inclusive('\n') {
        match line.trim_end().strip_prefix("-- ").and_then(|line| line.strip_suffix(" --")) {
            Some(name) => sections.push((name.to_owned(), String::new())),
            None => match sections.last_mut() {
                Some((_, section)) => section.push_str(line),
                None => head += line.len(),
            },
        }
    }
    (&text[..head], sections)
}
