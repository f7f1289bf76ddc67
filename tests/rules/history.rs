//! Invariants 5 and 10: what a record said until a moment ago is still gone by. What tightens counts at once, what widens or loosens once it is old
//! enough against the case's opening.

use std::sync::Arc;

use chrono::Duration;
use countersign::base::Time;
use countersign::domain::case::Worker;
use countersign::domain::command::Command;
use countersign::domain::history::{History, MAX_FORMER};
use countersign::domain::policy::Policy;
use countersign::domain::refusal::Refusal;
use countersign::domain::subject::Subject;
use countersign::domain::vocabulary::*;
use countersign::domain::{checklist, dates};

use crate::play::*;

/// As an import does.
fn import(play: &mut Play, change: impl FnOnce(&mut Subject)) {
    let known = play.world.subject.clone().unwrap();
    let mut new = Subject::clone(&known);
    change(&mut new);
    new.history = History::next(Some(&known), &new, None, play.now).unwrap();
    play.world.subject = Some(Arc::new(new));
}

fn age() -> Duration {
    Policy::builtin().bundle.base.min_endpoint_age.duration()
}

fn needed(play: &Play) -> u8 {
    checklist::requirement(&play.world).approvals.count
}

#[test]
fn invariant_10_a_scope_that_was_recorded_too_shortly_before_the_request_is_not_given_back() {
    let since = |play: &mut Play, at: Time| {
        let subject = Arc::make_mut(play.world.subject.as_mut().unwrap());
        subject.history.scopes.insert(id("crm"), [(id("read"), at)].into());
    };
    let mut play = Play::new(Tier::Standard);
    since(&mut play, start() - age() + Duration::seconds(1));
    let refused = play.ask(op("nadia"), &Command::Open(open(1, Path::Assisted)));
    let Err(Refusal::TooYoung(why)) = &refused else { panic!("{refused:?}") };
    let from = (start() + Duration::minutes(1)).format("%Y-%m-%d %H:%M UTC").to_string();
    assert!(why.starts_with("read in crm is recorded since ") && why.contains(&format!("in one made from {from} on")), "{why}");
    // What nobody knows the date of was there before dates were kept, and what is old enough is old enough.
    let mut asked = open(1, Path::Assisted);
    asked.route.scope = [id("write")].into();
    assert!(play.ask(op("nadia"), &Command::Open(asked)).is_ok());
    since(&mut play, start() - age());
    assert!(play.ask(op("nadia"), &Command::Open(open(1, Path::Assisted))).is_ok());
}

#[test]
fn invariant_10_a_scope_that_goes_and_comes_back_is_new_to_a_case_that_waits() {
    let drop_it = |s: &mut Subject| assert!(s.entitlements.get_mut(&id("crm")).unwrap().remove(&id("read")));
    let add_it = |s: &mut Subject| assert!(s.entitlements.get_mut(&id("crm")).unwrap().insert(id("read")));
    let mut play = Play::new(Tier::Standard);
    play.proofed(op("nadia"));
    import(&mut play, drop_it);
    assert_eq!(play.ask(op("nadia"), &Command::Seal), Err(Refusal::ScopeExceeds), "what is taken away counts at once");
    import(&mut play, add_it);
    assert!(matches!(play.ask(op("nadia"), &Command::Seal), Err(Refusal::TooYoung(_))));

    // Nor is it carried out, nor a case sent to what was recorded since.
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    import(&mut play, |s| assert!(s.entitlements.get_mut(&id("crm")).unwrap().insert(id("admin"))));
    let mut wider = route(Path::Assisted);
    wider.scope.insert(id("admin"));
    assert!(matches!(play.ask(op("nadia"), &Command::Route { route: wider }), Err(Refusal::TooYoung(why)) if why.starts_with("admin in crm")));
    import(&mut play, drop_it);
    import(&mut play, add_it);
    play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    assert_eq!(play.case().state, CaseState::Failed);
}

#[test]
fn invariant_05_a_record_made_easier_asks_no_less_of_a_case_that_is_open_or_opened_soon_after() {
    // Lowered a moment before the request, or as long ago as counts.
    for (before, count) in [(Duration::zero(), 2), (age() - Duration::seconds(1), 2), (age(), 1)] {
        let mut play = Play::new(Tier::Privileged);
        import(&mut play, |s| s.tier = Tier::Standard);
        play.now += before;
        play.open(op("nadia"), Path::Assisted);
        assert_eq!(needed(&play), count, "{before}");
    }
    // Lowered in an open case, it is as it was for as long as the case lives.
    let mut play = Play::new(Tier::Privileged);
    play.open(op("nadia"), Path::Assisted);
    play.now += age() + Duration::days(1);
    import(&mut play, |s| (s.tier, s.inventory) = (Tier::Standard, InventorySource::None));
    import(&mut play, |s| s.inventory = InventorySource::Hr);
    let need = checklist::requirement(&play.world);
    assert!(need.approvals.count == 2 && need.gates.contains(&Method::ManagerAttestation), "{need:?}");
    // And whoever asks why is told of the rules that it was judged by before, and until when.
    let (world, case) = (&play.world, play.case());
    let classes = world.pinned.classes(&world.current, world.subject.as_ref().unwrap(), (&case.route, &case.flags), case.request.opened_at);
    let said: Vec<_> = classes.iter().map(|(facts, until)| (facts.tier, facts.inventory, *until)).collect();
    let before = [(Tier::Privileged, InventorySource::Hr, Some(play.now)), (Tier::Standard, InventorySource::None, Some(play.now))];
    assert_eq!(said, [[(Tier::Standard, InventorySource::Hr, None)].as_slice(), &before].concat());
    // What tightens counts at once.
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    import(&mut play, |s| s.tier = Tier::Privileged);
    assert_eq!(needed(&play), 2);
}

#[test]
fn invariant_10_a_dependent_that_the_record_names_no_more_is_rotated_until_that_is_old_enough() {
    let rotated = |play: &Play| checklist::plan(&play.world).unwrap().rotates.iter().map(ToString::to_string).collect::<Vec<_>>();
    let two = |s: &mut Subject| s.dependents = vec![id("svc-a"), id("svc-b")];
    let one = |s: &mut Subject| s.dependents = vec![id("svc-a")];
    let mut asked = open(1, Path::Assisted);
    asked.route.action = Action::TokenReissue;
    // Removed a moment before the request, or as long ago as counts.
    for (before, all) in [(Duration::zero(), vec!["svc-a", "svc-b"]), (age(), vec!["svc-a"])] {
        let mut play = Play::new(Tier::Standard);
        import(&mut play, two);
        import(&mut play, one);
        play.now += before;
        play.act(op("nadia"), &Command::Open(asked.clone())).unwrap();
        assert_eq!(rotated(&play), all, "{before}");
    }
    // In an open case it is as it was for as long as the case lives; what is added counts at once, and what comes back is one again.
    let mut play = Play::new(Tier::Standard);
    import(&mut play, one);
    play.act(op("nadia"), &Command::Open(asked)).unwrap();
    import(&mut play, two);
    play.now += age() + Duration::days(1);
    import(&mut play, |s| s.dependents = Vec::new());
    assert_eq!(rotated(&play), ["svc-a", "svc-b"]);
    import(&mut play, one);
    let history = &play.world.subject.as_ref().unwrap().history;
    assert_eq!(history.released.keys().map(ToString::to_string).collect::<Vec<_>>(), ["svc-b"]);
    // A restore takes what either record named.
    let (old, was) = (play.world.subject.as_ref().unwrap(), Subject { dependents: vec![id("svc-c")], ..subject(Tier::Standard) });
    let both = History::narrowed(old, &was, play.now).released;
    assert_eq!(both.keys().map(ToString::to_string).collect::<Vec<_>>(), ["svc-b", "svc-c"]);
}

#[test]
fn former_facts_are_kept_once_each_and_a_record_that_would_need_too_many_is_refused() {
    let mut play = Play::new(Tier::Privileged);
    for tier in [Tier::Standard, Tier::Privileged, Tier::Standard, Tier::Privileged, Tier::Standard] {
        play.now += Duration::hours(1);
        import(&mut play, |s| s.tier = tier);
    }
    let former = &play.world.subject.as_ref().unwrap().history.former;
    assert_eq!(former.iter().map(|f| (f.tier, f.until)).collect::<Vec<_>>(), [(Tier::Privileged, play.now)], "and until when it last was so");
    let mut known = Subject::clone(play.world.subject.as_ref().unwrap());
    let mut refused = None;
    for environment in [Environment::Production, Environment::Staging] {
        for inventory in [InventorySource::Cmdb, InventorySource::Cloud, InventorySource::Manual] {
            for ial in [Ial::Ial2, Ial::Ial3, Ial::None] {
                let new = Subject { environment, inventory, ial, ..known.clone() };
                match History::next(Some(&known), &new, None, play.now) {
                    Ok(history) => known = Subject { history, ..new },
                    Err(why) => refused = Some(why),
                }
            }
        }
    }
    assert!(refused.is_some_and(|why| why.contains("changed too often")) && known.history.former.len() == MAX_FORMER);
    // What no case can be judged by any more is forgotten.
    let new = Subject { tier: Tier::Elevated, ..known.clone() };
    let later = play.now + Duration::days(500);
    assert_eq!(History::next(Some(&known), &new, None, later).unwrap().former.len(), 1);
}

#[test]
fn invariant_15_what_nobody_can_complete_today_is_said_with_why() {
    let mut play = Play::new(Tier::Standard);
    Arc::make_mut(play.world.subject.as_mut().unwrap()).aal = Aal::Aal2;
    play.world.dates = Arc::new(dates::Dates { codes: dates::SavedCodes::None, ..dates::Dates::default() });
    play.proofed(op("nadia"));
    let said = |play: &Play| {
        let items = checklist::progress(&play.world, play.now).items.clone();
        items.iter().filter_map(|item| checklist::blocked(&play.world, item, play.now)).collect::<Vec<_>>()
    };
    let why = said(&play).join(" | ");
    assert!(why.contains("The subject has no saved codes that are good") && why.contains("there is no page for it yet"), "{why}");
    Arc::make_mut(&mut play.world.dates).codes = dates::SavedCodes::Issued(start() - age());
    assert_eq!(said(&play), Vec::<String>::new());
    Arc::make_mut(&mut play.world.dates).codes = dates::SavedCodes::Issued(start());
    assert!(said(&play).join(" | ").contains("issued too shortly before the request"));
}
