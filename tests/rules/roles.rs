//! The access table and the rules agree: what the table gives a role or a scope, `decide` gives it somewhere, and nothing that it doesn't.

use std::collections::BTreeSet;

use countersign::domain::access::Operation;
use countersign::domain::case::ActorRef;
use countersign::domain::command::{Actor, Command, Context};
use countersign::domain::decide::decide;
use countersign::domain::refusal::Refusal;
use countersign::domain::register::{Operator, Scope};
use countersign::domain::vocabulary::*;

use crate::play::*;
use crate::table::{commands, reach};

/// Cases in every state, held and not; and a sealed one for which a group that a security reviewer belongs to was picked.
fn plays() -> Vec<Play> {
    let mut out: Vec<Play> = CaseState::ALL.iter().map(|s| reach(*s)).collect();
    for state in CaseState::ALL {
        let mut held = reach(*state);
        held.now += chrono::Duration::minutes(2);
        held.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
        out.push(held);
    }
    let mut picked = Play::new(Tier::Standard);
    let mut request = open(1, Path::Assisted);
    request.route.picked_groups.insert(id("security"));
    picked.act(op("nadia"), &Command::Open(request)).unwrap();
    picked.act(op("nadia"), &triage()).unwrap();
    picked.code();
    picked.act(op("nadia"), &Command::Seal).unwrap();
    out.push(picked);
    out
}

/// Every command of the table, and the opening of a new case, which is asked where there is none.
fn admitted(actor: &Actor, account: Option<&Operator>) -> BTreeSet<&'static str> {
    let mut out = BTreeSet::new();
    for mut play in plays() {
        if let Some(account) = account {
            play.register(|r| {
                let mut person = r.persons[&id("lind")].clone();
                person.id = account.person.clone();
                r.persons.insert(person.id.clone(), person);
                r.operators.insert(account.id.clone(), account.clone());
            });
        }
        for (_, _, command) in commands(&mut play) {
            let Some(operation) = Operation::of(&command) else { continue };
            let mut world = play.world.clone();
            if matches!(command, Command::Open(_)) {
                world.case = None;
            }
            let answer = decide(&world, &command, &Context { now: play.now, actor: actor.clone(), request: None });
            let barred = matches!(answer, Err(Refusal::NotPermitted { .. } | Refusal::RoleMissing { .. } | Refusal::Held));
            if !barred {
                out.insert(operation.code());
            }
        }
    }
    out
}

/// The operations that the table gives and that a command on a case asks for. Taking back is for whoever approved, whatever the role.
fn given(holds: impl Fn(Operation) -> bool) -> BTreeSet<&'static str> {
    let mut play = reach(CaseState::Sealed);
    let asked: BTreeSet<Operation> = commands(&mut play).iter().filter_map(|(_, _, c)| Operation::of(c)).collect();
    asked.into_iter().filter(|o| *o != Operation::ApprovalTakeBack && holds(*o)).map(Operation::code).collect()
}

#[test]
fn the_rules_admit_a_role_to_what_the_access_table_gives_it_and_to_nothing_else() {
    for role in Role::ALL {
        let account = Operator { id: id("probe"), person: id("probe"), roles: [*role].into(), groups: [id("security")].into(), enabled: true };
        let actor = actor(op("probe"));
        assert_eq!(admitted(&actor, Some(&account)), given(|o| o.row().roles.contains(role)), "{role}");
    }
}

#[test]
fn invariant_06_the_rules_admit_software_to_what_its_one_scope_gives_it_and_to_nothing_else() {
    for scope in [Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry] {
        let who = ActorRef::Automation { automation: id("bot"), on_behalf_of: Vec::new() };
        let actor = Actor { who, scopes: [scope].into(), read_only: false };
        let mut expected = given(|o| o.row().scopes.contains(&scope));
        // The cases here were opened by someone else: its own are tried where cases end.
        expected.remove("case_withdraw");
        assert_eq!(admitted(&actor, None), expected, "{scope:?}");
    }
}
