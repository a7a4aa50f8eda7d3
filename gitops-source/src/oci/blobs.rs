//! Blobs and manifests, to and fro.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
};

use bytes::Bytes;
use futures::StreamExt as _;
use gitops_core::{Digest, Hasher, Scope, Stage};
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, LOCATION},
};
use url::Url;

use super::{
    answer::{accepted, limited},
    manifest::OciDescriptor,
    registry::Registry,
};
use crate::{SourceError, go};

/// A blob up to this size is sent in one request.
const MONOLITHIC: usize = 16 << 20;
/// The size of the pieces of a larger one, unless the registry wants larger ones.
const PIECE: usize = 16 << 20;
const MAX_PIECE: usize = 256 << 20;

impl Registry {
    /// The blob with a digest, in a file without a name that stands at its beginning. It is written
    /// as it arrives, and no more than `max` bytes of it.
    ///
    /// # Errors
    /// [`SourceError::Content`] when it is larger, or not the blob of that digest.
    pub async fn blob(
        &self,
        digest: &Digest,
        max: u64,
        scope: &Scope,
    ) -> Result<File, SourceError> {
        let disk = |source| SourceError::Disk { doing: "cannot write layer", source };
        let too_large = || SourceError::content(format!("layer is larger than {max} bytes"));
        let url = self.url(&format!("blobs/{digest}"));
        let response = self.expect(self.request(Method::GET, &url), "GET", &url).await?;
        let total = response.content_length();
        if total.is_some_and(|total| total > max) {
            return Err(too_large());
        }
        let mut file = tempfile::tempfile().map_err(disk)?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut size = 0;
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            let piece =
                piece.map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
            size += piece.len() as u64;
            if size > max {
                return Err(too_large());
            }
            hasher.update(&piece);
            file.write_all(&piece).map_err(disk)?;
            scope.advance(Stage::Fetch, size, total);
        }
        if hasher.finish() != *digest {
            return Err(SourceError::content(format!("layer digest does not match {digest}")));
        }
        file.rewind().map_err(disk)?;
        Ok(file)
    }

    /// A small blob, such as a signature, in memory.
    ///
    /// # Errors
    /// As [`Self::blob`].
    pub async fn small_blob(&self, digest: &Digest, max: u64) -> Result<Vec<u8>, SourceError> {
        let url = self.url(&format!("blobs/{digest}"));
        let response = self.expect(self.request(Method::GET, &url), "GET", &url).await?;
        let bytes = limited(response, max).await?;
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            return Err(SourceError::content(format!("layer digest does not match {digest}")));
        }
        Ok(bytes)
    }

    /// Sends a blob, unless it is there already.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push_blob(
        &self,
        bytes: Bytes,
        media_type: &str,
        scope: &Scope,
    ) -> Result<OciDescriptor, SourceError> {
        let descriptor = OciDescriptor::of(media_type, &bytes);
        let digest = descriptor.digest.as_str();
        let url = self.url(&format!("blobs/{digest}"));
        if let Ok((response, _)) = self.send(self.request(Method::HEAD, &url)).await
            && response.status() == StatusCode::OK
        {
            return Ok(descriptor);
        }
        let start = self.url("blobs/uploads/");
        let request = self.request(Method::POST, &start).header(CONTENT_LENGTH, 0);
        let response = self.expect(request, "POST", &start).await?;
        if response.status() == StatusCode::CREATED {
            return Ok(descriptor);
        }
        let upload = location(response.headers(), &start)
            .ok_or_else(|| SourceError::content("registry did not say where to upload to"))?;
        let least = response.headers().get("oci-chunk-min-length");
        let least = least.and_then(|least| least.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
        if bytes.len() <= MONOLITHIC.max(least) {
            self.finish_upload(&upload, digest, bytes.clone()).await?;
        } else {
            let piece = PIECE.max(least).min(MAX_PIECE);
            let end = self.upload_pieces(upload, &bytes, piece, scope).await?;
            self.finish_upload(&end, digest, Bytes::new()).await?;
        }
        scope.advance(Stage::Store, descriptor.size, Some(descriptor.size));
        Ok(descriptor)
    }

    async fn upload_pieces(
        &self,
        mut upload: Url,
        bytes: &Bytes,
        size: usize,
        scope: &Scope,
    ) -> Result<Url, SourceError> {
        let mut from = 0;
        while from < bytes.len() {
            let to = (from + size).min(bytes.len());
            let request = self
                .request(Method::PATCH, &upload)
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_RANGE, format!("{from}-{}", to - 1))
                .body(bytes.slice(from..to));
            let (response, _) = self.send(request).await?;
            let response = accepted(response, "PATCH", &upload).await?;
            // Some registries tell only once where to go on.
            upload = location(response.headers(), &upload).unwrap_or(upload);
            from = to;
            scope.advance(Stage::Store, to as u64, Some(bytes.len() as u64));
        }
        Ok(upload)
    }

    async fn finish_upload(
        &self,
        upload: &Url,
        digest: &str,
        rest: Bytes,
    ) -> Result<(), SourceError> {
        let mut url = upload.clone();
        url.query_pairs_mut().append_pair("digest", digest);
        let request = self
            .request(Method::PUT, &url)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, rest.len())
            .body(rest);
        // Where the blob is now would be of no use, so an answer without a place is as good.
        self.expect(request, "PUT", &url).await.map(drop)
    }

    /// Sends a manifest under a tag, or under its own digest.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push_manifest(
        &self,
        tag: Option<&str>,
        bytes: Bytes,
        media_type: &str,
    ) -> Result<Digest, SourceError> {
        let digest = Digest::sha256(&bytes);
        let url = match tag {
            Some(tag) if super::reference::is_tag(tag) => self.url(&format!("manifests/{tag}")),
            Some(tag) => return Err(SourceError::Invalid(format!("invalid tag '{tag}'").into())),
            None => self.url(&format!("manifests/{digest}")),
        };
        let request =
            self.request(Method::PUT, &url).header(CONTENT_TYPE, media_type.to_owned()).body(bytes);
        self.expect(request, "PUT", &url).await?;
        Ok(digest)
    }
}

/// Where an answer leads; only to where we are already, since credentials go along.
fn location(headers: &HeaderMap, url: &Url) -> Option<Url> {
    let target = headers.get(LOCATION)?.to_str().ok()?;
    let target = url.join(target).ok()?;
    let down = url.scheme() == "https" && target.scheme() != "https";
    (matches!(target.scheme(), "http" | "https") && !down).then_some(target)
}
