//! Connections: accepted within bounds, with TLS or without, ended with the server.
//!
//! Contract: at most so many connections at once, and of one address so many; none without a time limit on its handshake, its first bytes, each
//! request's head, its silence between requests and on what its peer leaves unread; whoever takes an answer slowly has it whole. Event streams live on. A peer's `X-Forwarded-For` is believed
//! from the one named proxy only. Knows nothing about what is asked.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::limit::block;
use super::pulse::{Pulse, Timely};
use super::unsaid::Unsaid;

/// Header lines of one request.
const MAX_HEADERS: usize = 64;
/// Bytes of a request's head.
const MAX_HEAD: usize = 32 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 64;
/// How often what is counted is told, if nothing else tells it.
const MINUTE: Duration = Duration::from_mins(1);

/// How one listener is served.
#[derive(Clone)]
pub(super) struct How {
    /// With TLS, if that is set.
    pub(super) tls: Option<TlsAcceptor>,
    /// Connections at a time; further ones wait in the system's queue.
    pub(super) connections: usize,
    /// Of these, how many from one address (IPv6 from one /64); further ones are closed at once. The trusted proxy, which speaks for everyone, is
    /// bounded by `connections` alone.
    pub(super) connections_each: usize,
    /// How long a TLS handshake, the first bytes and the head of a request may take, a write may wait, and a connection may be idle.
    pub(super) silence: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub(super) trusted_proxy: Option<IpAddr>,
}

/// Serves until told to end, then until the connections have ended.
pub(super) async fn serve(listener: TcpListener, router: Router, how: How, mut shutdown: watch::Receiver<bool>) -> std::io::Result<()> {
    let room = Arc::new(Semaphore::new(how.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let addresses = Addresses::default();
    let (turned_away, begun) = (Unsaid::default(), Instant::now());
    let millis = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut minutes = tokio::time::interval(MINUTE);
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            (Ok(permit), accepted) = next => (permit, accepted),
            _ = minutes.tick() => {
                turned_away.over(millis()).into_iter().for_each(say_turned_away);
                continue;
            }
            _ = shutdown.wait_for(|ended| *ended) => break,
            else => break,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let proxy = how.trusted_proxy == Some(peer.ip().to_canonical());
                let Some(place) = addresses.place(peer.ip(), if proxy { usize::MAX } else { how.connections_each }) else {
                    tracing::debug!("an address has as many connections open as it may");
                    turned_away.count(millis()).into_iter().for_each(say_turned_away);
                    continue;
                };
                let (router, how, shutdown) = (router.clone(), how.clone(), shutdown.clone());
                open.spawn(async move {
                    connection(stream, peer, router, how, shutdown).await;
                    drop((permit, place));
                });
            }
            // Out of file descriptors, mostly: the listener lives on, and those who wait get their turn.
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    turned_away.over(u64::MAX).into_iter().for_each(say_turned_away);
    while open.join_next().await.is_some() {}
    Ok(())
}

fn say_turned_away(tries: u64) {
    tracing::warn!(tries, "connections closed within a minute: their address had limits.connections_each open already");
}

/// Connections by address.
#[derive(Debug, Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection's place among those of its address; given back when it ends.
#[derive(Debug)]
struct Place {
    of: Addresses,
    address: IpAddr,
}

impl Addresses {
    fn place(&self, address: IpAddr, most: usize) -> Option<Place> {
        let address = block(address);
        let mut open = self.0.lock().ok()?;
        let count = open.get(&address).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        open.insert(address, count + 1);
        Some(Place { of: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Ok(mut open) = self.of.0.lock() else { return };
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, how: How, shutdown: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let pulse = Pulse::new(how.silence);
    let stream = Timely::new(stream, pulse.clone());
    let Some(acceptor) = &how.tls else { return talk((stream, peer, pulse), router, &how, shutdown).await };
    match tokio::time::timeout(how.silence, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => talk((stream, peer, pulse), router, &how, shutdown).await,
        Ok(Err(error)) => tracing::debug!(kind = ?error.kind(), "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn talk<S>((stream, peer, pulse): (S, SocketAddr, Arc<Pulse>), router: Router, how: &How, mut shutdown: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    pulse.starts();
    let (trusted, beats) = (how.trusted_proxy, pulse.clone());
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let from = whence(peer, request.headers(), trusted);
        request.extensions_mut().insert(ConnectInfo(from));
        let in_hand = beats.begin();
        let answer = router.clone().oneshot(request.map(Body::new));
        async move { answer.await.map(|answer| answer.map(|body| in_hand.until_sent(body))) }
    });
    let builder = protocols(how.silence);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let told = async {
        let _ = shutdown.wait_for(|ended| *ended).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended.is_ok(),
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await.is_ok()
        }
        () = pulse.over() => {
            // What was answered may still be on its way, and whoever speaks HTTP/2 is told not to ask here any more.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended.is_ok(),
                () = pulse.still() => false,
            }
        }
    };
    if !ended {
        tracing::debug!("a connection broke off, or said nothing for too long");
    }
}

fn protocols(silence: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(silence).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(silence)
        .keep_alive_timeout(silence)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    builder
}

/// Where a request comes from: the peer, or whom the trusted proxy says it speaks for. Only the last address of the header is its own.
pub fn whence(peer: SocketAddr, headers: &HeaderMap, trusted: Option<IpAddr>) -> SocketAddr {
    if trusted != Some(peer.ip().to_canonical()) {
        return peer;
    }
    let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok()).and_then(|v| v.rsplit(',').next());
    last.and_then(|a| address(a.trim())).map_or(peer, |ip| SocketAddr::new(ip, 0))
}

/// An address as proxies write it: bare, in brackets, or with the port it came from.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_proxy_says_who_asks_and_only_its_own_word_counts() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.2.3.4, 203.0.113.9".parse().unwrap());
        let peer: SocketAddr = "10.0.0.1:5000".parse().unwrap();
        let seen = |trusted: Option<&str>| whence(peer, &headers, trusted.map(|t| t.parse().unwrap())).ip().to_string();
        assert_eq!(seen(None), "10.0.0.1");
        assert_eq!(seen(Some("10.0.0.2")), "10.0.0.1");
        assert_eq!(seen(Some("10.0.0.1")), "203.0.113.9");
        for (written, meant) in [("203.0.113.9:4711", "203.0.113.9"), ("[2001:db8::7]:443", "2001:db8::7"), ("[2001:db8::7]", "2001:db8::7")] {
            headers.insert("x-forwarded-for", written.parse().unwrap());
            assert_eq!(whence(peer, &headers, Some(peer.ip())).ip().to_string(), meant, "{written}");
        }
        headers.insert("x-forwarded-for", "not an address".parse().unwrap());
        assert_eq!(whence(peer, &headers, Some(peer.ip())), peer);
    }
}
