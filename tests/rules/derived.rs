//! What follows from a world is kept, and never given for another one.

use std::sync::Arc;

use chrono::Duration;
use countersign::base::Time;
use countersign::domain::command::World;
use countersign::domain::derived::Derived;
use countersign::domain::policy::Policy;
use countersign::domain::standing::Standing;
use countersign::domain::vocabulary::Tier;
use countersign::domain::{checklist, lineage, seal};
use proptest::prelude::*;
use proptest::sample::select;

use super::play::{Play, op};
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
    let stricter = Arc::new(Policy::builtin());
    let mut register = (*world.register).clone();
    register.operators.values_mut().for_each(|o| o.enabled = false);
    let mut other = Play::new(Tier::Privileged);
    other.proofed(op("nadia"));
    let parts: [(&str, Change<'_>); 5] = [
        ("case", &|w| w.case = other.world.case.clone()),
        ("no case", &|w| w.case = None),
        ("linked", &|w| w.linked.extend(other.world.case.clone())),
        ("subject", &|w| w.subject = other.world.subject.clone()),
        ("register", &|w| w.register = Arc::new(register.clone())),
    ];
    for (name, change) in parts {
        let mut changed = world.clone();
        change(&mut changed);
        let after = told(&changed, now);
        assert_eq!(after, anew(&changed, now), "{name}");
        assert!(name == "linked" || after != before, "{name} was changed and nothing else was said");
        assert_eq!(told(&world, now), before, "{name}: a copy's change is the copy's alone");
    }
    let again = World { current: stricter.clone(), pinned: stricter, ..world.clone() };
    assert_eq!(told(&again, now), anew(&again, now));
}
