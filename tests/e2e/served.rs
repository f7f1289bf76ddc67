//! What a settings file says is what is served: TLS and its renewal, every limit, and signals.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::host::{Host, SOON, program, said};

/// Writes a new pair for localhost and gives its certificate.
pub fn certify(folder: &Path, until: (i32, u8, u8)) -> String {
    let mut asked = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    asked.not_before = rcgen::date_time_ymd(2020, 1, 1);
    asked.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = asked.self_signed(&key).unwrap().pem();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::set_permissions(folder.join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(folder.join("cert.pem"), &pem).unwrap();
    pem
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap()
}

/// Who ana is over TLS, for someone who trusts that certificate and no other.
fn asked(host: &Host, pem: &str) -> (bool, String) {
    let trusted = host.path("trusted.pem");
    std::fs::write(&trusted, pem).unwrap();
    let port = host.line["api"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let mut command = program(host.folder.path());
    command.args(["--server", &format!("https://localhost:{port}"), "whoami"]);
    let output = command.env("COUNTERSIGN_CA_FILE", &trusted).env("COUNTERSIGN_TOKEN", host.token("ana")).output().unwrap();
    (output.status.success(), said(&output))
}

#[test]
fn tls_comes_from_the_settings_and_a_hangup_brings_the_renewed_certificate() {
    let mut host = Host::founded("public_url = \"https://localhost:8441\"", "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
    let first = certify(host.folder.path(), (2090, 1, 1));
    host.serve();
    assert!(asked(&host, &first).0, "{}", asked(&host, &first).1);
    host.there("ana", &["whoami"], 5);
    let second = certify(host.folder.path(), (2091, 1, 1));
    host.signal("HUP");
    let until = Instant::now() + SOON;
    while !asked(&host, &second).0 {
        assert!(Instant::now() < until, "the new certificate is never served");
    }
    assert!(!asked(&host, &first).0, "the old one is gone");
    std::fs::write(host.path("cert.pem"), "not a certificate").unwrap();
    host.signal("HUP");
    assert!(asked(&host, &second).0 && host.runs(), "what can't be read leaves the former one served");
    host.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_of_the_settings_is_the_servers_own() {
    let limits = "[limits]\nstranger_requests_per_minute = 3\nrequests_per_minute = 10\nstreams = 1\nbody_bytes = 1024\nrequest_seconds = 1\n";
    let mut host = Host::founded("", limits);
    host.serve();
    let (api, web) = (host.api(), client());
    let ask = |path: &str, who: Option<&str>| {
        let request = web.get(format!("{api}{path}"));
        if let Some(who) = who { request.bearer_auth(host.token(who)) } else { request }.send()
    };
    for expected in [401, 401, 401, 429] {
        assert_eq!(ask("/v1/me", None).await.unwrap().status(), expected);
    }
    let stream = ask("/v1/events", Some("ana")).await.unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(ask("/v1/events", Some("ben")).await.unwrap().status(), 429, "one stream for all");
    let write = |body: reqwest::Body| {
        let request = web.post(format!("{api}/v1/register/changes")).bearer_auth(host.token("ana"));
        request.header("idempotency-key", "k").header("content-type", "application/json").body(body).send()
    };
    assert_eq!(write("x".repeat(2_000).into()).await.unwrap().status(), 413);
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let begun = Instant::now();
    assert_eq!(write(reqwest::Body::wrap_stream(never)).await.unwrap().status(), 503);
    assert!(begun.elapsed() < Duration::from_secs(15), "one second, not the built-in twenty");
    let mut last = 200;
    for _ in 0..12 {
        last = ask("/v1/me", Some("ana")).await.unwrap().status().as_u16();
    }
    assert_eq!(last, 429);
    drop(stream);
    host.signal("HUP");
    assert_eq!(ask("/healthz", None).await.unwrap().status(), 200, "a hangup ends no server, with or without TLS");
    let metrics = web.get(format!("http://{}/metrics", host.line["metrics"].as_str().unwrap())).send().await.unwrap().text().await.unwrap();
    for name in ["countersign_outbox_waiting 0", "countersign_commit_seconds_bucket"] {
        assert!(metrics.contains(name), "{metrics}");
    }
    host.stop();
}

/// Whether anyone answers there.
fn answers(api: &str) -> bool {
    std::net::TcpStream::connect(api).is_ok()
}

/// Serves from a shell that leads a terminal's session, ends that shell, which is what closing the window does, and gives its address.
fn left_alone(line: &str) -> (Host, String) {
    let host = Host::founded("", "");
    let (out, config) = (host.path("line"), host.path("server.toml"));
    let mut command = portable_pty::CommandBuilder::new("sh");
    command.args(["-c", line, "sh", env!("CARGO_BIN_EXE_countersign")]);
    for (name, value) in [("OUT", &out), ("CONFIG", &config), ("HOME", &host.path("")), ("FOLDER", &host.path(""))] {
        command.env(name, value);
    }
    let shell = crate::pty::Pty::start("shell", command, (80, 24));
    let until = Instant::now() + SOON;
    let api = loop {
        let said = std::fs::read_to_string(&out).unwrap_or_default();
        if let Ok(line) = serde_json::from_str::<serde_json::Value>(&said) {
            break line["api"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < until, "{said:?}: {}", shell.text());
        std::thread::park_timeout(Duration::from_millis(20));
    };
    assert!(answers(&api));
    shell.signal("KILL");
    (host, api)
}

/// Waits for a file that is written whole.
fn written(file: &Path) -> String {
    let until = Instant::now() + SOON;
    loop {
        let said = std::fs::read_to_string(file).unwrap_or_default();
        if said.ends_with('\n') {
            return said.trim().to_owned();
        }
        assert!(Instant::now() < until, "{} is never written", file.display());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_server_whose_terminal_is_closed_ends_in_order_and_gives_its_database_back() {
    let line = r#"(trap : HUP; "$1" serve --config "$CONFIG" --json >"$OUT"; echo $? >"$FOLDER/code"; echo ended >>"$FOLDER/code") & wait"#;
    let (host, api) = left_alone(line);
    assert_eq!(written(&host.path("code")), "0\nended");
    assert!(!answers(&api));
    let report = host.here(&["import", "persons", &nobody(&host)], 0);
    assert_eq!(report["rows"], 0, "no lock is left: {report}");
}

/// An import that brings nobody: it needs the database to itself.
fn nobody(host: &Host) -> String {
    let file = host.path("people.csv");
    std::fs::write(&file, "id,name,email,employer\n").unwrap();
    file.display().to_string()
}

#[test]
fn a_server_started_with_nohup_outlives_its_terminal() {
    let line = r#"(trap '' HUP; echo $$ >/dev/null; sh -c 'echo $$ >"$FOLDER/id"; exec "$0" serve --config "$CONFIG" --json' "$1" >"$OUT") & wait"#;
    let (host, api) = left_alone(line);
    let id = written(&host.path("id"));
    let config = host.path("server.toml");
    let asked = program(host.folder.path()).arg("import").arg("--config").arg(config).args(["persons", &nobody(&host)]).output().unwrap();
    let still = answers(&api);
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(still && asked.status.code() == Some(2), "{}", said(&asked));
    let until = Instant::now() + SOON;
    while answers(&api) {
        assert!(Instant::now() < until, "it does not end");
    }
}

#[test]
fn a_server_that_outlived_its_terminal_is_ended_by_no_later_hangup() {
    // A job of its own, as an interactive shell has: the end of the shell hangs up to the job in front alone.
    let line = r#"set -m; sh -c 'echo $$ >"$FOLDER/id"; exec "$0" serve --config "$CONFIG" --json 2>"$FOLDER/journal"' "$1" >"$OUT" & wait"#;
    let (host, api) = left_alone(line);
    let (id, journal) = (written(&host.path("id")), host.path("journal"));
    let notes = |words: &str| {
        let until = Instant::now() + SOON;
        while !std::fs::read_to_string(&journal).unwrap().contains(words) {
            assert!(Instant::now() < until, "{words:?} is never noted: {}", std::fs::read_to_string(&journal).unwrap());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    let signal = |name: &str| assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
    notes("the terminal is gone without a hangup");
    signal("-HUP");
    notes("nothing is read again");
    let still = answers(&api);
    signal("-TERM");
    notes("ended in order");
    assert!(still && !answers(&api));
}
