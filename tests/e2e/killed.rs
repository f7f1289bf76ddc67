//! The real server under HTTP load, killed at random moments (threats T29, T30): what it acknowledged is there when it is started again, nothing is
//! half done, and what it did not answer is done once when it is asked again. And its system calls: no acknowledgement reaches a socket before
//! the sync of the write-ahead log. `COUNTERSIGN_KILLS` says how many kills (default 3).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign::base::ports::{Random as _, SystemRandom};
use serde_json::{Value, json};

use crate::host::{Host, SOON};

/// Whose cases are written to, each over a connection of its own.
const SUBJECTS: [&str; 4] = ["key-1", "key-2", "key-3", "key-4"];
/// Comments after which a writer opens its next case: a case holds a bounded number.
const COMMENTS: u64 = 50;

/// One write, as it is sent, and as it is sent again.
#[derive(Clone)]
struct Sent {
    path: String,
    key: String,
    seen: Option<u64>,
    body: Value,
}

/// What one writer sent over the whole time, and what of it was acknowledged.
#[derive(Default)]
struct Ledger {
    case: Option<String>,
    /// Unknown once something of the server's own came between.
    version: Option<u64>,
    serial: u64,
    /// Texts by case; whether they were acknowledged.
    texts: BTreeMap<String, BTreeMap<String, bool>>,
    /// What had no answer when the server was killed.
    unanswered: Option<Sent>,
}

/// A house in which ben can open cases about those subjects.
fn house() -> Host {
    let host = Host::founded("", "\n[limits]\nrequests_per_minute = 1000000\n");
    let people = host.path("people.csv");
    std::fs::write(&people, "id,name,email,employer\np-kim,Kim Sol,kim@acme.example,acme\n").unwrap();
    host.here(&["import", "persons", &people.display().to_string(), "--write"], 0);
    let one = |id: &str| {
        json!({"id": id, "kind": "api_key", "name": id, "tier": "standard", "environment": "production", "owners": ["p-kim"],
            "inventory": "secrets_manager", "entitlements": {"ci": ["deploy"]}, "scopes_since": "2025-01-01T00:00:00Z",
            "endpoints": [{"id": format!("{id}-mail"), "kind": "email", "address": format!("{id}@acme.example")}]})
    };
    let subjects = host.path("subjects.json");
    std::fs::write(&subjects, Value::from(SUBJECTS.map(one).to_vec()).to_string()).unwrap();
    host.here(&["import", "subjects", &subjects.display().to_string(), "--write"], 0);
    host
}

/// A connection of ben's.
struct Seat {
    api: String,
    token: String,
    web: reqwest::Client,
}

impl Seat {
    fn new(host: &Host) -> Self {
        let web = reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap();
        Self { api: host.api(), token: host.token("ben"), web }
    }

    /// `None` if the server is gone.
    async fn try_get(&self, path: &str) -> Option<Value> {
        let answer = self.web.get(format!("{}{path}", self.api)).bearer_auth(&self.token).send().await.ok()?;
        let (status, body) = (answer.status(), answer.json().await.ok()?);
        assert_eq!(status, 200, "{path}: {body}");
        Some(body)
    }

    async fn get(&self, path: &str) -> Value {
        self.try_get(path).await.expect("the server is there")
    }

    /// The answer, if there is one. An acknowledgement counts once its first line is there.
    async fn send(&self, sent: &Sent) -> Option<(u16, Value)> {
        let request = self.web.post(format!("{}{}", self.api, sent.path)).bearer_auth(&self.token).header("Idempotency-Key", &sent.key);
        let request = if let Some(seen) = sent.seen { request.header("If-Match", format!("\"{seen}\"")) } else { request };
        let answer = request.json(&sent.body).send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null)))
    }

    /// The next write of a writer, until the server is gone.
    async fn write(&self, subject: &str, ledger: &mut Ledger, done: &AtomicU64) {
        loop {
            ledger.serial += 1;
            let Some(sent) = self.next(subject, ledger).await else { return };
            if let (Some(case), Some(text)) = (&ledger.case, sent.body["text"].as_str()) {
                ledger.texts.entry(case.clone()).or_default().insert(text.to_owned(), false);
            }
            let Some((status, body)) = self.send(&sent).await else {
                ledger.unanswered = Some(sent);
                return;
            };
            assert!(matches!(status, 200 | 201 | 412), "{}: {status} {body}", sent.path);
            ledger.answered(&sent, status, &body);
            done.fetch_add(u64::from(status != 412), Ordering::SeqCst);
        }
    }

    /// A comment on the writer's case, or the case. `None` if the server is gone.
    async fn next(&self, subject: &str, ledger: &Ledger) -> Option<Sent> {
        let key = format!("{subject}-{}", ledger.serial);
        if let Some(case) = &ledger.case {
            let seen = match ledger.version {
                Some(version) => version,
                None => self.try_get(&format!("/v1/cases/{case}")).await?["row"]["version"].as_u64().unwrap(),
            };
            let body = json!({"text": format!("said {key}")});
            return Some(Sent { path: format!("/v1/cases/{case}/comments"), key, seen: Some(seen), body });
        }
        let body = json!({
            "subject": subject, "action": "api_key_reissue", "path": "assisted", "target": "ci", "scope": ["deploy"],
            "channel": "portal", "requester": "subject", "summary": format!("opened {key}"),
        });
        Some(Sent { path: "/v1/cases".to_owned(), key, seen: None, body })
    }
}

impl Ledger {
    fn answered(&mut self, sent: &Sent, status: u16, body: &Value) {
        if status == 412 {
            self.version = None;
            if let (Some(case), Some(text)) = (&self.case, sent.body["text"].as_str()) {
                self.texts.entry(case.clone()).or_default().remove(text);
            }
            return;
        }
        let case = body["row"]["id"].as_str().map_or_else(|| self.case.clone().unwrap(), str::to_owned);
        self.version = body["row"]["version"].as_u64();
        let texts = self.texts.entry(case.clone()).or_default();
        if let Some(text) = sent.body["text"].as_str() {
            texts.insert(text.to_owned(), true);
        }
        self.case = (texts.len() < usize::try_from(COMMENTS).unwrap()).then_some(case);
    }

    /// Asks again for what had no answer, and looks whether all of it is there, once.
    async fn settle(&mut self, seat: &Seat) -> usize {
        if let Some(sent) = self.unanswered.take() {
            let (status, body) = seat.send(&sent).await.expect("the server is there again");
            let again = seat.send(&sent).await.expect("the server is there");
            assert!(matches!(status, 200 | 201 | 412), "{}: {status} {body}", sent.path);
            assert_eq!((again.0, &again.1["row"]["id"]), (status, &body["row"]["id"]), "asked twice, done once");
            self.answered(&sent, status, &body);
        }
        let mut acknowledged = 0;
        for (case, sent) in &self.texts {
            let shown = seat.get(&format!("/v1/cases/{case}")).await;
            let said: Vec<&str> = shown["comments"].as_array().unwrap().iter().map(|c| c["text"].as_str().unwrap()).collect();
            for (text, _) in sent.iter().filter(|(_, acknowledged)| **acknowledged) {
                assert_eq!(said.iter().filter(|s| *s == text).count(), 1, "{case}: {text:?} was acknowledged");
                acknowledged += 1;
            }
            assert!(said.iter().all(|s| sent.contains_key(*s)), "{case}: {said:?}");
            assert!(said.len() <= sent.len(), "{case}: {said:?}");
        }
        self.version = None;
        acknowledged
    }
}

/// Kills it at a random moment after it has answered something.
fn killed(host: &mut Host, done: &AtomicU64) {
    let (before, until) = (done.load(Ordering::SeqCst), Instant::now() + SOON);
    while done.load(Ordering::SeqCst) == before {
        assert!(Instant::now() < until, "nothing is ever acknowledged");
        tokio::task::block_in_place(|| std::thread::park_timeout(Duration::from_millis(2)));
    }
    let mut random = [0_u8; 2];
    SystemRandom.fill(&mut random);
    let moment = Instant::now() + Duration::from_micros(u64::from(u16::from_le_bytes(random)) * 10);
    while Instant::now() < moment {
        tokio::task::block_in_place(|| std::thread::park_timeout(moment.saturating_duration_since(Instant::now())));
    }
    host.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_a_served_house_killed_under_load_keeps_what_it_acknowledged_and_does_the_rest_once() {
    let kills: u32 = std::env::var("COUNTERSIGN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let began = Instant::now();
    let (mut acknowledged, mut before) = (0, 0);
    let mut at = None;
    for kill in 0..kills {
        // A fresh house now and then, so that verifying stays quick and no subject gets too many cases.
        let (mut host, mut ledgers) = match at.take() {
            Some(there) if kill % 10 != 0 => there,
            _ => (house(), SUBJECTS.map(|_| Ledger::default())),
        };
        host.serve();
        let done = Arc::new(AtomicU64::new(0));
        let mut writers = tokio::task::JoinSet::new();
        for (i, ledger) in ledgers.iter_mut().enumerate() {
            let (mut ledger, seat, done) = (std::mem::take(ledger), Seat::new(&host), Arc::clone(&done));
            writers.spawn(async move {
                seat.write(SUBJECTS[i], &mut ledger, &done).await;
                (i, ledger)
            });
        }
        killed(&mut host, &done);
        while let Some(written) = writers.join_next().await {
            let (i, ledger) = written.unwrap();
            ledgers[i] = ledger;
        }
        host.here(&["log verify"], 0);
        host.serve();
        let seat = Seat::new(&host);
        let mut there = 0;
        for ledger in &mut ledgers {
            there += ledger.settle(&seat).await;
        }
        host.stop();
        host.here(&["log verify"], 0);
        assert!(there > 0);
        acknowledged += if kill % 20 == 0 { there } else { there - before };
        before = there;
        at = Some((host, ledgers));
    }
    println!("{kills} kills of the served house, {acknowledged} comments acknowledged, none lost, in {:.1} s", began.elapsed().as_secs_f64());
}

/// What a trace shows of one request after the other: acknowledged writes, and those of them whose write-ahead log was not synced between
/// their arrival and their answer.
fn read_trace(trace: &str) -> (usize, usize) {
    #[derive(PartialEq, Clone, Copy)]
    enum Now {
        Idle,
        Asked,
        Written,
        Synced,
    }
    let (mut answers, mut early, mut now) = (0, 0, Now::Idle);
    let mut syncing = std::collections::BTreeSet::new();
    for line in trace.lines() {
        let (pid, call) = line.split_once(' ').unwrap_or(("", line));
        let call = call.trim_start();
        let sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        let ended = call.ends_with("= 0");
        if call.contains("\"POST /v1") {
            now = Now::Asked;
        } else if call.starts_with("pwrite64(") && call.contains("-wal>") && now != Now::Idle {
            now = Now::Written;
        } else if sync && call.contains("-wal>") && call.contains("<unfinished") && now == Now::Written {
            syncing.insert(pid.to_owned());
        } else if now == Now::Written && ended && (sync && call.contains("-wal>") || call.contains("sync resumed>") && syncing.remove(pid)) {
            now = Now::Synced;
        } else if call.contains("\"HTTP/1.1 ") && now != Now::Idle {
            let acknowledged = call.contains("\"HTTP/1.1 2");
            answers += usize::from(acknowledged);
            early += usize::from(acknowledged && now != Now::Synced);
            now = Now::Idle;
        }
    }
    (answers, early)
}

/// Serves under `strace` with more of its options, comments so often on that case, one after the other, and gives the statuses.
async fn traced(host: &mut Host, case: &str, more: &[&str]) -> Vec<u16> {
    let trace = host.path("trace").display().to_string();
    let mut words = vec!["-f", "-y", "-qq", "-s", "16", "-e", "trace=read,recvfrom,write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync"];
    words.extend(more.iter().copied().chain(["-o", &trace]));
    host.serve_under("strace", &words);
    let seat = Seat::new(host);
    let mut statuses = Vec::new();
    for n in 0..20 {
        let seen = seat.get(&format!("/v1/cases/{case}")).await["row"]["version"].as_u64();
        let body = json!({"text": format!("under a trace {n}")});
        let key = format!("traced-{}-{n}", more.len());
        let answer = seat.send(&Sent { path: format!("/v1/cases/{case}/comments"), key, seen, body }).await;
        statuses.push(answer.map_or(0, |(status, _)| status));
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_no_acknowledgement_reaches_a_socket_before_the_sync_and_none_at_all_without_one() {
    // The reader of traces itself, on a trace made by hand.
    let handmade = "1 <... recvfrom resumed>\"POST /v1/cases/C\"..., 8192) = 300\n2 pwrite64(9</db-wal>, \"x\", 1, 0) = 1\n\
        2 fdatasync(9</db-wal> <unfinished ...>\n1 writev(12<s>, [{iov_base=\"HTTP/1.1 200 OK\"...\n2 <... fdatasync resumed>) = 0\n\
        1 read(12<s>, \"POST /v1/cases/C\"..., 8192) = 300\n2 pwrite64(9</db-wal>, \"x\", 1, 0) = 1\n2 fdatasync(9</db-wal>) = 0\n\
        1 writev(12<s>, [{iov_base=\"HTTP/1.1 200 OK\"...\n1 writev(12<s>, [{iov_base=\"HTTP/1.1 200 OK\"...\n";
    assert_eq!(read_trace(handmade), (2, 1));
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        // tests/all brings strace along and sets this, so that nothing is left out there.
        assert!(std::env::var_os("COUNTERSIGN_REQUIRE_ALL").is_none_or(|v| v != "1"), "strace is not installed");
        println!("left out: strace is not installed, so the served house's system calls were not looked at");
        return;
    }
    let mut host = house();
    host.serve();
    let opened = Seat::new(&host).send(&Seat::new(&host).next(SUBJECTS[0], &Ledger::default()).await.unwrap()).await.unwrap();
    let case = opened.1["row"]["id"].as_str().unwrap_or_else(|| panic!("{}", opened.1)).to_owned();
    host.stop();
    let statuses = traced(&mut host, &case, &[]).await;
    host.end_under("TERM");
    assert_eq!(statuses, [200; 20]);
    let trace = std::fs::read_to_string(host.path("trace")).unwrap();
    assert_eq!(read_trace(&trace), (20, 0), "acknowledgements, and those before their sync");

    // A disk that can't sync any more: nothing is acknowledged from then on, and what was is kept.
    let statuses = traced(&mut host, &case, &["-e", "inject=fsync,fdatasync:error=EIO:when=6+"]).await;
    host.end_under("KILL");
    let good = statuses.iter().filter(|s| **s == 200).count();
    assert!(good < 15 && statuses.iter().rev().take(5).all(|s| *s >= 500), "{statuses:?}");
    let trace = std::fs::read_to_string(host.path("trace")).unwrap();
    assert_eq!(read_trace(&trace), (good, 0));
    host.here(&["log verify"], 0);
    host.serve();
    let shown = Seat::new(&host).get(&format!("/v1/cases/{case}")).await;
    assert!(shown["comments"].as_array().unwrap().len() >= 20 + good, "{shown}");
    host.stop();
}
