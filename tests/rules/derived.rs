//! What follows from a world is kept, and never given for another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;
use countersign::base::Time;
use countersign::base::ids::CaseId;
use countersign::domain::case::LineageEntry;
use countersign::domain::command::World;
use countersign::domain::dates::{Dates, SavedCodes};
use countersign::domain::derived::Derived;
use countersign::domain::mailboxes::{Mailboxes, Readers};
use countersign::domain::policy::{DEFAULT, Policy};
use countersign::domain::standing::Standing;
use countersign::domain::vocabulary::{Duty, Path, Tier};
use countersign::domain::{checklist, lineage, seal};
use proptest::prelude::*;
use proptest::sample::select;

use super::play::{Play, id, op, start, triage};
use super::properties::{PEOPLE, step};

/// Everything that is kept, as text.
fn told(world: &World, now: Time) -> String {
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        checklist::requirement(world),
        lineage::lineage(world, now),
        Standing::of(world, now),
        checklist::progress(world, now),
        checklist::sealed_progress(world, now),
        seal::broken(world, now),
    )
}

/// The same, worked out from the same parts by a world that keeps nothing yet.
fn anew(world: &World, now: Time) -> String {
    told(&World { derived: Derived::default(), ..world.clone() }, now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_what_would_be_worked_out_anew(steps in proptest::collection::vec((0_u8..24, select(PEOPLE)), 1..30)) {
        let mut play = Play::sealed(Tier::Standard);
        for (what, who) in steps {
            step(&mut play, what, who);
            for later in [0, 1, 600, 86_400, 0] {
                let now = play.now + Duration::seconds(later);
                prop_assert_eq!(told(&play.world, now), anew(&play.world, now));
            }
        }
    }
}

type Change<'a> = &'a dyn Fn(&mut World);

#[test]
fn whoever_puts_another_part_into_a_world_asks_anew() {
    let play = Play::sealed(Tier::Standard);
    let now = play.now;
    let world = play.world.clone().shared();
    let before = told(&world, now);
    let text =
        DEFAULT.replace("receipt_lifetime = \"24 h\"", "receipt_lifetime = \"6 h\"").replace("min_record_age = \"7 d\"", "min_record_age = \"30 d\"");
    let stricter = Arc::new(Policy::parse(&text).unwrap());
    let hands = Readers { persons: [id("nadia"), id("lind")].into(), more: false };
    let mailboxes = Arc::new(Mailboxes { endpoints: [(id("mail-1"), hands)].into(), attesters: BTreeMap::new() });
    let dates = Arc::new(Dates { codes: SavedCodes::None, record: Some(start() - Duration::days(1)), ..Dates::default() });
    let mut touched = (**world.case.as_ref().unwrap()).clone();
    touched.id = CaseId::new(2026, 77);
    touched.lineage.insert(LineageEntry { person: id("vega"), duty: Duty::EvidenceEditor, via: None, case: None });
    let touched = Arc::new(touched);
    let mut register = (*world.register).clone();
    register.operators.values_mut().for_each(|o| o.enabled = false);
    let mut other = Play::new(Tier::Privileged);
    other.proofed(op("nadia"));
    let parts: [(&str, Change<'_>); 8] = [
        ("case", &|w| w.case = other.world.case.clone()),
        ("no case", &|w| w.case = None),
        ("linked", &|w| w.linked.push(touched.clone())),
        ("subject", &|w| w.subject = other.world.subject.clone()),
        ("register", &|w| w.register = Arc::new(register.clone())),
        ("policy in force", &|w| w.current = stricter.clone()),
        ("policy it was opened under", &|w| w.pinned = stricter.clone()),
        ("mailboxes", &|w| w.mailboxes = mailboxes.clone()),
    ];
    for (name, change) in parts {
        let mut changed = world.clone();
        change(&mut changed);
        let after = told(&changed, now);
        assert_eq!(after, anew(&changed, now), "{name}");
        assert_ne!(after, before, "{name} was changed and nothing else was said");
        assert_eq!(told(&world, now), before, "{name}: a copy's change is the copy's alone");
    }
    let mut begun = Play::new(Tier::Standard);
    begun.open(op("nadia"), Path::Assisted);
    begun.act(op("nadia"), &triage()).unwrap();
    let world = begun.world.clone().shared();
    let before = told(&world, now);
    let changed = World { dates, ..world };
    assert_ne!(told(&changed, now), before, "dates");
    assert_eq!(told(&changed, now), anew(&changed, now), "dates");
}
