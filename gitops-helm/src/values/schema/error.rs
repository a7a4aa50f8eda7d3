//! What is wrong with a value: a tree, as it is printed.

use std::fmt::Write as _;

use gitops_core::quoted;

/// A mistake and those that led to it.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Where the value stands, as a JSON pointer.
    pub(super) place: String,
    pub(super) kind: Kind,
    pub(super) causes: Vec<Self>,
}

/// How a mistake is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Several mistakes of one schema.
    Group,
    /// What a reference leads to says no.
    Reference,
    /// In these words.
    Text(String),
}

impl Mistake {
    pub(super) fn new(place: &str, text: impl Into<String>) -> Self {
        Self { place: place.to_owned(), kind: Kind::Text(text.into()), causes: Vec::new() }
    }

    /// Several mistakes as one.
    pub(super) fn group(place: &str, mut mistakes: Vec<Self>) -> Option<Self> {
        match mistakes.len() {
            0 => None,
            1 => mistakes.pop(),
            _ => Some(Self { place: place.to_owned(), kind: Kind::Group, causes: mistakes }),
        }
    }

    /// The mistake of a schema that a reference led to.
    pub(super) fn referred(self, place: &str) -> Self {
        Self { place: place.to_owned(), kind: Kind::Reference, causes: self.into_causes() }
    }

    /// The mistakes that this one groups, or this one.
    pub(super) fn into_causes(self) -> Vec<Self> {
        match self.kind {
            Kind::Group => self.causes,
            _ => vec![self],
        }
    }

    /// The mistakes line by line, this one left out where it only groups others.
    pub(super) fn report(self) -> String {
        let mut text = String::new();
        for cause in &self.into_causes() {
            cause.write(&mut text, 0);
        }
        text
    }

    fn write(&self, text: &mut String, indent: usize) {
        let mut below = indent;
        if self.kind != Kind::Reference || self.causes.len() != 1 {
            let message = match &self.kind {
                Kind::Group | Kind::Reference => "validation failed",
                Kind::Text(text) => text,
            };
            let place = quote(&self.place);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:indent$}- at {place}: {message}", "", indent = indent * 2);
            below += 1;
        }
        for cause in &self.causes {
            cause.write(text, below);
        }
    }
}

/// Text in single quotes.
pub(super) fn quote(text: &str) -> String {
    let quoted = quoted(text);
    let inner = quoted[1..quoted.len() - 1].replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{inner}'")
}

/// Texts in single quotes, divided by commas.
pub(super) fn quote_all<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}
