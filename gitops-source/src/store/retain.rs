//! Which files of a key need not be kept.

use jiff::Timestamp;

use super::{Retention, StoredFile};

/// The names of what may go. Follows Flux: first all that are too old; then, of the rest, the
/// oldest until no more than the wanted number are left.
pub(super) fn garbage(
    mut files: Vec<StoredFile>,
    current: &str,
    keep: Retention,
    now: Timestamp,
) -> Vec<String> {
    files.sort_by(|a, b| (a.stored_at, &a.file).cmp(&(b.stored_at, &b.file)));
    let ttl = i128::try_from(keep.ttl.as_nanos()).unwrap_or(i128::MAX);
    let old = |file: &StoredFile| {
        file.file != current && now.as_nanosecond() - file.stored_at.as_nanosecond() > ttl
    };
    let (mut garbage, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(old);
    let surplus = rest.len().saturating_sub(keep.records.max(1));
    garbage.extend(rest.into_iter().filter(|file| file.file != current).take(surplus));
    garbage.into_iter().map(|file| file.file).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn old_and_surplus_files_go_but_never_the_current_one() {
        let file = |name: &str, at: i64| StoredFile {
            file: name.into(),
            size: 1,
            stored_at: Timestamp::from_second(at).unwrap(),
        };
        let files = || vec![file("a", 0), file("b", 10), file("c", 20), file("d", 30)];
        let keep = |ttl, records| Retention { ttl: Duration::from_secs(ttl), records };
        let now = Timestamp::from_second(40).unwrap();
        assert_eq!(garbage(files(), "d", keep(60, 2), now), ["a", "b"]);
        assert_eq!(garbage(files(), "a", keep(60, 2), now), ["b", "c"]);
        assert_eq!(garbage(files(), "d", keep(15, 9), now), ["a", "b", "c"]);
        assert_eq!(garbage(files(), "a", keep(15, 2), now), ["b", "c"]);
        assert_eq!(garbage(files(), "d", keep(60, 0), now), ["a", "b", "c"]);
        assert!(garbage(vec![file("a", 0)], "a", keep(0, 0), now).is_empty());
    }
}
