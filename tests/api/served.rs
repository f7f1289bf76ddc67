//! The server on real sockets: TLS and its renewal, event streams, metrics, and the end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::proofing;
use countersign::server::pages::{self, Rates, Settings};
use countersign::server::{Listeners, ServerConfig, run};
use countersign::service::requester::Requester;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::house::House;

pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Served {
    pub house: House,
    pub staff: SocketAddr,
    pub pages: SocketAddr,
    pub metrics: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start(tls: Option<&Path>) -> Self {
        Self::with(ServerConfig { tls: tls.map(|f| (f.join("cert.pem"), f.join("key.pem"))), ..ServerConfig::default() }).await
    }

    pub async fn with(config: ServerConfig) -> Self {
        let house = House::new().await;
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (staff, pages, metrics) = (bind().await.unwrap(), bind().await.unwrap(), bind().await.unwrap());
        let at = |l: &TcpListener| l.local_addr().unwrap();
        let (staff_at, pages_at, metrics_at) = (at(&staff), at(&pages), at(&metrics));
        let (stop, stopped) = watch::channel(false);
        let requester = Arc::new(Requester::new(house.service.clone(), proofing::Keys::new(&[9; 32]).unwrap()));
        let rates = Rates::of(config.stranger_requests_per_minute);
        let settings = Settings { rates, floor: Duration::ZERO, ..Settings::new("http://localhost", "Corp") };
        let router = pages::router(requester, settings);
        let listeners = Listeners { staff, pages: Some(pages), metrics: Some(metrics) };
        let server = tokio::spawn(run(config, house.service.clone(), router, listeners, stopped));
        Self { house, staff: staff_at, pages: pages_at, metrics: metrics_at, stop, server }
    }

    pub async fn end(self) -> House {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.server).await.expect("ends").unwrap().unwrap();
        self.house
    }
}

/// Writes a new pair for `localhost` and gives its certificate.
pub fn certify(folder: &Path) -> String {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    pair.cert.pem()
}

async fn fetch(pem: &str, to: SocketAddr, http: &str) -> reqwest::Result<String> {
    let trusted = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).resolve("localhost", to).no_proxy().build().unwrap();
    client.get(format!("{http}://localhost:{}/readyz", to.port())).timeout(PATIENCE).send().await?.text().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_served_renewed_while_running_and_plain_http_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let served = Served::start(Some(folder.path())).await;
    assert_eq!(fetch(&first, served.staff, "https").await.unwrap(), "ready\n");
    assert!(fetch(&first, served.staff, "http").await.is_err());
    std::fs::write(folder.path().join("cert.pem"), "not a certificate").unwrap();
    let second = certify(folder.path());
    let renewed = async { while fetch(&second, served.staff, "https").await.is_err() {} };
    tokio::time::timeout(PATIENCE, renewed).await.expect("the new certificate is served");
    assert!(fetch(&first, served.staff, "https").await.is_err());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_read_stops_the_start_with_the_files_name() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    std::fs::write(folder.path().join("key.pem"), "x").unwrap();
    let served = Served::start(Some(folder.path())).await;
    let error = tokio::time::timeout(PATIENCE, served.server).await.unwrap().unwrap().unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
}

/// Reads a stream until it holds a text.
pub async fn until(answer: &mut reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text.contains(wanted) {
            let chunk = answer.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it comes");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_live_and_from_where_one_left_and_do_not_hold_up_the_end() {
    let served = Served::start(None).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let listen = |last: Option<&str>| {
        let mut request = client.get(format!("http://{}/v1/events", served.staff)).bearer_auth(served.house.token("sam"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.send()
    };
    let mut live = listen(None).await.unwrap();
    served.house.open("nadia", "k1").await;
    let text = until(&mut live, "\n\n").await;
    assert!(text.contains("event: case") && text.contains("CS-"), "{text}");
    let mut again = listen(Some("0")).await.unwrap();
    let resumed = until(&mut again, "event: case").await;
    assert!(resumed.contains("event: register"), "what was missed comes in the order of the log: {resumed}");
    assert_eq!(listen(Some("x")).await.unwrap().status(), 400);
    let metrics = client.get(format!("http://{}/metrics", served.metrics)).send().await.unwrap().text().await.unwrap();
    for line in [
        "countersign_requests_total{operation=\"events\",class=\"2xx\"} 2",
        "countersign_open_cases 1",
        "countersign_outbox_waiting 1",
        "countersign_outbox_due 1",
        "countersign_outbox_tried 0",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let commits = metrics.lines().find_map(|l| l.strip_prefix("countersign_commit_seconds_count ")).unwrap();
    assert!(commits.parse::<u64>().unwrap() >= 3, "founding, subjects and a case were written: {commits}");
    assert!(metrics.contains("countersign_commit_seconds_bucket{le=\"0.0005\"}"), "{metrics}");
    assert!(!metrics.contains("nadia") && !metrics.contains("CS-"));
    served.end().await;
    let rest = async { while live.chunk().await.ok().flatten().is_some() {} };
    tokio::time::timeout(PATIENCE, rest).await.expect("the stream has ended");
}
