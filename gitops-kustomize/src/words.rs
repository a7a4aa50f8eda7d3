//! Words for hints: what is near to a misspelt one, and short lists.

/// The candidate that differs least, in at most a third of its letters; capitals do not count.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    // No one misspells so long a name, and the work grows with the square of its length.
    if word.len() > 128 {
        return None;
    }
    let word = word.to_lowercase();
    let most = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .take(10_000)
        .filter(|candidate| candidate.len() <= 160)
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `a, b, c, …`: the first ten.
pub(crate) fn list<T: AsRef<str>>(words: &[T]) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().take(10).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&gitops_core::truncate(word.as_ref(), 100));
    }
    if words.len() > 10 {
        text.push_str(", …");
    }
    text
}

/// How many letters must be put in, left out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_close_names() {
        let known = ["resources", "namePrefix", "images"];
        assert_eq!(nearest("resource", known), Some("resources"));
        assert_eq!(nearest("nameprefx", known), Some("namePrefix"));
        assert_eq!(nearest("patches", known), None);
        assert_eq!(nearest("bse", ["base", "overlay"]), Some("base"));
        assert_eq!(nearest("wbe", ["web"]), Some("web"));
        assert_eq!(nearest("ab", ["xy"]), None);
        assert_eq!(nearest("deployment.yml", ["deployment.yaml"]), Some("deployment.yaml"));
    }

    #[test]
    fn lists_are_short() {
        assert_eq!(list(&["a", "b"]), "a, b");
        assert!(list(&["a"; 11]).ends_with("a, …"));
    }
}
