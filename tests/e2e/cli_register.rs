//! Register, tokens and policies through the real program, each command with `--json` and its exit code.

use serde_json::{Value, json};

use crate::cli_later::Cli;
use crate::demo::Demo;
use crate::host::{program, said};

fn proposed(answer: &Value) -> String {
    assert_eq!(answer["events"], json!(["proposed"]), "{answer}");
    answer["proposal"].as_str().unwrap().to_owned()
}

#[test]
fn the_register_is_shown_changed_proposed_and_approved_from_the_command_line() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    cli.run("nadia", &["register", "show"], 3);
    let before = cli.run("e.morgan", &["register", "show"], 0);
    assert!(cli.read("e.morgan", &["register", "show"]).contains("triage-bot"));

    let bot = ["register", "automation", "night-bot", "--owner", "p-nadia", "--owner", "p-tom.becker", "--scope", "open"];
    let proposal = proposed(&cli.run("e.morgan", &bot, 0));
    cli.run("e.morgan", &["register", "automation", "night-bot", "--owner", "p-nadia", "--scope", "approve"], 2);
    cli.run("e.morgan", &["register", "automation", "night-bot", "--scope", "open"], 2);
    cli.run("e.morgan", &["register", "approve", &proposal], 3);
    cli.run("nadia", &["register", "approve", &proposal], 3);
    let approved = cli.run("a.lindqvist", &["register", "approve", &proposal], 0);
    assert!(approved["effective_at"].as_str().is_some_and(|at| at > "2026"), "{approved}");
    cli.run("a.lindqvist", &["register", "approve", &proposal], 3);
    let waiting = cli.run("e.morgan", &["register", "proposals"], 0);
    assert!(waiting.as_array().unwrap().iter().any(|p| p["id"] == proposal.as_str() && p["approved_by"] == "p-a.lindqvist"), "{waiting}");
    assert!(cli.read("e.morgan", &["register", "proposals"]).contains("counts from"));
    cli.run("a.lindqvist", &["register", "end", &proposal], 0);
    cli.run("a.lindqvist", &["register", "end", &proposal], 6);

    cli.run("e.morgan", &["register", "end-ownership", "triage-bot", "p-nadia"], 2);
    cli.run("e.morgan", &["register", "end-ownership", "no-bot", "p-nadia"], 6);
    cli.run("e.morgan", &["register", "delegate", "p-nadia", "p-nadia"], 2);
    cli.run("e.morgan", &["register", "delegate", "p-nadia", "automation:no-bot"], 6);
    cli.run("e.morgan", &["register", "delegate", "not an id", "p-nadia"], 2);
    cli.run("e.morgan", &["register", "delegate", "p-i.sato", "p-s.novak"], 0);
    let after = cli.run("e.morgan", &["register", "show"], 0);
    let known = |d: &&Value| d["from"].as_str().unwrap().contains("i.sato") && d["to"].as_str().unwrap().contains("s.novak");
    let delegation = after["delegations"].as_array().unwrap().iter().find(known).unwrap()["id"].as_str().unwrap().to_owned();
    cli.run("e.morgan", &["register", "end-delegation", &delegation], 0);
    cli.run("e.morgan", &["register", "end-delegation", &delegation], 3);

    cli.run("e.morgan", &["register", "person", "p-new", "--employer", "ferrol", "--shift", "25:00-26:00"], 2);
    cli.run("e.morgan", &["register", "person", "p-new", "--employer", "ferrol", "--shift", "22:00-06:00"], 0);
    let account = ["register", "operator", "new", "--person", "p-new", "--role", "support_agent"];
    cli.run("a.lindqvist", &account, 3);
    let first = proposed(&cli.run("e.morgan", &account, 0));
    assert!(cli.read("a.lindqvist", &["register", "approve", &first]).contains("Approved: it counts from "));
    cli.run("e.morgan", &["register", "operator", "x", "--person", "p-nobody", "--role", "supervisor"], 6);
    cli.run("e.morgan", &["register", "operator", "x", "--person", "p-new", "--role", "king"], 2);
    cli.run("tom.becker", &["whoami"], 0);
    cli.run("tom.becker", &["register", "disable-automation", "triage-bot"], 3);
    cli.run("a.lindqvist", &["register", "disable-operator", "tom.becker"], 0);
    cli.run("tom.becker", &["whoami"], 4);
    cli.run("triage-bot", &["whoami"], 0);
    cli.run("a.lindqvist", &["register", "disable-automation", "triage-bot"], 0);
    cli.run("triage-bot", &["whoami"], 4);
    let last = cli.run("e.morgan", &["register", "show"], 0);
    assert!(last["version"].as_u64() > before["version"].as_u64());
    assert!(!last.to_string().contains("secret"), "{last}");
}

#[test]
fn tokens_are_issued_into_files_listed_without_secrets_and_revoked_from_the_command_line() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let file = folder.path().join("next.token");
    let into = file.display().to_string();
    let issued = cli.run("nadia", &["token", "issue", "--operator", "nadia", "--hours", "1", "--file", &into], 0);
    assert!(issued["secret"].is_null() && issued["file"] == into.as_str(), "{issued}");
    let secret = std::fs::read_to_string(&file).unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(cli.run(&secret, &["whoami"], 0)["operator"], "nadia");
    let tokens = |who: &str| cli.run(who, &["token", "list"], 0).as_array().unwrap().len();
    let before = tokens("e.morgan");
    cli.run("nadia", &["token", "issue", "--operator", "nadia", "--file", &into], 2);
    assert_eq!(tokens("e.morgan"), before, "nothing is issued that could not be kept");
    // A disk that takes nothing: the token that nobody has is taken back, and no empty file stays in its place.
    let full = folder.path().join("full.token");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_countersign"), "--server", &demo.line.api]);
    command.args(["token", "issue", "--operator", "nadia", "--file"]).arg(&full).env("COUNTERSIGN_TOKEN", demo.token("nadia"));
    let output = command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path()).env("NO_PROXY", "*").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("full.token") && said(&output).contains("taken back at once"), "{}", said(&output));
    assert!(!full.exists() && tokens("e.morgan") == before, "neither file nor token");
    cli.run("nadia", &["token", "list"], 3);
    cli.run("nadia", &["token", "issue", "--hours", "1"], 2);
    cli.run("nadia", &["token", "issue", "--operator", "nadia", "--hours", "721"], 2);
    cli.run("nadia", &["token", "issue", "--operator", "d.ruiz"], 3);
    let waits = cli.run("e.morgan", &["token", "issue", "--operator", "d.ruiz", "--hours", "1"], 0);
    proposed(&waits);
    cli.run(waits["secret"].as_str().expect("it is told once, and opens nothing yet"), &["whoami"], 4);
    let id = issued["token"].as_str().unwrap();
    cli.run("tom.becker", &["token", "revoke", id], 3);
    cli.run("nadia", &["token", "revoke", id], 0);
    cli.run(&secret, &["whoami"], 4);
    cli.run("nadia", &["token", "revoke", id], 3);
    assert!(!cli.read("e.morgan", &["token", "list"]).contains(&secret));
}

#[test]
fn policies_are_checked_compared_explained_and_proposed_from_the_command_line() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let output = program(folder.path()).args(["policy", "default"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let plain = write("plain.toml", &text);
    let stricter = write("stricter.toml", &text.replace("email = \"30 min\"", "email = \"20 min\""));
    let laxer = write("laxer.toml", &text.replace("approvals = 2", "approvals = 1").replace("from_groups = { security = 1 }\n", ""));
    let checked = cli.run("nadia", &["policy", "check", &plain], 0);
    assert!(checked["without_page"].to_string().contains("repeated proofing"), "{checked}");
    assert!(!checked["smallest_crew"].as_array().unwrap().is_empty(), "{checked}");
    for refused in [cli.run("nadia", &["policy", "check", &laxer], 2), cli.run("e.morgan", &["policy", "propose", &laxer], 2)] {
        let all = refused["mistakes"].to_string();
        assert!(refused["mistakes"].as_array().unwrap().len() >= 2, "{refused}");
        assert!(all.contains("privileged case") && all.contains("break-glass"), "every floor is named: {refused}");
    }
    assert_eq!(cli.run("nadia", &["policy", "diff", &stricter, &plain], 0)["laxer"], true);
    cli.run("nadia", &["policy", "diff", &plain, "/nonexistent"], 2);
    let case = cli.run("nadia", &["case", "list", "--limit", "1"], 0)["rows"][0]["id"].as_str().unwrap().to_owned();
    let explained = cli.run("nadia", &["policy", "explain", &case], 0);
    assert!(!explained["terms"].as_array().unwrap().is_empty());
    let rules: Vec<&str> = explained["rules"].as_array().unwrap().iter().map(|r| r["rule"].as_str().unwrap()).collect();
    assert!(rules.len() > 1 && rules[0] == "base", "{explained}");
    let named = |text: &str| rules.iter().any(|rule| text.contains(&format!("{rule}: ")));
    let items = explained["checklist"]["items"].as_array().unwrap();
    assert!(!items.is_empty() && items.iter().all(|item| named(item["why"].as_str().unwrap())), "each item names its rules: {explained}");
    let asked = explained["asked"].as_array().unwrap();
    assert!(asked.iter().all(|a| a["rules"].as_array().is_some_and(|by| by.iter().all(|r| rules.contains(&r.as_str().unwrap())))), "{explained}");
    let text = cli.read("nadia", &["policy", "explain", &case]);
    assert!(text.contains("rules that apply:") && rules.iter().all(|rule| text.contains(rule)), "{text}");
    cli.run("nadia", &["policy", "explain", "CS-26-999999"], 6);
    cli.run("nadia", &["policy", "propose", &stricter], 3);
    let compared = said(&program(folder.path()).args(["policy", "diff", &plain, &stricter]).output().unwrap());
    assert!(compared.contains("stricter in something, laxer in nothing") && compared.contains("codes.email: 30 min -> 20 min"), "{compared}");
    let proposal = proposed(&cli.run("e.morgan", &["policy", "propose", &stricter], 0));
    // The second person reads what they approve, whole.
    let waits = cli.read("a.lindqvist", &["register", "proposals"]);
    assert!(waits.contains("stricter  codes.email: 30 min -> 20 min") && waits.contains("--id prp-") && !waits.contains("nobody"), "{waits}");
    let whole = cli.read("a.lindqvist", &["register", "proposals", "--id", &proposal]);
    assert!(whole.contains("stricter in something, laxer in nothing") && whole.contains("email = \"20 min\""), "{whole}");
    assert_eq!(cli.run("a.lindqvist", &["register", "proposals", "--id", &proposal], 0)["policy"]["stricter"], true);
    cli.run("a.lindqvist", &["register", "proposals", "--id", "prp-none"], 6);
    cli.run("nadia", &["register", "proposals", "--id", &proposal], 3);
}
