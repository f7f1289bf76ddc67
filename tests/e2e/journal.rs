//! The journal of a real server: each thing that whoever looks after it needs has a line with known keys, and nothing in it is anyone's.
//!
//! The server runs on a copy of the demo's organisation, so that there are accounts and cases; its mail relay and its target refuse what the test sends them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::demo::Demo;
use crate::host::{Host, SOON, program, said};

/// Every key that a line may have.
const KEYS: &[&str] = &[
    "timestamp",
    "level",
    "message",
    "target",
    "request_id",
    "method",
    "route",
    "operation",
    "status",
    "refused",
    "millis",
    "case",
    "session",
    "grant",
    "item",
    "tries",
    "addresses",
    "error",
    "engine",
    "refusal",
    "state",
    "kind",
    "version",
    "file",
    "line",
    "lost",
    "requests",
    "system",
];

/// Listens on a loopback port and answers each connection with that.
fn answering(each: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let each = each.clone();
            std::thread::spawn(move || each(stream));
        }
    });
    port
}

/// A relay that takes no message to one person, and says so with the address and the message's own words. What it heard is kept.
fn relay(heard: Arc<Mutex<String>>) -> u16 {
    answering(move |stream| {
        let (mut to, mut lines) = (stream.try_clone().unwrap(), BufReader::new(stream).lines().map_while(Result::ok));
        let _ = to.write_all(b"220 relay\r\n");
        let mut whom = String::new();
        while let Some(line) = lines.next() {
            let answer = match line.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
                "RCPT" => {
                    whom.clone_from(&line);
                    "250 well".to_owned()
                }
                "DATA" => {
                    let _ = to.write_all(b"354 go on\r\n");
                    let body: Vec<String> = lines.by_ref().take_while(|l| l != ".").collect();
                    heard.lock().unwrap().push_str(&body.join("\n"));
                    let refused = whom.contains("ferreira");
                    let why = format!("550 5.7.1 {whom} is not to have: {}", body.join(" ").chars().take(300).collect::<String>());
                    if refused { why } else { "250 taken".to_owned() }
                }
                "QUIT" => return,
                _ => "250 well".to_owned(),
            };
            let _ = to.write_all(format!("{answer}\r\n").as_bytes());
        }
    })
}

/// A target that knows nobody and refuses every order, quoting it.
fn target() -> u16 {
    answering(|mut stream| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        let _ = lines.read_exact(&mut body);
        let asked = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()?.rsplit('/').next());
        let status = if let Some(subject) = asked {
            body = json!({"subject": subject, "known": false}).to_string().into_bytes();
            "404 Not Found"
        } else {
            "422 Unprocessable Content"
        };
        let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&body));
    })
}

/// A server of its own on a copy of what the demo holds.
fn copied(demo: &Demo, relay: u16, target: u16) -> Host {
    let from = demo.line.mail.parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("from.toml");
    std::fs::write(&first, format!("data = {:?}\n", from.display().to_string())).unwrap();
    let backup = program(folder.path()).args(["backup", "--config"]).arg(&first).arg(folder.path().join("countersign.db")).output().unwrap();
    assert!(backup.status.success(), "{}", said(&backup));
    copy(&from.join("keys"), &folder.path().join("keys"));
    std::fs::copy(from.join("target.secret"), folder.path().join("target.secret")).unwrap();
    let of = |id: &str| format!("[targets.{id}]\nurl = \"http://127.0.0.1:{target}\"\nsecret_file = \"target.secret\"\n");
    let mail = format!("[mail.smtp]\nhost = \"127.0.0.1\"\nport = {relay}\nsecurity = \"none\"\n");
    let listed = targets().iter().map(|t| of(t)).collect::<String>();
    Host::over(folder, "organisation = \"Ferrol Post & Freight\"\n[journal]\nlevel = \"debug\"", &format!("{mail}{listed}"))
}

/// Of the demo's organisation.
fn targets() -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/organisation.toml")).unwrap();
    let named = text.lines().filter_map(|l| l.trim().strip_prefix("target = \"")?.split('"').next().map(str::to_owned));
    named.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect()
}

/// The line with these keys and values, once it is there.
fn line(host: &Host, with: &[(&str, Value)]) -> Value {
    let until = Instant::now() + SOON;
    loop {
        let text = std::fs::read_to_string(host.path("journal.jsonl")).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        if let Some(found) = lines(whole).into_iter().find(|l| with.iter().all(|(key, value)| l[*key] == *value)) {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(50));
        assert!(Instant::now() < until, "no line with {with:?} in\n{text}");
    }
}

/// Nothing of anyone: what was typed, who it was, what was sent.
fn tells_nothing(text: &str, secrets: &[String]) {
    for secret in secrets.iter().map(String::as_str).chain(["@", "Zebedee", "Quill", "zebedee", "ferreira", "nadia", "ruiz", "stuck-sync"]) {
        assert!(!secret.is_empty() && !text.contains(secret), "{secret:?} is in\n{text}");
    }
    for line in lines(text).iter().filter(|l| l["target"].as_str().is_some_and(|t| t.starts_with("countersign"))) {
        for key in line.as_object().unwrap().keys() {
            assert!(KEYS.contains(&key.as_str()), "{key} is not a known key: {line}");
        }
    }
}

/// Mail that the relay refuses, and an order that the target refuses.
async fn refused_by_others(demo: &Demo, sealed: &str) -> String {
    let comment = json!({"text": "Zebedee Quill rang, zebedee.quill@elsewhere.example"});
    let (status, said) = demo.try_act("nadia", sealed, "comments", &comment).await;
    assert_eq!(status, 200, "{said}");
    let case = demo.open("nadia", "n.ferreira", "account_unlock", "assisted").await;
    let triage = json!({"failure": "lost_credential", "reproduction": "tried it with Zebedee", "remedy_owner": "p-nadia"});
    demo.act("nadia", &case, "triage", &triage).await;
    let checklist = demo.case(&case).await["checklist"].clone();
    let all = checklist["items"].as_array().unwrap().iter().flat_map(|i| i["startable"].as_array().unwrap());
    let start = all.into_iter().find(|s| s["method"] == "issued_code" && s["endpoint"].as_str().is_some_and(|e| e.ends_with("-mail"))).unwrap();
    demo.act("nadia", &case, "proofs", &json!({"method": "issued_code", "endpoint": start["endpoint"], "attester": null})).await;
    demo.act("nadia", sealed, "reopen", &json!({"text": "the register moved"})).await;
    demo.act("nadia", sealed, "seal", &json!({})).await;
    let (status, refused) = demo.decide("nadia", sealed, "approve").await;
    assert_eq!(status, 403, "{refused}");
    let (status, approved) = demo.decide("d.ruiz", sealed, "approve").await;
    assert_eq!(status, 200, "{approved:#}");
    demo.until(sealed, "failed").await;
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_journal_has_a_line_for_what_matters_and_nothing_of_anyone() {
    let mut demo = Demo::start();
    let journal = demo.line.mail.with_file_name("journal.jsonl");
    let (_, found) = demo.get("nadia", "/v1/cases?filter=subject:stuck-sync").await;
    let sealed = found["rows"].as_array().unwrap().iter().find(|r| r["state"] == "sealed").unwrap()["id"].as_str().unwrap().to_owned();
    let heard = Arc::new(Mutex::new(String::new()));
    let mut host = copied(&demo, relay(heard.clone()), target());
    host.serve();
    demo.line.api = host.api();

    let case = refused_by_others(&demo, &sealed).await;
    assert_eq!(demo.get("cs_tok-zebedee_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/v1/me").await.0, 401);
    assert_eq!(demo.get("nadia", "/v1/subjects?q=zebedee").await.0, 200);
    assert_eq!(demo.get("nadia", "/v1/cases/zebedee-quill?x=zebedee@elsewhere.example").await.0 / 100, 4);
    assert_eq!(demo.get("nadia", "/zebedee/quill").await.0, 404);
    let pages = format!("http://{}", host.line["pages_listener"].as_str().unwrap());
    demo.form(&format!("{pages}/p/zebedee-quill-token"), &[("code", "1234 5678")], None).await;
    demo.form(&format!("{pages}/ask"), &[("who", "zebedee@elsewhere.example"), ("what", "password_reset"), ("system", "")], None).await;

    let request = |operation: &str, status: u16| [("message", json!("request")), ("operation", json!(operation)), ("status", json!(status))];
    let commented = line(&host, &request("case_comment", 200));
    assert_eq!((&commented["route"], &commented["method"]), (&json!("/v1/cases/{id}/comments"), &json!("POST")));
    assert!(commented["request_id"].as_str().unwrap().starts_with("req-") && commented["timestamp"].is_string(), "{commented}");
    assert_eq!(line(&host, &request("case_decide", 403))["refused"], "separation-of-duties");
    line(&host, &request("me", 401));
    line(&host, &request("subject_find", 200));
    line(&host, &[("message", json!("page")), ("route", json!("/p/{token}")), ("method", json!("POST"))]);
    line(&host, &[("message", json!("page")), ("route", json!("/ask"))]);
    let given_up = [("message", json!("a message is given up")), ("case", json!(case)), ("error", json!("refused")), ("status", json!(550))];
    assert_eq!(line(&host, &given_up)["level"], "ERROR");
    let all = std::fs::read_to_string(host.path("journal.jsonl")).unwrap();
    let items = all.lines().filter(|l| l.contains("a message is given up")).map(|l| serde_json::from_str::<Value>(l).unwrap()["item"].clone());
    let (mut items, mut each): (Vec<Value>, Vec<Value>) = (items.collect(), Vec::new());
    items.sort_by_key(ToString::to_string);
    each.clone_from(&items);
    each.dedup();
    assert_eq!(items, each, "each message is given up once, however many addresses it had");
    let order = [("message", json!("the target refused the order")), ("case", json!(sealed)), ("status", json!(422))];
    assert_eq!(line(&host, &order)["level"], "WARN");
    host.stop();
    line(&host, &[("message", json!("ended in order"))]);

    let mut secrets: Vec<String> = demo.line.tokens.values().cloned().collect();
    secrets.extend(demo.line.tokens.values().filter_map(|t| t.rsplit_once('_')).map(|(_, secret)| secret.to_owned()));
    let sent = heard.lock().unwrap().clone();
    let code = |l: &&str| l.len() == 9 && l.as_bytes()[4] == b' ' && l.bytes().filter(u8::is_ascii_digit).count() == 8;
    let codes: Vec<&str> = sent.lines().map(str::trim).filter(code).collect();
    assert!(!codes.is_empty(), "a code was on its way: {sent}");
    secrets.extend(codes.iter().flat_map(|c| [(*c).to_owned(), c.replace(' ', "")]));
    assert!(sent.contains("Ferrol Post & Freight"), "the settings' organisation speaks: {sent}");
    tells_nothing(&std::fs::read_to_string(host.path("journal.jsonl")).unwrap(), &secrets);
    let of_the_demo = std::fs::read_to_string(journal).unwrap();
    assert!(of_the_demo.contains("\"operation\":\"queue_list\""), "the demo keeps one too, in its folder: {of_the_demo}");
    tells_nothing(&of_the_demo, &secrets);
}
