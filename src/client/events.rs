//! The server's announcements as a stream that can be taken up again where it broke.
//!
//! Contract: one connection a call; who wants to go on calls again with the last id it saw. Silence is watched by who
//! reads (the server sends a comment every 15 s).

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use reqwest::header::{ACCEPT, HeaderValue};
use sse_stream::SseByteStream;

use super::{Client, ClientError};
use crate::api::lists::Announcement;

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
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        if !response.status().is_success() {
            let refused = self.read::<serde_json::Value>(response).await;
            return Err(refused.err().unwrap_or_else(super::writes::strange));
        }
        let server = self.server().origin().ascii_serialization();
        let broken = move |_| ClientError::Unreachable { server: server.clone(), why: "the live stream broke".into() };
        let news = SseByteStream::new(Box::pin(response.bytes_stream())).filter_map(move |block| {
            let item = match block {
                Ok(block) => block.data.and_then(|data| {
                    let what = serde_json::from_str(&data).ok()?;
                    Some(Ok(News { id: block.id.and_then(|id| id.parse().ok()), what }))
                }),
                Err(error) => Some(Err(broken(error))),
            };
            std::future::ready(item)
        });
        Ok(Box::pin(news))
    }
}
