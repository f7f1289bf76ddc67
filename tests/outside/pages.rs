//! What strangers, mail scanners and other sites get from the pages (threats.md T24, T25, T27).

use std::time::{Duration, Instant};

use countersign::client::page::attest;
use countersign::domain::case::SessionOutcome;
use countersign::domain::event::{Body, CaseEvent, RegisterEvent};
use countersign::domain::vocabulary::{Action, Method, SubjectKind};
use countersign::server::pages::Rates;
use countersign::store::Store as _;

use crate::desk::okafor;
use crate::house::{House, Letter, Plan};

const NOWHERE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn with_code(house: &House) -> (countersign::base::ids::CaseId, Letter) {
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    (case, house.letter("okafor@corp.example", "Your code"))
}

fn token(link: &str) -> &str {
    link.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn t24_known_and_unknown_links_give_the_same_bytes() {
    let house = House::new().await;
    let (_, letter) = with_code(&house).await;
    let (link, notice) = (letter.link("p"), letter.link("n"));
    for known in [&link, &notice] {
        let unknown = known.replace(token(known), NOWHERE);
        let same = |text: String, link: &str| text.replace(token(link), "TOKEN");
        let (a, b) = (house.get(known).await, house.get(&unknown).await);
        assert_eq!((a.0, same(a.1, known)), (b.0, same(b.1, &unknown)));
        for form in [[("code", "00000001")], [("code", "x")], [("word", "bububu")]] {
            let (a, b) = (house.post(known, &form).await, house.post(&unknown, &form).await);
            assert_eq!((a.0, same(a.1, known)), (b.0, same(b.1, &unknown)), "{form:?}");
        }
    }
}

#[tokio::test]
async fn t24_known_and_unknown_links_are_answered_in_the_same_time() {
    let floor = Duration::from_millis(150);
    let house = House::with(Plan { floor, ..Plan::default() }).await;
    let (_, letter) = with_code(&house).await;
    let known = letter.link("p");
    let unknown = known.replace(token(&known), NOWHERE);
    for link in [&known, &unknown, &known, &unknown] {
        let begun = Instant::now();
        assert_eq!(house.post(link, &[("code", "00000001")]).await.0, 422);
        assert!(begun.elapsed() >= floor, "an answer came before the floor");
    }
}

#[tokio::test]
async fn t25_a_scanner_that_follows_every_link_and_presses_every_button_changes_nothing() {
    let house = House::new().await;
    let (case, _) = with_code(&house).await;
    let vega = house.routed("vega", Action::PasswordReset).await;
    house.start_proof(vega, Method::ManagerAttestation, None, Some("p-kim")).await;
    let before = (house.case(case).await, house.case(vega).await);
    let links: Vec<String> = house.letters().iter().flat_map(|l| l.body.lines().map(|b| b.trim().to_owned()).collect::<Vec<_>>()).collect();
    let links: Vec<String> = links.into_iter().filter(|l| l.starts_with("http")).collect();
    assert!(links.len() >= 6, "{links:?}");
    for link in links {
        let (status, page) = house.get(&link).await;
        assert_eq!(status, 200);
        // Every form of the page, its fields as they stand there: empty.
        for action in page.split("<form").skip(1).map(|f| f.split("action=\"").nth(1).unwrap().split('"').next().unwrap()) {
            let to = if action.is_empty() { link.clone() } else { format!("{}{action}", house.pages) };
            for form in [vec![], vec![("code", "")], vec![("word", "")], vec![("answer", "yes"), ("confirm", "yes")]] {
                assert_ne!(house.post(&to, &form).await.0, 200, "{to} {form:?}");
            }
        }
        house.web.head(&link).send().await.unwrap();
    }
    assert_eq!(before, (house.case(case).await, house.case(vega).await));
}

#[tokio::test]
async fn t27_forms_from_other_sites_are_refused_and_nothing_is_framed_or_kept() {
    let house = House::new().await;
    let (case, letter) = with_code(&house).await;
    let link = letter.link("p");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
        ("origin", "null"),
        ("origin", "https://evil.example"),
    ] {
        let answer = house.web.post(&link).header(name, value).form(&[("code", letter.code())]).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 403, "{name}: {value}");
    }
    assert!(house.case(case).await.receipts.is_empty());
    let answer = house.web.get(&link).send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("script"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(!page.contains("<script") && !page.contains("style=") && page.contains("<html lang=\"en\">"), "{page}");
    let answer = house.web.post(&link).header("sec-fetch-site", "same-origin").form(&[("code", letter.code())]).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}

#[tokio::test]
async fn forms_and_links_that_are_none_are_refused_and_nothing_comes_back_raw() {
    let house = House::new().await;
    let (case, letter) = with_code(&house).await;
    let link = letter.link("p");
    let version = house.case(case).await.version;
    assert_eq!(house.post(&link, &[("code", &"9".repeat(5000))]).await.0, 413);
    let both = [("code", letter.code()), ("admin", "yes".to_owned())];
    assert_eq!(house.web.post(&link).form(&both).send().await.unwrap().status().as_u16(), 400);
    assert_eq!(house.web.post(&link).body("{}").header("content-type", "application/json").send().await.unwrap().status().as_u16(), 400);
    for path in ["", "p", "p/", "p/x/y/z", "a/../p", "v1/cases", "p/%00", "p/%1b%5b31m", "p/<script>", &format!("p/{}", "x".repeat(3000))] {
        let (_, page) = house.get(&format!("{}/{path}", house.pages)).await;
        assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains("xxxx"), "{path}: {page}");
    }
    assert_eq!(house.web.delete(&link).send().await.unwrap().status().as_u16(), 404);
    assert_eq!(house.case(case).await.version, version);
}

#[tokio::test]
async fn one_address_can_not_ask_without_end() {
    let house = House::with(Plan { rates: Some(Rates { looks: 5, forms: 3 }), ..Plan::default() }).await;
    let url = format!("{}/p/{NOWHERE}", house.pages);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(house.post(&url, &[("code", "00000001")]).await.0);
    }
    assert_eq!(seen, [422, 422, 422, 429]);
    house.clock.pass(60);
    assert_eq!(house.post(&url, &[("code", "00000001")]).await.0, 422);
}

#[tokio::test]
async fn a_wrong_code_is_told_with_the_tries_that_can_be_left_and_what_is_no_code_is_not_counted() {
    let house = House::new().await;
    let (case, letter) = with_code(&house).await;
    let link = letter.link("p");
    let wrong = if letter.code() == "0000 0000" { "1111 1111" } else { "0000 0000" };
    let (_, page) = house.post(&link, &[("code", "1234")]).await;
    assert!(page.contains("was not counted") && !page.contains("name=\"tried\""), "{page}");
    for tried in 0..5_u8 {
        let before = tried.to_string();
        let (status, page) = house.post(&link, &[("code", wrong), ("tried", &before)]).await;
        let told = ["at most 4 tries", "at most 3 tries", "at most 2 tries", "at most 1 try ", "void"][usize::from(tried)];
        assert!(status == 422 && page.contains(told), "{tried}: {page}");
        assert!(page.contains(&format!("name=\"tried\" value=\"{}\"", tried + 1)), "{page}");
    }
    assert_eq!(house.case(case).await.failed_attempts, 5);
    for odd in ["300", "-1", "x", ""] {
        assert_eq!(house.post(&link, &[("code", wrong), ("tried", odd)]).await.0, 400, "{odd}");
    }
    assert!(house.post(&link, &[("code", wrong), ("tried", "255")]).await.1.contains("value=\"5\""));
}

#[tokio::test]
async fn a_code_sent_twice_in_one_go_is_answered_twice_and_recorded_once() {
    let house = House::new().await;
    let (case, letter) = with_code(&house).await;
    let (link, code) = (letter.link("p"), letter.code());
    let form = [("code", code.as_str())];
    let ((first, one), (second, two)) = tokio::join!(house.post(&link, &form), house.post(&link, &form));
    assert!(first == 200 && second == 200 && one == two && one.contains("Your code was right"), "{one}\n{two}");
    let proved = house.case(case).await;
    assert_eq!((proved.receipts.len(), proved.failed_attempts), (1, 0));
}

#[tokio::test]
async fn a_saved_code_sent_twice_in_one_go_shows_the_same_new_one_twice() {
    let house = House::new().await;
    let saved = house.service.issue_saved_codes(&"okafor".parse().unwrap()).await.unwrap();
    house.clock.pass(8 * 24 * 3600);
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::SavedCode, Some("e1"), None).await;
    let link = house.letter("okafor@corp.example", "A recovery code is asked for").link("p");
    let form = [("code", saved[0].as_str())];
    let (one, two) = (house.post(&link, &form).await, house.post(&link, &form).await);
    assert!(one.0 == 200 && one == two && one.1.contains("Your new recovery code"), "{one:?}\n{two:?}");
    assert_eq!(house.case(case).await.receipts.len(), 1);
    house.clock.pass(60);
    let (status, page) = house.post(&link, &form).await;
    assert!(status == 422 && !page.contains("Your new recovery code"), "{page}");
}

/// Sends a form with a cookie, as a browser does.
async fn with_cookie(house: &House, url: &str, form: &[(&str, &str)], cookie: &str) -> (u16, String) {
    let answer = house.web.post(url).header("cookie", cookie).form(form).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_page_loaded_or_sent_again_by_who_proved_shows_the_case_and_not_an_error() {
    let house = House::new().await;
    let (_, letter) = with_code(&house).await;
    let link = letter.link("p");
    let answer = house.web.post(&link).form(&[("code", letter.code())]).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    house.clock.pass(60);
    let (status, page) = with_cookie(&house, &link, &[("code", &letter.code())], &cookie).await;
    assert!(status == 200 && page.contains("What is asked for"), "{page}");
    let page = house.web.get(&link).header("cookie", &cookie).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("What is asked for"), "{page}");
    house.clock.pass(3_600);
    let page = house.web.get(&link).header("cookie", &cookie).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Type your code"), "the pass has ended: {page}");
}

#[tokio::test]
async fn what_is_listed_as_proved_counts_now_and_each_method_stands_there_once() {
    let house = House::new().await;
    let listed = |page: &str| {
        let (_, rest) = page.split_once("<dt>Proved so far</dt><dd>").unwrap();
        rest.split_once("</dd>").unwrap().0.to_owned()
    };
    let case = house.proved("okafor", Action::PasswordReset).await;
    house.clock.pass(25 * 3_600);
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let letter = house.letter("okafor@corp.example", "Your code");
    let (_, page) = house.post(&letter.link("p"), &[("code", &letter.code())]).await;
    assert_eq!(listed(&page), "issued code", "the one before lapsed");
    let receipts = house.case(case).await.receipts.len();
    assert_eq!(receipts, 2);

    let case = house.routed("vega", Action::PasswordReset).await;
    house.prove(case, Method::ManagerAttestation, "p-kim").await;
    house.clock.pass(25 * 3_600);
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let letter = house.letter("vega@corp.example", "Your code");
    let (_, page) = house.post(&letter.link("p"), &[("code", &letter.code())]).await;
    assert_eq!(listed(&page), "issued code", "the manager's word lapsed");
}

#[tokio::test]
async fn an_answer_sent_twice_is_recorded_once_and_a_page_that_is_over_leads_back_to_its_code() {
    let house = House::new().await;
    let case = house.routed("vega", Action::PasswordReset).await;
    house.start_proof(case, Method::ManagerAttestation, None, Some("p-kim")).await;
    let letter = house.letter("kim@corp.example", "Your answer is asked for");
    let link = letter.link("a");
    let answer = house.web.post(&link).form(&[("code", letter.code())]).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let question = format!("{link}/answer");
    let (status, page) = house.get(&question).await;
    assert!(status == 200 && page.contains(&format!("action=\"/a/{}\"", token(&link))), "without a pass the code goes to its own page: {page}");
    let yes = [("answer", "yes"), ("confirm", "yes")];
    assert!(with_cookie(&house, &question, &yes, &cookie).await.1.contains("Thank you"));
    let before = house.case(case).await;
    for again in [yes, [("answer", "no"), ("confirm", "yes")]] {
        let (status, page) = with_cookie(&house, &question, &again, &cookie).await;
        assert!(status == 200 && page.contains("is recorded, and it stands"), "{page}");
    }
    let after = house.case(case).await;
    assert_eq!((before.changed, before.receipts.len()), (after.changed, after.receipts.len()), "refused, and nothing besides");
}

#[tokio::test]
async fn a_browser_that_hangs_up_and_sends_the_form_again_is_not_told_that_the_code_is_wrong() {
    let house = House::new().await;
    for (subject, millis) in [("okafor", 3), ("vega", 8), ("greedy", 20)] {
        let case = house.routed(subject, Action::PasswordReset).await;
        house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
        let letter = house.letter(&format!("{subject}@corp.example"), "Your code");
        let form = [("code", letter.code())];
        let hung_up = house.web.post(letter.link("p")).form(&form).timeout(Duration::from_millis(millis)).send().await;
        drop(hung_up);
        let (status, page) = house.post(&letter.link("p"), &[("code", &letter.code())]).await;
        assert!(status == 200 && page.contains("Your code was right"), "{subject}: {page}");
        assert_eq!(house.case(case).await.receipts.len(), 1);
    }
}

#[tokio::test]
async fn invariant_08_a_wrong_word_on_a_good_link_stands_in_the_log_and_what_leads_nowhere_is_counted_with_the_strangers() {
    let house = House::new().await;
    let (case, letter) = with_code(&house).await;
    let (notice, proof) = (letter.link("n"), letter.link("p"));
    let wrong = if letter.word() == "bababa" { "dodolo" } else { "bababa" };
    let before = house.case(case).await;
    for typed in ["", "click here", "b\u{e4}babab", "12345"] {
        assert_eq!(house.post(&notice, &[("word", typed)]).await.0, 422, "{typed}");
    }
    assert_eq!(house.case(case).await, before, "what can be no word is no try");
    for link in [notice.clone(), format!("{proof}/not-me")] {
        assert_eq!(house.post(&link, &[("word", wrong)]).await.0, 422);
    }
    let tried = |e: &CaseEvent| matches!(e, CaseEvent::Refused { command, refusal, .. } if command == "hold" && refusal == "wrong-word");
    assert_eq!(house.events(case).await.iter().filter(|e| tried(e)).count(), 2);
    let after = house.case(case).await;
    assert!(after.hold.is_none() && after.changed == before.changed, "nothing else came of it");
    for _ in 0..100 {
        house.post(&notice, &[("word", wrong)]).await;
    }
    let bound = usize::try_from(countersign::service::refused::PER_MINUTE).unwrap();
    let entries = house.events(case).await.iter().filter(|e| tried(e)).count();
    assert!(entries <= 2 * bound, "{entries}");
    for (link, form) in [(&notice, [("word", "bababa")]), (&proof, [("code", "00000001")])] {
        assert_eq!(house.post(&link.replace(token(link), NOWHERE), &form).await.0, 422);
    }
    house.service.note_strangers(house.service.now()).await;
    let last = house.store.entries(0, 1000).await.unwrap().pop().unwrap().body;
    assert!(matches!(last, Body::Register { event: RegisterEvent::StrangersRefused { .. }, .. }), "{last:?}");
    assert_eq!(house.post(&notice, &[("word", &letter.word())]).await.0, 200);
    assert!(house.case(case).await.hold.is_some());
}

#[tokio::test]
async fn the_console_answers_an_attesters_page_of_this_machine_and_no_other() {
    let house = House::new().await;
    house.record(vec![okafor(|s| s.kind = SubjectKind::Contractor)]).await;
    for (subject, yes, outcome) in [("vega", true, SessionOutcome::Proved), ("okafor", false, SessionOutcome::Declined)] {
        let case = house.routed(subject, Action::PasswordReset).await;
        let session = house.start_proof(case, Method::ManagerAttestation, None, Some("p-kim")).await;
        let letter = house.letter("kim@corp.example", &format!("case {case}"));
        let wrong = if letter.code() == "0000 0000" { "1111 1111" } else { "0000 0000" };
        assert!(attest(&letter.link("a"), wrong, yes).await.unwrap_err().to_string().contains("code is wrong"));
        attest(&letter.link("a"), &letter.code(), yes).await.unwrap();
        assert_eq!(house.case(case).await.sessions[&session].outcome, Some(outcome));
        assert!(attest(&letter.link("a"), &letter.code(), yes).await.is_err(), "it is over");
    }
    let elsewhere = attest("https://recover.example.org/a/x", "1234 5678", true).await.unwrap_err().to_string();
    assert!(elsewhere.contains("open the link in a browser"), "{elsewhere}");
}
