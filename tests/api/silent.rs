//! Connections that say nothing, ask nothing more or read nothing: they end by themselves, on every listener, and event streams live on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign::server::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::served::{PATIENCE, Served, certify, until};

const SHORT: Duration = Duration::from_millis(300);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

fn impatient() -> ServerConfig {
    ServerConfig { silence: SHORT, stranger_requests_per_minute: 100_000, ..ServerConfig::default() }
}

/// What still comes until the server ends the connection.
async fn to_the_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    // An end in order or by reset: either way it is over.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the server ends it");
    rest
}

async fn ends_after(to: SocketAddr, first: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(first).await.unwrap();
    to_the_end(&mut stream).await
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// An HTTP/2 peer that answers whatever keeps a connection alive, until it ends; what kinds of frames came.
async fn answers_pings<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut kinds = Vec::new();
    let talk = async {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if stream.read_exact(&mut payload).await.is_err() {
                return;
            }
            kinds.push(head[3]);
            let answer = match (head[3], head[4] & ACK) {
                (SETTINGS, 0) => frame(SETTINGS, ACK, 0, &[]),
                (PING, 0) => frame(PING, ACK, 0, &payload),
                _ => continue,
            };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, talk).await.expect("the server ends it");
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_end_on_every_listener() {
    let served = Served::with(impatient()).await;
    for to in [served.staff, served.pages, served.metrics] {
        for first in [&b""[..], b"PRI * HTTP/2.0\r\n", b"G", b"GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
            ends_after(to, first).await;
        }
        let idle = ends_after(to, b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(idle.starts_with(b"HTTP/1.1 404"), "answered before it fell silent: {}", String::from_utf8_lossy(&idle));
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        let kinds = answers_pings(&mut stream).await;
        assert!(kinds.contains(&SETTINGS), "it was served by HTTP/2: {kinds:?}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_end_with_tls_before_and_after_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let pem = certify(folder.path());
    let files = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let served = Served::with(ServerConfig { tls: Some(files), ..impatient() }).await;
    let mut roots = rustls::RootCertStore::empty();
    let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    for to in [served.staff, served.pages] {
        ends_after(to, b"").await;
        let stream = TcpStream::connect(to).await.unwrap();
        let mut shaken = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        assert_eq!(to_the_end(&mut shaken).await, b"");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_read_its_answers_is_not_waited_for() {
    let served = Served::with(impatient()).await;
    let mut stream = TcpStream::connect(served.staff).await.unwrap();
    let asks = async { while stream.write_all(b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {} };
    timeout(PATIENCE, asks).await.expect("the server ends it");
    // By HTTP/2: without any window, while every ping is answered.
    let mut stream = TcpStream::connect(served.staff).await.unwrap();
    let no_window = [0, 4, 0, 0, 0, 0];
    let path = b"/v1/openapi.json";
    let mut ask = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    ask.extend(path);
    ask.extend([0x01, 1, b'x']);
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &no_window), &frame(1, 5, 1, &ask)].concat()).await.unwrap();
    let kinds = answers_pings(&mut stream).await;
    assert!(kinds.contains(&1) && !kinds.contains(&0), "a head came, and nothing of the body: {kinds:?}");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn event_streams_on_which_nothing_happens_live_on() {
    let served = Served::with(impatient()).await;
    let client = |h2: bool| {
        let builder = reqwest::Client::builder().no_proxy();
        if h2 { builder.http2_prior_knowledge() } else { builder.http1_only() }.build().unwrap()
    };
    let listen = |h2| client(h2).get(format!("http://{}/v1/events", served.staff)).bearer_auth(served.house.token("sam")).send();
    let (mut plain, mut h2) = (listen(false).await.unwrap(), listen(true).await.unwrap());
    // Each of these begins after the streams fell silent, and lasts as long as silence may and longer than an unread answer.
    for _ in 0..5 {
        ends_after(served.staff, b"").await;
    }
    served.house.open("nadia", "k1").await;
    assert!(until(&mut plain, "\n\n").await.contains("event: case"));
    assert!(until(&mut h2, "\n\n").await.contains("event: case"));
    served.end().await;
}

/// Whether the server answers on a connection, or ends it at once.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 12];
    let asked = async {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await?;
        stream.read_exact(&mut answer).await
    };
    timeout(PATIENCE, asked).await.expect("answered or ended").is_ok() && answer.starts_with(b"HTTP/1.1")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_only_so_many_connections_and_others_are_served() {
    let served = Served::with(ServerConfig { connections_each: 3, ..ServerConfig::default() }).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(served.staff).await.unwrap();
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    assert!(!is_served(&mut TcpStream::connect(served.staff).await.unwrap()).await, "a fourth one is closed");
    assert!(is_served(&mut TcpStream::connect(served.metrics).await.unwrap()).await, "each listener counts for itself");
    if cfg!(target_os = "linux") {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        assert!(is_served(&mut socket.connect(served.staff).await.unwrap()).await, "another address");
    }
    open.pop();
    let again = async { while !is_served(&mut TcpStream::connect(served.staff).await.unwrap()).await {} };
    timeout(PATIENCE, again).await.expect("a place that is given back is taken");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trusted_proxy_is_not_bounded_as_one_address() {
    let config = ServerConfig { connections_each: 1, trusted_proxy: Some([127, 0, 0, 1].into()), ..ServerConfig::default() };
    let served = Served::with(config).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(served.staff).await.unwrap();
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    served.end().await;
}
