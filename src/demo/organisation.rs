//! The sample organisation: read from `assets/demo/organisation.toml` and turned into register changes and subjects.
//!
//! Contract: plain data; nothing is written here. Knows the register's and subjects' shapes and nothing about cases.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use serde::Deserialize;

use super::DemoError;
use super::target::state::{Account, Misbehaviour};
use crate::base::ids::{DelegationId, EndpointId, PersonId, ScopeId, SubjectId, TargetId};
use crate::base::{Time, Untrusted};
use crate::domain::event::RegisterChange;
use crate::domain::history::History;
use crate::domain::register::{Automation, Delegation, Operator, Person, Principal, Scope, Shift};
use crate::domain::subject::{Endpoint, Ownership, Subject};
use crate::domain::vocabulary::{Aal, EndpointKind, Environment, Ial, InventorySource, Role, Status, SubjectKind, Tier};
use crate::store::PersonDetails;

const TEXT: &str = include_str!("../../assets/demo/organisation.toml");
/// Domain of all its mail addresses: reserved, so that nothing ever leaves (RFC 2606 §3).
const DOMAIN: &str = "ferrol.example";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    staff: Vec<Staff>,
    automation: Vec<Bot>,
    delegation: Vec<Stand>,
    people: Vec<Human>,
    machines: Vec<Machine>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Staff {
    operator: String,
    name: String,
    roles: BTreeSet<Role>,
    #[serde(default)]
    groups: BTreeSet<crate::base::ids::GroupId>,
    team: String,
    employer: String,
    shift: Option<[u16; 2]>,
    same_as: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bot {
    id: String,
    owner: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stand {
    from: String,
    to: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Human {
    id: String,
    name: String,
    kind: Option<SubjectKind>,
    tier: Option<Tier>,
    aal: Aal,
    employer: Option<String>,
    status: Option<Status>,
    target: Option<String>,
    scopes: BTreeSet<ScopeId>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    id: String,
    kind: SubjectKind,
    name: String,
    tier: Option<Tier>,
    target: String,
    owner: Option<String>,
    inventory: Option<InventorySource>,
    environment: Option<Environment>,
    scopes: BTreeSet<ScopeId>,
    #[serde(default)]
    dependents: Vec<SubjectId>,
    misbehaves: Option<Misbehaviour>,
}

/// The organisation, ready to be founded.
pub struct Organisation {
    /// What it is called.
    pub name: String,
    /// What the founding ceremony sets up.
    pub changes: Vec<RegisterChange>,
    /// Names and addresses of its persons.
    pub people: Vec<PersonDetails>,
    /// Whose access it can restore.
    pub subjects: Vec<Subject>,
    /// Who stands in for whom, recorded by the one who delegates.
    pub delegations: Vec<(crate::base::ids::OperatorId, Delegation)>,
    /// What the sample target holds for them at first.
    pub accounts: BTreeMap<SubjectId, Account>,
}

/// The person behind an account or a name of the file: `p-` and the name.
pub fn person(name: &str) -> Result<PersonId, DemoError> {
    Ok(PersonId::parse(&format!("p-{name}"))?)
}

/// The targets the organisation has.
pub const TARGETS: [&str; 4] = ["directory", "vault", "ci", "cloud"];

impl Organisation {
    /// Reads it, as it stood for long before that time.
    pub fn read(now: Time) -> Result<Self, DemoError> {
        let file: File = toml::from_str(TEXT).map_err(|e| DemoError::Sample(e.to_string()))?;
        let mut out = Self {
            name: file.name,
            changes: Vec::new(),
            people: Vec::new(),
            subjects: Vec::new(),
            delegations: Vec::new(),
            accounts: BTreeMap::new(),
        };
        for staff in &file.staff {
            out.staff(staff, now)?;
        }
        for human in &file.people {
            out.human(human, now)?;
        }
        for machine in &file.machines {
            out.machine(machine, now)?;
        }
        let long_ago = long_ago(now);
        for bot in &file.automation {
            let owners = vec![Ownership { person: person(&bot.owner)?, since: long_ago, until: None }];
            let scopes = BTreeSet::from([Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry]);
            out.changes.push(RegisterChange::SetAutomation(Automation { id: bot.id.parse()?, owners, sponsors: Vec::new(), scopes, enabled: true }));
        }
        for (i, stand) in file.delegation.iter().enumerate() {
            let principal = |name: &str| Ok::<_, DemoError>(Principal::Person(person(name)?));
            let id = DelegationId::parse(&format!("del-{i}"))?;
            let delegation = Delegation { id, from: principal(&stand.from)?, to: principal(&stand.to)?, since: now, until: None };
            out.delegations.push((stand.from.parse()?, delegation));
        }
        Ok(out)
    }

    fn staff(&mut self, staff: &Staff, now: Time) -> Result<(), DemoError> {
        let id = person(staff.same_as.as_deref().unwrap_or(&staff.operator))?;
        if staff.same_as.is_none() {
            self.changes.push(RegisterChange::SetPerson(Person {
                id: id.clone(),
                employer: staff.employer.parse()?,
                team: Some(staff.team.parse()?),
                manager: None,
                shift: staff.shift.map(|[start, end]| Shift { start, end }),
                on_call: false,
                status: Status::Active,
            }));
            self.people.push(details(&id, &staff.name, &staff.operator, now));
        }
        let operator = Operator { id: staff.operator.parse()?, person: id, roles: staff.roles.clone(), groups: staff.groups.clone(), enabled: true };
        self.changes.push(RegisterChange::SetOperator(operator));
        Ok(())
    }

    fn human(&mut self, human: &Human, now: Time) -> Result<(), DemoError> {
        let id = person(&human.id)?;
        let employer = human.employer.as_deref().unwrap_or("ferrol");
        // Everybody but the chief executive reports to her; she reports to the finance chief, so that everybody can be attested.
        let manager = person(if human.id == "h.voss" { "c.marchetti" } else { "h.voss" })?;
        let status = human.status.unwrap_or(Status::Active);
        self.changes.push(RegisterChange::SetPerson(Person {
            id: id.clone(),
            employer: employer.parse()?,
            team: None,
            manager: Some(manager.clone()),
            shift: None,
            on_call: false,
            status: if status == Status::Retired { Status::Retired } else { Status::Active },
        }));
        self.people.push(details(&id, &human.name, &human.id, now));
        self.add(
            Subject {
                id: human.id.parse()?,
                kind: human.kind.unwrap_or(SubjectKind::Employee),
                name: Untrusted::from(human.name.as_str()),
                person: Some(id),
                tier: human.tier.unwrap_or(Tier::Standard),
                ial: if human.aal == Aal::Aal1 { Ial::None } else { Ial::Ial2 },
                aal: human.aal,
                status,
                employer: Some(employer.parse()?),
                owners: Vec::new(),
                manager: Some(manager),
                manager_since: Some(long_ago(now)),
                inventory: InventorySource::Hr,
                environment: Environment::Corporate,
                dependents: Vec::new(),
                entitlements: BTreeMap::from([(TargetId::parse(human.target.as_deref().unwrap_or("directory"))?, human.scopes.clone())]),
                endpoints: endpoints(&human.id, &human.id, now)?,
                history: History::default(),
            },
            None,
            now,
        );
        Ok(())
    }

    fn machine(&mut self, machine: &Machine, now: Time) -> Result<(), DemoError> {
        let owners =
            machine.owner.as_deref().map(|o| Ok::<_, DemoError>(Ownership { person: person(o)?, since: now - Duration::days(300), until: None }));
        let manager = machine.owner.as_deref().map(|_| person("h.voss"));
        self.add(
            Subject {
                id: machine.id.parse()?,
                kind: machine.kind,
                name: Untrusted::from(machine.name.as_str()),
                person: None,
                tier: machine.tier.unwrap_or(Tier::Standard),
                ial: Ial::None,
                aal: Aal::Aal1,
                status: Status::Active,
                employer: Some("ferrol".parse()?),
                owners: owners.into_iter().collect::<Result<_, _>>()?,
                manager: manager.transpose()?,
                manager_since: machine.owner.as_ref().map(|_| long_ago(now)),
                inventory: machine.inventory.unwrap_or(InventorySource::SecretsManager),
                environment: machine.environment.unwrap_or(Environment::Production),
                dependents: machine.dependents.clone(),
                entitlements: BTreeMap::from([(machine.target.parse()?, machine.scopes.clone())]),
                endpoints: endpoints(&machine.id, &format!("{}-owners", machine.id), now)?,
                history: History::default(),
            },
            machine.misbehaves,
            now,
        );
        Ok(())
    }

    /// Keeps a subject; at the target its credential is lost, so its account reaches nothing.
    fn add(&mut self, mut subject: Subject, misbehaves: Option<Misbehaviour>, now: Time) {
        let dated = |scopes: &BTreeSet<ScopeId>| scopes.iter().map(|scope| (scope.clone(), long_ago(now))).collect();
        subject.history.scopes = subject.entitlements.iter().map(|(target, scopes)| (target.clone(), dated(scopes))).collect();
        let mut account = Account::new(if subject.status == Status::Active { Status::Locked } else { subject.status }, BTreeSet::new());
        account.misbehaves = misbehaves;
        self.accounts.insert(subject.id.clone(), account);
        self.subjects.push(subject);
    }
}

/// When everything that lasts was recorded.
fn long_ago(now: Time) -> Time {
    now - Duration::days(400)
}

fn details(id: &PersonId, name: &str, mailbox: &str, now: Time) -> PersonDetails {
    let email = Some(Untrusted::from(format!("{mailbox}@{DOMAIN}")));
    PersonDetails { id: id.clone(), name: Untrusted::from(name), email, since: Some(long_ago(now)) }
}

/// Two confirmed addresses, set long ago (§4.2.1.2: at least two may be set).
fn endpoints(id: &str, mailbox: &str, now: Time) -> Result<Vec<Endpoint>, DemoError> {
    let endpoint = |suffix: &str, address: String| {
        Ok::<_, DemoError>(Endpoint {
            id: EndpointId::parse(&format!("{id}-{suffix}"))?,
            kind: EndpointKind::Email,
            address: Untrusted::from(address),
            recorded_at: now - Duration::days(250),
            confirmed_at: Some(now - Duration::days(250)),
        })
    };
    Ok(vec![endpoint("mail", format!("{mailbox}@{DOMAIN}"))?, endpoint("private", format!("{mailbox}@home.example"))?])
}
