//! Takes an index in YAML apart without reading it as a whole.
//!
//! Indexes are written by tools in block style: one line per chart, then one item per version. So
//! lines and their indentation tell where a version begins, and each is parsed on its own. A piece
//! that does not stand for itself (an alias, a text over several lines that is not indented) fails
//! to parse; then the caller reads the document as a whole.

use std::io::{self, BufRead};

/// The longest line or version that is read, in bytes.
const PIECE_LIMIT: usize = 1 << 20;

/// What a line begins.
#[derive(Debug)]
pub(super) enum Piece {
    /// A field of the index itself, with everything below it.
    Field(String),
    /// A chart: its key with the colon, and perhaps a value on the same line.
    Chart(String),
    /// A version: a sequence of one item.
    Version {
        /// The number of its first line, counted from 0.
        line: u32,
        /// The text.
        text: String,
    },
}

/// Why pieces cannot be told apart.
#[derive(Debug)]
pub(super) enum SplitError {
    /// Not the usual form; the document may be good nevertheless.
    Unusual,
    /// The input failed.
    Io(io::Error),
}

impl From<io::Error> for SplitError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

enum At {
    Start,
    Field,
    /// Within `entries`; the indentation of charts and of versions, once they are known.
    Entries {
        chart: Option<usize>,
        version: Option<usize>,
    },
}

/// Gives all pieces in their order.
pub(super) fn split<E>(
    mut input: impl BufRead,
    mut give: impl FnMut(Piece) -> Result<(), E>,
) -> Result<Result<(), E>, SplitError> {
    let mut at = At::Start;
    let mut piece: Option<Piece> = None;
    let mut number = 0_u32;
    let mut line = Vec::new();
    macro_rules! begin {
        ($next:expr) => {
            if let Some(done) = piece.replace($next)
                && let Err(error) = give(done)
            {
                return Ok(Err(error));
            }
        };
    }
    while read_line(&mut input, &mut line)? {
        let text = std::str::from_utf8(&line).map_err(|_| SplitError::Unusual)?;
        let content = text.trim_start_matches(' ');
        let indent = text.len() - content.len();
        let first = content.chars().next();
        if first.is_none_or(|first| matches!(first, '\n' | '\r' | '#')) {
            extend(piece.as_mut(), text)?;
        } else if indent == 0 {
            if content.starts_with("---") && matches!(at, At::Start) {
                at = At::Field;
            } else if content.starts_with(['-', '.', '%', '\t', '\u{feff}']) {
                return Err(SplitError::Unusual);
            } else if content.trim_end() == "entries:" {
                // A chart begins the first piece of its own; what stood here is done.
                begin!(Piece::Field(String::new()));
                at = At::Entries { chart: None, version: None };
            } else {
                begin!(Piece::Field(text.to_owned()));
                at = At::Field;
            }
        } else if let At::Entries { chart, version } = &mut at {
            let at_chart = *chart.get_or_insert(indent);
            let dash = content == "-\n" || content.starts_with("- ");
            if indent == at_chart && !dash {
                begin!(Piece::Chart(text.to_owned()));
                *version = None;
            } else if dash && version.is_none_or(|version| version == indent) {
                if indent < at_chart || matches!(piece, Some(Piece::Field(_)) | None) {
                    return Err(SplitError::Unusual);
                }
                *version = Some(indent);
                begin!(Piece::Version { line: number, text: text.to_owned() });
            } else if version.is_some_and(|version| indent > version) {
                extend(piece.as_mut(), text)?;
            } else {
                return Err(SplitError::Unusual);
            }
        } else {
            extend(piece.as_mut(), text)?;
        }
        number = number.saturating_add(1);
    }
    Ok(piece.map_or(Ok(()), give))
}

fn extend(piece: Option<&mut Piece>, line: &str) -> Result<(), SplitError> {
    if let Some(Piece::Field(text) | Piece::Chart(text) | Piece::Version { text, .. }) = piece {
        if text.len() + line.len() > PIECE_LIMIT {
            return Err(SplitError::Unusual);
        }
        text.push_str(line);
    }
    Ok(())
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, SplitError> {
    use io::Read as _;
    line.clear();
    input.by_ref().take(PIECE_LIMIT as u64 + 1).read_until(b'\n', line)?;
    if line.len() > PIECE_LIMIT {
        return Err(SplitError::Unusual);
    }
    Ok(!line.is_empty())
}
