//! Founds the sample organisation in an empty store and plays its cases.
//!
//! Contract: all through the service; afterwards the clock runs with the real one. Knows nothing about servers or terminals.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;

use super::bulk::{self, Bulk};
use super::clock::DemoClock;
use super::organisation::{self, Organisation};
use super::player::Player;
use super::target::state::{Account, World};
use super::{DemoError, story};
use crate::base::Time;
use crate::base::ids::{AutomationId, OperatorId, SubjectId};
use crate::domain::case::{ActorRef, Worker};
use crate::domain::command::{Actor, RegisterCommand};
use crate::domain::event::RegisterChange;
use crate::domain::policy::{DEFAULT, Policy};
use crate::domain::register::{Holder, Token};
use crate::domain::subject::Subject;
use crate::domain::vocabulary::Status;
use crate::proofing;
use crate::service::register::Beside;
use crate::service::{Ask, Service, ServiceError};

/// How far in the past the sample organisation was founded.
pub const FOUNDED_DAYS: i64 = 21;
/// How long before that its people got the saved codes that lie in their drawers.
const CARDS_DAYS: i64 = 8;
/// How far in the past it was founded where many cases of the past year are to be filled in.
const BULK_DAYS: i64 = 390;
/// Who founded it.
const FOUNDERS: [&str; 2] = ["e.morgan", "j.dubois"];
/// Accounts the user of the demo can be, in the order in which they are offered.
pub const IDENTITIES: [&str; 7] = ["nadia", "d.ruiz", "a.lindqvist", "nadia.deputy", "m.chen", "e.morgan", "tom.becker"];
/// The routing bot; its token acts for nobody but its owner.
pub const BOT: &str = "triage-bot";

/// A filled store and what goes with it.
pub struct Filled {
    /// Tokens by account or automation, as they are presented.
    pub tokens: BTreeMap<String, String>,
    /// What the sample target holds.
    pub world: World,
    /// Saved codes in subjects' drawers.
    pub cards: Vec<Card>,
    /// The organisation's name.
    pub name: String,
}

/// The card in a subject's drawer.
pub struct Card {
    /// Where it is shown in the demo: the subject's mailbox.
    pub to: String,
    /// Whose it is.
    pub name: String,
    /// The code on it.
    pub code: String,
    /// Since when it lies there.
    pub since: Time,
}

/// Founds the organisation: persons, accounts, automations, subjects.
async fn found(service: &Service) -> Result<Organisation, DemoError> {
    let mut organisation = Organisation::read(service.now())?;
    let policy = Policy::builtin();
    let by = [organisation::person(FOUNDERS[0])?, organisation::person(FOUNDERS[1])?];
    let beside = Beside { people: std::mem::take(&mut organisation.people), policy: Some((policy.sha256, DEFAULT.to_owned())), ..Beside::default() };
    let changes = std::mem::take(&mut organisation.changes);
    service.govern(&Ask::system(Worker::Host), &RegisterCommand::Found { changes, by, policy: policy.sha256 }, &beside).await?;
    record(service, &organisation.subjects).await?;
    Ok(organisation)
}

/// Gives each subject that can come back a saved recovery code, kept as a hash; returns them as the cards that lie in their drawers.
async fn hand_out_cards(service: &Service, subjects: &[Subject]) -> Result<Vec<Card>, DemoError> {
    let mut cards = Vec::new();
    for subject in subjects.iter().filter(|s| s.status != Status::Retired) {
        let Some(endpoint) = subject.endpoints.first() else { continue };
        let Some(code) = service.issue_so_many(&subject.id, 1).await?.pop() else { continue };
        let (to, name) = (endpoint.address.raw().to_owned(), subject.name.line());
        cards.push(Card { to, name, code: code.to_string(), since: service.now() });
    }
    Ok(cards)
}

/// As one of the organisation's people.
async fn ask_as(service: &Service, operator: &OperatorId) -> Result<Ask, DemoError> {
    let register = service.store.register().await.map_err(ServiceError::from)?;
    let person = register.person_of(operator).map(|p| p.id.clone()).ok_or_else(|| DemoError::Sample(format!("{operator} is nobody")))?;
    let who = ActorRef::Operator { operator: operator.clone(), person };
    Ok(Ask::by(Actor { who, scopes: std::collections::BTreeSet::new(), read_only: false }))
}

async fn change(service: &Service, ask: &Ask, change: RegisterChange) -> Result<(), DemoError> {
    service.govern(ask, &RegisterCommand::Change { id: service.fresh("prp")?, change }, &Beside::default()).await?;
    Ok(())
}

/// Someone stands in for someone, for a while that still counts (invariant 2).
async fn delegate(service: &Service, organisation: &Organisation) -> Result<(), DemoError> {
    for delegation in &organisation.delegations {
        let mut delegation = delegation.clone();
        (delegation.1.since, delegation.1.until) = (service.now(), None);
        change(service, &ask_as(service, &delegation.0).await?, RegisterChange::Delegate(delegation.1)).await?;
    }
    Ok(())
}

/// The stand-ins end, and everybody gets a token, which they issue themselves.
async fn hand_over(service: &Service, organisation: &Organisation) -> Result<BTreeMap<String, String>, DemoError> {
    let owner = OperatorId::parse(FOUNDERS[0])?;
    for (_, delegation) in &organisation.delegations {
        let end = RegisterChange::RevokeDelegation { delegation: delegation.id.clone(), at: service.now() };
        change(service, &ask_as(service, &owner).await?, end).await?;
    }
    let mut tokens = BTreeMap::new();
    for name in IDENTITIES {
        let operator = OperatorId::parse(name)?;
        let issue = token(service, name, Holder::Operator(operator.clone()), &mut tokens)?;
        change(service, &ask_as(service, &operator).await?, issue).await?;
    }
    let issue = token(service, BOT, Holder::Automation(AutomationId::parse(BOT)?), &mut tokens)?;
    change(service, &ask_as(service, &OperatorId::parse(IDENTITIES[0])?).await?, issue).await?;
    Ok(tokens)
}

/// Records subjects as an import does.
pub async fn record(service: &Service, subjects: &[crate::domain::subject::Subject]) -> Result<(), DemoError> {
    for batch in subjects.chunks(500) {
        service.record_subjects(batch.to_vec()).await?;
    }
    Ok(())
}

/// Founds and plays everything, with so many further cases.
pub async fn fill(
    service: Arc<Service>,
    keys: proofing::Keys,
    clock: Arc<DemoClock>,
    cases: u64,
    progress: &(dyn Fn(&'static str, usize, usize) + Sync),
) -> Result<Filled, DemoError> {
    let real_now = service.now() + founded_before(cases);
    let organisation = found(&service).await?;
    // Before anything is asked for: a set of codes that is younger than policy's minimum age proves nothing.
    let cards = hand_out_cards(&service, &organisation.subjects).await?;
    let live = bulk::live_of(cases);
    let bulk = if cases > 0 { Some(Bulk::new(Arc::clone(&service), keys.clone(), Arc::clone(&clock), cases).await?) } else { None };
    let story_days = Duration::days(FOUNDED_DAYS);
    if let Some(bulk) = &bulk {
        bulk.history(cases - live, real_now - story_days - Duration::hours(6), &|done, of| progress("filling", done, of)).await?;
    }
    clock.lead_to(real_now - story_days);
    delegate(&service, &organisation).await?;
    let stories = story::read()?;
    let acts = story::schedule(&stories, real_now)?;
    let mut player = Player::new(Arc::clone(&service), keys.clone(), Arc::clone(&clock), organisation.accounts.clone());
    player.play(&stories, &acts, &|done, of| progress("playing the sample cases", done, of)).await?;
    clock.catch_up();
    if cases > 0 {
        // The register moved on since.
        Bulk::resume(Arc::clone(&service), keys, clock, cases).await?.live(cases - live, live).await?;
    }
    let tokens = hand_over(&service, &organisation).await?;
    Ok(Filled { tokens, world: world(player.accounts), cards, name: organisation.name })
}

/// How long before now the organisation was founded.
pub fn founded_before(cases: u64) -> Duration {
    Duration::days(if cases > 0 { BULK_DAYS } else { FOUNDED_DAYS + CARDS_DAYS })
}

fn world(accounts: BTreeMap<SubjectId, Account>) -> World {
    World { accounts, ..World::default() }
}

/// A token for an account, for as long as the built-in policy lets one live.
fn token(service: &Service, name: &str, holder: Holder, tokens: &mut BTreeMap<String, String>) -> Result<RegisterChange, DemoError> {
    let minted = service.mint()?;
    tokens.insert(name.to_owned(), minted.presented);
    let issued_at = service.now();
    Ok(RegisterChange::IssueToken(Token {
        id: minted.id,
        holder,
        on_behalf_of: Vec::new(),
        secret_sha256: minted.secret_sha256,
        issued_at,
        expires_at: issued_at + Duration::days(30),
        revoked_at: None,
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::demo::host::Demo;
    use crate::domain::view::QueueQuery;
    use crate::domain::vocabulary::CaseState;

    #[tokio::test]
    async fn the_sample_cases_are_played_by_the_rules_and_stand_in_many_states() {
        let mut demo = Demo::prepare(0).await.unwrap();
        let tokens = demo.fill(&|_, _, _| ()).await.unwrap();
        assert_eq!(tokens.len(), IDENTITIES.len() + 1);
        let page = demo.service.store.queue(&QueueQuery { limit: 200, ..QueueQuery::default() }).await.unwrap();
        assert!(page.rows.len() >= 55, "{}", page.rows.len());
        let states: BTreeSet<CaseState> = page.rows.iter().map(|r| r.state).collect();
        for state in [CaseState::New, CaseState::Proofing, CaseState::Sealed, CaseState::Approved, CaseState::Restored, CaseState::Closed] {
            assert!(states.contains(&state), "no case is {state}: {states:?}");
        }
        for state in [CaseState::Denied, CaseState::Withdrawn, CaseState::NoChangeNeeded, CaseState::Failed] {
            assert!(states.contains(&state), "no case is {state}: {states:?}");
        }
        assert!(page.rows.iter().any(|r| r.held));
        assert_eq!(demo.service.store.verify(&|_, _| ()).await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn many_cases_go_through_the_same_commit_and_stand_up_to_the_doctor() {
        let mut demo = Demo::prepare(300).await.unwrap();
        demo.fill(&|_, _, _| ()).await.unwrap();
        let counts = demo.service.store.counts(None).await.unwrap();
        assert!(counts.log > 2_000, "{counts:?}");
        assert_eq!(demo.service.store.verify(&|_, _| ()).await.unwrap(), Vec::<String>::new());
    }
}
