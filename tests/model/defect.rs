//! Defects, seeded around the production rules: each falsifies what the rules are told, or what becomes of their answer.
//!
//! Contract: no switch in production code; a defect changes the world before `decide` or the case after it.

use std::sync::Arc;

use countersign::domain::case::Case;
use countersign::domain::command::{Command, World};
use countersign::domain::register::Register;
use countersign::domain::seal;
use countersign::domain::vocabulary::{CaseState, Duty};

use super::play::{id, start};

/// A seeded defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    NoDelegationClosure,
    LinkedCaseDropsLineage,
    NewEvidenceKeepsApprovals,
    StaleApprovalAccepted,
    QuorumCountsAccounts,
    RevokedDelegationForgotten,
    PolicyLoosenedMidCase,
    BotNotTiedToItsOwner,
    ApproveFirstRouteLater,
    RoutingRecordOverwritable,
    AccountsComparedInsteadOfPersons,
}

impl Defect {
    pub const ALL: &'static [Self] = &[
        Self::NoDelegationClosure,
        Self::LinkedCaseDropsLineage,
        Self::NewEvidenceKeepsApprovals,
        Self::StaleApprovalAccepted,
        Self::QuorumCountsAccounts,
        Self::RevokedDelegationForgotten,
        Self::PolicyLoosenedMidCase,
        Self::BotNotTiedToItsOwner,
        Self::ApproveFirstRouteLater,
        Self::RoutingRecordOverwritable,
        Self::AccountsComparedInsteadOfPersons,
    ];

    /// As what the judge notices it.
    pub fn shows_as(self) -> &'static str {
        match self {
            Self::StaleApprovalAccepted => "something unseen was approved",
            Self::NewEvidenceKeepsApprovals | Self::ApproveFirstRouteLater | Self::QuorumCountsAccounts | Self::PolicyLoosenedMidCase => {
                "it was executed without two humans' approval of what stands"
            }
            Self::RoutingRecordOverwritable => "the lineage shrank",
            _ => "someone with a hand in it decided",
        }
    }

    /// Falsifies what the rules are told.
    pub fn tell(self, world: &mut World) {
        let register = Arc::make_mut(&mut world.register);
        match self {
            Self::NoDelegationClosure => register.delegations.clear(),
            Self::RevokedDelegationForgotten => register.delegations.retain(|d| d.until.is_none()),
            Self::BotNotTiedToItsOwner => register.automations.values_mut().for_each(|a| a.owners.clear()),
            Self::QuorumCountsAccounts => own_person(register, "lind-two"),
            Self::AccountsComparedInsteadOfPersons => own_person(register, "nadia-sup"),
            Self::PolicyLoosenedMidCase => world.pinned = world.current.clone(),
            Self::LinkedCaseDropsLineage => world.linked.clear(),
            _ => {}
        }
    }

    /// Falsifies what is decided: a decision on an older seal is passed off as one on the seal that stands.
    pub fn ask(self, command: &mut Command, case: &Case) {
        if let (Self::StaleApprovalAccepted, Command::Decide(decision), Some(seal)) = (self, command, &case.seal) {
            decision.seal = seal.sha256;
            decision.version = case.changed;
        }
    }

    /// Falsifies what became of the answer. `before` is the case as it stood, `world` holds the case after.
    pub fn keep(self, command: &Command, before: Option<&Case>, world: &mut World) {
        let Some(before) = before.filter(|c| matches!(c.state, CaseState::Sealed | CaseState::Approved)) else {
            if let (Self::RoutingRecordOverwritable, Command::Route { .. }, Some(case)) = (self, command, world.case.as_mut()) {
                let case = Arc::make_mut(case);
                case.hands.retain(|h| h.duty != Duty::Router || h.who == super::play::human("lee"));
                case.lineage.retain(|e| e.duty != Duty::Router || e.person == id("lee"));
            }
            return;
        };
        let keeps = matches!(
            (self, command),
            (Self::NewEvidenceKeepsApprovals, Command::AddEvidence { .. }) | (Self::ApproveFirstRouteLater, Command::Route { .. })
        );
        if let Some(case) = world.case.as_mut().filter(|_| keeps) {
            let case = Arc::make_mut(case);
            case.state = before.state;
            case.approvals.clone_from(&before.approvals);
            case.times = before.times.clone();
            reseal(world);
        }
    }
}

fn own_person(register: &mut Register, account: &str) {
    let mut person = register.persons[&id("lee")].clone();
    person.id = id(account);
    register.persons.insert(person.id.clone(), person);
    if let Some(operator) = register.operators.get_mut(&id(account)) {
        operator.person = id(account);
    }
}

/// Gives the case a new seal and pretends that its approvals were given on it.
fn reseal(world: &mut World) {
    let by = super::play::op("lee");
    let Ok((plan, seal)) = seal::make(world, 9, &by, start()) else { return };
    if let Some(case) = world.case.as_mut() {
        let case = Arc::make_mut(case);
        for approval in &mut case.approvals {
            approval.seal = seal.sha256;
        }
        case.plan = Some(plan);
        case.seal = Some(seal);
    }
}
