//! The door's table of tricks (T21), the pinning of addresses, and mail that can't be injected into.

use std::time::Duration;

use super::door::{Base, Call, Door, DoorError, Limits, permitted};
use super::mail::{Letter, MailError, Mailer};

fn door() -> Door {
    let bases = vec![
        Base::new("https://target.example/hooks/", vec![]).unwrap(),
        Base::new("http://127.0.0.1:8080/", vec![]).unwrap(),
        Base::new("https://ldap.corp.example:8443/", vec!["10.0.0.5".parse().unwrap()]).unwrap(),
        Base::new("https://[2606:4700::1111]/", vec![]).unwrap(),
    ];
    Door::new(bases, &[], Limits::default()).unwrap()
}

/// Every one of these must be refused without anything being sent.
const TRICKS: &[&str] = &[
    // other schemes
    "file:///etc/passwd",
    "gopher://target.example/hooks/",
    "ftp://target.example/hooks/",
    "dict://127.0.0.1:8080/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "jar:https://target.example/hooks/!/",
    "ldap://target.example/hooks/",
    "http://target.example/hooks/",
    "https://127.0.0.1:8080/",
    "HTTPS://target.example/hooks/",
    "//target.example/hooks/",
    "target.example/hooks/",
    "",
    // user names
    "https://target.example@evil.example/hooks/",
    "https://evil.example@target.example/hooks/",
    "https://a:b@target.example/hooks/",
    "https://target.example:443@evil.example/hooks/",
    "https://@target.example/hooks/",
    "https://:@target.example/hooks/",
    "https://target.example%40evil.example/hooks/",
    "http://127.0.0.1:8080@169.254.169.254/",
    // other hosts that look alike
    "https://target.example.evil.example/hooks/",
    "https://eviltarget.example/hooks/",
    "https://target.example./hooks/",
    "https://target。example/hooks/",
    "https://ｔarget.example/hooks/",
    "https://TARGET.example/hooks/",
    "https://target.example%00.evil.example/hooks/",
    "https://target.example%2eevil.example/hooks/",
    "https://xn--target-.example/hooks/",
    "https://target.exаmple/hooks/",
    // other ports
    "https://target.example:8443/hooks/",
    "https://target.example:443/hooks/",
    "https://target.example:0/hooks/",
    "http://127.0.0.1/",
    "http://127.0.0.1:80/",
    "http://127.0.0.1:08080/",
    "https://target.example:/hooks/",
    // other ways to write an address
    "http://127.1:8080/",
    "http://2130706433:8080/",
    "http://0x7f000001:8080/",
    "http://0177.0.0.1:8080/",
    "http://127.0.0.1.:8080/",
    "http://[::1]:8080/",
    "http://[::ffff:127.0.0.1]:8080/",
    "http://localhost:8080/",
    "http://127.0.0.2:8080/",
    "http://0.0.0.0:8080/",
    "http://169.254.169.254/latest/meta-data/",
    "https://[2606:4700:0::1111]/",
    "https://[2606:4700::1111%25eth0]/",
    "https://[::]/",
    // ways out of the path
    "https://target.example/hooks/../admin",
    "https://target.example/hooks/..%2fadmin",
    "https://target.example/hooks/%2e%2e/admin",
    "https://target.example/hooks/%252e%252e%2fadmin",
    "https://target.example/hooks\\..\\admin",
    "https://target.example/hooks/..\\admin",
    "https://target.example/hooks/.%2e/admin",
    "https://target.example/hooks//evil.example",
    "https://target.example/hook",
    "https://target.example/",
    "https://target.example/hooks/%00",
    "https://target.example/hooks/..;/admin%5c",
    // splitting and hiding
    "https://target.example/hooks/\r\nHost: evil",
    "https://target.example/hooks/\t",
    " https://target.example/hooks/",
    "https://target.example/hooks/ ",
    "https://target.example/hooks/#@evil.example/",
    "https://evil.example#target.example/hooks/",
    "https://evil.example?target.example/hooks/",
    "https://evil.example/\\target.example/hooks/",
    "https:\\\\target.example\\hooks\\",
    "https:target.example/hooks/",
    "https:///target.example/hooks/",
    "https://target.example\u{202e}/hooks/",
    "https://tar\u{200b}get.example/hooks/",
    "https://target.example\n.evil.example/hooks/",
];

#[test]
fn t21_no_url_trick_gets_through() {
    let door = door();
    assert!(TRICKS.len() >= 60, "{}", TRICKS.len());
    for trick in TRICKS {
        assert!(matches!(door.check(trick), Err(DoorError::Address(_))), "{trick:?}");
    }
    let long = format!("https://target.example/hooks/{}", "a".repeat(3000));
    assert!(matches!(door.check(&long), Err(DoorError::Address(_))));
}

#[test]
fn t21_what_is_meant_gets_through() {
    let door = door();
    for url in [
        "https://target.example/hooks/",
        "https://target.example/hooks/x?y=1",
        "http://127.0.0.1:8080/held/a.b_c-d",
        "https://ldap.corp.example:8443/x",
        "https://[2606:4700::1111]/x",
    ] {
        assert!(door.check(url).is_ok(), "{url}");
    }
}

#[test]
fn t21_a_base_is_held_to_the_same_form() {
    for bad in
        ["https://target.example/hooks", "https://u@target.example/", "ftp://x/", "https://target.example/?q", "https://target.example/#f", "x"]
    {
        assert!(Base::new(bad, vec![]).is_err(), "{bad}");
    }
}

#[test]
fn t21_a_name_that_leads_inside_is_refused_unless_listed() {
    let at = |ip: &str| std::net::SocketAddr::new(ip.parse().unwrap(), 0);
    assert!(permitted(&[at("93.184.216.34")], &[]).is_ok());
    assert!(permitted(&[at("93.184.216.34"), at("10.0.0.5")], &[]).is_err());
    assert!(permitted(&[at("10.0.0.5")], &["10.0.0.5".parse().unwrap()]).is_ok());
    assert!(permitted(&[at("10.0.0.6")], &["10.0.0.5".parse().unwrap()]).is_err());
    assert!(permitted(&[at("93.184.216.34")], &["10.0.0.5".parse().unwrap()]).is_err(), "a list is the whole list");
    assert!(permitted(&[at("127.0.0.1")], &[]).is_err());
    assert!(permitted(&[], &[]).is_err());
}

async fn listen(answer: wiremock::ResponseTemplate) -> (wiremock::MockServer, Door) {
    let server = wiremock::MockServer::start().await;
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    let limits = Limits { connect: Duration::from_secs(2), total: Duration::from_secs(5), answer: 1000 };
    let door = Door::new(vec![Base::new(&format!("{}/", server.uri()), vec![]).unwrap()], &[], limits).unwrap();
    (server, door)
}

fn get(url: String) -> Call {
    Call { body: None, url, headers: vec![] }
}

#[tokio::test]
async fn t21_redirects_are_not_followed_and_answers_are_bounded() {
    let (server, door) = listen(wiremock::ResponseTemplate::new(302).insert_header("location", "http://169.254.169.254/")).await;
    assert!(matches!(door.send(get(format!("{}/x", server.uri()))).await, Err(DoorError::Answer(_))));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);

    let (server, door) = listen(wiremock::ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 1001])).await;
    assert!(matches!(door.send(get(format!("{}/x", server.uri()))).await, Err(DoorError::Answer(_))));

    let (server, door) = listen(wiremock::ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 1000])).await;
    assert_eq!(door.send(get(format!("{}/x", server.uri()))).await.unwrap().body.len(), 1000);
}

#[tokio::test]
async fn a_refused_connection_is_known_not_to_have_arrived_and_a_late_answer_is_not() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let limits = Limits { connect: Duration::from_secs(2), total: Duration::from_millis(200), answer: 1000 };
    let door = Door::new(vec![Base::new(&format!("http://{free}/"), vec![]).unwrap()], &[], limits).unwrap();
    assert!(matches!(door.send(get(format!("http://{free}/x"))).await, Err(DoorError::NotSent(_))));

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let door = Door::new(vec![Base::new(&format!("http://{at}/"), vec![]).unwrap()], &[], limits).unwrap();
    assert!(matches!(door.send(get(format!("http://{at}/x"))).await, Err(DoorError::Unknown(_))));
}

fn letter(to: &str, subject: &str) -> Letter {
    Letter { to: to.into(), subject: subject.into(), body: "Hello,\nyours\n".into(), key: "k".into(), at: chrono::DateTime::UNIX_EPOCH }
}

#[tokio::test]
async fn mail_in_a_folder_is_whole_and_a_retry_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let mailer = Mailer::folder("Countersign <no-reply@corp.example>", folder.path()).unwrap();
    for _ in 0..2 {
        mailer.send(&letter("a@b.example", "Wörter")).await.unwrap();
    }
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&files[0]).unwrap().permissions()) & 0o777, 0o600);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(
        text.contains("To: a@b.example\r\n") && text.contains("Auto-Submitted: auto-generated\r\n") && text.ends_with("Hello,\r\nyours\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn mail_headers_can_not_be_injected() {
    let folder = tempfile::tempdir().unwrap();
    let mailer = Mailer::folder("no-reply@corp.example", folder.path()).unwrap();
    for bad in ["a@b.example\r\nBcc: x@y.example", "a@b.example,x@y.example", "A <a@b.example>", "", "no", "a b@c.example", "a@b.example\0"] {
        assert!(matches!(mailer.send(&letter(bad, "s")).await, Err(MailError::Address)), "{bad:?}");
    }
    mailer.send(&letter("a@b.example", "x\r\nBcc: evil@y.example\u{202e}")).await.unwrap();
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.lines().any(|l| l.starts_with("Bcc")), "{text}");
    let long = Letter { body: "x".repeat(70_000), ..letter("a@b.example", "s") };
    assert!(matches!(mailer.send(&long).await, Err(MailError::Message(_))));
}
