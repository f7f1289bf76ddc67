//! Whether a connection still serves anyone: what is in hand on it, what its peer leaves unread, and since when nothing moved.
//!
//! Contract: says when a connection has been silent, or its peer has taken nothing of an answer, for longer than it may; one that waits for the
//! server (a handler, an event stream on which nothing happens) is never late. Whoever takes an answer, however slowly, is not silent, even when
//! all of it lies in buffers below the requests: [`LITTLE`] bytes that leave count as something that moved. A write of which the peer takes nothing
//! ends by itself. Knows nothing about what is asked.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// So many times the usual silence may pass without a peer's taking any more of an answer that is ready for it.
const UNREAD: u32 = 3;
/// Bytes that must leave before the connection counts as moved: more than the pings and the farewell of HTTP/2 (17 bytes each) come to within
/// any silence, so that a peer that only answers those is silent.
const LITTLE: usize = 1024;

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// With the server: it is worked on, or its stream has nothing to tell.
    Ours,
    /// With the peer: there is more than it has taken.
    Theirs,
}

#[derive(Debug)]
struct State {
    ours: usize,
    theirs: usize,
    /// Bytes that left since something moved, fewer than [`LITTLE`].
    left: usize,
    /// When something moved last.
    since: Instant,
}

impl State {
    fn count(&mut self, phase: Phase) -> &mut usize {
        match phase {
            Phase::Ours => &mut self.ours,
            Phase::Theirs => &mut self.theirs,
        }
    }
}

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    silence: Duration,
    state: Mutex<State>,
}

impl Pulse {
    /// A connection begins; it may be silent for so long.
    pub(super) fn new(silence: Duration) -> Arc<Self> {
        Arc::new(Self { silence, state: Mutex::new(State { ours: 0, theirs: 0, left: 0, since: Instant::now() }) })
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> InHand {
        self.moved(|state| state.ours += 1);
        InHand { pulse: self.clone(), phase: Phase::Ours }
    }

    /// From here on it is asked something: what came before, a handshake, had a time of its own.
    pub(super) fn starts(&self) {
        self.moved(|_| {});
    }

    /// Waits until the connection has been silent, or left unread, for longer than it may.
    pub(super) async fn over(&self) {
        loop {
            match self.ends() {
                Some(end) if end <= Instant::now() => return,
                Some(end) => tokio::time::sleep_until(end).await,
                None => tokio::time::sleep(self.silence).await,
            }
        }
    }

    /// Waits until the peer has taken next to nothing for as long as it may be silent, counted from now at the earliest.
    pub(super) async fn still(&self) {
        let mut from = Instant::now();
        loop {
            from = self.state.lock().map_or(from, |state| from.max(state.since));
            let end = from + self.silence;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }

    fn moved(&self, change: impl FnOnce(&mut State)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state);
            state.left = 0;
            state.since = Instant::now();
        }
    }

    /// So many bytes have left.
    fn leave(&self, bytes: usize) {
        if let Ok(mut state) = self.state.lock() {
            state.left = state.left.saturating_add(bytes);
            if state.left >= LITTLE {
                state.left = 0;
                state.since = Instant::now();
            }
        }
    }

    fn ends(&self) -> Option<Instant> {
        let state = self.state.lock().ok()?;
        match (state.ours, state.theirs) {
            (0, 0) => Some(state.since + self.silence),
            (_, 0) => None,
            _ => Some(state.since + self.silence * UNREAD),
        }
    }
}

/// A request in hand, until its answer was handed over whole or it is given up.
#[derive(Debug)]
pub(super) struct InHand {
    pulse: Arc<Pulse>,
    phase: Phase,
}

impl InHand {
    /// It is in hand until this answer has been handed over.
    pub(super) fn until_sent(mut self, body: Body) -> Sending {
        self.turn(Phase::Theirs);
        Sending { body, request: self }
    }

    fn turn(&mut self, to: Phase) {
        let from = std::mem::replace(&mut self.phase, to);
        self.pulse.moved(|state| {
            *state.count(from) -= 1;
            *state.count(to) += 1;
        });
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.pulse.moved(|state| *state.count(self.phase) -= 1);
    }
}

/// An answer's body, which tells its connection how far it is.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    request: InHand,
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match (polled.is_pending(), self.request.phase) {
            // Asked for more, so all before was taken; there is nothing yet.
            (true, Phase::Theirs) => self.request.turn(Phase::Ours),
            (true, Phase::Ours) => {}
            (false, _) => self.request.turn(Phase::Theirs),
        }
        Poll::Ready(ready!(polled))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells what leaves by it, and whose writes end with an error when the peer takes nothing for too long. It lies next to the socket,
/// below any TLS: there each byte that is taken is seen, and nothing but a write ever waits for the peer.
pub(super) struct Timely<S> {
    stream: S,
    pulse: Arc<Pulse>,
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> Timely<S> {
    /// Bounds how long a write may wait by that connection's silence.
    pub(super) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, late: None }
    }

    fn bounded(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = polled {
            self.late = None;
            self.pulse.leave(written.as_ref().copied().unwrap_or_default());
            return Poll::Ready(written);
        }
        let most = self.pulse.silence;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(most)));
        late.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timely<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timely<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.bounded(cx, polled)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.bounded(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
