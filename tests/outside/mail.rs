//! Mail over a real SMTP server, from PyPI: in the clear, with STARTTLS and with TLS from the first byte.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign::domain::vocabulary::{Action, Method};
use countersign::outbound::mail::{Letter, MailError, Mailer, Security, Smtp};

use crate::house::{House, workers};
use crate::python::ensure_venv;

/// A certificate that nobody else vouches for, as certificate and key in PEM.
type Pair = (String, String);

fn certificate(name: &str) -> Pair {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A relay, and what it kept.
struct Relay {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Relay {
    /// `None` where the packages were not asked for.
    fn start(mode: &str, pair: Option<&Pair>, login: Option<(&str, &str)>) -> Option<Self> {
        let python = ensure_venv(&["aiosmtpd==1.4.6"])?;
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(python);
        command.arg("-W").arg("ignore").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/relay.py")).arg(folder.path()).arg(mode);
        if let Some((certificate, key)) = pair {
            let files = [("certificate.pem", certificate), ("key.pem", key)].map(|(name, text)| (folder.path().join(name), text));
            for (file, text) in files {
                std::fs::write(&file, text).unwrap();
                command.arg(file);
            }
        } else if login.is_some() {
            panic!("a relay that asks for a password has a certificate");
        }
        if let Some((user, password)) = login {
            command.arg(user).arg(password);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, folder, port: line.trim().parse().unwrap() })
    }

    /// Every message so far: its envelope (sender, receivers, TLS, signed in, body as read) and its text.
    fn kept(&self) -> Vec<(serde_json::Value, String)> {
        let path = |n: usize| self.folder.path().join(format!("{n}.eml"));
        let texts = (1..).map_while(|n| std::fs::read_to_string(path(n)).ok());
        texts.map(|t| t.split_once('\n').map(|(head, rest)| (serde_json::from_str(head).unwrap(), rest.to_owned())).unwrap()).collect()
    }

    fn commands(&self) -> Vec<String> {
        std::fs::read_to_string(self.folder.path().join("commands")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn smtp(&self, security: Security) -> Smtp {
        Smtp { host: "127.0.0.1".into(), port: self.port, security, credentials: None, timeout: Duration::from_secs(5), root: None }
    }
}

fn trusting(pair: &Pair, smtp: Smtp) -> Smtp {
    Smtp { root: Some(pair.0.clone().into_bytes()), ..smtp }
}

fn signing_in(user: &str, password: &str, smtp: Smtp) -> Smtp {
    Smtp { credentials: Some((user.to_owned(), password.to_owned().into())), ..smtp }
}

fn mailer(smtp: &Smtp) -> Mailer {
    Mailer::smtp("Corp <no-reply@corp.example>", smtp).unwrap()
}

fn letter(to: &str) -> Letter {
    Letter {
        to: to.into(), subject: "Größe".into(), body: "Ein Wort: bakolu\n.\n..two\n".into(), key: "k1".into(), at: chrono::DateTime::UNIX_EPOCH
    }
}

#[tokio::test]
async fn a_message_arrives_over_smtp_and_refusals_are_told_apart_from_trouble() {
    let Some(relay) = Relay::start("plain", None, None) else { return };
    let plain = mailer(&relay.smtp(Security::Plain));
    plain.send(&letter("m@corp.example")).await.unwrap();
    let kept = relay.kept();
    let text = &kept[0].1;
    assert!(text.contains("To: m@corp.example") && text.contains("bakolu") && text.contains("Message-ID: <"), "{text}");

    let refused = plain.send(&letter("refused@corp.example")).await.unwrap_err();
    assert!(matches!(refused, MailError::Refused(_)) && refused.is_lasting(), "{refused}");
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_trouble_and_not_a_refusal() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let smtp = Smtp { host: "127.0.0.1".into(), port, security: Security::Plain, credentials: None, timeout: Duration::from_secs(5), root: None };
    let error = mailer(&smtp).send(&letter("m@corp.example")).await.unwrap_err();
    assert!(matches!(error, MailError::Unreachable(_)) && !error.is_lasting(), "{error}");
}

#[tokio::test]
async fn where_tls_is_asked_for_nothing_is_said_in_the_clear() {
    let pair = certificate("127.0.0.1");
    let Some(relay) = Relay::start("plain", Some(&pair), Some(("recovery", "open sesame"))) else { return };
    for security in [Security::StartTls, Security::Tls] {
        let smtp = Smtp { timeout: Duration::from_millis(1500), ..signing_in("recovery", "open sesame", trusting(&pair, relay.smtp(security))) };
        let error = mailer(&smtp).send(&letter("m@corp.example")).await.unwrap_err();
        assert!(!error.is_lasting(), "it is tried again once the relay is mended: {error}");
    }
    let said = relay.commands();
    assert!(relay.kept().is_empty() && said.iter().all(|c| c == "EHLO"), "{said:?}");
}

#[tokio::test]
async fn tls_is_spoken_with_a_relay_whose_certificate_is_vouched_for_and_with_no_other() {
    let (good, other, elsewhere) = (certificate("127.0.0.1"), certificate("127.0.0.1"), certificate("mail.example.org"));
    for (mode, security) in [("starttls", Security::StartTls), ("tls", Security::Tls)] {
        let Some(relay) = Relay::start(mode, Some(&good), None) else { return };
        mailer(&trusting(&good, relay.smtp(security))).send(&letter("m@corp.example")).await.unwrap();
        let kept = relay.kept();
        assert_eq!((kept.len(), &kept[0].0[2]), (1, &serde_json::json!(true)), "{mode}");
        assert!(!relay.commands().contains(&"MAIL".to_owned()), "{mode}: every message goes in TLS");
        // Nobody vouches for it, or someone else is vouched for.
        for smtp in [relay.smtp(security), trusting(&other, relay.smtp(security))] {
            let error = mailer(&smtp).send(&letter("m@corp.example")).await.unwrap_err();
            assert!(!error.is_lasting(), "{mode}: {error}");
        }
        // Vouched for, but of another name.
        let Some(named) = Relay::start(mode, Some(&elsewhere), None) else { return };
        let error = mailer(&trusting(&elsewhere, named.smtp(security))).send(&letter("m@corp.example")).await.unwrap_err();
        assert!(!error.is_lasting() && named.kept().is_empty(), "{mode}: {error}");
        assert_eq!(relay.kept().len(), 1, "{mode}");
    }
}

#[tokio::test]
async fn a_relay_that_asks_for_a_password_gets_it_in_tls_and_a_wrong_one_is_not_blamed_on_the_message() {
    let pair = certificate("127.0.0.1");
    for (mode, security) in [("starttls", Security::StartTls), ("tls", Security::Tls)] {
        let Some(relay) = Relay::start(mode, Some(&pair), Some(("recovery", "open sesame"))) else { return };
        let smtp = trusting(&pair, relay.smtp(security));
        mailer(&signing_in("recovery", "open sesame", smtp.clone())).send(&letter("m@corp.example")).await.unwrap();
        assert_ne!(relay.kept()[0].0[3], serde_json::json!(false), "{mode}: signed in");
        assert!(!relay.commands().contains(&"AUTH".to_owned()), "{mode}: no password in the clear");
        for smtp in [signing_in("recovery", "wrong", smtp.clone()), smtp] {
            let error = mailer(&smtp).send(&letter("m@corp.example")).await.unwrap_err();
            assert!(!error.is_lasting(), "{mode}: what the relay holds against us loses no message: {error}");
            assert!(!error.to_string().contains("wrong\"") && !error.to_string().contains("sesame"), "{error}");
        }
        assert_eq!(relay.kept().len(), 1, "{mode}");
    }
}

#[tokio::test]
async fn a_greylisting_and_a_slow_relay_are_tried_again_with_the_same_message() {
    let Some(relay) = Relay::start("plain", None, None) else { return };
    let impatient = mailer(&Smtp { timeout: Duration::from_millis(700), ..relay.smtp(Security::Plain) });
    for to in ["grey@corp.example", "slow@corp.example"] {
        let error = impatient.send(&letter(to)).await.unwrap_err();
        assert!(matches!(error, MailError::Unreachable(_)) && !error.is_lasting(), "{to}: {error}");
        impatient.send(&letter(to)).await.unwrap();
    }
    let ids: Vec<String> = relay.kept().iter().map(|(_, text)| text.lines().find(|l| l.starts_with("Message-ID")).unwrap().to_owned()).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}

#[tokio::test]
async fn a_code_survives_greylisting_and_is_sent_once() {
    let Some(relay) = Relay::start("plain", None, None) else { return };
    let house = House::new().await;
    let grey = workers(&house.service, &house.keys, mailer(&relay.smtp(Security::Plain)), &house.connector, &house.pages);
    let case = house.routed("okafor", Action::PasswordReset).await;
    let session = house.service.fresh("ses").unwrap();
    let start = countersign::domain::command::Command::StartProof {
        session,
        method: Method::IssuedCode,
        endpoint: Some("e1".parse().unwrap()),
        attester: None,
    };
    house.act("nadia", case, start).await;
    let coded = || relay.kept().iter().filter(|(_, text)| text.contains("Your code for case")).count();
    for _ in 0..20 {
        grey.run_outbox_once().await.unwrap();
        house.clock.pass(15);
    }
    assert_eq!(coded(), 1);
}

#[tokio::test]
async fn nothing_in_a_letter_becomes_another_receiver_header_or_command() {
    let Some(relay) = Relay::start("plain", None, None) else { return };
    let plain = mailer(&relay.smtp(Security::Plain));
    let tricks = [
        "\r\nBcc: evil@y.example",
        "\nBcc: evil@y.example\n\nbody",
        "\r\n.\r\nMAIL FROM:<evil@y.example>\r\n",
        "\n.\nRCPT TO:<evil@y.example>\n",
        "\r.\r",
        "\0",
    ];
    for trick in tricks {
        let bad = Letter { to: format!("m@corp.example{trick}"), ..letter("") };
        assert!(matches!(plain.send(&bad).await, Err(MailError::Address)), "{trick:?}");
        let hostile = Letter { subject: format!("Your code{trick}"), body: format!("One{trick}two\r\n.\r\nthree\n"), ..letter("m@corp.example") };
        plain.send(&hostile).await.unwrap();
    }
    let kept = relay.kept();
    assert_eq!(kept.len(), tricks.len(), "no message became two");
    for (envelope, text) in kept {
        assert_eq!((&envelope[0], &envelope[1]), (&serde_json::json!("no-reply@corp.example"), &serde_json::json!(["m@corp.example"])));
        let head = text.split("\r\n\r\n").next().unwrap();
        let names: Vec<&str> = head.lines().filter(|l| !l.starts_with([' ', '\t'])).filter_map(|l| l.split(':').next()).collect();
        assert!(!names.contains(&"Bcc") && names.iter().filter(|n| **n == "Subject").count() == 1, "{head}");
        assert!(envelope[4].as_str().unwrap().contains("three"), "nothing ends a message before its end: {envelope}");
    }
    let said = relay.commands();
    assert_eq!(said.iter().filter(|c| c.starts_with("RCPT")).count(), tricks.len(), "{said:?}");
}
