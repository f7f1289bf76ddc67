//! What an operator of a server is told by `doctor`, each finding made and unmade.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::host::{Host, program, said};
use crate::served::certify;

fn finding(answer: &Value, what: &str) -> (bool, String) {
    let all = answer["findings"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let found = all.iter().find(|f| f["what"] == what).unwrap_or_else(|| panic!("{what}: {answer}"));
    (found["ok"].as_bool().unwrap(), found["says"].as_str().unwrap().to_owned())
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_fresh_server_is_in_order_and_each_thing_that_is_not_is_named() {
    let mut host = Host::founded("public_url = \"https://localhost:8441\"", "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
    certify(host.folder.path(), (2090, 1, 1));
    let well = host.here(&["doctor"], 0);
    assert_eq!(well["ok"], true);
    assert!(finding(&well, "certificate").1.contains("good until 2090-01-01"), "{well}");
    assert!(finding(&well, "governance").1.contains("two persons hold tokens"), "{well}");
    assert!(finding(&well, "clock").1.contains("not behind the log"), "{well}");
    let ends = finding(&well, "governance").1;
    assert!(ends.contains("when that of ana") || ends.contains("when that of ben"), "{ends}");
    assert!(finding(&well, "keys").1.starts_with('/') && finding(&well, "database").1.contains("Not checked: people's names"), "{well}");
    assert!(finding(&well, "targets").1.starts_with("NOTICE: none") && finding(&well, "mail").1.starts_with("NOTICE: "), "{well}");
    let (fine, mailless) = finding(&well, "mail addresses");
    assert!(fine && mailless.starts_with("NOTICE: none is recorded for 2 of 2") && mailless.contains("(p-ana, p-ben)"), "{mailless}");
    assert_eq!(finding(&well, "proposals").1, "none waits for approval");
    assert_eq!(well["notices"], 4, "{well}");
    host.serve();
    host.here(&["doctor"], 0);
    host.stop();

    let wrong = |what: &str, says: &str| {
        let answer = host.here(&["doctor"], 1);
        let (ok, said) = finding(&answer, what);
        assert!(!ok && said.contains(says), "{what}: {said}");
    };
    certify(host.folder.path(), (2021, 1, 1));
    wrong("certificate", "ended at 2021-01-01");
    certify(host.folder.path(), (2090, 1, 1));
    std::fs::write(host.path("server.toml"), std::fs::read_to_string(host.path("server.toml")).unwrap().replace("localhost:8441", "other.example"))
        .unwrap();
    wrong("certificate", "not made out for other.example");
    chmod(&host.path("key.pem"), 0o644);
    wrong("certificate's key", "chmod 600");
    chmod(&host.path("key.pem"), 0o600);
    chmod(&host.path("countersign.db"), 0o640);
    wrong("database", "can be reached by others");
    chmod(&host.path("countersign.db"), 0o600);
    chmod(&host.path("server.toml"), 0o666);
    wrong("settings", "can be written by others");
    chmod(&host.path("server.toml"), 0o600);
    chmod(&host.path("keys/master.key"), 0o644);
    wrong("keys", "master.key");
    chmod(&host.path("keys/master.key"), 0o600);
    chmod(&host.path("mail"), 0o755);
    wrong("mail", "holds codes");
    chmod(&host.path("mail"), 0o700);
}

#[test]
fn mail_and_targets_that_do_not_answer_are_named_and_nothing_is_sent() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let sections = format!(
        "[mail.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n[targets.directory]\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"s\"\n"
    );
    let host = Host::founded("", &sections);
    let secret = host.path("s");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    chmod(&secret, 0o600);
    let answer = host.here(&["doctor"], 1);
    for what in ["mail", "target directory"] {
        let (ok, says) = finding(&answer, what);
        assert!(!ok && says.contains(&port.to_string()), "{what}: {says}");
    }
    std::fs::write(host.path("server.toml"), "nonsense = 1\n").unwrap();
    let refused = host.here(&["doctor"], 2);
    assert!(refused["mistakes"][0].as_str().unwrap().contains("nonsense"), "{refused}");
}

#[test]
fn a_target_that_is_asked_in_the_clear_is_refused_or_told_of() {
    let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Leads to this machine here, and is no loopback address all the same.
    let section = format!("[targets.directory]\nurl = \"http://0.0.0.0:{}/\"\nsecret_file = \"s\"\n", there.local_addr().unwrap().port());
    let host = Host::founded("", &format!("{section}answers_can_be_forged = true\n"));
    let secret = host.path("s");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    chmod(&secret, 0o600);
    let (ok, says) = finding(&host.here(&["doctor"], 0), "target directory");
    assert!(ok && says.starts_with("NOTICE: ") && says.contains("over plain HTTP"), "{says}");
    std::fs::write(host.path("server.toml"), section).unwrap();
    let refused = host.here(&["doctor"], 2);
    assert!(refused["mistakes"][0].as_str().unwrap().contains("targets.directory.url: http:// beyond loopback"), "{refused}");
}

#[test]
fn a_mailbox_of_two_is_told_of_by_the_import_by_doctor_and_to_whoever_approves_an_account() {
    let mut host = Host::founded("", "");
    let (people, subjects) = (host.path("people.csv").display().to_string(), host.path("subjects.csv").display().to_string());
    let rows = "p-ana,Ana,ana@acme.example,acme,\np-ana2,Ana B.,Ana+b@acme.example,acme,2025-01-01T00:00:00Z\n\
        p-kim,Kim,kim@acme.example,acme,2025-01-01T00:00:00Z\n";
    std::fs::write(&people, format!("id,name,email,employer,email_since\n{rows}")).unwrap();
    assert!(finding(&host.here(&["doctor"], 0), "mailboxes").1.contains("each is one person's"));
    let done = host.here(&["import", "persons", &people, "--write"], 0);
    assert_eq!((&done["warned"], &done["refused"]), (&2.into(), &0.into()), "{done}");
    assert!(done["warnings"][1]["says"][0].as_str().unwrap().contains("p-ana (signs in as ana)"), "{done}");
    let row = "kim,employee,Kim,p-kim,standard,corporate,e1|email|ANA@acme.example\n";
    std::fs::write(&subjects, format!("id,kind,name,person,tier,environment,endpoints\n{row}")).unwrap();
    assert_eq!(host.here(&["import", "subjects", &subjects, "--write"], 0)["warned"], 1);
    let (ok, says) = finding(&host.here(&["doctor"], 0), "mailboxes");
    let both = says.contains("one mailbox: p-ana and p-ana2") && says.contains("kim's e1 that of p-ana and p-ana2");
    assert!(ok && says.starts_with("NOTICE: ") && both, "{says}");
    let (ok, says) = finding(&host.here(&["doctor"], 0), "records");
    assert!(ok && says.starts_with("NOTICE: subjects with saved codes: 0") && says.contains("countersign codes"), "{says}");
    host.serve();
    host.there("ana", &["register", "operator", "ana9", "--person", "p-ana2", "--role", "supervisor"], 0);
    let waits = host.there("ben", &["register", "proposals"], 0).to_string();
    assert!(waits.contains("their mailbox is also that of person p-ana"), "{waits}");
    // Ben could approve that one, and nobody what he would gain by.
    let gains = host.there("ana", &["register", "operator", "ben9", "--person", "p-ben", "--role", "supervisor"], 0);
    assert!(
        gains["too_few"].as_str().unwrap().contains("nobody could approve it: person p-ana proposed it; person p-ben would gain by it."),
        "{gains}"
    );
    let mut words = program(host.folder.path());
    words.arg("--server").arg(host.api()).args(["register", "proposals"]).env("COUNTERSIGN_TOKEN", host.token("ben"));
    let words = said(&words.output().unwrap());
    assert!(words.contains("At present nobody could approve it: Ana proposed it; ben would gain by it."), "{words}");
    host.stop();
    let (ok, says) = finding(&host.here(&["doctor"], 0), "proposals");
    let id = gains["proposal"].as_str().unwrap();
    assert!(ok && says.starts_with("NOTICE: ") && says.contains(&format!("{id}: At present nobody")), "{says}");
    assert!(finding(&host.here(&["doctor"], 0), "mail addresses").1.contains("for 1 of 2 who decide, review or govern (p-ben)"));
}
