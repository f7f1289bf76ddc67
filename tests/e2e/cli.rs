//! Every command through the real program: one value with `--json`, documented exit codes, no terminal needed, quiet when the reader goes.

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::demo::Demo;
use crate::host::program;

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn without_a_server_each_command_ends_with_its_code_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = "http://127.0.0.1:9";
    let missing = "CS-26-000001";
    let long: &[(&[&str], Option<&str>, i32)] = &[
        (&["--help"], None, 0),
        (&["--version"], None, 0),
        (&["man"], None, 0),
        (&["completions", "bash"], None, 0),
        (&["completions", "zsh"], None, 0),
        (&["completions", "fish"], None, 0),
        (&["nonsense"], None, 2),
        (&["case", "show"], None, 2),
        (&["case", "show", "not-a-case"], None, 2),
        (&["case", "list"], None, 2),
        (&["--server", nowhere, "case", "list"], None, 4),
        (&["--server", nowhere, "case", "list"], Some("t"), 5),
        (&["--server", nowhere, "case", "show", missing], Some("t"), 5),
        (&["--server", nowhere, "log", "list"], Some("t"), 5),
        (&["--server", nowhere, "whoami"], Some("t"), 5),
        (&["--server", "not a url", "whoami"], Some("t"), 2),
        (&["policy", "check", "/nonexistent.toml"], None, 2),
        (&["completions", "nonsense"], None, 2),
    ];
    for (arguments, token, code) in long {
        for json in [false, true] {
            let mut command = program(folder.path());
            if let Some(token) = token {
                command.env("COUNTERSIGN_TOKEN", token);
            }
            let output = command.args(*arguments).args(json.then_some("--json")).output().unwrap();
            assert_eq!(output.status.code(), Some(*code), "{arguments:?} json={json}: {}", said(&output));
            assert!(!said(&output).trim().is_empty(), "{arguments:?} says nothing");
            assert!(!said(&output).contains('\u{1b}'), "{arguments:?} colours what no terminal reads");
            assert!(!said(&output).contains("panicked"), "{arguments:?}: {}", said(&output));
        }
    }
}

#[test]
fn policy_check_prints_the_smallest_crew_and_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let good = include_str!("../../assets/policy/default.toml");
    std::fs::write(&file, good).unwrap();
    let output = program(folder.path()).args(["policy", "check", "--json"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok(), "{}", said(&output));
    std::fs::write(&file, good.replace("email = \"30 min\"", "email = \"90 d\"").replace("attempts_per_code = 5", "attempts_per_code = 5000"))
        .unwrap();
    let output = program(folder.path()).args(["policy", "check"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("email") && said(&output).contains("attempts_per_code"), "every mistake is listed: {}", said(&output));
}

#[test]
fn against_a_server_scripts_get_one_value_and_a_code() {
    let demo = Demo::start();
    let folder = tempfile::tempdir().unwrap();
    let run = |who: &str, arguments: &[&str]| {
        let mut command = program(folder.path());
        command.args(["--server", &demo.line.api]).args(arguments).env("COUNTERSIGN_TOKEN", demo.token(who));
        command.output().unwrap()
    };
    let json = |who: &str, arguments: &[&str], code: i32| -> Value {
        let output = run(who, &[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        let text = if code == 0 {
            &output.stdout
        } else if output.stdout.is_empty() {
            &output.stderr
        } else {
            &output.stdout
        };
        serde_json::from_slice(text).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", said(&output)))
    };
    assert_eq!(json("nadia", &["whoami"], 0)["operator"], "nadia");
    let open = json("nadia", &["case", "open", "p.rossi", "password_reset", "--target", "directory", "--scope", "mail", "--channel", "ticket"], 0);
    let case = open["row"]["id"].as_str().unwrap().to_owned();
    assert_eq!(json("nadia", &["case", "show", &case], 0)["row"]["id"], case.as_str());
    json("nadia", &["case", "list"], 0);
    json("nadia", &["case", "timeline", &case], 0);
    json("nadia", &["case", "comment", &case, "called them back"], 0);
    json("nadia", &["case", "evidence", &case, "403 at nine"], 0);
    json("nadia", &["case", "assign", &case, "nadia"], 0);
    json("nadia", &["case", "hand-over", &case, "they answer after ten"], 0);
    json("nadia", &["log", "list"], 0);
    json("nadia", &["case", "hold", &case, "odd"], 3);
    json("nadia", &["case", "seal", &case], 3);
    json("nadia", &["case", "show", "CS-26-999999"], 6);
    json("nadia", &["case", "withdraw", &case, "they remembered"], 0);
    json("cs_tok-nobody", &["whoami"], 4);
    for arguments in [&["case", "show", &case][..], &["case", "list"], &["whoami"], &["log", "list"]] {
        let output = run("nadia", arguments);
        assert!(output.status.success() && !output.stdout.is_empty() && !output.stdout.contains(&0x1b), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["completions", "bash"], ["completions", "zsh"]] {
        let mut child = program(folder.path()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
