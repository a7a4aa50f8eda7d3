//! The command line by Helm's rules, made into one that the parser of this program takes.
//!
//! Follows spf13/pflag v1.0.10 and spf13/cobra v1.10: flags stand anywhere, also before the command;
//! a bool takes `=false`; the last of a repeated flag counts; what is wrong is told in their words.

mod table;
mod value;

use std::{ffi::OsString, process::ExitCode};

use gitops_core::quoted;
use gitops_helm::Compat;

use table::{COMMANDS, Command, EXCLUSIVE, Flag, GLOBAL, Words};
use value::{Kind, bool_of};

/// The words of a command line, if they are for `helm`, as the parser wants them; `None` when Helm
/// refuses them, which is told then.
pub(crate) fn arranged(given: Vec<OsString>) -> Result<Vec<OsString>, ExitCode> {
    let texts: Option<Vec<String>> =
        given.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    let Some(texts) = texts.filter(|texts| texts.get(1).is_some_and(|word| word == "helm")) else {
        return Ok(given);
    };
    let mut notes = Vec::new();
    let arranged = arrange(&texts[2..], &mut notes);
    for note in notes {
        anstream::eprintln!("{note}");
    }
    match arranged {
        Ok(words) => {
            let head = texts[..2].iter().cloned();
            Ok(head.chain(words).map(OsString::from).collect())
        }
        Err(refusal) => {
            anstream::eprintln!("{refusal}");
            Err(ExitCode::FAILURE)
        }
    }
}

fn arrange(words: &[String], notes: &mut Vec<String>) -> Result<Vec<String>, String> {
    let compat = compat_of(words);
    let (path, rest) = find(words);
    let help = |path: &[&str]| {
        path.iter().map(|word| (*word).to_owned()).chain(["--help".to_owned()]).collect()
    };
    let Some(command) = COMMANDS.iter().rfind(|command| command.path == path) else {
        let mut parsed = Parsed::default();
        let read = parsed.parse(&rest, &global(compat), compat, notes);
        return match first_word(&rest).map(|at| &rest[at]) {
            Some(word) if word == "help" => Ok(rest),
            Some(word) => Err(format!(
                "Error: unknown command {} for \"helm\"\nRun 'helm --help' for usage.",
                quoted(word)
            )),
            None => read.map(|()| help(&path)).map_err(|why| format!("Error: {why}")),
        };
    };
    let mut flags = global(compat);
    let own = command.flags.iter().copied().flatten();
    flags.extend(own.filter(|flag| flag.only.is_none_or(|only| only == compat)));
    let mut parsed = Parsed::default();
    parsed.parse(&rest, &flags, compat, notes).map_err(|why| format!("Error: {why}"))?;
    let is_group = COMMANDS.iter().any(|other| other.path.len() > 1 && other.path[0] == path[0]);
    if parsed.is_on("help") || (is_group && path.len() == 1) {
        return Ok(help(&path));
    }
    if let Some(color) = parsed.colors.first() {
        return Err(format!(
            "level=WARN msg=\"command failed\" error={}",
            quoted(&format!(
                "invalid color mode {}: must be one of: never, auto, always",
                quoted(color)
            ))
        ));
    }
    check_count(command, parsed.words.len(), compat).map_err(|why| format!("Error: {why}"))?;
    parsed.check_groups(compat).map_err(|why| format!("Error: {why}"))?;
    let mut out: Vec<String> = path.iter().map(|word| (*word).to_owned()).collect();
    out.extend(parsed.flags.into_iter().filter(|(flag, _)| flag.used).filter_map(written));
    out.push("--".to_owned());
    out.extend(parsed.words);
    Ok(out)
}

fn global(compat: Compat) -> Vec<&'static Flag> {
    GLOBAL.iter().filter(|flag| flag.only.is_none_or(|only| only == compat)).collect()
}

/// A flag as one word.
fn written((flag, value): (&Flag, String)) -> Option<String> {
    match flag.kind {
        Kind::Bool => (value == "true").then(|| format!("--{}", flag.name)),
        // No text is the default of all texts.
        Kind::Text if value.is_empty() => None,
        _ => Some(format!("--{}={value}", flag.name)),
    }
}

/// The version of Helm has its own flags, so it is looked for first.
fn compat_of(words: &[String]) -> Compat {
    let mut compat = Compat::Helm4;
    for (word, next) in words.iter().zip(words.iter().skip(1).map(Some).chain([None])) {
        let value = match word.strip_prefix("--helm-compat") {
            Some("") => next.map(String::as_str),
            Some(value) => value.strip_prefix('='),
            None => None,
        };
        match value {
            Some("3") => compat = Compat::Helm3,
            Some(_) => compat = Compat::Helm4,
            None => {}
        }
    }
    compat
}

/// The command, and all words but its own.
fn find(words: &[String]) -> (Vec<&'static str>, Vec<String>) {
    let mut path: Vec<&'static str> = Vec::new();
    let mut rest = words.to_vec();
    loop {
        let below = COMMANDS.iter().filter(|command| {
            command.path.len() == path.len() + 1 && command.path.starts_with(&path)
        });
        let Some(at) = first_word(&rest) else { return (path, rest) };
        let mut below = below.filter_map(|command| {
            let name = command.path[path.len()];
            (rest[at] == name || command.aliases.contains(&&*rest[at])).then_some(name)
        });
        let Some(name) = below.next() else { return (path, rest) };
        path.push(name);
        rest.remove(at);
    }
}

/// The place of the first word that is no flag and no flag's value, as far as one can know before the
/// command is known.
fn first_word(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == "--" {
            return None;
        }
        if !word.starts_with('-') {
            return Some(at);
        }
        let known = |flag: &&Flag| match word.strip_prefix("--") {
            Some(name) => flag.name == name,
            None => word.len() == 2 && flag.short == word.chars().nth(1),
        };
        let is_bare = GLOBAL.iter().find(known).is_some_and(|flag| flag.kind.bare().is_some());
        let takes_next = !word.contains('=') && (word.starts_with("--") || word.len() == 2);
        at += if takes_next && !is_bare { 2 } else { 1 };
    }
    None
}

fn check_count(command: &Command, count: usize, compat: Compat) -> Result<(), String> {
    let wanted = match command.words {
        Words::OneAtLeast if count < 1 => "requires at least 1 argument",
        Words::OneAtLeastSinceHelm4 if count < 1 && compat == Compat::Helm4 => {
            "requires at least 1 argument"
        }
        Words::One if count != 1 => "requires 1 argument",
        Words::OneAtMost if count > 1 => "accepts at most 1 argument",
        _ => return Ok(()),
    };
    let name = command.path.join(" ");
    Err(format!("\"helm {name}\" {wanted}\n\nUsage:  helm {} [flags]", command.usage))
}

/// What was given.
#[derive(Debug, Default)]
struct Parsed {
    flags: Vec<(&'static Flag, String)>,
    words: Vec<String>,
    /// Modes of color that there are not.
    colors: Vec<String>,
}

impl Parsed {
    fn parse(
        &mut self,
        words: &[String],
        flags: &[&'static Flag],
        compat: Compat,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if let Some(long) = word.strip_prefix("--") {
                if long.is_empty() {
                    self.words.extend(words.cloned());
                    return Ok(());
                }
                if long.starts_with(['-', '=']) {
                    return Err(format!("bad flag syntax: {word}"));
                }
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                let flag = flags.iter().find(|flag| flag.name == name);
                let flag = flag.ok_or_else(|| format!("unknown flag: --{name}"))?;
                let value = match value.or_else(|| flag.kind.bare()) {
                    Some(value) => value,
                    None => {
                        words.next().ok_or_else(|| format!("flag needs an argument: --{name}"))?
                    }
                };
                self.set(flag, value, compat, notes)?;
            } else if word.len() > 1 && word.starts_with('-') {
                let mut letters = &word[1..];
                while let Some(letter) = letters.chars().next() {
                    let flag = flags.iter().find(|flag| flag.short == Some(letter));
                    let flag = flag.ok_or_else(|| {
                        format!("unknown shorthand flag: '{letter}' in -{letters}")
                    })?;
                    let rest = &letters[letter.len_utf8()..];
                    let value = if rest.len() > 1 && rest.starts_with('=') {
                        letters = "";
                        &rest[1..]
                    } else if let Some(bare) = flag.kind.bare() {
                        letters = rest;
                        bare
                    } else if !rest.is_empty() {
                        letters = "";
                        rest
                    } else {
                        letters = "";
                        words.next().ok_or_else(|| {
                            format!("flag needs an argument: '{letter}' in -{letter}")
                        })?
                    };
                    self.set(flag, value, compat, notes)?;
                }
            } else {
                self.words.push(word.clone());
            }
        }
        Ok(())
    }

    fn set(
        &mut self,
        flag: &'static Flag,
        text: &str,
        compat: Compat,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        let values = flag.kind.read(text).map_err(|why| {
            let name = flag.short.map_or_else(String::new, |letter| format!("-{letter}, "));
            let name = format!("{name}--{}", flag.name);
            format!("invalid argument {} for {} flag: {why}", quoted(text), quoted(&name))
        })?;
        match flag.kind {
            Kind::Texts | Kind::Csv | Kind::Pairs => {}
            _ => self.flags.retain(|(known, _)| known.name != flag.name),
        }
        if flag.kind == Kind::Wait && bool_of(text).is_some() {
            let instead = if text == "true" { "watcher" } else { "hookOnly" };
            notes.push(format!(
                "level=WARN msg=\"--wait={text} is deprecated (boolean value) and can be replaced with \
                 --wait={instead}\""
            ));
        }
        if flag.kind == Kind::Color && !["never", "auto", "always"].contains(&text) {
            self.colors.push(text.to_owned());
        }
        self.flags.extend(values.into_iter().map(|value| (flag, value)));
        if let Some(advice) = flag.deprecated.filter(|_| compat == Compat::Helm4) {
            notes.push(format!("Flag --{} has been deprecated, {advice}", flag.name));
        }
        Ok(())
    }

    fn is_given(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, _)| flag.name == name)
    }

    fn is_on(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, value)| flag.name == name && value == "true")
    }

    fn check_groups(&self, compat: Compat) -> Result<(), String> {
        if compat == Compat::Helm3 {
            return Ok(());
        }
        match EXCLUSIVE.iter().find(|group| group.iter().all(|name| self.is_given(name))) {
            None => Ok(()),
            Some(group) => {
                let mut all = *group;
                all.sort_unstable();
                Err(format!(
                    "if any flags in the group [{}] are set none of the others can be; [{}] were all \
                     set",
                    group.join(" "),
                    all.join(" ")
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> Result<String, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        arrange(&words, &mut Vec::new()).map(|words| words.join(" "))
    }

    #[test]
    fn flags_stand_anywhere_and_the_last_counts() {
        for (line, arranged) in [
            ("template -n a web --namespace=b", "template --namespace=b -- web"),
            ("-n a template --no-hooks=false web", "template --namespace=a -- web"),
            (
                "template -gsx -fa,b -- -w",
                "template --generate-name --show-only=x --values=a --values=b -- -w",
            ),
            ("dep ls . --max-col-width 7", "dependency list --max-col-width=7 -- ."),
            (
                "template web --timeout 5s --set a=1 --set -b=2",
                "template --set=a=1 --set=-b=2 -- web",
            ),
            ("show", "show --help"),
            ("template web -h", "template --help"),
        ] {
            assert_eq!(given(line).unwrap(), arranged, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_words_of_pflag() {
        for (line, told) in [
            ("template web --nope", "unknown flag: --nope"),
            ("template web -gZ", "unknown shorthand flag: 'Z' in -Z"),
            ("template web --set", "flag needs an argument: --set"),
            ("template web -f", "flag needs an argument: 'f' in -f"),
            ("template web ---x", "bad flag syntax: ---x"),
            ("template web --force-replace --helm-compat=3", "unknown flag: --force-replace"),
            (
                "template web -a \"x",
                "invalid argument \"\\\"x\" for \"-a, --api-versions\" flag: parse error on line 1, \
                 column 3: extraneous or missing \" in quoted-field",
            ),
            (
                "show chart a b",
                "\"helm show chart\" requires 1 argument\n\nUsage:  helm show chart [CHART] [flags]",
            ),
            ("nope", "unknown command \"nope\" for \"helm\"\nRun 'helm --help' for usage."),
        ] {
            assert_eq!(given(line).unwrap_err(), format!("Error: {told}"), "{line}");
        }
    }
}
