//! A peer that takes a long answer slowly has it whole: over HTTP/1 and HTTP/2, with TLS and without.
//!
//! Contract: real sockets on loopback with small buffers, so that what is not read stays with the server. Knows no routes of the product.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpSocket;
use tokio::sync::watch;

use super::listen::{How, serve};
use super::tls::Certificates;

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(2);
/// Bytes of the answer: far more than what the buffers between the two hold.
const LONG: usize = 2 * 1024 * 1024;
/// Bytes of it that are read at a time, and how often within a silence: a sixth of the answer in each.
const PIECE: usize = LONG / 6 / 24;
const PIECES: u32 = 24;
/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Reads an answer no faster than in so many pieces a silence; how many bytes came before it ended.
async fn reads_slowly(client: reqwest::Client, url: String) -> usize {
    let mut answer = client.get(url).send().await.unwrap();
    let mut pace = tokio::time::interval(SILENCE / PIECES);
    let (mut came, mut may) = (0, 0);
    while let Ok(Some(chunk)) = answer.chunk().await {
        came += chunk.len();
        while may < came {
            pace.tick().await;
            may += PIECE;
        }
    }
    came
}

fn client(h2: bool, trusted: &str, to: SocketAddr) -> reqwest::Client {
    let trusted = reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([trusted]).resolve("localhost", to).no_proxy().timeout(PATIENCE);
    let window = 65_535;
    if h2 {
        builder.http2_prior_knowledge().http2_initial_stream_window_size(window).http2_initial_connection_window_size(window)
    } else {
        builder.http1_only()
    }
    .build()
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_long_answer_slowly_has_it_whole() {
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    let acceptor = Certificates::load(&certificate, &key).unwrap().acceptor().unwrap();
    let (stop, stopped) = watch::channel(false);
    let (mut readers, mut servers) = (Vec::new(), Vec::new());
    for tls in [None, Some(acceptor)] {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(64 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let to = listener.local_addr().unwrap();
        let how = How { tls, connections: 16, connections_each: 16, silence: SILENCE, trusted_proxy: None };
        let router = Router::new().route("/", get(|| async { vec![b'x'; LONG] }));
        servers.push(tokio::spawn(serve(listener, router, how, stopped.clone())));
        for h2 in [false, true] {
            let url = format!("{scheme}://localhost:{}/", to.port());
            let reader = tokio::spawn(reads_slowly(client(h2, &pair.cert.pem(), to), url));
            readers.push((scheme, h2, reader));
        }
    }
    for (scheme, h2, reader) in readers {
        assert_eq!(reader.await.unwrap(), LONG, "{scheme}, HTTP/2: {h2}");
    }
    stop.send_replace(true);
    for server in servers {
        tokio::time::timeout(PATIENCE, server).await.expect("ends").unwrap().unwrap();
    }
}
