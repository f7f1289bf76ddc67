//! What the program says to a server that answers little, or nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::sync::{Arc, Mutex};

use crate::host::{program, said};

/// A server that answers requests by their method and path, and closes the connection where there is no answer.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn new(answer: impl Fn(&str) -> Option<(u16, &'static str)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (url, asked) = (format!("http://{}", listener.local_addr().unwrap()), Arc::new(Mutex::new(Vec::new())));
        let all = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
                let Some(first) = head.first() else { continue };
                let length = head.iter().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").and_then(|n| n.parse::<u64>().ok()));
                let _ = std::io::copy(&mut reader.by_ref().take(length.unwrap_or(0)), &mut std::io::sink());
                let what = first.trim_end_matches(" HTTP/1.1").to_owned();
                let answered = answer(&what);
                all.lock().unwrap().push(what);
                if let Some((status, body)) = answered {
                    let head = format!(
                        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all((head + body).as_bytes());
                }
            }
        });
        Self { url, asked }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let folder = tempfile::tempdir().unwrap();
        program(folder.path()).args(["--server", &self.url]).args(arguments).env("COUNTERSIGN_TOKEN", "cs1.tok-me.secret").output().unwrap()
    }
}

#[test]
fn whoever_revoked_a_token_without_an_answer_is_told_to_take_it_for_alive_and_how_to_learn_it() {
    let silent = Fake::new(|_| None);
    let output = silent.run(&["token", "revoke", "tok-stolen"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(said.contains("tok-stolen still opens") && said.contains("Run the same again") && !said.contains("one more, which nobody has"), "{said}");
}

#[test]
fn a_preview_of_a_case_reads_the_case_for_its_sentences_alone_and_says_where_it_could_not() {
    const PREVIEW: &str = r#"{"lineage": [], "you_give_up": false, "could_decide": {"operators": [], "on_shift": [], "enough": true, "missing_groups": []},
        "approvals_needed": "1", "problem": null, "checklist": {"items": [], "done": 0, "complete": false, "next": null}}"#;
    let fake = Fake::new(|what| Some(if what.starts_with("POST") { (200, PREVIEW) } else { (418, "teapot") }));
    let way = ["case", "preview", "okafor", "password_reset", "--target", "directory", "--scope", "login", "--case", "CS-26-000042"];
    let output = fake.run(&[&way[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(*fake.asked.lock().unwrap(), ["POST /v1/cases/route-preview"], "reading a case is noted: nobody is shown it here");
    let output = fake.run(&way);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("seal, approvals and proofs is not known"), "{said}");
    assert_eq!(fake.asked.lock().unwrap().last().unwrap(), "GET /v1/cases/CS-26-000042");
}
