//! An object as bytes that can be read from any place.

use std::{
    fmt,
    io::{self, SeekFrom},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, path::Path};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

/// Reads an object as it arrives; a seek asks for it anew from there.
pub(super) struct Reader {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    meta: ObjectMeta,
    at: u64,
    state: State,
}

enum State {
    Idle,
    Asking(BoxFuture<'static, object_store::Result<GetResult>>),
    Arriving(BoxStream<'static, object_store::Result<Bytes>>, Bytes),
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("path", &self.path)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, path: Path, found: GetResult) -> Self {
        let meta = found.meta.clone();
        let state = State::Arriving(found.into_stream(), Bytes::new());
        Self { objects, path, meta, at: 0, state }
    }

    fn ask(&self) -> BoxFuture<'static, object_store::Result<GetResult>> {
        let (objects, path) = (Arc::clone(&self.objects), self.path.clone());
        let options = GetOptions {
            range: Some(GetRange::Offset(self.at)),
            // What was replaced meanwhile is another file.
            if_match: self.meta.e_tag.clone(),
            ..GetOptions::default()
        };
        async move { objects.get_opts(&path, options).await }.boxed()
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let own = &mut *self;
        loop {
            match &mut own.state {
                State::Idle if own.at >= own.meta.size => return Poll::Ready(Ok(())),
                State::Idle => own.state = State::Asking(own.ask()),
                State::Asking(answer) => {
                    let found = ready!(answer.poll_unpin(context)).map_err(io::Error::other)?;
                    own.state = State::Arriving(found.into_stream(), Bytes::new());
                }
                State::Arriving(_, left) if !left.is_empty() => {
                    let amount = left.len().min(buffer.remaining());
                    buffer.put_slice(&left.split_to(amount));
                    own.at += amount as u64;
                    return Poll::Ready(Ok(()));
                }
                State::Arriving(stream, left) => match ready!(stream.poll_next_unpin(context)) {
                    Some(piece) => *left = piece.map_err(io::Error::other)?,
                    None => return Poll::Ready(Ok(())),
                },
            }
        }
    }
}

impl AsyncSeek for Reader {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "seek before the start");
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.meta.size.checked_add_signed(by),
        };
        let to = to.ok_or_else(invalid)?;
        if to != self.at {
            self.at = to;
            self.state = State::Idle;
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.at))
    }
}
