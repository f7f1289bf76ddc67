//! Configurations, good and bad.

use std::path::Path;

use super::*;
use crate::base::ports::SystemRandom;

fn server(text: &str) -> Result<ServerConfig, ConfigError> {
    ServerConfig::parse(text, Path::new("/srv/cs"), &Variables::new())
}

fn mistakes(error: &ConfigError) -> Vec<String> {
    error.mistakes.iter().map(|m| format!("{}: {}", m.line.unwrap_or(0), m.message)).collect()
}

#[test]
fn nothing_written_gives_loopback_defaults() {
    let config = server("").unwrap();
    assert!(config.listen.staff.ip().is_loopback());
    assert_eq!(config.public_url, "http://127.0.0.1:8441");
    assert_eq!(config.database, Path::new("/srv/cs/countersign.db"));
    assert_eq!(config.mail.way, server::MailWay::Folder("/srv/cs/mail".into()));
    assert_eq!((config.organisation.as_str(), config.journal), ("Access recovery", server::JournalLevel::Info));
}

#[test]
fn a_whole_server_is_read() {
    let text = r#"
public_url = "https://recover.example.org/"
organisation = "Ferrol & Söhne"
policy = "policy.toml"
[listen]
staff = "0.0.0.0:443"
[tls]
certificate = "cert.pem"
key = "key.pem"
[mail]
from = "Recovery <r@example.org>"
smtp = { host = "mail.example.org", username = "r", password_file = "/run/secret" }
[targets.directory]
url = "https://directory.example.org/hooks"
secret_file = "directory.secret"
addresses = ["192.0.2.7"]
[limits]
streams = 5
connections = 1_000
[journal]
level = "warn"
"#;
    let config = server(text).unwrap();
    assert_eq!(config.public_url, "https://recover.example.org");
    assert_eq!(config.targets[0].secret_file, Path::new("/srv/cs/directory.secret"));
    assert_eq!(config.limits.streams, 5);
    assert_eq!((config.limits.connections, config.limits.connections_each), (1_000, 125), "an eighth, if nothing else is said");
    assert_eq!((config.organisation.as_str(), config.journal), ("Ferrol & Söhne", server::JournalLevel::Warn));
    assert!(matches!(config.mail.way, server::MailWay::Smtp { port: 465, security: server::SmtpSecurity::Tls, .. }));
}

#[test]
fn every_mistake_is_listed_with_its_line() {
    let text = "public_url = \"ftp://x\"\nlisten = { staff = \"0.0.0.0:1\", metrics = \"192.0.2.1:1\" }\ntrusted_porxy = 1\n[limits]\nstreams = 0\nbody_bytes = \"x\"\n[targets.\"A B\"]\nurl = 7\n[mail.smtp]\nhost = \"mail.example.org\"\nsecurity = \"none\"\n";
    let error = server(text).unwrap_err();
    let list = mistakes(&error);
    for expected in [
        "1: public_url:",
        "2: listen: staff is reachable",
        "2: listen: metrics must be",
        "3: trusted_porxy is not known; known here: data,",
        "5: limits.streams: must be a whole number from 1 to",
        "6: limits.body_bytes:",
        "8: targets.A B.url: is integer, not a text",
        "0: targets.A B.secret_file: is missing",
        "11: mail.smtp.security:",
    ] {
        assert!(list.iter().any(|m| m.starts_with(expected)), "{expected} is not in {list:#?}");
    }
    assert!(error.in_file(Path::new("server.toml")).to_string().contains("server.toml:5: limits.streams"));
}

#[test]
fn a_target_is_asked_in_the_clear_on_loopback_or_where_the_risk_is_named() {
    let of = |url: &str, more: &str| server(&format!("[targets.directory]\nurl = \"{url}\"\nsecret_file = \"s\"\n{more}"));
    for good in ["https://directory.example.org/x", "http://127.0.0.1:9/x", "http://[::1]:9/", "http://localhost/"] {
        assert_eq!(of(good, "").unwrap().targets[0].url, good);
        assert!(!server::unprotected(good));
        let said = mistakes(&of(good, "answers_can_be_forged = true\n").unwrap_err());
        assert!(said[0].starts_with("4: targets.directory.answers_can_be_forged: means something only"), "{good}: {said:?}");
    }
    for bad in ["http://directory.example.org/x", "http://192.0.2.7/", "http://localhost.example.org/", "http://[2001:db8::1]/"] {
        let said = mistakes(&of(bad, "").unwrap_err());
        assert!(said[0].starts_with("2: targets.directory.url: http:// beyond loopback lets whoever sits in between"), "{bad}: {said:?}");
        assert!(server::unprotected(&of(bad, "answers_can_be_forged = true\n").unwrap().targets[0].url));
    }
}

#[test]
fn the_pages_lie_at_the_top_of_their_host() {
    for (said, read) in [("https://Corp.Example:443/", "https://corp.example"), ("http://127.0.0.1:8442", "http://127.0.0.1:8442")] {
        assert_eq!(server(&format!("public_url = \"{said}\"")).unwrap().public_url, read);
    }
    for bad in ["https://corp.example/recover", "https://corp.example/?a=b", "https://me@corp.example"] {
        let error = server(&format!("public_url = \"{bad}\"")).unwrap_err();
        assert!(mistakes(&error).iter().any(|m| m.starts_with("1: public_url: must be")), "{bad}: {error}");
    }
}

#[test]
fn an_organisations_name_is_one_that_can_be_seen() {
    for bad in ["", "  ", "a\\nb", "\\u202Eabc", &"x".repeat(81)] {
        let error = server(&format!("organisation = \"{bad}\"")).unwrap_err();
        assert!(mistakes(&error).iter().any(|m| m.starts_with("1: organisation: must be")), "{bad}: {error}");
    }
    let error = server("[journal]\nlevel = \"chatty\"").unwrap_err();
    assert_eq!(mistakes(&error), ["2: journal.level: \"chatty\": one of: off, error, warn, info, debug"]);
    let variables = Variables::from([("COUNTERSIGN_JOURNAL_LEVEL".to_owned(), "debug".to_owned())]);
    let config = ServerConfig::parse("journal = { level = \"off\" }", Path::new("."), &variables).unwrap();
    assert_eq!(config.journal, server::JournalLevel::Debug);
}

#[test]
fn broken_toml_says_where() {
    // Alone: what could be said of the rest would be guesswork, an unknown key as much as a missing one.
    let alone = |text: &str| {
        let all = mistakes(&server(text).unwrap_err());
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    };
    assert!(alone("a = \n[limits\n").starts_with("1: column "), "{}", alone("a = \n[limits\n"));
    assert!(alone("[targets.directory]\n\u{e9} = \"x\"\n").starts_with("2: column 1: not TOML: "));
}

#[test]
fn variables_outrank_the_file() {
    let variables = Variables::from([
        ("COUNTERSIGN_LISTEN_STAFF".to_owned(), "127.0.0.1:1".to_owned()),
        ("COUNTERSIGN_LIMITS_STREAMS".to_owned(), "x".to_owned()),
    ]);
    let error = ServerConfig::parse("[listen]\nstaff = \"nowhere\"", Path::new("."), &variables).unwrap_err();
    assert_eq!(error.to_string(), "COUNTERSIGN_LIMITS_STREAMS in the environment: limits.streams: must be a whole number from 1 to 100000");
    assert_eq!(mistakes(&error), ["0: limits.streams: must be a whole number from 1 to 100000"]);
}

#[test]
fn console_settings_are_read_and_controls_never_printed_raw() {
    let text = "server = \"https://cs.example.org\"\ntheme = \"dark\"\nquiet_hours = \"19-7\"\n[views]\nmine = \"mine !ended\"\n";
    let config = ClientConfig::parse(text, &Variables::new()).unwrap();
    assert_eq!((config.quiet_hours, config.views.len(), config.mouse), (Some((19, 7)), 1, true));
    let error = ClientConfig::parse("\"\\u001b[2J\" = 1\nattention = \"\\u001b]52;c;eA==\"\n", &Variables::new()).unwrap_err();
    assert!(!error.to_string().contains('\x1b'), "{error:?}");
    assert_eq!(error.mistakes.len(), 2);
}

#[test]
fn key_files_are_private_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let made = keys::ServerKeys::create(&keys, &SystemRandom).unwrap();
    let read = keys::ServerKeys::load(&keys).unwrap();
    assert_eq!((made.master, made.codes, made.nonces), (read.master, read.codes, read.nonces));
    assert!(keys::ServerKeys::create(&keys, &SystemRandom).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(keys.join("codes.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(keys::ServerKeys::load(&keys).err().unwrap().to_string().contains("chmod 600"));
    }
}

#[test]
fn a_reserved_file_is_private_and_gone_unless_it_was_filled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ana.next");
    drop(keys::Reserved::new(&file).unwrap());
    assert!(!file.exists(), "nothing empty is left behind");
    let reserved = keys::Reserved::new(&file).unwrap();
    assert!(keys::Reserved::new(&file).is_err(), "one file, one secret");
    // Whoever puts another file under that name neither gets the secret nor loses the file.
    std::fs::rename(&file, folder.path().join("moved")).unwrap();
    std::fs::write(&file, "somebody else's").unwrap();
    assert_eq!(reserved.fill("secret").unwrap(), file);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "somebody else's");
    let moved = keys::Reserved::new(&folder.path().join("third")).unwrap();
    std::fs::rename(folder.path().join("third"), folder.path().join("fourth")).unwrap();
    std::fs::write(folder.path().join("third"), "somebody else's").unwrap();
    drop(moved);
    assert!(folder.path().join("third").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(folder.path().join("moved")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn xdg_places_come_first_and_relative_ones_are_ignored() {
    let variables = Variables::from([("XDG_CONFIG_HOME".to_owned(), "/cfg".to_owned()), ("XDG_STATE_HOME".to_owned(), "here".to_owned())]);
    let paths = paths::Paths::find(&variables).unwrap();
    assert_eq!(paths.console_file(), Path::new("/cfg/countersign/console.toml"));
    assert!(paths.state.is_absolute());
}
