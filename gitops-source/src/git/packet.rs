//! Git's wire protocol, as far as a fetch needs it: packet lines, advertisements (versions 0 and
//! 2), requests and the side band. Follows Git's protocol-common, protocol-v2 and pack-protocol
//! documents.

use std::collections::BTreeMap;

use crate::SourceError;

/// A packet line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'b> {
    Flush,
    Delimiter,
    ResponseEnd,
    Line(&'b [u8]),
}

/// Takes a packet off the front of `bytes`; `None` when it is not there as a whole.
pub(crate) fn next_packet<'b>(bytes: &mut &'b [u8]) -> Result<Option<Packet<'b>>, SourceError> {
    let Some(head) = bytes.get(..4) else {
        return Ok(None);
    };
    let length = std::str::from_utf8(head)
        .ok()
        .filter(|head| head.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|head| usize::from_str_radix(head, 16).ok())
        .ok_or_else(|| SourceError::content("invalid pkt-len found"))?;
    let packet = match length {
        0 => Packet::Flush,
        1 => Packet::Delimiter,
        2 => Packet::ResponseEnd,
        3 => return Err(SourceError::content("invalid pkt-len found")),
        _ => match bytes.get(4..length) {
            Some(line) => Packet::Line(line),
            None => return Ok(None),
        },
    };
    *bytes = &bytes[length.max(4)..];
    Ok(Some(packet))
}

/// Adds a packet line to a request.
pub(crate) fn put_line(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(format!("{:04x}", line.len() + 4).as_bytes());
    out.extend_from_slice(line.as_bytes());
}

/// A reference as a server advertises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteRef {
    /// What it points at; for an annotated tag the tag object.
    pub(crate) id: String,
    /// The commit behind an annotated tag.
    pub(crate) peeled: Option<String>,
}

impl RemoteRef {
    pub(crate) fn commit(&self) -> &str {
        self.peeled.as_deref().unwrap_or(&self.id)
    }
}

/// What a server says first: how it speaks, and in version 0 also its references.
#[derive(Debug, Default)]
pub(crate) struct Advertisement {
    pub(crate) version_2: bool,
    pub(crate) capabilities: Vec<String>,
    pub(crate) refs: BTreeMap<String, RemoteRef>,
}

impl Advertisement {
    /// Reads the body of `info/refs`.
    pub(crate) fn parse(mut body: &[u8]) -> Result<Self, SourceError> {
        let whole = body;
        let mut own = Self::default();
        let mut first = true;
        while let Some(packet) = next_packet(&mut body)? {
            let Packet::Line(line) = packet else {
                continue;
            };
            let line = text(line)?;
            if line.starts_with("# service=") {
                continue;
            }
            if std::mem::take(&mut first) && line == "version 2" {
                own.version_2 = true;
            } else if own.version_2 {
                own.capabilities.push(line.to_owned());
            } else if line != "version 1" {
                let (line, capabilities) = line.split_once('\0').unwrap_or((line, ""));
                own.capabilities.extend(capabilities.split_whitespace().map(str::to_owned));
                own.add_ref(line)?;
            }
        }
        if first || !body.is_empty() {
            let why =
                if first && whole.is_empty() { "empty input" } else { "invalid pkt-len found" };
            return Err(SourceError::content(why));
        }
        Ok(own)
    }

    /// Reads the answer to `ls-refs`.
    pub(crate) fn parse_refs(&mut self, mut body: &[u8]) -> Result<(), SourceError> {
        loop {
            match next_packet(&mut body)? {
                Some(Packet::Line(line)) => {
                    let mut words = text(line)?.split(' ');
                    let (Some(id), Some(name)) = (words.next(), words.next()) else {
                        continue;
                    };
                    let peeled = words.find_map(|word| word.strip_prefix("peeled:"));
                    if is_id(id) {
                        let peeled = peeled.filter(|id| is_id(id)).map(str::to_owned);
                        self.refs.insert(name.to_owned(), RemoteRef { id: id.to_owned(), peeled });
                    }
                }
                Some(_) => return Ok(()),
                None => return Err(SourceError::network("unexpected EOF")),
            }
        }
    }

    pub(crate) fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|own| own == capability)
    }

    /// Whether `fetch` of version 2 can leave objects out.
    pub(crate) fn filters(&self) -> bool {
        let fetch = self.capabilities.iter().find_map(|own| own.strip_prefix("fetch="));
        self.has("filter") || fetch.is_some_and(|words| words.split(' ').any(|w| w == "filter"))
    }

    pub(crate) fn object_format(&self) -> &str {
        let own = self.capabilities.iter().find_map(|own| own.strip_prefix("object-format="));
        own.unwrap_or("sha1")
    }

    fn add_ref(&mut self, line: &str) -> Result<(), SourceError> {
        let malformed = || SourceError::content("malformed reference advertisement");
        let (id, name) = line.split_once(' ').ok_or_else(malformed)?;
        if matches!(id, "shallow") {
            return Ok(());
        }
        if !is_id(id) {
            return Err(malformed());
        }
        // An empty repository advertises its capabilities with a reference of this name.
        if name == "capabilities^{}" {
            return Ok(());
        }
        if let Some(tag) = name.strip_suffix("^{}") {
            if let Some(tag) = self.refs.get_mut(tag) {
                tag.peeled = Some(id.to_owned());
            }
        } else {
            self.refs.insert(name.to_owned(), RemoteRef { id: id.to_owned(), peeled: None });
        }
        Ok(())
    }
}

/// What to fetch.
#[derive(Debug)]
pub(crate) struct Want<'w> {
    pub(crate) ids: &'w [String],
    /// Only the wanted commits, without their history.
    pub(crate) shallow: bool,
    /// Only commits, no trees or files.
    pub(crate) history_only: bool,
}

impl Want<'_> {
    /// The body of the request that fetches this.
    pub(crate) fn request(&self, server: &Advertisement) -> Vec<u8> {
        let mut out = Vec::new();
        if server.version_2 {
            put_line(&mut out, "command=fetch\n");
            put_line(&mut out, &format!("object-format={}\n", server.object_format()));
            out.extend_from_slice(b"0001");
            put_line(&mut out, "ofs-delta\n");
            put_line(&mut out, "no-progress\n");
            if self.shallow {
                put_line(&mut out, "deepen 1\n");
            }
            if self.history_only {
                put_line(&mut out, "filter tree:0\n");
            }
            for id in self.ids {
                put_line(&mut out, &format!("want {id}\n"));
            }
            put_line(&mut out, "done\n");
            out.extend_from_slice(b"0000");
            return out;
        }
        let wished = ["multi_ack_detailed", "side-band-64k", "ofs-delta", "no-progress", "shallow"];
        let mut capabilities: Vec<&str> =
            wished.into_iter().filter(|name| server.has(name)).collect();
        if self.history_only {
            capabilities.push("filter");
        }
        let format = format!("object-format={}", server.object_format());
        if server.has(&format) {
            capabilities.push(&format);
        }
        for (index, id) in self.ids.iter().enumerate() {
            let capabilities = if index == 0 { capabilities.join(" ") } else { String::new() };
            put_line(&mut out, &format!("want {id} {capabilities}\n"));
        }
        if self.shallow {
            put_line(&mut out, "deepen 1\n");
        }
        if self.history_only {
            put_line(&mut out, "filter tree:0\n");
        }
        out.extend_from_slice(b"0000");
        put_line(&mut out, "done\n");
        out
    }
}

/// The body of the request that lists references; with prefixes only those.
pub(crate) fn list_request(server: &Advertisement, prefixes: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    put_line(&mut out, "command=ls-refs\n");
    put_line(&mut out, &format!("object-format={}\n", server.object_format()));
    out.extend_from_slice(b"0001");
    put_line(&mut out, "peel\n");
    for prefix in prefixes {
        put_line(&mut out, &format!("ref-prefix {prefix}\n"));
    }
    out.extend_from_slice(b"0000");
    out
}

/// Takes the pack out of the stream that answers a fetch.
#[derive(Debug)]
pub(crate) struct PackStream {
    buffer: Vec<u8>,
    side_band: bool,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Before,
    InPack,
    /// The rest of the stream is the pack itself: a server without side band.
    Raw,
    Finished,
}

impl PackStream {
    pub(crate) fn new(server: &Advertisement) -> Self {
        let side_band = server.version_2 || server.has("side-band-64k");
        Self { buffer: Vec::new(), side_band, progress: Progress::Before }
    }

    /// Takes in some of the stream and gives what it held of the pack to `out`.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SourceError> {
        if self.progress == Progress::Raw {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        self.buffer.extend_from_slice(bytes);
        let mut rest = &self.buffer[..];
        loop {
            if !self.side_band && rest.starts_with(b"PACK") {
                self.progress = Progress::Raw;
                out.extend_from_slice(rest);
                rest = &[];
                break;
            }
            let Some(packet) = next_packet(&mut rest)? else {
                break;
            };
            let Packet::Line(line) = packet else {
                if self.progress == Progress::InPack && packet == Packet::Flush {
                    self.progress = Progress::Finished;
                }
                continue;
            };
            match (line.first(), line.get(1..)) {
                (Some(1), Some(data)) if self.side_band => {
                    self.progress = Progress::InPack;
                    out.extend_from_slice(data);
                }
                (Some(2), _) if self.side_band => {}
                (Some(3), Some(data)) if self.side_band => {
                    return Err(server_error(&String::from_utf8_lossy(data)));
                }
                _ => {
                    if let Some(why) = text(line)?.strip_prefix("ERR ") {
                        return Err(server_error(why));
                    }
                    // Acknowledgements, shallow boundaries and section names need no answer.
                }
            }
        }
        let used = self.buffer.len() - rest.len();
        self.buffer.drain(..used);
        Ok(())
    }

    /// Whether the pack is there as a whole.
    pub(crate) fn is_finished(&self) -> bool {
        self.progress == Progress::Finished
    }

    /// At the end of the stream.
    pub(crate) fn finish(&self) -> Result<(), SourceError> {
        if matches!(self.progress, Progress::Raw | Progress::Finished) {
            return Ok(());
        }
        Err(SourceError::network("unexpected EOF"))
    }
}

fn server_error(why: &str) -> SourceError {
    let why = why.trim_end();
    // Git says so for an object that it does not have, or does not want to give.
    if why.contains("not our ref") {
        return SourceError::NotFound("object not found".into());
    }
    SourceError::Network(format!("remote error: {why}").into())
}

fn text(line: &[u8]) -> Result<&str, SourceError> {
    let line = std::str::from_utf8(line)
        .map_err(|_| SourceError::content("a reference name is not UTF-8"))?;
    Ok(line.strip_suffix('\n').unwrap_or(line))
}

/// Whether a text is a full object id.
pub(crate) fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f5c0dcee7db53fd69db16ac54c3fea893204bd3";

    fn lines(lines: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in lines {
            if *line == "0000" {
                out.extend_from_slice(b"0000");
            } else {
                put_line(&mut out, line);
            }
        }
        out
    }

    #[test]
    fn advertisements_of_both_versions() {
        let body = lines(&[
            "# service=git-upload-pack\n",
            "0000",
            &format!("{ID} HEAD\0side-band-64k object-format=sha1\n"),
            &format!("{ID} refs/tags/v1\n"),
            &format!("{} refs/tags/v1^{{}}\n", ID.replace('8', "9")),
            "0000",
        ]);
        let old = Advertisement::parse(&body).unwrap();
        assert!(!old.version_2 && old.has("side-band-64k"));
        assert_eq!(old.refs["refs/tags/v1"].commit(), ID.replace('8', "9"));
        let body = lines(&["version 2\n", "ls-refs\n", "fetch=shallow filter\n", "0000"]);
        let mut new = Advertisement::parse(&body).unwrap();
        assert!(new.version_2 && new.filters());
        let refs = lines(&[&format!("{ID} refs/tags/v1 peeled:{ID}\n"), "0000"]);
        new.parse_refs(&refs).unwrap();
        assert_eq!(new.refs["refs/tags/v1"].commit(), ID);
    }

    #[test]
    fn packs_arrive_in_any_pieces() {
        let mut body = lines(&["packfile\n", "\u{1}PACKab", "\u{2}progress", "\u{1}cd", "0000"]);
        let server = Advertisement { version_2: true, ..Advertisement::default() };
        for size in 1..body.len() {
            let (mut stream, mut out) = (PackStream::new(&server), Vec::new());
            for piece in body.chunks(size) {
                stream.feed(piece, &mut out).unwrap();
            }
            stream.finish().unwrap();
            assert_eq!(out, b"PACKabcd");
        }
        body.truncate(body.len() - 4);
        let (mut stream, mut out) = (PackStream::new(&server), Vec::new());
        stream.feed(&body, &mut out).unwrap();
        assert!(stream.finish().is_err());
    }

    #[test]
    fn hostile_packets_are_errors() {
        for bad in [&b"zzzz"[..], b"0003", b"+004", b"00\xff0"] {
            assert!(next_packet(&mut &bad[..]).is_err());
        }
        assert_eq!(next_packet(&mut &b"00ffshort"[..]).unwrap(), None);
        let error = PackStream::new(&Advertisement::default())
            .feed(&lines(&["ERR upload-pack: not our ref x"]), &mut Vec::new())
            .unwrap_err();
        assert!(matches!(error, SourceError::NotFound(_)));
    }
}
