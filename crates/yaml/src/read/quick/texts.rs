//! Texts that documents repeat, such as long keys and names, kept once.

use crate::node::Text;

/// The texts that were read last, as far as they need memory of their own.
#[derive(Debug, Default)]
pub(super) struct Texts {
    slots: Vec<Text>,
}

impl Texts {
    const SLOTS: usize = 64;
    /// Shorter texts stand in their nodes.
    const SHORTEST: usize = 16;
    /// Longer ones hardly ever come again.
    const LONGEST: usize = 64;

    /// The text, shared with what was read before if it is still known.
    pub(super) fn of(&mut self, text: &str) -> Text {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&text.len()) {
            return Text::from(text);
        }
        if self.slots.is_empty() {
            self.slots.resize(Self::SLOTS, Text::default());
        }
        let slot = &mut self.slots[Self::slot(text.as_bytes())];
        if slot.as_str() != text {
            *slot = Text::from(text);
        }
        slot.clone()
    }

    /// Texts of one kind often begin alike, so the end counts too.
    fn slot(text: &[u8]) -> usize {
        let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let both = word(text.last_chunk()) ^ word(text.first_chunk()).rotate_left(23);
        let mixed = both.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ text.len() as u64;
        usize::try_from(mixed >> 58 ^ mixed & 0x1f).unwrap_or(0) % Self::SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_was_asked_for() {
        let mut texts = Texts::default();
        for round in 0..3 {
            for number in 0..200 {
                let text = format!("a text with a number behind it: {number}");
                assert_eq!(texts.of(&text), text.as_str(), "{round}");
                assert_eq!(texts.of("short"), "short");
            }
        }
        let (one, two) = (texts.of("serviceAccountName"), texts.of("serviceAccountName"));
        assert_eq!(one.as_ptr(), two.as_ptr(), "they are shared");
    }
}
