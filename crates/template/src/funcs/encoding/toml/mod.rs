//! TOML as BurntSushi/toml v1.6 writes and reads it.

mod number;
mod read;
mod scan;
mod table;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// A part of a key, with quotes where it needs them.
fn key_part(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.bytes().all(bare) {
        return key.to_owned();
    }
    let mut out = "\"".to_owned();
    write::escape(&mut out, key);
    out.push('"');
    out
}

/// A key of several parts.
fn key_text<'k>(parts: impl IntoIterator<Item = &'k str>) -> String {
    parts.into_iter().map(key_part).collect::<Vec<_>>().join(".")
}
