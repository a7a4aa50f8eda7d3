//! Serves a store over HTTP: read-only, no listings, nothing but files of the store.

use std::{io::SeekFrom, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use gitops_core::ArtifactKey;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::{ArtifactStore, OpenFile, StoreError};

/// A service that answers `GET` and `HEAD` for `/<kind>/<namespace>/<name>/<file>`, with single
/// byte ranges and conditional requests; `/` answers 200 for readiness probes, all else 404.
pub fn artifact_router(store: Arc<dyn ArtifactStore>) -> Router {
    Router::new().route("/", get(|| async { StatusCode::OK })).fallback(serve).with_state(store)
}

async fn serve(State(store): State<Arc<dyn ArtifactStore>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow).into_response();
    }
    let Some((key, file)) = place(request.uri().path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match store.open(&key, &file).await {
        Ok(open) => {
            let body = *request.method() == Method::GET;
            respond(open, request.headers(), body).await
        }
        Err(StoreError::NotFound | StoreError::Name(_)) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(path = request.uri().path(), "cannot serve artifact: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The store judges the parts: a decoded `..` or `/` in one of them is no name there.
fn place(path: &str) -> Option<(ArtifactKey, String)> {
    let mut parts = path.strip_prefix('/')?.split('/').map(decoded);
    let key = ArtifactKey { kind: parts.next()??, namespace: parts.next()??, name: parts.next()?? };
    let file = parts.next()??;
    parts.next().is_none().then_some((key, file))
}

fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            bytes.push(*hex::decode(pair).ok()?.first()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

async fn respond(mut open: OpenFile, request: &HeaderMap, with_body: bool) -> Response {
    let etag = format!("\"{:x}-{:x}\"", open.stored_at.as_nanosecond(), open.size);
    let matches = |name| {
        let value = request.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        value.map(|value| {
            value.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim() == etag)
        })
    };
    let common = [
        (header::ETAG, etag.clone()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
    ];
    if matches(header::IF_NONE_MATCH) == Some(true) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let wanted = request.get(header::RANGE).and_then(|value| value.to_str().ok());
    // A range of a file that has changed since would not fit what the client has.
    let wanted = wanted.filter(|_| matches(header::IF_RANGE) != Some(false));
    let (status, start, length) = match wanted.map(|text| range(text, open.size)) {
        None | Some(Range::Ignored) => (StatusCode::OK, 0, open.size),
        Some(Range::Part(start, length)) => (StatusCode::PARTIAL_CONTENT, start, length),
        Some(Range::Outside) => {
            let content = [(header::CONTENT_RANGE, format!("bytes */{}", open.size))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, common, content).into_response();
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_LENGTH, length.into());
    if status == StatusCode::PARTIAL_CONTENT {
        let last = start + length - 1;
        let content = format!("bytes {start}-{last}/{}", open.size);
        if let Ok(content) = content.parse() {
            headers.insert(header::CONTENT_RANGE, content);
        }
    }
    if !with_body {
        return (status, common, headers).into_response();
    }
    if start > 0 && open.body.seek(SeekFrom::Start(start)).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let stream = ReaderStream::with_capacity(open.body.take(length), 64 << 10);
    (status, common, headers, Body::from_stream(stream)).into_response()
}

enum Range {
    /// Malformed, or several: the whole file is as good an answer, and cannot be multiplied.
    Ignored,
    Part(u64, u64),
    Outside,
}

fn range(text: &str, size: u64) -> Range {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|text| text.split_once('-')) else {
        return Range::Ignored;
    };
    let (from, to) = (from.trim(), to.trim());
    let number = |text: &str| text.parse::<u64>().ok();
    let (start, end) = match (number(from), number(to)) {
        (Some(start), Some(end)) if start <= end => (start, end.saturating_add(1).min(size)),
        (Some(start), None) if to.is_empty() => (start, size),
        (None, Some(last)) if from.is_empty() => (size.saturating_sub(last), size),
        _ => return Range::Ignored,
    };
    if start >= end { Range::Outside } else { Range::Part(start, end - start) }
}
