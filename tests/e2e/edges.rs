//! Where commands end and what they leave alone: nothing under `--read-only`, a demo at a signal, and whoever may not decide hears why.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::said;
use crate::demo::{Demo, SOON};
use crate::host::program;
use crate::proving::triaged_and_proved;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_may_only_look_changes_nothing_and_one_that_may_not_decide_hears_the_duty() {
    let demo = Demo::start();
    let folder = tempfile::tempdir().unwrap();
    let run = |who: &str, arguments: &[&str]| {
        let mut command = program(folder.path());
        command.args(["--server", &demo.line.api]).args(arguments).env("COUNTERSIGN_TOKEN", demo.token(who)).output().unwrap()
    };
    let case = demo.open("nadia", "n.ferreira", "account_unlock", "assisted").await;
    let before = demo.case(&case).await["row"]["version"].clone();
    let looked = run("nadia", &["--read-only", "case", "show", &case]);
    assert!(looked.status.success(), "{}", said(&looked));
    for write in [&["case", "comment", &case, "seen"][..], &["case", "withdraw", &case, "no"], &["token", "revoke", "tok-1"]] {
        let refused = run("nadia", &[&["--read-only"], write].concat());
        assert_eq!(refused.status.code(), Some(2), "{write:?}: {}", said(&refused));
        assert!(said(&refused).contains("--read-only"), "{}", said(&refused));
    }
    for wrong in [
        &["case", "list", "--limit", "500"][..],
        &["case", "list", "nofield:x"],
        &["case", "comment", &case, " "],
        &["case", "list", "--sort", "odd"],
    ] {
        let refused = run("nadia", wrong);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", said(&refused));
        assert!(!said(&refused).contains("deserialize"), "{}", said(&refused));
    }
    let newest = run("nadia", &["log", "list", "--last", "3", "--json"]);
    let newest: Value = serde_json::from_slice(&newest.stdout).unwrap();
    assert_eq!(newest["entries"].as_array().map(Vec::len), Some(3), "{newest:#}");
    let help = program(folder.path()).args(["case", "flag", "--help"]).output().unwrap();
    assert!(said(&help).contains("repeat_request") && said(&help).contains("pressure"), "{}", said(&help));
    let import = program(folder.path()).args(["--read-only", "import", "--write", "persons", "x.csv"]).output().unwrap();
    assert_eq!(import.status.code(), Some(2), "{}", said(&import));
    assert_eq!(demo.case(&case).await["row"]["version"], before);

    triaged_and_proved(&demo, "nadia", &case, &["issued_code"]).await;
    demo.act("nadia", &case, "seal", &json!({})).await;
    let seal = demo.case(&case).await["seal"]["sha256"].as_str().unwrap().to_owned();
    let refused = run("nadia", &["case", "approve", &case, "it is me", "--seal", &seal, "--json"]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    let why: Value = serde_json::from_str(said(&refused).trim()).unwrap();
    assert_eq!(why["error"], "separation-of-duties", "{why:#}");
    let (_, timeline) = demo.get("nadia", &format!("/v1/cases/{case}/timeline?limit=200")).await;
    let told = timeline["entries"].as_array().unwrap().iter().filter(|e| e["event"] == "refused").map(|e| e["summary"].to_string());
    assert!(told.clone().any(|t| t.contains("separation") || t.contains("decide")), "{:#?}", told.collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn a_demo_ends_at_a_signal_while_its_input_stays_open() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["demo", "--headless"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let input = child.stdin.take();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mail: Value = serde_json::from_str(&line).unwrap();
    let mail = std::path::PathBuf::from(mail["mail"].as_str().unwrap());
    assert!(mail.exists());
    private(&mail);
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let until = Instant::now() + SOON;
    let ended = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "it goes on after SIGTERM");
        std::thread::park_timeout(Duration::from_millis(20));
    };
    drop(input);
    assert!(ended.success() && !mail.exists(), "{ended}: what it made is thrown away");
}

/// Codes lie in the mail: nobody else on the machine reads them.
#[cfg(unix)]
fn private(mail: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(mail), 0o700);
    let files: Vec<_> = std::fs::read_dir(mail).unwrap().map(|f| f.unwrap().path()).collect();
    assert!(!files.is_empty() && files.iter().all(|f| mode(f) == 0o600), "{files:?}");
}
