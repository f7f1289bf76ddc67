//! Founds the sample organisation in an empty store and plays its cases.
//!
//! Contract: all through the service; afterwards the clock runs with the real one. Knows nothing about servers or terminals.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;

use super::clock::DemoClock;
use super::organisation::{self, Organisation};
use super::player::Player;
use super::target::state::{Account, World};
use super::{DemoError, story};
use crate::base::ids::{AutomationId, OperatorId, SubjectId};
use crate::base::{Digest, Time};
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::event::RegisterChange;
use crate::domain::policy::{DEFAULT, Policy};
use crate::domain::register::{Holder, Token};
use crate::proofing;
use crate::service::register::Beside;
use crate::service::{Ask, Service};

/// How far in the past the sample organisation was founded.
pub const FOUNDED_DAYS: i64 = 21;
/// Who founded it.
const FOUNDERS: [&str; 2] = ["e.morgan", "j.dubois"];
/// Accounts the user of the demo can be, in the order in which they are offered.
pub const IDENTITIES: [&str; 6] = ["nadia", "d.ruiz", "a.lindqvist", "nadia.deputy", "m.chen", "e.morgan"];
/// The routing bot; its token acts for nobody but its owner.
pub const BOT: &str = "triage-bot";

/// A filled store and what goes with it.
pub struct Filled {
    /// Tokens by account or automation, as they are presented.
    pub tokens: BTreeMap<String, String>,
    /// What the sample target holds.
    pub world: World,
    /// Saved codes in subjects' drawers: address, code, since when.
    pub cards: Vec<(String, String, Time)>,
    /// The organisation's name.
    pub name: String,
}

/// Founds the organisation: persons, accounts, automations, delegations, tokens, subjects. Returns tokens and accounts of the target.
pub async fn found(service: &Service) -> Result<(BTreeMap<String, String>, Organisation), DemoError> {
    let mut organisation = Organisation::read(service.now())?;
    let mut tokens = BTreeMap::new();
    let policy = Policy::builtin();
    let mut changes = organisation.changes.clone();
    for name in IDENTITIES {
        changes.push(token(service, name, Holder::Operator(OperatorId::parse(name)?), &mut tokens)?);
    }
    changes.push(token(service, BOT, Holder::Automation(AutomationId::parse(BOT)?), &mut tokens)?);
    let by = [organisation::person(FOUNDERS[0])?, organisation::person(FOUNDERS[1])?];
    let ask = Ask::system(Worker::Host);
    let beside = Beside { people: std::mem::take(&mut organisation.people), policy: Some((policy.sha256, DEFAULT.to_owned())), ..Beside::default() };
    service.govern(&ask, &RegisterCommand::Found { changes, by, policy: policy.sha256 }, &beside).await?;
    record(service, &organisation.subjects).await?;
    Ok((tokens, organisation))
}

/// Records subjects as an import does.
pub async fn record(service: &Service, subjects: &[crate::domain::subject::Subject]) -> Result<(), DemoError> {
    let ask = Ask::system(Worker::Host);
    for batch in subjects.chunks(500) {
        let digest = |s: &crate::domain::subject::Subject| Digest::of_value("subject", s).map_err(|e| DemoError::Sample(e.to_string()));
        let named = batch.iter().map(|s| Ok((s.id.clone(), digest(s)?))).collect::<Result<Vec<(SubjectId, Digest)>, DemoError>>()?;
        let beside = Beside { subjects: batch.to_vec(), ..Beside::default() };
        service.govern(&ask, &RegisterCommand::RecordSubjects { subjects: named }, &beside).await?;
    }
    Ok(())
}

/// Founds and plays everything.
pub async fn fill(
    service: Arc<Service>,
    keys: proofing::Keys,
    clock: Arc<DemoClock>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Filled, DemoError> {
    let (tokens, organisation) = found(&service).await?;
    let stories = story::read()?;
    let real_now = service.now() + Duration::days(FOUNDED_DAYS);
    let acts = story::schedule(&stories, real_now)?;
    let mut player = Player::new(service, keys, Arc::clone(&clock), organisation.accounts);
    player.play(&stories, &acts, progress).await?;
    clock.catch_up();
    Ok(Filled { tokens, world: world(player.accounts), cards: player.cards, name: organisation.name })
}

fn world(accounts: BTreeMap<SubjectId, Account>) -> World {
    World { accounts, ..World::default() }
}

/// A token for an account, as long as the built-in policy lets one live: some days on the real clock.
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
        let mut demo = Demo::prepare(false).await.unwrap();
        let tokens = demo.fill(&|_, _| ()).await.unwrap();
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
}
