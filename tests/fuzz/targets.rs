//! Every parser of outside input, each as an ordinary function over bytes with assertions about what comes out.
//!
//! Contract: a target never panics, whatever the bytes; what it asserts holds for every input: what was accepted is bounded and survives
//! being written and read again, what was refused is said in words that can't steer a terminal. Used by the plain test suite, which replays
//! `corpus/`, and by the coverage-guided binaries. Knows nothing about either.
//!
//! | what comes from outside | read by | target |
//! | --- | --- | --- |
//! | request bodies, headers, queries, forwarded addresses | `server::write`, `server::whence`, `api::filter` | `api_bodies`, `api_headers`, `filter` |
//! | tokens, codes, links, words of the requester's pages, forms | `service::tokens`, `proofing::derive`, `server::pages` | `codes`, `forms` |
//! | a statement's nonce | `service::statement` | `nonce` |
//! | changes of the register, policies, inventories | `domain::govern`, `domain::policy`, `service::import` | `changes`, `policy`, `import` |
//! | ids, case numbers, words, addresses of mail and targets | `base::ids`, `outbound` | `ids`, `addresses` |
//! | log entries and state rebuilt from them | `domain::event`, `log` | `entries` |
//! | settings of server and console, founders, certificates | `config`, `server::certificate` | `config`, `founding`, `certificate` |
//! | themes, keys, what the console kept, the demo's mail | `console` | `theme`, `keymap`, `kept`, `mailbox` |
//! | a terminal's keys, pastes, sizes and replies; typed lines | `console::update`, `console::background`, `console::plain` | `keys`, `replies`, `lines` |
//! | a server's answers, shown on every screen; its live stream | `client`, `api::recompute`, `console` | `answers`, `stream` |
//! | a target's answers; orders and signatures to the sample one | `connectors::webhook`, `demo::target` | `webhook`, `orders` |
//! | any text that is shown | `base::text` | `sanitiser` |
//!
//! Without a target, since one comparison or one parser of the standard library is all they are: `Last-Event-ID`, `ETag` as a client reads
//! it, cookies, `Sec-Fetch-Site`, arguments of the command line (their types' parsers are above).

mod parts;
mod screens;
mod seat;

use std::path::Path;

use axum::extract::FromRequest as _;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use countersign::api::filter::{self, Asker};
use countersign::api::{governance, lists, problem, requests};
use countersign::base::ids::{CaseId, OperatorId, PersonId, SessionId, SubjectId};
use countersign::base::text::sanitise;
use countersign::base::{Digest, Time, Untrusted, canonical};
use countersign::client::frames;
use countersign::config::client::ClientConfig;
use countersign::config::server::ServerConfig;
use countersign::connectors::webhook;
use countersign::console::keymap::{Key, Keymap};
use countersign::console::theme::{Theme, parse_style};
use countersign::domain::case::Case;
use countersign::domain::event::{Body, Entry, MAX_ENTRY};
use countersign::domain::policy::Policy;
use countersign::domain::subject::handle;
use countersign::domain::vocabulary::{Action, CaseState, Method};
use countersign::log::Frontier;
use countersign::outbound::door::{Answer, Base};
use countersign::outbound::mail;
use countersign::proofing::{derive, saved};
use countersign::server::pages::{AnswerForm, AskForm, CodeForm, WordForm};
use countersign::server::problem::Failure;
use countersign::server::write;
use countersign::service::import::{self, Format, Kind};
use countersign::service::requester::{Wanted, could_be_a_code, shown_again};
use countersign::service::tokens;
use futures_util::{FutureExt as _, StreamExt as _};

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them. The name is also the folder of its corpus.
pub const TARGETS: &[Target] = &[
    ("addresses", addresses),
    ("answers", screens::answers),
    ("api_bodies", api_bodies),
    ("api_headers", api_headers),
    ("certificate", parts::certificate),
    ("changes", parts::changes),
    ("codes", codes),
    ("config", config),
    ("entries", entries),
    ("filter", filter),
    ("forms", forms),
    ("founding", parts::founding),
    ("ids", ids),
    ("import", import),
    ("kept", screens::kept),
    ("keymap", keymap),
    ("keys", screens::keys),
    ("lines", screens::lines),
    ("mailbox", mailbox),
    ("nonce", parts::nonce),
    ("orders", parts::orders),
    ("policy", policy),
    ("replies", parts::replies),
    ("sanitiser", sanitiser),
    ("stream", stream),
    ("theme", theme),
    ("webhook", webhook),
];

/// Longer inputs say nothing new about these parsers; each has its own bound besides.
pub const LONGEST: usize = 64 * 1024;

/// Runs a target by its name.
///
/// # Panics
/// If there is none of that name, or it found something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(n, _)| *n == name).map(|(_, t)| *t);
    target.expect("a target of that name")(&bytes[..bytes.len().min(LONGEST)]);
}

/// Only letters, figures, marks and blanks of ASCII: nearly all that is looked at, and told fast.
fn plain(words: &str) -> bool {
    words.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// What a reader gets to see can't steer a terminal: line breaks at most.
fn harmless(words: &str) {
    if plain(words) {
        return;
    }
    let safe = |c: char| c == '\n' || sanitise(&c.to_string(), false) == c.to_string();
    assert!(words.chars().all(safe), "steers a terminal: {words:?}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn now() -> Time {
    chrono::DateTime::from_timestamp(1_767_603_600, 0).expect("a time")
}

fn told(failure: &Failure) {
    harmless(&failure.0.title);
    harmless(&failure.0.detail);
    failure.0.field.iter().for_each(|f| harmless(f));
}

fn sanitiser(bytes: &[u8]) {
    let text = Untrusted::new(text(bytes));
    harmless(&text.line());
    harmless(&text.sanitise());
    assert!(!text.line().contains('\n'));
    assert_eq!(sanitise(&text.line(), false), text.line(), "made harmless once is enough");
    assert!(text.line().len() <= text.len() * 20);
    assert!(!format!("{text:?}").contains(char::is_control));
}

fn filter(bytes: &[u8]) {
    let text = text(bytes);
    let asker = Asker { operator: OperatorId::parse("nadia").ok(), person: PersonId::parse("p1").ok() };
    match filter::parse(&text, &asker, now()) {
        Ok(found) => {
            assert!(text.chars().count() <= filter::MAX_FILTER);
            // What stands in quotes is one word of the filter, however many blanks are in it.
            assert!(text.contains('"') || found.text.iter().all(|t| t.split(' ').count() <= filter::MAX_WORDS));
            assert!(found.assignees.len() <= filter::MAX_FILTER && found.due_before.is_none_or(|d| d >= now()));
            let again = text.split_whitespace().collect::<Vec<_>>().join("  ");
            if again.len() <= filter::MAX_FILTER && !text.contains('"') {
                assert_eq!(filter::parse(&again, &asker, now()), Ok(found), "blanks between words say nothing");
            }
        }
        Err(why) => harmless(&why.to_string()),
    }
    if let Ok(cursor) = filter::parse_cursor(&text) {
        assert_eq!(filter::cursor(cursor), text.to_ascii_lowercase());
    }
    filter::sort(Some(&text)).err().iter().for_each(|e| harmless(&e.to_string()));
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) {
    text.parse::<T>().err().iter().for_each(|e| harmless(&e.to_string()));
}

fn ids(bytes: &[u8]) {
    let text = text(bytes);
    match OperatorId::parse(&text) {
        Ok(id) => {
            assert_eq!(id.as_str(), text);
            assert!(text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)), "{text:?}");
        }
        Err(why) => harmless(&why.to_string()),
    }
    match text.parse::<CaseId>() {
        Ok(id) => {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(CaseId::from_key(id.key()), Some(id));
        }
        Err(why) => harmless(&why.to_string()),
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
    word::<Action>(&text);
    word::<CaseState>(&text);
    word::<Method>(&text);
}

/// One type of body: read, written, and read again the same.
fn body<T: serde::de::DeserializeOwned + serde::Serialize>(headers: &HeaderMap, bytes: &[u8]) {
    match write::read::<T>(headers, bytes) {
        Ok(body) => {
            let once = serde_json::to_vec(&body).expect("what was read can be written");
            let again: T = write::read(headers, &once).map_err(|_| "what was written can be read").expect("round trip");
            assert_eq!(serde_json::to_vec(&again).expect("written"), once);
        }
        Err(failure) => told(&failure),
    }
}

fn api_bodies(bytes: &[u8]) {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let all: &[fn(&HeaderMap, &[u8])] = &[
        body::<requests::OpenCase>,
        body::<requests::RouteCase>,
        body::<requests::PreviewRoute>,
        body::<requests::TriageCase>,
        body::<requests::Text>,
        body::<requests::Assign>,
        body::<requests::HandOver>,
        body::<requests::AddEvidence>,
        body::<requests::StartProof>,
        body::<requests::Decide>,
        body::<requests::Hold>,
        body::<requests::LiftHold>,
        body::<requests::AddFlag>,
        body::<requests::AddReview>,
        body::<requests::TakeNext>,
        body::<governance::ChangeRegister>,
        body::<governance::ProposePolicy>,
        body::<governance::IssueToken>,
    ];
    for read in all {
        read(&headers, bytes);
    }
    // What the client takes from a server that may be anyone's.
    if let Ok(problem) = serde_json::from_slice::<problem::Problem>(bytes) {
        let written = serde_json::to_vec(&problem).expect("written");
        assert!(serde_json::from_slice::<problem::Problem>(&written).is_ok());
    }
}

fn api_headers(bytes: &[u8]) {
    let value = HeaderValue::from_bytes(bytes);
    if let Ok(value) = &value {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), value.clone()), (header::IF_MATCH, value.clone())]);
        match write::key(&headers) {
            Ok(key) => assert!((1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()), "{key:?}"),
            Err(failure) => told(&failure),
        }
        match write::expected(&headers) {
            Ok(version) => assert!(version.is_some(), "an If-Match was given"),
            Err(failure) => told(&failure),
        }
        parts::forwarded(value);
    }
    if let Ok(uri) = format!("/v1/cases?{}", text(bytes)).parse()
        && let Ok(axum::extract::Query(params)) = axum::extract::Query::<lists::QueueParams>::try_from_uri(&uri)
    {
        params.filter.iter().for_each(|f| filter(f.as_bytes()));
    }
}

fn form<T: serde::de::DeserializeOwned + Send + 'static>(bytes: &[u8]) -> Option<T> {
    let request = Request::post("/p/x").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(axum::body::Body::from(bytes.to_vec())).expect("a request");
    let read = axum::Form::<T>::from_request(request, &()).now_or_never().expect("nothing to wait for");
    read.ok().map(|f| f.0)
}

fn forms(bytes: &[u8]) {
    if let Some(form) = form::<CodeForm>(bytes) {
        codes(form.code.as_bytes());
    }
    if let Some(form) = form::<WordForm>(bytes) {
        codes(form.word.as_bytes());
    }
    if let Some(form) = form::<AskForm>(bytes) {
        asked(&form);
    }
    // A byte that is no UTF-8 becomes a mark of three.
    if let Some(form) = form::<AnswerForm>(bytes) {
        assert!(form.answer.iter().chain(&form.confirm).all(|t| t.len() <= 3 * bytes.len()));
    }
}

/// Who is asked for is looked for in one form, and nothing that steers comes back.
fn asked(form: &AskForm) {
    if let Ok(wanted) = Wanted::read(&form.who, &form.what, &form.system) {
        assert!(form.what.parse::<Action>().is_ok_and(|a| Action::BY_ONESELF.contains(&a)), "{:?}", form.what);
        let again = Wanted::read(&handle(&form.who), &form.what, &handle(&form.system));
        assert_eq!(again.as_ref(), Ok(&wanted), "one form");
    }
    for typed in [&form.who, &form.what, &form.system] {
        let shown = shown_again(typed);
        harmless(&shown);
        assert!(!shown.contains('\n'));
    }
}

fn codes(bytes: &[u8]) {
    let typed = text(bytes);
    let keys = derive::Keys::new(&[7; 32]).expect("a key");
    let (case, session) = (CaseId::new(2026, 4127), SessionId::parse("ses-1").expect("an id"));
    if keys.is_issued_code(case, &session, &typed) {
        assert!(could_be_a_code(&typed), "a right code is one that is looked at");
    }
    if saved::looks_like_one(&typed) {
        assert!(could_be_a_code(&typed));
        assert_eq!(typed.chars().filter(|c| !c.is_whitespace() && *c != '-').count(), 26);
    }
    assert!(!keys.is_pass(case, &session, &typed, i64::MAX));
    if keys.is_not_me_word(case, "e1", &typed) {
        assert_eq!(typed.trim().to_lowercase(), keys.not_me_word(case, "e1"));
    }
    if let Some(found) = derive::case_of(&typed) {
        assert_eq!(typed.len(), derive::TOKEN_LEN);
        let right = keys.token(derive::Page::Proof, found, &session);
        assert_eq!(keys.is_token(derive::Page::Proof, found, &session, &typed), right == typed);
    }
    let nobody = countersign::domain::register::Register::default();
    assert!(tokens::check(&nobody, &typed, now()).is_none(), "an empty register knows nobody");
}

fn policy(bytes: &[u8]) {
    let text = text(bytes);
    match Policy::parse(&text) {
        Ok(policy) => {
            assert_eq!(policy.sha256, Digest::of(text.as_bytes()));
            assert_eq!(Policy::parse(&text).expect("the same text"), policy);
            let assisted = countersign::domain::vocabulary::Path::Assisted;
            let least = policy.bundle.fewest_persons(Action::PasswordReset, assisted, countersign::domain::vocabulary::Tier::Privileged);
            assert!(least >= 2, "the floor of privileged cases");
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in &mistakes {
                harmless(&mistake.to_string());
            }
        }
    }
}

fn config(bytes: &[u8]) {
    let text = text(bytes);
    let none = std::collections::BTreeMap::new();
    if let Err(why) = ClientConfig::parse(&text, &none) {
        harmless(&why.to_string());
    }
    match ServerConfig::parse(&text, Path::new("/etc/countersign"), &none) {
        Ok(config) => assert!(config.listen.metrics.ip().is_loopback()),
        Err(why) => harmless(&why.to_string()),
    }
}

fn theme(bytes: &[u8]) {
    let text = text(bytes);
    match Theme::parse("mine.toml", &text) {
        Ok(theme) => harmless(&theme.name),
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in &mistakes {
                harmless(&mistake.to_string());
            }
        }
    }
    parse_style(&text).err().iter().for_each(|why| harmless(why));
}

fn keymap(bytes: &[u8]) {
    let text = text(bytes);
    match Keymap::parse("keys.toml", &text) {
        Ok(map) => assert!(countersign::console::action::Action::ALL.iter().all(|a| map.clash(*a).is_none()), "no two share keys"),
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in &mistakes {
                harmless(&mistake.to_string());
            }
        }
    }
    if let Some(key) = Key::parse(&text) {
        assert!(!key.to_string().contains(char::is_control));
    }
}

fn import(bytes: &[u8]) {
    for kind in [Kind::Persons, Kind::Subjects] {
        for format in [Format::Csv, Format::Json] {
            match import::read(kind, format, bytes) {
                Ok(rows) => {
                    assert!(rows.len() <= import::MAX_ROWS && rows.len() <= bytes.len());
                    assert!(rows.windows(2).all(|w| w[0].0 <= w[1].0), "lines go on");
                    rows.iter().filter_map(|(_, why)| why.as_ref()).for_each(|why| harmless(why));
                }
                Err(why) => harmless(&why.to_string()),
            }
        }
    }
}

fn stream(bytes: &[u8]) {
    // As the network might cut it: the first byte says where.
    let (cut, rest) = bytes.split_first().map_or((1, bytes), |(c, r)| (usize::from(*c).max(1), r));
    let read = |pieces: Vec<bytes::Bytes>| {
        let chunks = futures_util::stream::iter(pieces.into_iter().map(Ok));
        frames(chunks, "http://server".to_owned()).collect::<Vec<_>>().now_or_never().expect("nothing to wait for")
    };
    let whole: Vec<_> = read(vec![bytes::Bytes::copy_from_slice(rest)]);
    let pieces: Vec<_> = read(rest.chunks(cut).map(bytes::Bytes::copy_from_slice).collect());
    assert!(whole.len() <= rest.len() + 1);
    let good = |all: &[Result<countersign::client::News, _>]| all.iter().filter_map(|n| n.as_ref().ok().cloned()).collect::<Vec<_>>();
    assert_eq!(good(&whole), good(&pieces), "where the network cuts says nothing");
    whole.iter().filter_map(|n| n.as_ref().err()).for_each(|e| harmless(&e.to_string()));
}

fn webhook(bytes: &[u8]) {
    let subject = SubjectId::parse("okafor").expect("an id");
    if let Ok(nothing) = webhook::unknown(&Answer { status: 404, body: bytes.to_vec() }, &subject) {
        assert!(String::from_utf8_lossy(bytes).contains("known") && nothing.grants.is_empty(), "only the target's own words");
    }
    match webhook::read(&Answer { status: 200, body: bytes.to_vec() }, &subject) {
        Ok(held) => assert!(held.scope.len() + held.grants.len() <= webhook::MAX_HELD),
        Err(why) => harmless(&why.to_string()),
    }
}

fn addresses(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(address) = mail::address(&text) {
        assert!(text.len() <= 254 && !text.contains(char::is_control) && !text.contains(char::is_whitespace));
        assert_eq!(address.to_string(), text);
    }
    match Base::new(&text, Vec::new()) {
        Ok(base) => {
            assert!(base.as_str().starts_with("http"), "{text:?}");
            harmless(base.as_str());
        }
        Err(why) => harmless(&why.to_string()),
    }
}

fn mailbox(bytes: &[u8]) {
    let mail = countersign::console::mail::parse(&text(bytes));
    for line in [&mail.to, &mail.subject, &mail.date] {
        harmless(line);
        assert!(!line.contains('\n'));
    }
    harmless(&mail.body);
}

/// Whoever rebuilds the state from a log that was tampered with finds out, and doesn't fall over: entries, one after the other.
fn rebuilt(bytes: &[u8]) {
    let mut register = countersign::domain::register::Register::default();
    let mut whole: Option<Case> = None;
    for entry in serde_json::Deserializer::from_slice(bytes).into_iter::<Entry>().map_while(Result::ok).take(100) {
        match entry.body {
            Body::Register { event, .. } => register.apply(&event, entry.at),
            Body::Case { case, event, .. } => {
                let known = whole.as_ref().map(|c| (c.id, c.version));
                whole = Case::apply(whole, case, &event, entry.at);
                assert!(known.is_none() || whole.as_ref().is_some_and(|c| known.is_some_and(|(id, v)| c.id == id && c.version > v)));
            }
        }
    }
    let _ = whole.map(|case| (case.next_due(), case.live_grants().count(), case.taking_back()));
}

fn entries(bytes: &[u8]) {
    if let Ok(entry) = serde_json::from_slice::<Entry>(bytes)
        && let Ok(written) = canonical::to_vec(&entry)
    {
        let again: Entry = serde_json::from_slice(&written).expect("canonical bytes can be read");
        assert_eq!(again, entry);
        assert_eq!(canonical::to_vec(&again).expect("written"), written, "one entry has one form");
        assert!(bytes.len() > MAX_ENTRY || written.len() <= 2 * MAX_ENTRY + bytes.len() * 6);
    }
    rebuilt(bytes);
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes)
        && let Ok(written) = canonical::to_vec(&value)
    {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&written).expect("canonical bytes are JSON"), value);
    }
    let (size, nodes) = bytes.split_first_chunk::<8>().map_or((0, bytes), |(s, rest)| (u64::from_be_bytes(*s), rest));
    if let Ok(frontier) = Frontier::from_bytes(size, nodes) {
        assert_eq!((frontier.size(), frontier.to_bytes()), (size, nodes.to_vec()));
    }
}
