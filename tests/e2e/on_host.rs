//! Commands on the server's machine: the founding in its three ways, imports as CSV and JSON, and a policy tried on what is there.

use serde_json::{Value, json};

use crate::host::{Host, program, said};
use crate::pty::Pty;

const PERSONS: &str = "id,name,email,employer,team,manager,shift,on_call,status
p-ana,Ana Brandt,ana@acme.example,acme,,,,,
p-kim,Kim Roy,kim@acme.example,acme,ops,p-ana,08:00-16:30,yes,
p-bad,,nomail,acme,,p-nobody,,,
p-kim,Again,,acme,,,,,
p-ben,Ben Ode,ben@acme.example,elsewhere,,,,,
";

fn counts(report: &Value) -> [u64; 5] {
    ["rows", "new", "changed", "unchanged", "refused"].map(|k| report[k].as_u64().unwrap())
}

#[test]
fn an_import_is_looked_at_first_and_then_does_just_what_was_said() {
    let mut host = Host::founded("", "");
    let file = host.path("people.csv").display().to_string();
    std::fs::write(&file, PERSONS).unwrap();
    let dry = host.here(&["import", "persons", &file], 1);
    assert_eq!((counts(&dry), &dry["dry_run"]), ([5, 1, 1, 0, 3], &json!(true)), "{dry}");
    let why = |line: u64| {
        let all = dry["refusals"].as_array().unwrap();
        all.iter().find(|r| r["line"] == line).unwrap_or_else(|| panic!("{dry}"))["why"].to_string()
    };
    assert!(why(4).contains("name") && why(4).contains("email") && why(4).contains("p-nobody"), "every mistake of a row: {}", why(4));
    assert!(why(5).contains("more than once"), "{}", why(5));
    assert!(why(6).contains("propose"), "whom someone who signs in works for is a governed change: {}", why(6));
    assert_eq!(host.here(&["import", "persons", &file], 1), dry, "looking changes nothing");
    assert_eq!(host.here(&["import", "persons", &file, "--write"], 1), dry, "with refused rows nothing is written unless that is asked for");
    let done = host.here(&["import", "persons", &file, "--write", "--partial"], 0);
    assert_eq!((counts(&done), &done["refusals"], &done["dry_run"]), (counts(&dry), &dry["refusals"], &json!(false)));
    assert_eq!(counts(&host.here(&["import", "persons", &file, "--write", "--partial"], 0)), [5, 0, 0, 2, 3]);

    let subjects = host.path("subjects.json").display().to_string();
    let one = json!({"id": "ci-key", "kind": "api_key", "name": "CI key", "tier": "standard", "environment": "production", "owners": ["p-kim"],
        "inventory": "secrets_manager", "entitlements": {"ci": ["deploy"]}, "endpoints": [{"id": "e1", "kind": "email", "address": "ci@acme.example"}]});
    let wrong = json!({"id": "x", "kind": "wizard", "name": "x", "tier": "standard", "environment": "production", "owners": ["p-nobody"]});
    std::fs::write(&subjects, serde_json::to_string_pretty(&json!([one, wrong])).unwrap()).unwrap();
    let dry = host.here(&["import", "subjects", &subjects], 1);
    assert_eq!(counts(&dry), [2, 1, 0, 0, 1], "{dry}");
    assert!(dry["refusals"][0]["why"].to_string().contains("wizard") || dry["refusals"][0]["why"].to_string().contains("kind"), "{dry}");
    assert_eq!(counts(&host.here(&["import", "subjects", &subjects, "--write", "--partial"], 0)), [2, 1, 0, 0, 1]);
    assert_eq!(counts(&host.here(&["import", "subjects", &subjects, "--write", "--partial"], 0)), [2, 0, 0, 1, 1]);
    host.here(&["import", "subjects", &host.path("nothing.json").display().to_string()], 2);
    host.here(&["import", "subjects", &host.path("server.toml").display().to_string()], 2);
    std::fs::write(&subjects, "[{]").unwrap();
    host.here(&["import", "subjects", &subjects], 1);
    host.here(&["log verify"], 0);
    host.serve();
    let busy = host.here(&["import", "persons", &file, "--write"], 2);
    let detail = busy["detail"].as_str().unwrap();
    assert!(detail.contains("in use by another countersign") && detail.contains("stopped server"), "{busy}");
    let taken = host.path("ana.token").display().to_string();
    let before = host.there("ana", &["token", "list"], 0);
    let there = host.there("ana", &["token", "issue", "--operator", "ana", "--file", &taken], 2);
    assert!(there["detail"].as_str().unwrap().contains("nothing was issued"), "{there}");
    let nowhere = host.path("no-such-folder/token").display().to_string();
    host.there("ana", &["token", "issue", "--operator", "ana", "--file", &nowhere], 2);
    let other = host.path("other.token");
    host.there("ana", &["token", "issue", "--operator", "nobody", "--file", &other.display().to_string()], 6);
    assert!(!other.exists(), "what was refused leaves no file");
    assert_eq!(host.there("ana", &["token", "list"], 0), before, "nothing was issued");
    let found = host.there("ana", &["register", "show"], 0);
    assert!(found["persons"].to_string().contains("Ana Brandt"), "{found}");
    host.stop();
}

#[test]
fn a_founding_is_asked_for_at_a_terminal_or_read_from_a_file_and_happens_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    for name in ["asked", "filed"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("server.toml"), "").unwrap();
    }
    let mut pty = Pty::at_home("init", &["init", "--config", &place("asked/server.toml"), "--tokens", &place("asked")], &[], (100, 30));
    for (question, answer) in [("owns policy", "ana"), ("reviews security", "ben"), ("employs both", "acme")] {
        pty.hear(question);
        pty.write(&format!("{answer}\r"));
    }
    pty.hear("Founded");
    assert!(folder.path().join("asked/ben.token").exists());

    let run = |arguments: &[&str], code: i32| {
        let output = program(folder.path()).arg("init").args(arguments).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        serde_json::from_slice::<Value>(&text).unwrap()
    };
    let (config, tokens, answers) = (place("filed/server.toml"), place("filed"), place("answers.toml"));
    let base = ["--config", &config, "--tokens", &tokens];
    let with = |more: &[&str]| [&base[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let go = |more: &[&str], code| run(&with(more).iter().map(String::as_str).collect::<Vec<_>>(), code);
    go(&[], 2);
    go(&["--policy-owner", "ana", "--security-reviewer", "ana", "--employer", "acme"], 2);
    go(&["--policy-owner", "A B", "--security-reviewer", "ben", "--employer", "acme"], 2);
    std::fs::write(&answers, "policy_owner = \"ana\"\nsurprise = 1\n").unwrap();
    go(&["--file", &answers], 2);
    std::fs::write(&answers, "policy_owner = \"ana\"\nsecurity_reviewer = \"ben\"\nemployer = \"acme\"\n").unwrap();
    assert!(!folder.path().join("filed/ana.token").exists(), "what was refused leaves nothing behind");
    let founded = go(&["--file", &answers], 0);
    assert_eq!(founded["tokens"].as_array().unwrap().len(), 2, "{founded}");
    go(&["--file", &answers], 3);
}

#[test]
fn a_policy_is_tried_on_the_cases_there_are() {
    let host = Host::founded("", "");
    let file = host.path("policy.toml");
    let output = program(host.folder.path()).args(["policy", "default"]).output().unwrap();
    std::fs::write(&file, output.stdout).unwrap();
    let tried = host.here(&["policy simulate", &file.display().to_string()], 0);
    assert_eq!((&tried["cases"], &tried["undecidable"]), (&json!(0), &json!(0)), "{tried}");
    std::fs::write(&file, "format = 1").unwrap();
    let refused = host.here(&["policy simulate", &file.display().to_string()], 2);
    assert!(refused["mistakes"].as_array().unwrap().len() > 5, "{refused}");
}

#[test]
fn t33_a_restore_brings_no_revoked_token_back_and_keeps_what_it_replaces() {
    let mut host = Host::founded("", "");
    host.serve();
    let second = host.path("ana.next").display().to_string();
    host.there("ana", &["token", "issue", "--operator", "ana", "--file", &second], 0);
    let backup = host.path("today.db").display().to_string();
    let proposed = host.there("ana", &["register", "operator", "ben", "--person", "p-ben", "--role", "security_reviewer", "--role", "supervisor"], 0);
    host.here(&["backup", &backup], 0);
    let again = host.here(&["backup", &backup], 2);
    assert!(again["detail"].as_str().unwrap().contains("another name"), "{again}");
    let presented = std::fs::read_to_string(&second).unwrap();
    let id = presented.trim().strip_prefix("cs_").unwrap().rsplit_once('_').unwrap().0.to_owned();
    host.there("ana", &["token", "revoke", &id], 0);
    let proposals = host.there("ben", &["register", "proposals"], 0);
    let proposal =
        proposals["proposals"][0]["id"].as_str().or(proposals[0]["id"].as_str()).unwrap_or_else(|| panic!("{proposals} {proposed}")).to_owned();
    host.there("ben", &["register", "end", &proposal], 0);
    host.here(&["restore", &backup, "--replace"], 2);
    host.stop();
    host.here(&["restore", &backup], 2);
    let done = host.here(&["restore", &backup, "--replace"], 0);
    assert_eq!((&done["tokens_revoked"], &done["proposals_ended"], &done["every_token"]), (&json!(1), &json!(1), &json!(false)), "{done}");
    assert!(std::path::Path::new(done["aside"].as_str().unwrap()).exists() && done["governed_until"].is_string(), "{done}");
    host.serve();
    let revoked = host.there("ana", &["token", "list"], 0);
    assert!(!revoked.to_string().contains(&id), "{revoked}");
    host.stop();
    host.here(&["log verify"], 0);
    std::fs::write(host.path("countersign.db"), "torn, and no database at all").unwrap();
    let unsure = host.here(&["restore", &backup, "--replace"], 2);
    assert!(unsure["detail"].as_str().unwrap().contains("--revoke-tokens"), "{unsure}");
    assert_eq!(std::fs::read(host.path("countersign.db")).unwrap(), b"torn, and no database at all", "refused, nothing has changed");
    let torn = host.here(&["restore", &backup, "--replace", "--revoke-tokens"], 0);
    assert_eq!((&torn["every_token"], &torn["lost"]), (&json!(true), &Value::Null), "{torn}");
    assert!(torn["tokens_revoked"].as_u64().unwrap() >= 2, "{torn}");
    host.serve();
    host.there("ana", &["whoami"], 4);
    host.stop();
    host.here(&["log verify"], 0);
}

#[test]
fn a_restore_after_which_nobody_can_govern_says_so_and_names_the_way_back() {
    let mut host = Host::founded("", "");
    host.serve();
    let register = host.there("ana", &["register", "show"], 0);
    let held = |t: &&Value| t["holder"] == "operator:ana";
    let first = register["tokens"].as_array().unwrap().iter().find(held).unwrap()["id"].as_str().unwrap().to_owned();
    let backup = host.path("today.db").display().to_string();
    host.here(&["backup", &backup], 0);
    let next = host.path("next.token").display().to_string();
    host.there("ana", &["token", "issue", "--operator", "ana", "--file", &next], 0);
    host.there("next", &["token", "revoke", &first], 0);
    host.stop();
    let done = host.here(&["restore", &backup, "--replace"], 0);
    assert_eq!((&done["tokens_revoked"], &done["governed_until"]), (&json!(1), &Value::Null), "{done}");
    let mut told = program(host.folder.path());
    told.args(["restore", "--config"]).arg(host.path("server.toml")).args([&backup, "--replace"]);
    let told = said(&told.output().unwrap());
    assert!(told.contains("Nobody can govern now") && told.contains("recover-governance"), "{told}");
}

#[test]
fn t33_a_restore_gives_no_case_and_no_record_back_what_it_lost_since() {
    let mut host = Host::founded("", "");
    let people = host.path("people.csv").display().to_string();
    let person = |mail: &str| std::fs::write(&people, format!("id,name,email,employer\np-kim,Kim Sol,{mail},acme\n")).unwrap();
    let subjects = host.path("subjects.json").display().to_string();
    let subject = |status: &str, mail: &str| {
        let record = json!([{"id": "ci-key", "kind": "api_key", "name": "CI key", "tier": "standard", "environment": "production", "owners": ["p-kim"],
            "inventory": "secrets_manager", "status": status, "entitlements": {"ci": ["deploy"]}, "scopes_since": "2025-01-01T00:00:00Z",
            "endpoints": [{"id": "e1", "kind": "email", "address": mail}]}]);
        std::fs::write(&subjects, record.to_string()).unwrap();
    };
    person("kim@acme.example");
    host.here(&["import", "persons", &people, "--write"], 0);
    subject("active", "ci@acme.example");
    host.here(&["import", "subjects", &subjects, "--write"], 0);
    host.serve();
    let open = ["case", "open", "ci-key", "api_key_reissue", "--target", "ci", "--scope", "deploy", "--channel", "portal"];
    let opened = host.there("ben", &open, 0);
    let case = opened["row"]["id"].as_str().or(opened["id"].as_str()).unwrap_or_else(|| panic!("{opened}")).to_owned();
    let mut told = program(host.folder.path());
    told.args(["--server", &host.api(), "case", "assign", &case, "ben"]).env("COUNTERSIGN_TOKEN", host.token("ben"));
    let told = said(&told.output().unwrap());
    assert!(told.contains(&case) && told.contains("This server is not set up for that target"), "no target is set up here: {told}");
    let backup = host.path("today.db").display().to_string();
    host.here(&["backup", &backup], 0);
    host.there("ben", &["case", "comment", &case, "they rang twice"], 0);
    host.stop();
    person("kim.sol@acme.example");
    host.here(&["import", "persons", &people, "--write"], 0);
    subject("retired", "other@acme.example");
    host.here(&["import", "subjects", &subjects, "--write"], 0);
    let done = host.here(&["restore", &backup, "--replace"], 0);
    assert_eq!((&done["held"], &done["subjects"], &done["mailboxes"]), (&json!(1), &json!(1), &json!(1)), "{done}");
    assert_eq!(done["lost"]["moved"], json!([case]), "{done}");
    host.here(&["log verify"], 0);
    host.serve();
    let seen = host.there("ben", &["case", "show", &case], 0);
    assert_eq!(seen["hold"]["source"], "restore", "{seen}");
    assert_eq!((&seen["subject"]["status"], &seen["subject"]["endpoints"]), (&json!("retired"), &json!([])), "{seen}");
    host.stop();
}

#[test]
fn a_database_with_torn_pages_is_named_by_whatever_looks_and_nothing_is_made_of_it() {
    use std::io::{Seek as _, Write as _};
    let host = Host::founded("", "");
    let (file, backup) = (host.path("countersign.db"), host.path("today.db"));
    host.here(&["log verify"], 0);
    let length = std::fs::metadata(&file).unwrap().len();
    let mut torn = std::fs::File::options().write(true).open(&file).unwrap();
    torn.seek(std::io::SeekFrom::Start(length / 2)).unwrap();
    torn.write_all(&vec![0xa5; 20_000]).unwrap();
    drop(torn);
    let place = file.display().to_string();
    for arguments in [&["log verify"][..], &["backup", &backup.display().to_string()], &["serve"]] {
        let said = host.here(arguments, 1);
        let detail = said["detail"].as_str().unwrap();
        assert!(detail.contains(&place) && detail.to_lowercase().contains("restore a"), "{arguments:?}: {said}");
    }
    assert!(!backup.exists(), "no copy of a torn file stays behind");
    let looked = host.here(&["doctor"], 1).to_string();
    assert!(looked.contains("is damaged") && looked.contains(&place), "{looked}");
}

#[test]
fn a_register_that_is_no_text_any_more_is_told_with_what_to_do_by_whatever_reads_it() {
    let host = Host::founded("", "");
    let policy = host.path("policy.toml");
    std::fs::write(&policy, include_str!("../../assets/policy/default.toml")).unwrap();
    let (policy, backup) = (policy.display().to_string(), host.path("today.db").display().to_string());
    let database = rusqlite::Connection::open(host.path("countersign.db")).unwrap();
    database.execute_batch("UPDATE register SET body = CAST(CAST(substr(body, 1, 60) AS BLOB) || x'ff' AS TEXT)").unwrap();
    drop(database);
    for arguments in [&["policy simulate", &policy][..], &["serve"], &["backup", &backup], &["recover-governance", "--stop"]] {
        let said = host.here(arguments, 1);
        let detail = said["detail"].as_str().unwrap();
        assert!(detail.contains("stored data is damaged") && detail.to_lowercase().contains("restore"), "{arguments:?}: {said}");
    }
    let looked = host.here(&["doctor"], 1).to_string();
    assert!(looked.contains("the register: its row is not what its entries make") && looked.contains("Restore a backup"), "{looked}");
}

#[test]
fn before_anything_is_founded_each_command_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::over(folder, "", "");
    for arguments in [&["serve"][..], &["log verify"], &["backup", "there.db"], &["import", "persons", "nobody.csv"]] {
        let said = host.here(arguments, 3);
        assert!(said["detail"].as_str().unwrap().contains("countersign init"), "{arguments:?}: {said}");
    }
    let looked = host.here(&["doctor"], 1).to_string();
    assert!(looked.contains("countersign init") && !looked.contains("os error"), "{looked}");
}
