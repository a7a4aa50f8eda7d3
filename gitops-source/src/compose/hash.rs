//! The hash by which composed files are named.

use gitops_core::{MemoryTree, quoted};
use std::fmt::Write as _;

/// Adler-32.
#[derive(Clone, Copy)]
struct Adler {
    low: u32,
    high: u32,
}

impl Adler {
    const MODULUS: u32 = 65521;

    fn new() -> Self {
        Self { low: 1, high: 0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        // As many as fit before the sums overflow.
        for piece in bytes.chunks(5552) {
            for byte in piece {
                self.low += u32::from(*byte);
                self.high += self.low;
            }
            self.low %= Self::MODULUS;
            self.high %= Self::MODULUS;
        }
    }

    fn finish(self) -> u32 {
        (self.high << 16) | self.low
    }
}

/// The hash of files with their paths below a prefix, as Go's `dirhash` lists them.
///
/// # Errors
/// For a path with a line break.
pub(super) fn content_hash(tree: &MemoryTree, prefix: &str) -> Result<String, String> {
    let mut names: Vec<(String, u32)> = Vec::new();
    for (path, content) in tree.files() {
        let name = format!("{prefix}/{}", path.display());
        if name.contains('\n') {
            return Err(format!("filenames with newlines are not supported: {}", quoted(&name)));
        }
        let mut hash = Adler::new();
        hash.update(content);
        names.push((name, hash.finish()));
    }
    names.sort();
    let mut all = Adler::new();
    let mut line = String::new();
    for (name, hash) in names {
        line.clear();
        // Writing to a String cannot fail.
        let _ = writeln!(line, "{hash:x}  {name}");
        all.update(line.as_bytes());
    }
    Ok(all.finish().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adler() {
        let mut hash = Adler::new();
        hash.update(b"Wikipedia");
        assert_eq!(hash.finish(), 0x11E6_0398);
    }
}
