//! Charts as `.tgz`: read within limits, nothing is ever written.
//!
//! Follows helm pkg/chart/loader/archive/archive.go; differs in: the archives within an archive
//! share one budget of bytes, files and nesting.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use gitops_core::quoted;
use tar::{Archive, EntryType};

use crate::chart::{ChartError, ChartLimits, File};

/// What one chart with all that is nested in it may still use.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limits: ChartLimits,
    bytes: u64,
    files: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new(limits: &ChartLimits) -> Self {
        Self { limits: limits.clone(), bytes: 0, files: 0, depth: 0 }
    }

    pub(super) fn limits(&self) -> &ChartLimits {
        &self.limits
    }

    /// A chart within a chart begins.
    pub(super) fn enter(&mut self) -> Result<(), ChartError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            let message = format!("charts are nested more than {} levels deep", self.limits.depth);
            return Err(ChartError::Limit(message));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Counts a file of this size.
    pub(super) fn take(&mut self, size: u64) -> Result<(), ChartError> {
        self.files += 1;
        if self.files > self.limits.files {
            let message = format!("chart has more than {} files", self.limits.files);
            return Err(ChartError::Limit(message));
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.total_bytes {
            let message =
                format!("chart is larger than the maximum size {}", self.limits.total_bytes);
            return Err(ChartError::Limit(message));
        }
        Ok(())
    }

    /// The files of an archive, the first component of their paths taken away.
    pub(super) fn read_archive(&mut self, archive: &[u8]) -> Result<Vec<File>, ChartError> {
        let limits = self.limits.clone();
        let too_large = || {
            let size = limits.archive_bytes;
            ChartError::Limit(format!("decompressed chart is larger than the maximum size {size}"))
        };
        // The headers are bounded too: each file costs at most a few blocks beside its content.
        let overhead = (limits.files as u64).saturating_mul(2048);
        let stream = MultiGzDecoder::new(archive);
        let mut archive = Archive::new(stream.take(limits.archive_bytes.saturating_add(overhead)));
        let mut files = Vec::new();
        let mut remaining = limits.archive_bytes;
        for entry in archive.entries().map_err(|error| unreadable(&error))? {
            let mut entry = entry.map_err(|error| unreadable(&error))?;
            let kind = entry.header().entry_type();
            if kind.is_dir() || matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
                continue;
            }
            let full_name = entry_name(&entry)?;
            let name = checked_name(&full_name)?;
            // A link has no content; Helm takes it for an empty file.
            let size =
                if kind.is_file() || kind == EntryType::GNUSparse { entry.size() } else { 0 };
            if size > remaining {
                return Err(too_large());
            }
            if size > limits.file_bytes {
                return Err(ChartError::Limit(format!(
                    "decompressed chart file {} is larger than the maximum file size {}",
                    quoted(&full_name),
                    limits.file_bytes
                )));
            }
            self.take(size)?;
            let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            if size > 0 {
                entry
                    .by_ref()
                    .take(size)
                    .read_to_end(&mut data)
                    .map_err(|error| unreadable(&error))?;
            }
            remaining -= size;
            if (data.len() as u64) < size || remaining == 0 {
                return Err(too_large());
            }
            files.push(File { name, data: without_mark(Bytes::from(data)) });
        }
        if files.is_empty() {
            return Err(ChartError::Archive("no files in chart archive".to_owned()));
        }
        Ok(files)
    }
}

fn entry_name<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, ChartError> {
    match String::from_utf8(entry.path_bytes().into_owned()) {
        Ok(name) if !name.contains('\0') => Ok(name),
        _ => Err(ChartError::Archive("chart contains illegally named files".to_owned())),
    }
}

/// The path below the chart's own directory.
fn checked_name(name: &str) -> Result<String, ChartError> {
    let delimiter = if name.contains('\\') { '\\' } else { '/' };
    let (first, rest) = name.split_once(delimiter).unwrap_or((name, ""));
    let refuse = |message: &str| Err(ChartError::Archive(message.to_owned()));
    let rest = if delimiter == '\\' { rest.replace('\\', "/") } else { rest.to_owned() };
    if rest.starts_with('/') {
        return refuse("chart illegally contains absolute paths");
    }
    let clean = clean(&rest);
    if clean == "." {
        return refuse(&format!(
            "chart illegally contains content outside the base directory: {}",
            quoted(name)
        ));
    }
    if clean.starts_with("..") {
        return refuse("chart illegally references parent directory");
    }
    let mut drive = clean.bytes();
    if drive.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && drive.next() == Some(b':')
        && drive.next() == Some(b'/')
    {
        return refuse("chart contains illegally named files");
    }
    if first == "Chart.yaml" {
        return refuse("chart yaml not in base directory");
    }
    Ok(clean)
}

/// Go's `path.Clean` of a path that does not start with `/`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// The content without a byte order mark.
pub(super) fn without_mark(data: Bytes) -> Bytes {
    if data.starts_with(b"\xef\xbb\xbf") { data.slice(3..) } else { data }
}

fn unreadable(error: &std::io::Error) -> ChartError {
    let text = error.to_string();
    let message = match error.kind() {
        ErrorKind::UnexpectedEof => "unexpected EOF",
        // What is shorter than a header.
        _ if text.contains("failed to read entire block") => "unexpected EOF",
        _ if text.contains("gzip header") => "gzip: invalid header",
        ErrorKind::InvalidInput | ErrorKind::InvalidData if text.contains("deflate") => {
            "gzip: invalid checksum"
        }
        _ => "archive/tar: invalid tar header",
    };
    ChartError::Archive(message.to_owned())
}

/// Whether these are the first bytes of a gzip stream.
pub(super) fn is_gzip(data: &[u8]) -> bool {
    data.starts_with(b"\x1f\x8b\x08")
}

/// What Go's `http.DetectContentType` says of the first 512 bytes, as far as charts are mistaken
/// for something else.
pub(super) fn content_type(data: &[u8]) -> &'static str {
    // Quirk: Helm reads into a buffer of 512 bytes and looks at all of it, also behind the end.
    let head = &data[..data.len().min(512)];
    const MARKS: &[(&[u8], &str)] = &[
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"Rar!\x1a\x07", "application/x-rar-compressed"),
        (b"\x89PNG\x0d\x0a\x1a\x0a", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"\0asm", "application/wasm"),
        (b"\xfe\xff", "text/plain; charset=utf-16be"),
        (b"\xff\xfe", "text/plain; charset=utf-16le"),
        (b"\xef\xbb\xbf", "text/plain; charset=utf-8"),
    ];
    for (mark, name) in MARKS {
        if head.starts_with(mark) {
            return name;
        }
    }
    let text = head.trim_ascii_start().to_ascii_lowercase();
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    if text.starts_with(b"<!doctype html")
        || text.starts_with(b"<html")
        || text.starts_with(b"<!--")
    {
        return "text/html; charset=utf-8";
    }
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if head.len() < 512 || head.iter().any(binary) {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_chart_are_refused() {
        for (name, message) in [
            ("c/../../x", "chart illegally references parent directory"),
            ("c//etc/passwd", "chart illegally contains absolute paths"),
            ("c\\..\\..\\x", "chart illegally references parent directory"),
            ("c/C:/x", "chart contains illegally named files"),
            (
                "Chart.yaml",
                "chart illegally contains content outside the base directory: \"Chart.yaml\"",
            ),
            ("c/.", "chart illegally contains content outside the base directory: \"c/.\""),
            ("Chart.yaml/x", "chart yaml not in base directory"),
        ] {
            assert_eq!(checked_name(name).unwrap_err().to_string(), message, "{name}");
        }
        assert_eq!(checked_name("c/./a/../b").unwrap(), "b");
        assert_eq!(checked_name("c\\templates\\a.yaml").unwrap(), "templates/a.yaml");
    }
}
