//! No case is left where nobody can go on and nobody is told: what is noticed, what is lowered again, and what goes on by itself.

use std::sync::Arc;

use chrono::Duration;
use countersign::base::Digest;
use countersign::domain::case::{ActorRef, SessionOutcome, TrustRoot, Worker};
use countersign::domain::checklist;
use countersign::domain::command::Command;
use countersign::domain::event::CaseEvent;
use countersign::domain::mailboxes::Readers;
use countersign::domain::policy::{DEFAULT, Policy};
use countersign::domain::refusal::Refusal;
use countersign::domain::subject::{Endpoint, Ownership, Subject};
use countersign::domain::vocabulary::*;

use crate::play::*;

fn subject(play: &mut Play, change: impl FnOnce(&mut Subject)) {
    change(Arc::make_mut(play.world.subject.as_mut().unwrap()));
}

fn only(play: &mut Play, accounts: &[&str]) {
    play.register(|r| r.operators.values_mut().for_each(|o| o.enabled = accounts.contains(&o.id.as_str())));
}

#[test]
fn invariant_15_that_no_one_could_decide_is_lowered_by_an_event_of_its_own_once_somebody_could() {
    let mut play = Play::new(Tier::Standard);
    only(&mut play, &["nadia"]);
    play.proofed(op("nadia"));
    assert!(play.case().has_flag(FlagKind::Deadlock));
    let reassess = |play: &mut Play| play.act(system(Worker::Reassess), &Command::Reassess).unwrap();
    reassess(&mut play);
    assert!(play.case().has_flag(FlagKind::Deadlock), "nothing changed");
    only(&mut play, &["nadia", "ruiz"]);
    reassess(&mut play);
    assert_eq!(play.log.last(), Some(&CaseEvent::FlagLowered { kind: FlagKind::Deadlock }));
    assert!(play.case().flags.is_empty());
    // It is noticed anew; and what somebody of the staff noticed is theirs.
    only(&mut play, &["nadia"]);
    reassess(&mut play);
    assert!(play.case().has_flag(FlagKind::Deadlock));
    let mut play = Play::sealed(Tier::Standard);
    play.act(op("nadia"), &Command::Flag { kind: FlagKind::Deadlock }).unwrap();
    reassess(&mut play);
    assert!(play.case().has_flag(FlagKind::Deadlock));
}

#[test]
fn invariant_13_a_machine_whose_owners_no_mail_reaches_or_who_left_is_flagged_when_its_case_is_opened() {
    let opened = |owners: &[&str], reached: &[&str]| {
        let mut play = Play::new(Tier::Standard);
        let since = start() - Duration::days(100);
        subject(&mut play, |s| {
            (s.kind, s.person) = (SubjectKind::ServiceAccount, None);
            s.owners = owners.iter().map(|o| Ownership { person: id(o), since, until: None }).collect();
            s.endpoints.iter_mut().for_each(|e| e.confirmed_at = None);
        });
        play.register(|r| r.persons.get_mut(&id("lind")).unwrap().status = Status::Retired);
        let boxes = Arc::make_mut(&mut play.world.mailboxes);
        boxes.attesters.extend(reached.iter().map(|p| (id(p), Readers { persons: [id(p)].into(), more: false })));
        play.open(op("nadia"), Path::Assisted);
        (play.case().has_flag(FlagKind::Unreachable), play.case().has_flag(FlagKind::NoOwner))
    };
    assert_eq!(opened(&["ruiz"], &["ruiz"]), (false, false));
    assert_eq!(opened(&["ruiz"], &[]), (true, false), "no mail reaches them");
    assert_eq!(opened(&["lind"], &["lind"]), (true, true), "whoever left answers for nothing");
    assert_eq!(opened(&["lind", "ruiz"], &["lind", "ruiz"]), (false, false));
}

#[test]
fn a_hold_over_a_case_with_too_many_wrong_codes_is_lifted_by_contact_that_counts_by_itself() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    let wrong =
        |play: &mut Play, session: &str| play.act(ActorRef::Subject { session: id(session) }, &Command::RecordFailedAttempt { session: id(session) });
    for session in ["ses-a", "ses-b"] {
        play.act(op("nadia"), &start_code(session, "mail-1")).unwrap();
        (0..5).for_each(|_| wrong(&mut play, session).unwrap());
        play.now += Duration::minutes(2);
    }
    assert!(matches!(play.ask(op("nadia"), &start_code("ses-c", "mail-1")), Err(Refusal::TooManyAttempts)));
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: Some(text("odd")) }).unwrap();
    play.now += Duration::minutes(2);
    play.act(op("vega"), &start_code("ses-d", "mail-1")).unwrap();
    (0..4).for_each(|_| wrong(&mut play, "ses-d").unwrap());
    play.act(ActorRef::Subject { session: id("ses-d") }, &proof("ses-d", "rcp-d")).unwrap();
    play.act(op("vega"), &Command::LiftHold { reason: text("reached"), contact: id("ses-d") }).unwrap();
    assert!(play.case().hold.is_none());
    assert!(matches!(play.ask(op("nadia"), &start_code("ses-e", "mail-1")), Err(Refusal::TooManyAttempts)), "the case takes no more all the same");
}

#[test]
fn invariant_01_what_was_sent_to_make_contact_over_a_hold_serves_no_proof_after_it() {
    let ask =
        |session: &str| Command::StartProof { session: id(session), method: Method::ManagerAttestation, endpoint: None, attester: Some(id("mona")) };
    let code = |session: &str| ActorRef::Subject { session: id(session) };
    for objects in [false, true] {
        let mut play = Play::new(Tier::Standard);
        play.open(op("nadia"), Path::Assisted);
        play.act(op("nadia"), &triage()).unwrap();
        play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
        play.now += Duration::minutes(2);
        play.act(op("vega"), &start_code("ses-a", "mail-1")).unwrap();
        if objects {
            // The subject's own word takes the place of security's hold: what was sent over that one is over too.
            play.now += Duration::minutes(2);
            let objects = Command::Hold { source: HoldSource::NotMe, reason: None };
            play.act(system(Worker::Notices), &objects).unwrap();
            assert_eq!(play.case().sessions[&id("ses-a")].outcome, Some(SessionOutcome::Superseded));
        }
        play.now += Duration::minutes(2);
        play.act(op("vega"), &start_code("ses-b", "mail-1")).unwrap();
        play.act(op("vega"), &ask("ses-c")).unwrap();
        // Wrong codes over a hold are no fault of the case: they count by their own session alone.
        for _ in 0..4 {
            play.act(code("ses-b"), &Command::RecordFailedAttempt { session: id("ses-b") }).unwrap();
        }
        play.act(code("ses-b"), &proof("ses-b", "rcp-b")).unwrap();
        play.act(op("vega"), &Command::LiftHold { reason: text("reached"), contact: id("ses-b") }).unwrap();
        assert_eq!((play.case().sessions[&id("ses-c")].outcome, play.case().failed_attempts), (Some(SessionOutcome::Superseded), 0));
        let trust_root = TrustRoot { kind: TrustRootKind::Contact, sha256: Digest::of(b"mona") };
        let yes = Command::RecordProof { session: id("ses-c"), receipt: id("rcp-c"), trust_root };
        assert_eq!(play.ask(ActorRef::Attester { person: id("mona"), session: id("ses-c") }, &yes), Err(Refusal::SessionEnded));
        assert_eq!(play.ask(code("ses-a"), &proof("ses-a", "rcp-a")), Err(Refusal::SessionEnded));
        play.now += Duration::minutes(2);
        play.code();
        assert_eq!(play.case().receipts.len(), 1, "proved for the case, it counts");
    }
}

#[test]
fn invariant_05_the_mailbox_that_carried_the_request_proves_nothing_under_another_id_and_spelling() {
    let mut play = Play::new(Tier::Standard);
    subject(&mut play, |s| {
        let first = s.endpoints[0].clone();
        s.endpoints.push(Endpoint { id: id("mail-2"), address: "Sam+hr@EXAMPLE.org".into(), ..first.clone() });
        s.endpoints.push(Endpoint { id: id("mail-3"), address: "other@example.org".into(), ..first });
    });
    let mut request = open(1, Path::Assisted);
    request.endpoint = Some(id("mail-2"));
    play.act(op("nadia"), &Command::Open(request)).unwrap();
    play.act(op("nadia"), &triage()).unwrap();
    for same in ["mail-1", "mail-2"] {
        let refused = play.ask(op("nadia"), &start_code("ses-1", same));
        assert!(matches!(&refused, Err(Refusal::EndpointUnusable(why)) if why.contains("came over this address")), "{refused:?}");
    }
    play.act(op("nadia"), &start_code("ses-1", "mail-3")).unwrap();
}

#[test]
fn a_case_that_proves_itself_is_sealed_anew_by_itself_when_the_server_opened_it_again() {
    let mut play = Play::new(Tier::Standard);
    let held = DEFAULT.replacen("delay = \"0 s\"", "delay = \"2 h\"", 1);
    let policy = Arc::new(Policy::parse(&held).unwrap());
    (play.world.pinned, play.world.current) = (policy.clone(), policy);
    play.act(bot(vec![]), &Command::Open(open(1, Path::SelfService))).unwrap();
    play.act(system(Worker::Notices), &start_code("ses-1", "mail-1")).unwrap();
    play.act(ActorRef::Subject { session: id("ses-1") }, &proof("ses-1", "rcp-1")).unwrap();
    assert_eq!(play.case().state, CaseState::Approved, "it waits for its delay");
    // The rules become stricter meanwhile: what was sealed is void, nothing is missing, and nobody would seal it by hand.
    play.world.current = Arc::new(Policy::parse(&held.replacen("delay = \"2 h\"", "delay = \"3 h\"", 1)).unwrap());
    play.act(system(Worker::Reassess), &Command::Reassess).unwrap();
    assert!(play.log.iter().any(|e| matches!(e, CaseEvent::StateChanged { to: CaseState::Proofing, .. })));
    assert_eq!((play.case().state, play.case().revision), (CaseState::Approved, 2));
    assert_eq!(play.case().times.execute_after, Some(play.now + Duration::hours(3)));
}

#[test]
fn an_approval_outlasts_the_delay_that_two_policies_make_together() {
    let mut play = Play::new(Tier::Standard);
    let with = |lifetime: &str, delay: &str| {
        let text = DEFAULT.replacen("approval_lifetime = \"24 h\"", &format!("approval_lifetime = \"{lifetime}\""), 1);
        Arc::new(Policy::parse(&text.replacen("delay = \"0 s\"", &format!("delay = \"{delay}\""), 1)).unwrap())
    };
    // One file whose approvals last hardly longer than its delay: the server has time to begin.
    let mut close = Play::new(Tier::Standard);
    (close.world.pinned, close.world.current) = (with("24 h", "1430 min"), with("24 h", "1430 min"));
    close.proofed(op("nadia"));
    close.act(op("nadia"), &Command::Seal).unwrap();
    close.approve("ruiz").unwrap();
    assert!(close.case().approvals[0].valid_until >= close.case().times.execute_after.unwrap() + Duration::minutes(15));
    (play.world.pinned, play.world.current) = (with("2 h", "0 s"), with("24 h", "12 h"));
    let need = checklist::requirement_for(&play.world, &crate::play::subject(Tier::Standard), (&route(Path::Assisted), &[]), play.now);
    assert!(need.approval_lifetime.0 == 2 * 3600 && need.delay.0 == 12 * 3600, "{need:?}");
    // The case is of the older file's time.
    let newer = std::mem::replace(&mut play.world.current, play.world.pinned.clone());
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    play.world.current = newer;
    play.act(system(Worker::Reassess), &Command::Reassess).unwrap();
    if play.case().state == CaseState::Proofing {
        play.act(op("nadia"), &Command::Seal).unwrap();
    }
    play.approve("ruiz").unwrap();
    let then = play.case().times.execute_after.unwrap();
    assert!(then >= play.now + Duration::hours(12) && play.case().approvals[0].valid_until > then);
    play.now = then;
    play.act(system(Worker::Deadlines), &Command::Tick).unwrap();
    play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    assert_eq!(play.case().state, CaseState::Executing);
}
