//! What holds for any input: nothing panics, and texts that mean something mean it reliably.

use gitops_core::{MemoryTree, Tree};
use gitops_source::{IgnoreRules, Version, VersionRange};
use proptest::prelude::*;

fn rules(text: &str) -> IgnoreRules {
    IgnoreRules::load(&MemoryTree::new(), Some(text)).expect("an empty tree can be read")
}

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,6}(\\.[a-z]{1,3})?"
}

proptest! {
    #[test]
    fn any_rules_judge_any_path(text in ".{0,200}", path in "[^\0]{1,60}", is_dir: bool) {
        rules(&text).ignores(path.as_ref(), is_dir);
    }

    /// Row 75 of the list of attacks: patterns are linear.
    #[test]
    fn globs_of_special_characters_end(text in "[*?\\[\\]a^\\\\-]{0,40}", path in "[a-]{0,60}") {
        rules(&text).ignores(path.as_ref(), false);
    }

    #[test]
    fn a_name_ignores_itself_everywhere_and_can_be_taken_back(name in name(), dir in name()) {
        let path = format!("{dir}/{name}");
        prop_assert!(rules(&name).ignores(path.as_ref(), false));
        let below = format!("{path}/below");
        prop_assert!(rules(&name).ignores(below.as_ref(), false));
        let both = format!("{name}\n!{path}");
        prop_assert!(!rules(&both).ignores(path.as_ref(), false));
    }

    #[test]
    fn rules_of_a_directory_hold_only_below_it(name in name(), dir in name(), other in name()) {
        prop_assume!(dir != other && dir != name && other != name);
        let tree = MemoryTree::from_iter([(format!("{dir}/.sourceignore"), name.clone())]);
        let tree: &dyn Tree = &tree;
        let rules = IgnoreRules::load(tree, None).expect("a tree in memory can be read");
        let (inside, outside) = (format!("{dir}/{name}"), format!("{other}/{name}"));
        prop_assert!(rules.ignores(inside.as_ref(), false));
        prop_assert!(!rules.ignores(outside.as_ref(), false));
    }

    #[test]
    fn any_text_is_a_range_or_an_error(text in ".{0,80}", tag in ".{0,40}") {
        let version = Version::from_tag(&tag);
        if let (Ok(range), Some(version)) = (text.parse::<VersionRange>(), version) {
            range.contains(&version);
        }
    }

    #[test]
    fn ranges_hold_what_they_name(major in 0_u64..50, minor in 0_u64..50, patch in 0_u64..50) {
        let text = format!("{major}.{minor}.{patch}");
        let version = Version::from_tag(&text).expect("a version");
        for range in [
            format!("={text}"),
            format!("^{text}"),
            format!("~{text}"),
            format!(">={text}"),
            format!("<={text}"),
            format!("{major}.{minor}"),
            format!("{major}.x"),
            format!("{text} - {text}"),
            format!(">{text} || {text}"),
        ] {
            let parsed: VersionRange = range.parse().expect("a range");
            prop_assert!(parsed.contains(&version), "{}", range);
        }
        for range in [format!(">{text}"), format!("<{text}"), format!("!={text}")] {
            let parsed: VersionRange = range.parse().expect("a range");
            prop_assert!(!parsed.contains(&version), "{}", range);
        }
    }
}
