//! Small parsers of outside input: what founds a server, nonces, certificates, the register's changes, the sample target, the terminal.
//!
//! Contract: as in [`super`].

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use chrono::{Duration, TimeDelta};
use countersign::base::Digest;
use countersign::base::ids::{CaseId, EmployerId, OperatorId, PersonId};
use countersign::config::founding::Founding;
use countersign::connectors::sign::Signer;
use countersign::console::background::{Background, Seen, Sieve, from_variable};
use countersign::demo::target::state::{Message, Outcome, World};
use countersign::demo::target::verify::Verifier;
use countersign::domain::case::ActorRef;
use countersign::domain::command::{Actor, Context, RegisterCommand};
use countersign::domain::event::{RegisterChange, RegisterEvent};
use countersign::domain::govern::decide_register;
use countersign::domain::policy::Policy;
use countersign::domain::register::{Operator, Person, Register};
use countersign::domain::vocabulary::{Role, Status};
use countersign::server::certificate::validity;
use countersign::server::whence;
use countersign::service::keys::Keys;
use countersign::service::statement::Occasion;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::{harmless, now, text};

/// Who founds, as a file says it.
pub fn founding(bytes: &[u8]) {
    match Founding::parse(&text(bytes)) {
        Ok(found) => {
            let id = |name: &str, id: Option<&str>| id.map_or(String::new(), |id| format!("{name} = \"{id}\"\n"));
            let written = id("policy_owner", found.policy_owner.as_ref().map(OperatorId::as_str))
                + &id("security_reviewer", found.security_reviewer.as_ref().map(OperatorId::as_str))
                + &id("employer", found.employer.as_ref().map(EmployerId::as_str));
            assert_eq!(Founding::parse(&written).expect("ids need no escapes"), found);
        }
        Err(why) => {
            assert!(!why.mistakes.is_empty());
            harmless(&why.to_string());
        }
    }
}

/// A statement's nonce: only what was issued for exactly that counts, and says when.
pub fn nonce(bytes: &[u8]) {
    let (keys, others) = (Keys::new([7; 32]), Keys::new([8; 32]));
    let (me, you) = (PersonId::parse("p1").expect("an id"), PersonId::parse("p2").expect("an id"));
    let mine = Occasion { case: CaseId::new(2026, 4127), seal: Digest::of(b"seal"), person: &me };
    let typed = text(bytes);
    if let Some(at) = mine.issued_at(&keys, &typed) {
        assert_eq!(mine.nonce(&keys, at), typed, "a nonce has one form");
        let elsewhere = [
            Occasion { person: &you, ..mine },
            Occasion { seal: Digest::of(b"another"), ..mine },
            Occasion { case: CaseId::new(2026, 4128), ..mine },
        ];
        assert!(elsewhere.iter().all(|o| o.issued_at(&keys, &typed).is_none()), "it counts on one occasion");
        assert!(mine.issued_at(&others, &typed).is_none(), "and for one server");
    }
    // What was issued is read back, and nothing longer or shorter is.
    let seconds = bytes.first_chunk::<4>().map_or(0, |b| i64::from(u32::from_be_bytes(*b)));
    let at = now() + TimeDelta::seconds(seconds);
    let issued = mine.nonce(&keys, at);
    assert_eq!(mine.issued_at(&keys, &issued), Some(at));
    assert!(mine.issued_at(&keys, &(issued.clone() + &typed)).is_none() || typed.is_empty());
}

/// A certificate's dates, bent anywhere.
pub fn certificate(bytes: &[u8]) {
    let der = base64::engine::general_purpose::STANDARD.decode(bytes).unwrap_or_else(|_| bytes.to_vec());
    if let Some(dates) = validity(&der) {
        let years = |t: countersign::base::Time| chrono::Datelike::year(&t);
        assert!((0..=9999).contains(&years(dates.from)) && (0..=9999).contains(&years(dates.until)), "{dates:?}");
        assert!(validity(&[&der[..], b"more"].concat()) == Some(dates), "what follows says nothing");
    }
}

/// Ana owns policy, Ben reviews security, Cleo is nobody much.
fn register() -> Register {
    let mut register = Register { version: 3, founded: true, ..Register::default() };
    for (name, roles) in [("ana", &[Role::PolicyOwner][..]), ("ben", &[Role::SecurityReviewer]), ("cleo", &[Role::SupportAgent])] {
        let person = PersonId::parse(&format!("p-{name}")).expect("an id");
        let id = name.parse().expect("an id");
        let employer = "acme".parse().expect("an id");
        let whole = Person { id: person.clone(), employer, team: None, manager: None, shift: None, on_call: false, status: Status::Active };
        register.persons.insert(person.clone(), whole);
        let operator = Operator { id, person, roles: roles.iter().copied().collect(), groups: BTreeSet::new(), enabled: true };
        register.operators.insert(operator.id.clone(), operator);
    }
    register
}

/// A change of the register as it is sent: read, judged for whoever may ask, and applied. At once nobody gains a role, a group or a policy.
pub fn changes(bytes: &[u8]) {
    let change: RegisterChange = match serde_json::from_slice(bytes) {
        Ok(change) => change,
        Err(why) => return harmless(&countersign::base::text::sanitise(&why.to_string(), false)),
    };
    let written = serde_json::to_vec(&change).expect("written");
    assert_eq!(serde_json::from_slice::<RegisterChange>(&written).expect("what was written can be read"), change);
    let (before, policy) = (register(), Policy::builtin());
    for (account, person) in [("ana", "p-ana"), ("ben", "p-ben"), ("cleo", "p-cleo")] {
        let who = ActorRef::Operator { operator: account.parse().expect("an id"), person: person.parse().expect("an id") };
        let context = Context { now: now(), actor: Actor { who, scopes: BTreeSet::new(), read_only: false }, request: None };
        let command = RegisterCommand::Change { id: "prp-1".parse().expect("an id"), change: change.clone() };
        let events = match decide_register(&before, &policy, &command, &context) {
            Ok(events) => events,
            Err(refusal) => {
                harmless(&refusal.to_string());
                continue;
            }
        };
        let mut after = before.clone();
        for event in &events {
            after.apply(event, now());
        }
        if events.iter().any(|e| matches!(e, RegisterEvent::Changed { .. })) {
            narrower(&before, &after);
        }
        // The lifetimes that lineage and tokens reckon with can be reckoned with.
        for delegation in &after.delegations {
            assert!(delegation.since <= now() && delegation.until.is_none_or(|u| u >= delegation.since));
        }
        assert!(after.tokens.values().all(|t| t.expires_at - t.issued_at <= Duration::days(3_650)));
    }
}

/// Nobody decides after it who did not before.
fn narrower(before: &Register, after: &Register) {
    assert_eq!(before.policy, after.policy, "a policy waits for a second person");
    for operator in after.operators.values().filter(|o| o.enabled) {
        let old = before.operators.get(&operator.id);
        assert!(old.is_some_and(|old| old.enabled && old.person == operator.person), "an account came by itself: {operator:?}");
        assert!(old.is_some_and(|old| old.roles.is_superset(&operator.roles) && old.groups.is_superset(&operator.groups)), "wider: {operator:?}");
    }
}

/// An order to the sample target with its signature, as they arrive: the first line is the signature.
pub fn orders(bytes: &[u8]) {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (signature, body) = bytes.iter().position(|b| *b == b'\n').map_or((bytes, &b""[..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let verifier = Verifier::new(SECRET, std::time::Duration::from_mins(5)).expect("a secret");
    let signer = Signer::new(&SECRET.to_owned().into()).expect("a secret");
    let right = signer.sign("msg-1", now().timestamp(), body);
    let accepts = |signature: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", HeaderValue::from_static("msg-1"));
        headers.insert("webhook-timestamp", HeaderValue::from(now().timestamp()));
        if let Ok(value) = HeaderValue::from_bytes(signature) {
            headers.insert("webhook-signature", value);
        }
        verifier.accepts(&headers, body, now())
    };
    assert!(accepts(right.as_bytes()), "what the other side signs is taken");
    assert!(!accepts(signature) || text(signature).split(' ').any(|s| s == right), "nothing else is");
    let _ = Verifier::new(&text(signature), std::time::Duration::MAX);
    let Ok(message) = serde_json::from_slice::<Message>(body) else { return };
    let mut world: World = serde_json::from_str(WORLD).expect("a world");
    let outcome = world.take("msg-1", &message);
    let once = world.clone();
    if matches!(outcome, Outcome::Done { .. }) {
        assert_eq!(world.take("msg-1", &message), outcome);
        assert_eq!(world, once, "an order is done once");
    }
    let written = serde_json::to_vec(&world).expect("written");
    assert_eq!(serde_json::from_slice::<World>(&written).expect("a world"), world);
}

const WORLD: &str = r#"{"accounts": {"okafor": {"status": "active", "scope": ["mail"]}, "vault": {"status": "suspended", "scope": []}}, "seen": []}"#;

/// What a terminal sends: keys, and its answer about the background among them. Nothing typed is lost, doubled or reordered; no more
/// than an answer's length is ever kept back.
pub fn replies(bytes: &[u8]) {
    let sent = text(bytes);
    let awaited = sent.len().is_multiple_of(2);
    let mut sieve = Sieve::new(awaited);
    let (mut keys, mut out) = (Vec::new(), Vec::new());
    let mut alt = false;
    for c in sent.chars() {
        let with = if std::mem::take(&mut alt) { KeyModifiers::ALT } else { KeyModifiers::NONE };
        let event = match c {
            // As crossterm reads it: an escape and a letter at once are the letter with Alt.
            '\u{1b}' if !awaited => {
                alt = true;
                continue;
            }
            '\u{1b}' => Event::Key(KeyEvent::from(KeyCode::Esc)),
            '\u{7}' => Event::Key(KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL)),
            '\u{1}' => {
                sieve.give_up();
                continue;
            }
            '\u{2}' => Event::Resize(80, 24),
            c => Event::Key(KeyEvent::new(KeyCode::Char(c), with)),
        };
        if !matches!(event, Event::Resize(..)) {
            keys.push(event.clone());
        }
        sieve.take(event);
        out.extend(std::iter::from_fn(|| sieve.ready()));
    }
    sieve.give_up();
    out.extend(std::iter::from_fn(|| sieve.ready()));
    assert!(!sieve.holds(), "nothing is kept back for ever");
    let mut left = keys.iter();
    for seen in &out {
        if let Seen::Event(event @ Event::Key(_)) = seen {
            assert!(left.any(|k| k == event), "no key comes that was not pressed, or in another order");
        }
    }
    // What else a terminal sends comes between keys, not into an answer: only the keys make one.
    let letter = |key: &Event| match key {
        Event::Key(KeyEvent { code: KeyCode::Char(c), .. }) => *c,
        _ => ' ',
    };
    if !keys.iter().map(letter).collect::<String>().contains("]11;") {
        let keys_out = out.iter().filter(|s| matches!(s, Seen::Event(Event::Key(_)))).count();
        assert_eq!(keys_out, keys.len(), "without an answer every key counts");
        assert!(!out.iter().any(|s| matches!(s, Seen::Background(_))));
    }
    if let Some(found) = from_variable(&sent) {
        let last: u8 = sent.rsplit(';').next().and_then(|n| n.parse().ok()).expect("a number");
        assert!(last < 16 && (found == Background::Dark) == (last < 7 || last == 8));
    }
}

/// Where a request comes from: only the trusted proxy is believed.
pub fn forwarded(value: &HeaderValue) {
    let peer = SocketAddr::from(([10, 0, 0, 1], 5000));
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-for"), value.clone())]);
    assert_eq!(whence(peer, &headers, None), peer);
    assert_eq!(whence(peer, &headers, Some(IpAddr::V4(Ipv4Addr::LOCALHOST))), peer);
    let seen = whence(peer, &headers, Some(peer.ip()));
    let last = value.to_str().unwrap_or_default().rsplit(',').next().unwrap_or_default().to_owned();
    assert!(seen == peer || last.trim().trim_start_matches('[').starts_with(|c: char| c.is_ascii_hexdigit() || c == ':'), "{seen} of {last:?}");
}
