//! The client against a canned server.

use std::sync::Arc;

use futures_util::StreamExt as _;
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::api::lists::{Announcement, QueueParams};
use crate::api::requests::{PreviewRoute, Text};
use crate::base::ports::SystemRandom;

fn client(server: &MockServer) -> Client {
    let config = ClientConfig { server: server.uri().parse().unwrap(), ca_pem: None, token: Some("tok".to_owned().into()), timeout: CALL_TIMEOUT };
    Client::new(config, Arc::new(SystemRandom)).unwrap()
}

#[tokio::test]
async fn reads_carry_the_token_and_the_query() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/cases"))
        .and(header("authorization", "Bearer tok"))
        .and(query_param("filter", "risk:high a&b"))
        .and(query_param("limit", "7"))
        .respond_with(ResponseTemplate::new(200).set_body_json(serde_json::json!({"rows": [], "before": null, "after": "x"})))
        .expect(1)
        .mount(&server)
        .await;
    let params = QueueParams { filter: Some("risk:high a&b".into()), limit: Some(7), ..QueueParams::default() };
    let page = client(&server).cases(&params).await.unwrap();
    assert_eq!(page.after.as_deref(), Some("x"));
}

#[tokio::test]
async fn a_write_keeps_its_key_over_repetitions_and_names_the_version() {
    let server = MockServer::start().await;
    let post = || {
        Mock::given(method("POST"))
            .and(path("/v1/cases/CS-26-000001/comments"))
            .and(header("idempotency-key", "k1"))
            .and(header("if-match", "\"4\""))
            .and(body_json(serde_json::json!({"text": "hi"})))
    };
    post().respond_with(ResponseTemplate::new(503)).up_to_n_times(2).expect(2).mount(&server).await;
    post().respond_with(ResponseTemplate::new(200).insert_header("etag", "\"5\"")).expect(1).mount(&server).await;
    let id = "CS-26-1".parse().unwrap();
    let written = client(&server).send(&Write::Comment(Text { text: "hi".into() }), Some(id), Some(4), "k1").await.unwrap();
    assert_eq!(written, Written { version: Some(5), ..Written::default() });
}

#[tokio::test]
async fn problems_keep_sentence_code_and_request_and_are_not_repeated() {
    let server = MockServer::start().await;
    let body = serde_json::json!({
        "type": "urn:countersign:problem:separation-of-duties", "title": "Separation of duties", "status": 403,
        "detail": "You routed it.", "request_id": "req-1"
    });
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(403).set_body_raw(body.to_string(), "application/problem+json"))
        .expect(1)
        .mount(&server)
        .await;
    let error = client(&server).me().await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.code(), error.request_id().as_deref()), ("You routed it.", "separation-of-duties", Some("req-1")));
    assert!(!error.is_passing() && !error.needs_sign_in());
}

#[tokio::test]
async fn strange_answers_and_dead_servers_are_named() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(404).set_body_string("<html>")).mount(&server).await;
    let here = client(&server);
    assert_eq!(here.me().await.unwrap_err().code(), "not-understood");
    drop(server);
    let gone = ClientConfig { server: "http://127.0.0.1:1".parse().unwrap(), ca_pem: None, token: None, timeout: CALL_TIMEOUT };
    let error = Client::new(gone, Arc::new(SystemRandom)).unwrap().me().await.unwrap_err();
    assert_eq!(error.to_string(), "The server at http://127.0.0.1:1 can't be reached: no connection");
    let ftp = ClientConfig { server: "ftp://x".parse().unwrap(), ca_pem: None, token: None, timeout: CALL_TIMEOUT };
    assert!(matches!(Client::new(ftp, Arc::new(SystemRandom)), Err(ClientError::Configuration(_))));
}

#[tokio::test]
async fn announcements_come_with_ids_and_resume() {
    let server = MockServer::start().await;
    let body = ": hello\n\nid: 9\ndata: {\"kind\":\"register\"}\n\ndata: nonsense\n\nid: 10\ndata: {\"kind\":\"lagged\"}\n\n";
    Mock::given(path("/v1/events"))
        .and(header("last-event-id", "8"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream"))
        .expect(1)
        .mount(&server)
        .await;
    let stream = client(&server).events(Some(8)).await.unwrap();
    let all: Vec<_> = stream.map(|n| n.unwrap()).collect().await;
    let news = |id, what| News { id: Some(id), what };
    assert_eq!(all, [news(9, Announcement::Register), news(10, Announcement::Lagged)]);
}

#[tokio::test]
async fn a_stream_that_never_answers_or_never_ends_an_announcement_is_given_up() {
    let endless = MockServer::start().await;
    let body = format!("data: {}", "x".repeat(call::MAX_ANSWER));
    Mock::given(path("/v1/events")).respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream")).mount(&endless).await;
    let first = client(&endless).events(None).await.unwrap().next().await;
    assert!(matches!(&first, Some(Err(ClientError::Unreachable { .. }))), "{first:?}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let timeout = std::time::Duration::from_millis(50);
    let impatient = Client::new(ClientConfig { server, ca_pem: None, token: None, timeout }, Arc::new(SystemRandom)).unwrap();
    let never = impatient.events(None).await.err();
    assert!(matches!(&never, Some(ClientError::Unreachable { why, .. }) if why == "no answer in time"), "{never:?}");
}

/// A server with a certificate of its own making, which says nothing.
async fn strange_tls() -> std::net::SocketAddr {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![pair.cert.der().clone()], key).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named_with_what_helps() {
    let server = format!("https://localhost:{}", strange_tls().await.port()).parse().unwrap();
    let error = Client::new(ClientConfig { server, ca_pem: None, token: None, timeout: std::time::Duration::from_secs(5) }, Arc::new(SystemRandom))
        .unwrap()
        .me()
        .await
        .unwrap_err();
    assert!(matches!(&error, ClientError::Configuration(why) if why.contains("certificate") && why.contains("`ca_file`")), "{error}");
    let key = ClientConfig {
        server: "https://x".parse().unwrap(),
        ca_pem: Some(b"no certificate".to_vec()),
        token: None,
        timeout: std::time::Duration::from_secs(5),
    };
    assert!(matches!(Client::new(key, Arc::new(SystemRandom)), Err(ClientError::Configuration(why)) if why.contains("ca_file")));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_once() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let timeout = std::time::Duration::from_millis(50);
    let impatient = Client::new(ClientConfig { server, ca_pem: None, token: None, timeout }, Arc::new(SystemRandom)).unwrap();
    let error = impatient.me().await.unwrap_err();
    assert!(error.is_passing() && !error.is_worth_repeating(), "{error}");
    let tries = std::iter::from_fn(|| silent.accept().ok()).count();
    assert_eq!(tries, 1, "a frozen server is not waited for four times over");
}

#[tokio::test]
async fn a_client_that_only_looks_sends_no_write() {
    let server = MockServer::start().await;
    let looks = client(&server).looking_only(true);
    let write = Write::Comment(Text { text: "x".into() });
    let error = looks.send(&write, Some("CS-26-000001".parse().unwrap()), Some(1), "k").await.unwrap_err();
    assert!(error.to_string().contains("--read-only"), "{error}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_that_reached_no_server_is_told_apart_from_one_that_may_have() {
    let at = |address: std::net::SocketAddr| {
        let server = format!("http://{address}").parse().unwrap();
        let timeout = std::time::Duration::from_millis(300);
        Client::new(ClientConfig { server, ca_pem: None, token: None, timeout }, Arc::new(SystemRandom)).unwrap()
    };
    let write = Write::Comment(Text { text: "hi".into() });
    let id = Some("CS-26-1".parse().unwrap());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = at(nobody).send(&write, id, Some(4), "k1").await.unwrap_err();
    assert!(error.never_left() && error.code() == "unreachable" && error.is_passing(), "{error}");
    assert_eq!(error.to_string(), format!("The server at http://{nobody} can't be reached, so nothing was sent: no connection"));
    assert_eq!(at(nobody).me().await.unwrap_err().to_string(), format!("The server at http://{nobody} can't be reached: no connection"));

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = at(silent.local_addr().unwrap()).send(&write, id, Some(4), "k1").await.unwrap_err();
    assert!(!error.never_left(), "it may have been read: {error}");

    // It went out at the first try; that there is nobody at the later ones says nothing of that.
    let once = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = once.local_addr().unwrap();
    let dies = tokio::spawn(async move {
        let (mut stream, _) = once.accept().await.unwrap();
        let mut some = [0_u8; 16];
        tokio::io::AsyncReadExt::read(&mut stream, &mut some).await.unwrap()
    });
    let error = at(address).send(&write, id, Some(4), "k1").await.unwrap_err();
    assert!(dies.await.unwrap() > 0 && !error.never_left(), "{error}");
    assert!(matches!(error, ClientError::Unanswered { .. }) && error.is_unknown() && error.code() == "unanswered", "{error}");
    assert!(error.to_string().starts_with("It is not known whether this was done"), "{error}");

    // Nor does a later answer say that is about nothing but itself.
    for (status, code) in [(503, "busy"), (409, "in-flight")] {
        let busy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = busy.local_addr().unwrap();
        tokio::spawn(async move {
            let mut first = true;
            while let Ok((mut stream, _)) = busy.accept().await {
                let mut some = [0_u8; 2_048];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut some).await;
                let problem = format!(r#"{{"type":"urn:countersign:problem:{code}","title":"t","status":{status},"detail":"Later."}}"#);
                let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{problem}", problem.len());
                if !std::mem::take(&mut first) {
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await;
                }
            }
        });
        let error = at(address).send(&write, id, Some(4), "k1").await.unwrap_err();
        assert!(matches!(&error, ClientError::Unanswered { why, .. } if why == "at last: Later"), "{code}: {error}");
    }
}

/// A server that gives each of some answers to one request after another, and the last one from then on, or nobody if it is empty.
async fn answers(answers: &'static [(u16, &'static str)]) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let mut left = answers.iter();
        let mut last = left.next().unwrap();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0_u8; 4_096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut some).await;
            let (status, body) = last;
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            if *status != 0 {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await;
            }
            last = left.next().unwrap_or(last);
            if last.1 == NOBODY {
                return;
            }
        }
    });
    let timeout = std::time::Duration::from_millis(300);
    Client::new(ClientConfig { server, ca_pem: None, token: None, timeout }, Arc::new(SystemRandom)).unwrap()
}

const NOBODY: &str = "nobody";
const TIMEOUT: &str = r#"{"type":"urn:countersign:problem:timeout","title":"t","status":503,"detail":"It took too long."}"#;
const BROKE: &str = r#"{"type":"urn:countersign:problem:internal","title":"t","status":500,"detail":"It broke.","request_id":"req-7"}"#;
const UNKNOWN: &str = r#"{"type":"urn:countersign:problem:unauthenticated","title":"t","status":401,"detail":"Who?"}"#;
const REFUSED: &str = r#"{"type":"urn:countersign:problem:not-now","title":"t","status":409,"detail":"Not now."}"#;
const BUSY: &str = r#"{"type":"urn:countersign:problem:busy","title":"t","status":503,"detail":"Later."}"#;

#[tokio::test]
async fn what_may_have_been_done_is_not_told_as_failed_or_as_never_sent() {
    let write = Write::Comment(Text { text: "hi".into() });
    let id = Some("CS-26-1".parse().unwrap());
    let unknown: [&[(u16, &str)]; 9] = [
        &[(503, TIMEOUT), (0, NOBODY)],
        &[(503, TIMEOUT)],
        &[(504, "<html>"), (0, NOBODY)],
        &[(504, "<html>")],
        &[(200, "<html>")],
        &[(200, r#"{"no":"case"}"#)],
        &[(500, BROKE)],
        &[(0, ""), (404, "<html>")],
        &[(0, ""), (401, UNKNOWN)],
    ];
    for said in unknown {
        let error = answers(said).await.send(&write, id, Some(4), "k1").await.unwrap_err();
        assert!(matches!(error, ClientError::Unanswered { .. }), "{said:?}: {error:?}");
    }
    let error = answers(&[(500, BROKE)]).await.send(&write, id, Some(4), "k1").await.unwrap_err();
    assert!(error.to_string().contains("(at last: It broke, request req-7)"), "{error}");
    // What the server, or anything on the way to it, refused was not done.
    let known: [(&[(u16, &str)], &str); 6] = [
        (&[(409, REFUSED)], "not-now"),
        (&[(0, ""), (409, REFUSED)], "not-now"),
        (&[(503, BUSY), (0, NOBODY)], "unreachable"),
        (&[(401, UNKNOWN)], "unauthenticated"),
        (&[(404, "<html>")], "not-understood"),
        (&[(301, "")], "not-understood"),
    ];
    for (said, code) in known {
        let error = answers(said).await.send(&write, id, Some(4), "k1").await.unwrap_err();
        assert_eq!((error.code(), error.is_unknown()), (code, false), "{said:?}: {error:?}");
    }
}

#[tokio::test]
async fn asking_what_a_route_would_cost_is_reading() {
    let ask =
        serde_json::json!({"subject": "s-1", "route": {"action": "password_reset", "path": "assisted", "target": "directory", "scope": ["mail"]}});
    let ask: PreviewRoute = serde_json::from_value(ask).unwrap();
    for (said, code) in [(&[(0, "")][..], "unreachable"), (&[(504, "<html>")], "not-understood"), (&[(503, TIMEOUT)], "timeout")] {
        let error = answers(said).await.route_preview(&ask).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
    }
}
