//! Mail over a real SMTP server, from PyPI.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign::outbound::mail::{Letter, MailError, Mailer, Security, Smtp};

use crate::python::ensure_venv;

const SERVER: &str = r"
import asyncio, sys
from aiosmtpd.smtp import SMTP
class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('refused'):
            return '550 no such user here'
        envelope.rcpt_tos.append(address)
        return '250 OK'
    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[1], 'wb') as f:
            f.write(envelope.content)
        return '250 OK'
async def main():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Keep(), hostname='test'), '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
";

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn letter(to: &str) -> Letter {
    Letter {
        to: to.into(), subject: "Größe".into(), body: "Ein Wort: bakolu\n.\n..two\n".into(), key: "k1".into(), at: chrono::DateTime::UNIX_EPOCH
    }
}

fn mailer(port: u16, security: Security) -> Mailer {
    let smtp = Smtp { host: "127.0.0.1".into(), port, security, credentials: None, timeout: Duration::from_secs(5), root: None };
    Mailer::smtp("Corp <no-reply@corp.example>", &smtp).unwrap()
}

#[tokio::test]
async fn a_message_arrives_over_smtp_and_refusals_are_told_apart_from_trouble() {
    let Some(python) = ensure_venv(&["aiosmtpd==1.4.6"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.eml");
    let mut command = Command::new(python);
    command.arg("-c").arg(SERVER).arg(&kept).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = Server(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port: u16 = line.trim().parse().unwrap();

    mailer(port, Security::Plain).send(&letter("m@corp.example")).await.unwrap();
    let text = std::fs::read_to_string(&kept).unwrap();
    assert!(text.contains("To: m@corp.example") && text.contains("bakolu") && text.contains("Message-ID: <"), "{text}");

    let refused = mailer(port, Security::Plain).send(&letter("refused@corp.example")).await.unwrap_err();
    assert!(matches!(refused, MailError::Refused(_)) && refused.is_lasting(), "{refused}");
    // The server speaks no TLS: nothing is sent in the clear instead.
    std::fs::remove_file(&kept).unwrap();
    let unprotected = mailer(port, Security::StartTls).send(&letter("m@corp.example")).await.unwrap_err();
    assert!(!kept.exists(), "{unprotected}");
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_trouble_and_not_a_refusal() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = mailer(port, Security::Plain).send(&letter("m@corp.example")).await.unwrap_err();
    assert!(matches!(error, MailError::Unreachable(_)) && !error.is_lasting(), "{error}");
}
