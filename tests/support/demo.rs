//! A demo server of the real program, without its console: started, spoken to, and stopped with its owner.
//!
//! Contract: everything goes over the network or through the mail folder, as a user's would. Every wait has a deadline.

#![allow(dead_code, reason = "each suite uses its own part")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::letter::Letter;

/// How long the demo may take to be filled.
const START: Duration = Duration::from_mins(3);
/// How long anything else may take.
pub const SOON: Duration = Duration::from_secs(45);

/// Between two looks at something that is waited for.
fn pace() {
    std::thread::park_timeout(Duration::from_millis(50));
}

/// Its one line of JSON.
#[derive(Debug, Deserialize)]
pub struct Line {
    pub api: String,
    pub pages: String,
    pub mail: PathBuf,
    pub target: String,
    pub tokens: BTreeMap<String, String>,
}

/// A running demo.
pub struct Demo {
    child: Child,
    pub line: Line,
    pub web: reqwest::Client,
    serial: std::sync::atomic::AtomicU32,
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pace();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["demo", "--headless"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = said.send(line);
        });
        let line = heard.recv_timeout(START).expect("the demo did not start in time");
        let line: Line = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        let web = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(SOON).build().unwrap();
        Self { child, line, web, serial: std::sync::atomic::AtomicU32::new(0) }
    }

    pub fn token<'a>(&'a self, who: &'a str) -> &'a str {
        self.line.tokens.get(who).map_or(who, String::as_str)
    }

    async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Asks the staff API as one of the accounts (or with a token).
    pub async fn get(&self, who: &str, path: &str) -> (u16, Value) {
        Self::answer(self.web.get(format!("{}{path}", self.line.api)).bearer_auth(self.token(who))).await
    }

    /// Writes, having seen that version.
    pub async fn post(&self, who: &str, path: &str, body: &Value, seen: Option<u64>) -> (u16, Value) {
        let serial = self.serial.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let request =
            self.web.post(format!("{}{path}", self.line.api)).bearer_auth(self.token(who)).header("Idempotency-Key", format!("e2e-{serial}"));
        let request = if let Some(seen) = seen { request.header("If-Match", format!("\"{seen}\"")) } else { request };
        Self::answer(request.json(body)).await
    }

    /// A case as nadia sees it.
    pub async fn case(&self, id: &str) -> Value {
        let (status, case) = self.get("nadia", &format!("/v1/cases/{id}")).await;
        assert_eq!(status, 200, "{case}");
        case
    }

    /// Writes on a case as it is now; a change of the server's own between reading and writing is no reason to fail.
    pub async fn try_act(&self, who: &str, id: &str, what: &str, body: &Value) -> (u16, Value) {
        for _ in 0..20 {
            let seen = self.case(id).await["row"]["version"].as_u64().unwrap();
            let answer = self.post(who, &format!("/v1/cases/{id}/{what}"), body, Some(seen)).await;
            if answer.0 != 412 {
                return answer;
            }
        }
        panic!("{id} never stands still for {what}");
    }

    /// As [`Self::try_act`], and it must be done.
    pub async fn act(&self, who: &str, id: &str, what: &str, body: &Value) -> Value {
        let (status, answer) = self.try_act(who, id, what, body).await;
        assert_eq!(status, 200, "{who} {what} {id}: {answer:#}");
        answer
    }

    /// Opens a case about everything that the subject holds there.
    pub async fn open(&self, who: &str, subject: &str, action: &str, path: &str) -> String {
        let (status, found) = self.get("nadia", &format!("/v1/subjects/{subject}")).await;
        assert_eq!(status, 200, "{found}");
        let held = &found["entitlements"][0];
        let body = json!({
            "subject": subject, "action": action, "path": path, "target": held["target"], "scope": held["scopes"],
            "channel": "ticket", "requester": "subject", "summary": "it does not let me in",
        });
        let (status, case) = self.post(who, "/v1/cases", &body, None).await;
        assert_eq!(status, 201, "{case:#}");
        case["row"]["id"].as_str().unwrap().to_owned()
    }

    /// Decides, with the statement that the server gives; where it gives none, with the seal alone.
    pub async fn decide(&self, who: &str, id: &str, decision: &str) -> (u16, Value) {
        let (status, statement) = self.get(who, &format!("/v1/cases/{id}/statement?decision={decision}")).await;
        let seal = self.case(id).await["seal"]["sha256"].clone();
        let nonce = if status == 200 { statement["nonce"].clone() } else { json!("none") };
        self.try_act(
            who,
            id,
            "decisions",
            &json!({"decision": decision, "seal_sha256": seal, "nonce": nonce, "reason": "called back, all is as it says"}),
        )
        .await
    }

    /// Waits until a case is in that state; fails early where it ended elsewhere.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let until = Instant::now() + SOON;
        loop {
            let case = self.case(id).await;
            if case["row"]["state"] == state {
                return case;
            }
            tokio::task::block_in_place(pace);
            assert!(Instant::now() < until, "{id} is {}, not {state}: {:#}", case["row"]["state"], case["executions"]);
        }
    }

    /// Every message so far, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.line.mail).unwrap().map(|f| f.unwrap().path()).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "eml"));
        files.sort();
        files.iter().map(|f| Letter::parse(&std::fs::read_to_string(f).unwrap())).collect()
    }

    /// The newest message to an address whose subject and body hold these words, once it is there.
    pub fn letter(&self, to: &str, words: &[&str]) -> Letter {
        let until = Instant::now() + SOON;
        loop {
            let all = self.letters();
            let fits = |l: &&Letter| l.to == to && words.iter().all(|w| l.subject.contains(w) || l.body.contains(w));
            if let Some(found) = all.iter().rev().find(fits) {
                return found.clone();
            }
            let subjects: Vec<_> = all.iter().filter(|l| l.to == to).map(|l| l.subject.clone()).collect();
            pace();
            assert!(Instant::now() < until, "no letter with {words:?} to {to}, only {subjects:?}");
        }
    }

    /// Sends a page's form; the answer's status, cookie and text.
    pub async fn form(&self, url: &str, fields: &[(&str, &str)], cookie: Option<&str>) -> (u16, Option<String>, Option<String>, String) {
        let request = self.web.post(url).form(fields);
        let request = if let Some(cookie) = cookie { request.header("cookie", cookie) } else { request };
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (status, cookie, to) = (answer.status().as_u16(), header("set-cookie"), header("location"));
        let cookie = cookie.and_then(|c| c.split(';').next().map(str::to_owned));
        (status, cookie, to, answer.text().await.unwrap())
    }

    /// What the target holds for a subject.
    pub async fn account(&self, subject: &str) -> Value {
        let (status, world) = Self::answer(self.web.get(&self.line.target)).await;
        assert_eq!(status, 200, "{world}");
        world["accounts"][subject].clone()
    }
}
