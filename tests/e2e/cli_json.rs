//! Every command there is with `--json`, run as it stands in the program's own table of arguments: whatever comes of it, what it prints is JSON.
//!
//! Contract: a command that is added is run without a word here, or is named among those that are left out, with why.

use std::process::Output;

use clap::CommandFactory as _;
use countersign::cli::Arguments;
use serde_json::Value;

use crate::cli::said;
use crate::demo::Demo;
use crate::host::{Host, program};

/// Those that are not run: they go on until they are ended, or print what is no answer.
const LEFT_OUT: &[&str] = &["serve", "events", "demo", "demo-target", "completions", "man"];

/// A way to every command, with what it can't do without.
fn commands(command: &clap::Command, before: &[String], known: &dyn Fn(&clap::Arg) -> String, out: &mut Vec<Vec<String>>) {
    for sub in command.get_subcommands().filter(|s| !LEFT_OUT.contains(&s.get_name()) && s.get_name() != "help") {
        let mut words: Vec<String> = before.iter().cloned().chain([sub.get_name().to_owned()]).collect();
        if sub.has_subcommands() {
            commands(sub, &words, known, out);
            continue;
        }
        for arg in sub.get_arguments().filter(|a| a.is_required_set()) {
            words.extend(arg.get_long().map(|long| format!("--{long}")));
            let possible = arg.get_possible_values();
            words.push(possible.first().map_or_else(|| known(arg), |value| value.get_name().to_owned()));
        }
        out.push(words);
    }
}

/// What was printed is one JSON value, and of a failure one with its exit code, its stable code and a sentence.
fn is_json(words: &[String], output: &Output) -> i32 {
    let code = output.status.code().unwrap_or_else(|| panic!("{words:?} was ended: {}", said(output)));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|e| panic!("{words:?} ({code}): {e}: {}", said(output)));
    if code == 0 || !out.is_empty() {
        assert!(out.ends_with('\n') && out.lines().count() == 1, "{words:?}: one value on one line: {}", said(output));
        value(&out);
    }
    if code == 0 {
        assert!(err.is_empty(), "{words:?}: {err}");
    } else {
        let failure = value(&err);
        assert_eq!(failure["exit"], code, "{words:?}: {failure}");
        let text = |key: &str| failure[key].as_str().is_some_and(|t| !t.is_empty() && !t.contains("panicked"));
        assert!((1..=7).contains(&code) && text("error") && text("detail"), "{words:?}: {failure}");
    }
    code
}

#[test]
fn whatever_comes_of_a_command_is_json_where_json_was_asked_for() {
    let (demo, host) = (Demo::start(), Host::founded("", ""));
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[String], token: &str| {
        let mut command = program(folder.path());
        command
            .arg("--json")
            .args(words)
            .env("COUNTERSIGN_SERVER", &demo.line.api)
            .env("COUNTERSIGN_TOKEN", token)
            .env("COUNTERSIGN_CONFIG", host.path("server.toml"));
        command.current_dir(folder.path()).output().unwrap()
    };
    let list: Value = serde_json::from_slice(&run(&["case", "list", "--limit", "1"].map(str::to_owned), demo.token("nadia")).stdout).unwrap();
    let (case, subject) = (list["rows"][0]["id"].as_str().unwrap().to_owned(), list["rows"][0]["subject"].as_str().unwrap().to_owned());
    let known = |arg: &clap::Arg| match arg.get_id().as_str() {
        "case" => case.clone(),
        "subject" => subject.clone(),
        "target" => "directory".to_owned(),
        "operator" | "policy_owner" | "one" => "nadia".to_owned(),
        "guard" | "security_reviewer" | "other" => "a.lindqvist".to_owned(),
        "person" | "remedy_owner" | "from" | "to" | "owner" => "p-nadia".to_owned(),
        "hours" => "1".to_owned(),
        "file" => "nobody.csv".to_owned(),
        other => format!("no-{}", other.replace('_', "-")),
    };
    let mut all = Vec::new();
    let mut table = Arguments::command();
    table.build();
    commands(&table, &[], &known, &mut all);
    assert!(all.len() > 60, "{all:?}");
    let (mut done, mut refused) = (0, 0);
    for words in &all {
        match is_json(words, &run(words, demo.token("nadia"))) {
            0 => done += 1,
            _ => refused += 1,
        }
        let stranger = is_json(words, &run(words, "cs_tok-nobody_aaaa"));
        let through_the_server = matches!(words[0].as_str(), "case" | "grants" | "subject" | "register" | "token" | "whoami");
        assert!(!through_the_server || matches!(stranger, 2 | 4), "{words:?}: {stranger}");
    }
    assert!(done > 15 && refused > 15, "{done} done, {refused} refused");
    for words in [&["case", "show"][..], &["case", "list", "--nonsense"], &["case", "show", "\u{1b}[31m"], &["nonsense"]] {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        assert_eq!(is_json(&words, &run(&words, demo.token("nadia"))), 2, "{words:?}");
    }
}
