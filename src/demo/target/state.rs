//! What the sample target holds and how orders change it: accounts, credentials by generation, grants; and how it can misbehave.
//!
//! Contract: [`World::take`] does an order once per webhook id. The file is written under another name first. Knows nothing about HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::TargetError;
use crate::base::Time;
use crate::base::ids::{ScopeId, SubjectId};
use crate::domain::vocabulary::{Action, Status};

/// The most webhook ids remembered; older ones are forgotten first.
const MAX_SEEN: usize = 100_000;

/// Everything a target holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct World {
    /// Accounts by subject.
    pub accounts: BTreeMap<SubjectId, Account>,
    /// Webhook ids that were done, oldest first.
    pub seen: Vec<String>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Whether it is in use.
    pub status: Status,
    /// What its credential reaches.
    pub scope: BTreeSet<ScopeId>,
    /// How many credentials it had.
    #[serde(default)]
    pub generation: u64,
    /// The order that changed it last.
    #[serde(default)]
    pub order: Option<String>,
    /// Temporary access.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// What it was before the last order, to go back to.
    #[serde(default)]
    pub before: Option<Box<Account>>,
    /// How it misbehaves.
    #[serde(default)]
    pub misbehaves: Option<Misbehaviour>,
}

/// Temporary access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Under which order.
    pub order: String,
    /// To what.
    pub scope: BTreeSet<ScopeId>,
    /// Until when.
    pub expires_at: Option<Time>,
}

/// How an account misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// Answers that it is done, and changes nothing.
    Nothing,
    /// Gives one scope more than was ordered.
    TooMuch,
    /// Refuses.
    Refuse,
    /// Does it, and answers late.
    Slow,
    /// Does it, and hangs up without an answer.
    HangUp,
    /// Does not do it and asks for patience, always.
    Unavailable,
    /// Answers that it ended a grant, and does not.
    KeepsGrants,
    /// Gives what was ordered and leaves the old credential in force.
    KeepsOld,
    /// Rotates no dependent.
    RotatesNothing,
}

/// How late a slow account answers: longer than anyone waits.
const SLOW: Duration = Duration::from_mins(1);

/// An order as it arrives.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// What to do.
    #[serde(rename = "type")]
    pub kind: String,
    /// With what.
    pub data: Order,
}

/// What an order says.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    /// Its reference.
    pub order: String,
    /// Whose account.
    pub subject: SubjectId,
    /// What.
    pub action: Action,
    /// To what extent.
    pub scope: BTreeSet<ScopeId>,
    /// Until when, for temporary access.
    pub expires_at: Option<Time>,
    /// Whether the old credential goes.
    #[serde(default)]
    pub revokes_old: bool,
    /// Accounts whose credentials are rotated too.
    #[serde(default)]
    pub rotates: BTreeSet<SubjectId>,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, now or before.
    Done {
        /// To be answered after that long.
        slow: Duration,
    },
    /// It was done, and is not answered.
    HangUp,
    /// It was not done; ask again.
    Unavailable,
    /// It won't be done.
    Refused(&'static str),
    /// There is no such account.
    Unknown,
}

impl Outcome {
    /// Whether the state may have changed.
    pub fn changed(self) -> bool {
        matches!(self, Self::Done { .. } | Self::HangUp)
    }
}

/// What it answers about an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldAnswer<'a> {
    subject: &'a SubjectId,
    status: Status,
    scope: &'a BTreeSet<ScopeId>,
    generation: u64,
    order: Option<&'a str>,
    grants: &'a [Grant],
}

impl Account {
    /// An account in that state with that scope.
    pub fn new(status: Status, scope: BTreeSet<ScopeId>) -> Self {
        Self { status, scope, generation: 1, order: None, grants: Vec::new(), before: None, misbehaves: None }
    }

    fn keep_before(&mut self) {
        let mut before = self.clone();
        before.before = None;
        self.before = Some(Box::new(before));
    }
}

impl World {
    /// Reads the state; a file that is missing is an empty world.
    pub fn read(path: &Path) -> Result<Self, TargetError> {
        let wrong = |why: String| TargetError::State { path: path.display().to_string(), why };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(wrong(e.to_string())),
        }
    }

    /// Writes the state whole, so that a reader sees the old or the new one.
    pub fn write(&self, path: &Path) -> Result<(), TargetError> {
        use std::io::Write as _;
        let wrong = |why: std::io::Error| TargetError::State { path: path.display().to_string(), why: why.to_string() };
        let bytes = serde_json::to_vec(self).map_err(|e| wrong(e.into()))?;
        let draft = path.with_extension("part");
        let mut file = std::fs::File::create(&draft).map_err(wrong)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(wrong)?;
        std::fs::rename(&draft, path).map_err(wrong)
    }

    /// What it holds for a subject.
    pub fn held<'a>(&'a self, subject: &'a SubjectId) -> Option<HeldAnswer<'a>> {
        let a = self.accounts.get(subject)?;
        Some(HeldAnswer { subject, status: a.status, scope: &a.scope, generation: a.generation, order: a.order.as_deref(), grants: &a.grants })
    }

    /// Does an order, once per webhook id.
    pub fn take(&mut self, id: &str, message: &Message) -> Outcome {
        let order = &message.data;
        let Some(account) = self.accounts.get_mut(&order.subject) else { return Outcome::Unknown };
        let manner = account.misbehaves;
        match manner {
            Some(Misbehaviour::Unavailable) => return Outcome::Unavailable,
            Some(Misbehaviour::Refuse) => return Outcome::Refused("this account is set to refuse"),
            _ => {}
        }
        let done = Outcome::Done { slow: if manner == Some(Misbehaviour::Slow) { SLOW } else { Duration::ZERO } };
        if self.seen.iter().any(|s| s == id) || manner == Some(Misbehaviour::Nothing) {
            return done;
        }
        let refusal = match message.kind.as_str() {
            "recovery.execute" => execute(account, order, manner),
            "recovery.revoke" => revoke(account, order, manner),
            "recovery.roll_back" => roll_back(account, order),
            _ => Some("no such kind of order"),
        };
        if let Some(why) = refusal {
            return Outcome::Refused(why);
        }
        if message.kind == "recovery.execute" && manner != Some(Misbehaviour::RotatesNothing) {
            for dependent in &order.rotates {
                if let Some(account) = self.accounts.get_mut(dependent) {
                    account.generation += 1;
                }
            }
        }
        if self.seen.len() >= MAX_SEEN {
            self.seen.drain(..MAX_SEEN / 10);
        }
        self.seen.push(id.to_owned());
        if manner == Some(Misbehaviour::HangUp) { Outcome::HangUp } else { done }
    }
}

fn execute(account: &mut Account, order: &Order, manner: Option<Misbehaviour>) -> Option<&'static str> {
    if account.status == Status::Retired {
        return Some("the account is retired");
    }
    if account.status == Status::Suspended && order.action != Action::AccountReactivation {
        return Some("the account is suspended");
    }
    account.keep_before();
    let newer = u64::from(manner != Some(Misbehaviour::KeepsOld));
    let mut scope = order.scope.clone();
    if manner == Some(Misbehaviour::TooMuch)
        && let Ok(more) = ScopeId::parse("everything")
    {
        scope.insert(more);
    }
    if order.expires_at.is_some() {
        account.grants.push(Grant { order: order.order.clone(), scope, expires_at: order.expires_at });
        account.generation += if order.revokes_old { newer } else { 0 };
        return None;
    }
    account.order = Some(order.order.clone());
    match order.action {
        Action::SecretRevocation => {
            account.scope.clear();
            account.generation += 1;
        }
        Action::AccountUnlock | Action::AccountReactivation => {
            account.status = Status::Active;
            account.scope = scope;
        }
        _ => {
            account.status = Status::Active;
            account.scope = scope;
            account.generation += newer;
        }
    }
    None
}

fn revoke(account: &mut Account, order: &Order, manner: Option<Misbehaviour>) -> Option<&'static str> {
    if manner != Some(Misbehaviour::KeepsGrants) {
        account.grants.retain(|g| g.order != order.order);
    }
    None
}

fn roll_back(account: &mut Account, order: &Order) -> Option<&'static str> {
    account.grants.retain(|g| g.order != order.order);
    if account.order.as_deref() == Some(order.order.as_str()) {
        let Some(before) = account.before.take() else { return Some("there is nothing to go back to") };
        let (grants, misbehaves) = (account.grants.clone(), account.misbehaves);
        *account = Account { grants, misbehaves, ..*before };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(misbehaves: Option<Misbehaviour>) -> World {
        let scope = BTreeSet::from([ScopeId::parse("login").unwrap()]);
        let account = Account { misbehaves, ..Account::new(Status::Locked, scope) };
        World { accounts: BTreeMap::from([(SubjectId::parse("a").unwrap(), account)]), seen: vec![] }
    }

    fn order(kind: &str, action: &str, expires: Option<&str>) -> Message {
        serde_json::from_value(serde_json::json!({
            "type": kind, "data": {"order": "cs-26-000001_1", "subject": "a", "action": action, "scope": ["login"], "expires_at": expires}
        }))
        .unwrap()
    }

    fn account(world: &World) -> &Account {
        &world.accounts[&SubjectId::parse("a").unwrap()]
    }

    #[test]
    fn an_order_is_done_once_and_can_be_undone() {
        let mut w = world(None);
        let before = account(&w).clone();
        for _ in 0..3 {
            assert!(w.take("x", &order("recovery.execute", "password_reset", None)).changed());
        }
        assert_eq!((account(&w).generation, account(&w).status), (2, Status::Active));
        w.take("y", &order("recovery.roll_back", "password_reset", None));
        assert_eq!(account(&w), &before);
    }

    #[test]
    fn a_grant_is_given_and_ended() {
        let mut w = world(None);
        w.take("x", &order("recovery.execute", "jit_access", Some("2026-01-01T00:00:00Z")));
        assert_eq!((account(&w).grants.len(), account(&w).generation), (1, 1));
        w.take("y", &order("recovery.revoke", "jit_access", None));
        assert!(account(&w).grants.is_empty());
    }

    #[test]
    fn misbehaviour_is_as_told() {
        let reset = order("recovery.execute", "password_reset", None);
        let take = |m| {
            let mut w = world(Some(m));
            let outcome = w.take("x", &reset);
            (outcome, account(&w).scope.len(), account(&w).generation)
        };
        let done = Outcome::Done { slow: Duration::ZERO };
        assert_eq!(take(Misbehaviour::Nothing), (done, 1, 1));
        assert_eq!(take(Misbehaviour::TooMuch), (done, 2, 2));
        assert_eq!(take(Misbehaviour::HangUp), (Outcome::HangUp, 1, 2));
        assert_eq!(take(Misbehaviour::Unavailable), (Outcome::Unavailable, 1, 1));
        assert!(matches!(take(Misbehaviour::Refuse), (Outcome::Refused(_), 1, 1)));
        assert!(matches!(take(Misbehaviour::Slow), (Outcome::Done { slow: SLOW }, 1, 2)));
    }

    #[test]
    fn the_state_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert_eq!(World::read(&path).unwrap(), World::default());
        world(Some(Misbehaviour::Slow)).write(&path).unwrap();
        assert_eq!(World::read(&path).unwrap(), world(Some(Misbehaviour::Slow)));
        std::fs::write(&path, "{\"accounts\":{},\"else\":1}").unwrap();
        assert!(World::read(&path).is_err());
    }
}
