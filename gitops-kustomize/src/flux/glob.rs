//! The patterns of `${v#p}` and `${v%p}`: `*`, `?`, `[a-h]`, `[^a]` and `\x`, without the meaning of
//! paths.

/// A pattern for texts.
#[derive(Debug)]
pub(super) struct Glob {
    tokens: Vec<Token>,
}

#[derive(Debug)]
enum Token {
    Star,
    Any,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// `None` for what is no pattern.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            tokens.push(match c {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => Token::Char(rest.next()?),
                '[' => {
                    let negated = rest.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    loop {
                        if !ranges.is_empty() && rest.next_if_eq(&']').is_some() {
                            break;
                        }
                        let low = class_char(&mut rest)?;
                        let high = if rest.next_if_eq(&'-').is_some() {
                            class_char(&mut rest)?
                        } else {
                            low
                        };
                        ranges.push((low, high));
                    }
                    Token::Class { negated, ranges }
                }
                c => Token::Char(c),
            });
        }
        Some(Self { tokens })
    }

    /// The lengths in bytes of all beginnings of a text, but the empty one, that match as a whole:
    /// shortest first. The work grows with text times pattern.
    pub(super) fn prefixes(&self, text: &str) -> Vec<usize> {
        let end = self.tokens.len();
        let mut states = vec![false; end + 1];
        states[0] = true;
        self.close(&mut states);
        let mut found = Vec::new();
        for (at, c) in text.char_indices() {
            let mut next = vec![false; end + 1];
            for (state, token) in self.tokens.iter().enumerate() {
                if !states[state] {
                    continue;
                }
                match token {
                    Token::Star => next[state] = true,
                    token if token.accepts(c) => next[state + 1] = true,
                    _ => {}
                }
            }
            self.close(&mut next);
            states = next;
            if states[end] {
                found.push(at + c.len_utf8());
            }
            if !states.contains(&true) {
                break;
            }
        }
        found
    }

    /// A star may match nothing.
    fn close(&self, states: &mut [bool]) {
        for (state, token) in self.tokens.iter().enumerate() {
            if states[state] && matches!(token, Token::Star) {
                states[state + 1] = true;
            }
        }
    }
}

impl Token {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Star | Self::Any => true,
            Self::Char(own) => *own == c,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

fn class_char(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        for (pattern, text, lengths) in [
            ("*.", "a.b.c", vec![2, 4]),
            ("?", "äb", vec![2]),
            ("[a-c]x", "bx", vec![2]),
            ("[^a]", "b", vec![1]),
            ("\\*", "*a", vec![1]),
            ("a", "b", vec![]),
            ("*", "ab", vec![1, 2]),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().prefixes(text), lengths, "{pattern}");
        }
        for bad in ["[", "[]", "a\\", "[a", "[-]"] {
            assert!(Glob::new(bad).is_none(), "{bad}");
        }
    }
}
