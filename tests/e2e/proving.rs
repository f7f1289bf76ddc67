//! What subject and attester do: they read their mail and use the pages.

use serde_json::{Value, json};

use crate::demo::Demo;

/// Everything the checklist can start now by that method: endpoint and attester.
fn startable(case: &Value, method: &str) -> Value {
    let items = case["checklist"]["items"].as_array().unwrap();
    let mut all = items.iter().flat_map(|i| i["startable"].as_array().unwrap());
    let found = all.find(|s| s["method"] == method && s["endpoint"].as_str().is_none_or(|e| e.ends_with("-mail")));
    found.unwrap_or_else(|| panic!("{method} can't be started: {:#}", case["checklist"])).clone()
}

/// Triage, and the proofs named, each played by whoever has to.
pub async fn triaged_and_proved(demo: &Demo, by: &str, case: &str, methods: &[&str]) {
    let triage = json!({"failure": "lost_credential", "reproduction": "tried it with them, refused twice", "remedy_owner": "p-nadia"});
    demo.act(by, case, "triage", &triage).await;
    for method in methods {
        prove(demo, by, case, method).await;
    }
    let checklist = demo.case(case).await["checklist"].clone();
    assert_eq!(checklist["complete"], true, "{checklist:#}");
}

/// The subject types the code on the requester's page: a wrong one first, then the one in the mail.
pub async fn types_code(demo: &Demo, mailbox: &str, case: &str) {
    let letter = demo.letter(mailbox, &["Your code for case", case]);
    let (status, .., page) = demo.form(&letter.link("p"), &[("code", "0000 0000")], None).await;
    assert_eq!(status, 422, "a wrong code is refused: {page}");
    let (status, .., page) = demo.form(&letter.link("p"), &[("code", &letter.code())], None).await;
    assert!(status == 200 && page.contains("Your code was right"), "{page}");
}

/// One proof, from asking for it to the receipt.
pub async fn prove(demo: &Demo, by: &str, case: &str, method: &str) {
    let now = demo.case(case).await;
    let start = startable(&now, method);
    let body = json!({"method": method, "endpoint": start["endpoint"], "attester": start["attester"]});
    demo.act(by, case, "proofs", &body).await;
    let subject = now["row"]["subject"].as_str().unwrap();
    let person = ["employee", "executive", "third_party", "contractor", "privileged_admin"].contains(&now["row"]["kind"].as_str().unwrap());
    let mailbox = if person { format!("{subject}@ferrol.example") } else { format!("{subject}-owners@ferrol.example") };
    let before = now["checklist"]["done"].as_u64().unwrap();
    match method {
        "issued_code" => {
            types_code(demo, &mailbox, case).await;
        }
        "saved_code" => {
            let card = demo.letter(&mailbox, &["Your saved recovery code"]).card();
            let letter = demo.letter(&mailbox, &["A recovery code is asked for", case]);
            let (status, .., page) = demo.form(&letter.link("p"), &[("code", &card)], None).await;
            assert!(status == 200 && page.contains("Your new recovery code"), "{page}");
        }
        "manager_attestation" => {
            let attester = start["attester"].as_str().unwrap().trim_start_matches("p-");
            let letter = demo.letter(&format!("{attester}@ferrol.example"), &["Your answer is asked for", case]);
            let (status, cookie, to, page) = demo.form(&letter.link("a"), &[("code", &letter.code())], None).await;
            assert_eq!(status, 303, "{page}");
            let question = format!("{}{}", demo.line.pages, to.unwrap());
            let (status, .., page) = demo.form(&question, &[("answer", "yes"), ("confirm", "yes")], cookie.as_deref()).await;
            assert!(status == 200 && page.contains("Your answer is recorded"), "{page}");
        }
        other => panic!("nobody knows how to play {other}"),
    }
    let after = demo.case(case).await["checklist"]["done"].as_u64().unwrap();
    assert_eq!(after, before + 1, "{method} filled a place");
}
