//! The server's announcements as a stream that can be taken up again where it broke.
//!
//! Contract: one connection a call; who wants to go on calls again with the last id it saw. Silence counts as a broken stream: it is watched
//! here, below the events, since the server's sign of life is a comment that no reader of events ever sees. An announcement is bounded.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::header::{ACCEPT, HeaderValue};
use sse_stream::SseByteStream;

use super::call::MAX_ANSWER;
use super::{Client, ClientError};
use crate::api::lists::Announcement;

/// Silence after which the stream counts as broken (the server sends a comment every 15 s).
pub const SILENCE: Duration = Duration::from_secs(35);

/// One announcement and where to go on after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The log's sequence number: pass the last one seen to [`Client::events`].
    pub id: Option<u64>,
    /// What happened.
    pub what: Announcement,
}

/// An open stream.
pub type Events = Pin<Box<dyn Stream<Item = Result<News, ClientError>> + Send>>;

impl Client {
    /// Opens the stream of announcements, after the one with the id if given.
    pub async fn events(&self, after: Option<u64>) -> Result<Events, ClientError> {
        let mut headers = self.headers()?;
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(after) = after {
            headers.insert("Last-Event-ID", HeaderValue::from(after));
        }
        let request = self.http.get(self.address(&["events"])?).headers(headers);
        let server = self.server().origin().ascii_serialization();
        let opened = tokio::time::timeout(self.timeout, request.send()).await;
        let silent = |_| ClientError::Unreachable { server: server.clone(), why: super::call::NO_ANSWER.into() };
        let response = opened.map_err(silent)?.map_err(|e| self.unreachable(&e))?;
        if !response.status().is_success() {
            let refused = self.read::<serde_json::Value>(response).await;
            return Err(refused.err().unwrap_or_else(super::writes::strange));
        }
        let chunks = stream::unfold((Box::pin(response.bytes_stream()), 0_usize), |(mut chunks, held)| async move {
            let Ok(chunk) = tokio::time::timeout(SILENCE, chunks.next()).await else {
                return Some((Err(io::Error::from(io::ErrorKind::TimedOut)), (chunks, held)));
            };
            let chunk = chunk?.map_err(io::Error::other);
            // An announcement ends with an empty line; what goes on without one is held by whoever puts announcements together.
            let ended = chunk.as_ref().is_ok_and(|c| c.windows(2).any(|w| w == b"\n\n"));
            let held = if ended { 0 } else { held + chunk.as_ref().map_or(0, bytes::Bytes::len) };
            let chunk = if held > MAX_ANSWER { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { chunk };
            Some((chunk, (chunks, held)))
        });
        Ok(frames(chunks, server))
    }
}

/// The announcements in what a server sends, however it is cut into pieces; a block that can't be read is passed over.
pub fn frames(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static, server: String) -> Events {
    let broken = move |_| ClientError::Unreachable { server: server.clone(), why: "the live stream broke".into() };
    let news = SseByteStream::new(Box::pin(chunks)).filter_map(move |block| {
        let item = match block {
            Ok(block) => block.data.and_then(|data| {
                let what = serde_json::from_str(&data).ok()?;
                Some(Ok(News { id: block.id.and_then(|id| id.parse().ok()), what }))
            }),
            Err(error) => Some(Err(broken(error))),
        };
        std::future::ready(item)
    });
    Box::pin(news)
}
