//! A decision: what is signed stands whole and apart from what is only said, and is read before it is sent; whose words go into whose case.

use countersign::api::case::{CaseDetail, RoutePreview};
use countersign::api::lists::Me;
use countersign::api::problem::Lacking;
use countersign::base::Untrusted;
use countersign::client::Write;
use countersign::console::effect::Ask;
use countersign::console::effect::Timer;
use countersign::console::message::{Live, Message, Reply};

use crate::cases::keys;
use crate::desk::{Desk, usual};
use crate::{canned, whole};

/// What is read out of a decision: what is signed with its statement, and what the server says beside it.
fn signed_and_beside(case: &CaseDetail) -> (Vec<String>, Vec<String>) {
    let desk = keys((120, 40), &whole::ruiz(), case, "d a");
    let place = desk.model.place();
    let lines = desk.model.screen(place).lines(&desk.model.shared, place);
    let from = lines.iter().position(|l| l == "What you sign").unwrap();
    let statement = lines.iter().position(|l| l.starts_with("The statement,")).unwrap();
    let beside = lines.iter().position(|l| l.starts_with("What the server says beside it")).unwrap();
    assert!(from < statement && statement < beside, "{lines:#?}");
    (lines[from..statement].to_vec(), lines[beside..].to_vec())
}

#[test]
fn threat_t10_what_is_signed_stands_whole_and_apart_from_what_is_only_said() {
    let mut case = whole::sealed();
    case.plan.as_mut().unwrap().lifetime_seconds = Some(133_140);
    let (signed, beside) = signed_and_beside(&case);
    let seal = case.seal.as_ref().unwrap();
    let digests = [seal.requirement_sha256, seal.in_force_sha256, case.policy_sha256, seal.sha256, case.evidence[0].sha256].map(|d| d.to_string());
    let whole = ["old key possession", "receipt rc-1", "gate by manager attestation or owner quorum", "ev-1", "403 forbidden", "p-ines", "p-nadia"];
    for wanted in whole.into_iter().chain(["36 hours 59 minutes", "s-1 in vault", "s-2"]).chain(digests.iter().map(String::as_str)) {
        assert!(signed.iter().any(|l| l.contains(wanted)), "{wanted} is signed:\n{signed:#?}");
    }
    for said in ["rotation failed", "ran the job twice", "possession of the old key", "Nadia Rahman", "make a new secret", "the subject, by ticket"] {
        assert!(beside.iter().any(|l| l.contains(said)) && !signed.iter().any(|l| l.contains(said)), "{said} is not signed:\n{signed:#?}");
    }
    // Whatever the server says beside it changes nothing of what is signed; whatever is signed is to be seen there.
    let unsigned: [fn(&mut CaseDetail); 9] = [
        |c| c.flags.clear(),
        |c| c.summary = Some(Untrusted::from("they were in a hurry")),
        |c| c.triage = None,
        |c| c.requester = Untrusted::from("somebody else"),
        |c| "another title".clone_into(&mut c.checklist.items[0].title),
        |c| "whoever".clone_into(&mut c.checklist.items[0].receipt.as_mut().unwrap().by),
        |c| c.lineage[0].name = Untrusted::from("Another Name"),
        |c| c.plan.as_mut().unwrap().steps.clear(),
        |c| "whoever".clone_into(&mut c.seal.as_mut().unwrap().by),
    ];
    for (i, lie) in unsigned.iter().enumerate() {
        let mut other = case.clone();
        lie(&mut other);
        let (now, said) = signed_and_beside(&other);
        assert!(now == signed && said != beside, "unsigned {i}: {now:#?}");
    }
    let sealed: [fn(&mut CaseDetail); 8] = [
        |c| c.plan.as_mut().unwrap().lifetime_seconds = Some(133_141),
        |c| c.plan.as_mut().unwrap().rotates.clear(),
        |c| c.checklist.items[1].methods.truncate(1),
        |c| c.checklist.items[1].gate = false,
        |c| c.checklist.items[0].receipt.as_mut().unwrap().valid_until += chrono::TimeDelta::seconds(1),
        |c| c.evidence[0].id = "ev-2".parse().unwrap(),
        |c| c.lineage[1].person = "p-else".parse().unwrap(),
        |c| c.seal.as_mut().unwrap().requirement_sha256 = countersign::base::Digest::of(b"another"),
    ];
    for (i, lie) in sealed.iter().enumerate() {
        let mut other = case.clone();
        lie(&mut other);
        assert_ne!(signed_and_beside(&other).0, signed, "sealed {i}");
    }
}

#[test]
fn some_of_what_is_signed_is_in_sight_in_the_least_window() {
    let mut case = whole::sealed();
    case.after_yours = Some(Lacking { persons: 1, nearer: ["p.osei", "s.novak"].map(|o| o.parse().unwrap()).to_vec() });
    let mut desk = keys((60, 12), &whole::ruiz(), &case, "d a");
    assert!(desk.text().contains("not enough"), "the head goes on where the page begins:\n{}", desk.text());
    let mut seen = desk.text();
    for _ in 0..200 {
        desk.press("j");
        seen += &desk.text();
    }
    for wanted in ["What you sign", "receipt rc-1", "The statement", "Flagged: repeat request", "make a new secret"] {
        assert!(seen.contains(wanted), "{wanted}");
    }
}

#[test]
fn what_a_reader_wrote_hides_no_warning_and_all_of_it_can_be_read() {
    let words = |n: usize| (0..n).map(|i| format!("word{i}")).collect::<Vec<_>>().join(" ");
    let mut desk = keys((80, 24), &whole::ruiz(), &whole::sealed(), "d d e");
    desk.tell(Message::Paste(words(400)));
    desk.press("ctrl-s");
    let text = desk.text();
    assert!(text.contains("Not yet read:") && text.contains("It can't be undone because"), "{text}");
    desk.press(&"down ".repeat(300));
    assert!(desk.text().contains("word399") && desk.text().contains("0 more lines"), "{}", desk.text());
    desk.press("up");
    assert!(desk.text().contains("1 more lines"), "one press back is one line:\n{}", desk.text());
}

#[test]
fn what_one_subject_said_is_in_no_other_subjects_case_and_is_read_before_it_is_sent() {
    let server = |ask: &Ask| match ask {
        Ask::Subjects(words) => {
            let mut page = whole::subjects();
            page.rows[0].id = words.parse().unwrap();
            Some(Ok(Reply::Subjects(page)))
        }
        Ask::Subject(id) => Some(Ok(Reply::Subject(Box::new(countersign::api::lists::SubjectRow { id: id.clone(), ..whole::subject() })))),
        Ask::RoutePreview(_) => Some(Ok(Reply::Preview(Box::new(whole::preview())))),
        other => usual(other),
    };
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(server), true);
    let open = |desk: &mut Desk, id: &str| {
        desk.press("N");
        desk.press("ctrl-u");
        desk.write(id);
        desk.tell(Message::Timer(Timer::Form));
        desk.press("enter");
    };
    open(&mut desk, "maya");
    desk.press("tab tab tab space tab tab tab tab");
    desk.write("lost her phone in the clinic");
    desk.press("esc esc");
    open(&mut desk, "will");
    desk.press("tab tab tab space tab tab tab tab");
    assert!(!desk.text().contains("lost her phone"), "{}", desk.text());
    desk.tell(Message::Timer(Timer::Form));
    desk.press("ctrl-s");
    assert!(!desk.text().contains("They said"), "{}", desk.text());
    desk.press("esc esc esc");
    open(&mut desk, "maya");
    desk.press("tab tab tab space");
    desk.tell(Message::Timer(Timer::Form));
    desk.press("ctrl-s");
    assert!(desk.text().contains("They said: lost her phone in the clinic"), "{}", desk.text());
    desk.press("y");
    let order = desk.orders.pop().unwrap();
    assert!(matches!(&order.write, Write::Open(o) if o.subject.as_str() == "maya" && o.summary.is_some()), "{order:?}");
    assert!(desk.model.shared.drafts.is_empty(), "{:?}", desk.model.shared.drafts);
}

#[test]
fn that_a_target_is_not_set_up_is_said_before_routing_at_the_case_and_to_who_decides() {
    let with = |missing: bool, me: Me, keys: &str| {
        let mut case = whole::sealed();
        case.target_missing = missing;
        let server = move |ask: &Ask| match ask {
            Ask::Me => Some(Ok(Reply::Me(Box::new(me.clone())))),
            Ask::Case(_) => Some(Ok(Reply::Case(Box::new(case.clone())))),
            Ask::Statement(_, decision) => Some(Ok(Reply::Statement(Box::new(whole::statement(decision.code()))))),
            Ask::Subject(_) => Some(Ok(Reply::Subject(Box::new(whole::subject())))),
            Ask::RoutePreview(_) => Some(Ok(Reply::Preview(Box::new(RoutePreview { target_missing: missing, ..whole::preview() })))),
            other => usual(other),
        };
        let mut desk = Desk::new(120, 40, |_| {}, Box::new(server), true);
        desk.tell(Message::Live(Live::Up));
        desk.tell(Message::Open(whole::sealed().row.id));
        desk.press(keys);
        desk.text()
    };
    for (me, keys) in [(canned::nadia(), "1"), (canned::nadia(), "r"), (whole::ruiz(), "d a")] {
        let seen = with(true, me.clone(), keys);
        assert!(seen.contains("This server is not set up"), "{keys}: {seen}");
        let seen = with(false, me, keys);
        assert!(seen.contains("payments") && !seen.contains("not set up"), "{keys}: {seen}");
    }
}
