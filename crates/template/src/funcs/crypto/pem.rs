//! PEM blocks.

use crate::funcs::encoding::base64;

/// A block: its type and what is in it.
pub(super) struct Block<'t> {
    pub(super) kind: &'t str,
    pub(super) bytes: Vec<u8>,
}

/// The first block of a text.
pub(super) fn decode(text: &str) -> Option<Block<'_>> {
    let mut rest = text;
    while let Some(at) = rest.find("-----BEGIN ") {
        let at_line_start = at == 0 || rest.as_bytes()[at - 1] == b'\n';
        rest = &rest[at + "-----BEGIN ".len()..];
        if at_line_start && let Some(block) = block(rest) {
            return Some(block);
        }
    }
    None
}

/// A block from its type on.
fn block(text: &str) -> Option<Block<'_>> {
    let (kind, after) = text.split_once("-----")?;
    let end = format!("-----END {kind}-----");
    let (body, _) = after.split_once(&end)?;
    // Headers end with an empty line.
    let body = body.trim_start_matches([' ', '\t', '\r', '\n']);
    let body = match body.split_once("\n\n") {
        Some((headers, body)) if headers.contains(':') => body,
        _ => body,
    };
    let body: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    Some(Block { kind, bytes: base64::decode(&body).ok()? })
}

pub(super) fn encode(kind: &str, bytes: &[u8]) -> String {
    let body = base64::encode(bytes);
    let mut out = format!("-----BEGIN {kind}-----\n");
    for line in body.as_bytes().chunks(64) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.extend(["-----END ", kind, "-----\n"]);
    out
}
