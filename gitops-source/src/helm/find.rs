//! Looks a chart up in a stored index without holding the index.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

use super::{entry::ChartVersion, json::indented};

/// How much of a stored index is read at a time, in bytes.
const PIECE: u64 = 256 << 10;
/// The largest list of versions of one chart in a lookup, in bytes.
const CHART_LIMIT: usize = 32 << 20;

/// The versions of a chart in a stored index; `None` when the index does not list it. Everything
/// else of the index is read over. Blocks.
///
/// # Errors
/// When the index cannot be read.
pub fn find_chart(index: impl Read, chart: &str) -> io::Result<Option<Vec<ChartVersion>>> {
    let key = [b"\n    ", &*indented(chart, 2)?, b": ["].concat();
    let mut input = Scan { input: index, buffer: Vec::new(), ended: false };
    // Lines of other depths begin otherwise, and no text in JSON goes over several lines.
    if !input.skip_past(b"\n  \"entries\": {")? || !input.skip_past(&key)? {
        return Ok(None);
    }
    let mut list = b"[".to_vec();
    list.extend(input.take_until(b"]", b"\n    ]")?);
    list.push(b']');
    let versions: Vec<Option<ChartVersion>> = serde_json::from_slice(&list)?;
    Ok(Some(versions.into_iter().flatten().collect()))
}

/// Reads a file from its start, whoever else reads from the same handle.
pub(super) struct ReadAt {
    file: Arc<File>,
    at: u64,
}

impl ReadAt {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for ReadAt {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let amount = self.file.read_at(piece, self.at)?;
        self.at += amount as u64;
        Ok(amount)
    }
}

/// Looks for marks in a stream that is held piece by piece.
struct Scan<R> {
    input: R,
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: Read> Scan<R> {
    fn more(&mut self) -> io::Result<()> {
        let amount = self.input.by_ref().take(PIECE).read_to_end(&mut self.buffer)?;
        self.ended = amount == 0;
        Ok(())
    }

    fn skip_past(&mut self, mark: &[u8]) -> io::Result<bool> {
        let finder = memchr::memmem::Finder::new(mark);
        loop {
            if let Some(at) = finder.find(&self.buffer) {
                self.buffer.drain(..at + mark.len());
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            let kept = self.buffer.len().min(mark.len() - 1);
            self.buffer.drain(..self.buffer.len() - kept);
            self.more()?;
        }
    }

    /// What comes before a mark; nothing when the input goes on with `empty`.
    fn take_until(&mut self, empty: &[u8], mark: &[u8]) -> io::Result<Vec<u8>> {
        let finder = memchr::memmem::Finder::new(mark);
        let mut searched = 0;
        loop {
            if self.buffer.starts_with(empty) {
                return Ok(Vec::new());
            }
            if let Some(at) = finder.find(&self.buffer[searched..]) {
                self.buffer.truncate(searched + at);
                return Ok(std::mem::take(&mut self.buffer));
            }
            if self.ended || self.buffer.len() > CHART_LIMIT {
                return Err(io::Error::other("the index is malformed"));
            }
            searched = self.buffer.len().saturating_sub(mark.len());
            self.more()?;
        }
    }
}
