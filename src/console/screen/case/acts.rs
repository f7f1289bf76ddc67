//! What can be done to a case: which action asks for a form, a pick or a confirmation, and what is sent.
//!
//! Contract: whether something is allowed is the server's word (`allowed_actions`, `refused_actions`); nothing final goes out unconfirmed.

use super::Case;
use super::forms::{Purpose, who_remains};
use super::pages::clean;
use crate::api::case::{CaseDetail, ChecklistItem, Startable};
use crate::api::requests::{AddFlag, Assign, StartProof};
use crate::api::words::{CaseState, Decision, FlagKind, Method};
use crate::base::ids::OperatorId;
use crate::client::Write;
use crate::console::action::{Action, Applies};
use crate::console::effect::Order;
use crate::console::model::{Place, Shared, Tone};
use crate::console::overlay::{Choice, Confirmation, Picker};
use crate::console::screen::give;

/// What the server says about an operation.
pub(super) fn applies(case: &CaseDetail, action: Action) -> Applies {
    let Some(code) = action.row().operation else { return Applies::Yes };
    match case.refused_actions.iter().find(|r| r.action == code) {
        Some(refused) => Applies::No(clean(&refused.reason)),
        None => Applies::Yes,
    }
}

/// Everything that can be started, with the item of the checklist it is for and that item's number; over a held case, every contact.
fn startable(case: &CaseDetail) -> Vec<(usize, Option<&ChecklistItem>, &Startable)> {
    if let Some(hold) = &case.hold {
        return hold.contacts.iter().map(|way| (0, None, way)).collect();
    }
    let items = case.checklist.items.iter().enumerate();
    items.flat_map(|(n, i)| i.startable.iter().map(move |way| (n + 1, Some(i), way))).collect()
}

/// What is picked from to start a proof, or to reach somebody over a held case: what the server refuses now stands with its reason.
fn ways(case: &CaseDetail) -> Vec<Choice> {
    // Which requirement a way is for says something only where there are several.
    let several = case.hold.is_none() && case.checklist.items.iter().filter(|i| !i.startable.is_empty()).count() > 1;
    let note = |n: usize, item: Option<&ChecklistItem>| match item.filter(|_| several) {
        None => String::new(),
        Some(item) if item.gate => "the gate beside the proofs".to_owned(),
        Some(_) => format!("item {n} of the checklist"),
    };
    // What the subject can do from where it is comes first; a saved code is for whoever has kept one; what can't be started now is last.
    let mut ways = startable(case);
    ways.sort_by_key(|(n, _, way)| (way.refused.is_some(), *n, way.method == Method::SavedCode));
    let choice = |(n, item, way): (usize, Option<&ChecklistItem>, &Startable)| Choice {
        refused: way.refused.as_deref().map(clean),
        ..Choice::new(name(way), label(way), note(n, item))
    };
    ways.into_iter().map(choice).collect()
}

/// What a flag does, before it is sent.
fn raises(case: &CaseDetail) -> Vec<String> {
    let live = case.approvals.iter().filter(|a| a.void.is_none()).count();
    let sealed = matches!(case.row.state, CaseState::Sealed | CaseState::Approved);
    let void = match (sealed, live) {
        (false, _) => "The case is not sealed: no approval becomes void by it.".to_owned(),
        (true, 0) => "Where policy asks for more then, the case must be sealed anew. No approval counts yet.".to_owned(),
        (true, 1) => "Where policy asks for more then, the approval that counts now becomes void, visibly.".to_owned(),
        (true, n) => format!("Where policy asks for more then, the {n} approvals that count now become void, visibly."),
    };
    vec!["It can't be taken back, and stands in the log with your name.".to_owned(), "It may raise what is required, never ease it.".to_owned(), void]
}

/// By what a way is known while it is picked: never by its place, which may be another's once the case has changed.
fn name(way: &Startable) -> String {
    let endpoint = way.endpoint.as_ref().map_or("", |e| e.as_str());
    format!("{} {endpoint} {}", way.method.code(), way.attester.as_ref().map_or("", |a| a.as_str()))
}

/// What is started, with the recorded address where the words don't name it.
pub(super) fn label(way: &Startable) -> String {
    let words = clean(&way.label);
    match &way.endpoint {
        Some(endpoint) if !words.contains(endpoint.as_str()) => format!("{words} ({endpoint})"),
        _ => words,
    }
}

impl Case {
    pub(super) fn do_act(&mut self, shared: &mut Shared, place: Place, action: Action) {
        if let Some(purpose) = Purpose::of(action) {
            return self.open(shared, purpose);
        }
        let (Some(id), Some(case)) = (self.id, self.seen.as_deref()) else { return };
        match action {
            Action::Approve => shared.go(Place::Approve(id, Decision::Approve)),
            Action::Deny => shared.go(Place::Approve(id, Decision::Deny)),
            Action::RouteCase => shared.go(Place::Route(Some(id))),
            Action::NewCase => shared.go(Place::Route(None)),
            Action::WhyPolicy => shared.go(Place::Policy(Some(id))),
            Action::Prove => {
                let ways = ways(case);
                if ways.is_empty() {
                    shared.say(Tone::Info, case.checklist.next.as_deref().map_or_else(|| "There is no proof to start now.".into(), clean));
                } else {
                    let title = if case.you_cannot_decide.is_empty() && case.hold.is_none() {
                        let me = shared.me.as_ref().and_then(|m| m.operator.as_ref());
                        let others = case.could_decide.operators.iter().filter(|o| Some(*o) != me).count();
                        format!("Start a proof for good: you can't decide then; others who could: {others}")
                    } else if case.hold.is_some() {
                        "Reach somebody over the held case, for good: who is asked is told at once".to_owned()
                    } else {
                        "Start a proof, for good: who is asked is told at once".to_owned()
                    };
                    shared.pick(Picker::new("prove", title, ways));
                }
            }
            Action::AssignMe => {
                if let Some(me) = shared.me.as_ref().and_then(|m| m.operator.clone()) {
                    self.assign(shared, Some(me));
                }
            }
            Action::LetGo => self.assign(shared, None),
            Action::AssignTo => {
                give::offer(shared, (place, id), &mut self.asked_whom);
            }
            Action::Flag => {
                let kinds = FlagKind::ALL.iter().filter(|k| case.flags.iter().all(|f| f.kind != **k));
                let kinds = kinds.map(|k| Choice::new(k.code(), k.label(), "")).collect();
                shared.pick(Picker::new("flag", "What did you notice? It may void approvals, never ease anything", kinds));
            }
            Action::Seal | Action::Retry | Action::CloseCase => self.confirm_plain(shared, place, action),
            _ => {}
        }
    }

    fn assign(&mut self, shared: &mut Shared, operator: Option<OperatorId>) {
        if let Some(case) = &self.seen {
            shared.undo.knew(&case.row);
        }
        let said = if operator.is_some() { "Given." } else { "Anyone can take it now." };
        self.send(shared, Write::Assign(Assign { operator }), said, None);
    }

    /// Acts without a text that still can't be undone.
    fn confirm_plain(&mut self, shared: &mut Shared, place: Place, action: Action) {
        let Some(case) = self.seen.as_deref() else { return };
        let id = case.row.id;
        let me = shared.me.as_ref().and_then(|m| m.operator.as_ref());
        let (write, question, lines, label, done) = match action {
            Action::Seal => {
                let costs = if case.you_cannot_decide.is_empty() {
                    format!("You give up deciding it: whoever seals has a hand in the case. {}", who_remains(case, me))
                } else {
                    who_remains(case, None)
                };
                let lines = vec![
                    "Plan, evidence, checklist, policy and lineage are sealed as they are now.".to_owned(),
                    format!("Needed: {}.", clean(&case.approvals_needed)),
                    format!("Carried out {}.", super::pages::carried_out(case, false)),
                    costs,
                ];
                (Write::Seal, format!("Request approval of {id}?"), lines, "seal it", "Sealed: approval is requested.")
            }
            Action::Retry => {
                let lines = vec!["The very plan that was approved is carried out again, checked anew first.".to_owned()];
                (Write::Retry, format!("Try {id} again?"), lines, "try again", "It is being tried again.")
            }
            _ => {
                let grants = case.grants.iter().filter(|g| g.revoked_at.is_none()).count();
                let lines = vec![format!("The case ends. Live grants that end with it: {grants}.")];
                (Write::Close, format!("Close {id}?"), lines, "close it", "Closed.")
            }
        };
        self.ask_first(shared, place, (question, lines, label), (write, done, None));
    }

    fn ask_first(
        &mut self,
        shared: &mut Shared,
        place: Place,
        (question, lines, label): (String, Vec<String>, &str),
        (write, done, draft): (Write, &'static str, Option<String>),
    ) {
        let Some((id, version)) = self.seen.as_ref().map(|c| (c.row.id, c.row.version)) else { return };
        let form = self.open.as_ref().filter(|_| draft.is_some()).map(|open| open.number);
        let order = Order { draft, ..shared.order(write, Some(id), Some(version)) };
        let words = self.open.as_ref().filter(|_| form.is_some()).map(|open| clean(open.form.value(open.purpose.main_field())));
        self.asking = Some((done, form));
        let own = words.map(|words| format!("Your words: {words}"));
        shared.confirm(Confirmation { own, ..Confirmation::new(question, lines, label, place, order) });
    }

    /// Sends what the open form says, after a confirmation where it can't be undone.
    pub(super) fn submit(&mut self, shared: &mut Shared) {
        let (Some(open), Some(case)) = (&mut self.open, self.seen.as_deref()) else { return };
        let id = case.row.id;
        if self.writing.waits() {
            return shared.say(Tone::Info, "Still sending.");
        }
        let write = match open.purpose.write(&open.form) {
            Ok(write) => write,
            Err((field, sentence)) => {
                open.form.mistake(field, &sentence);
                return;
            }
        };
        let (purpose, draft) = (open.purpose, open.purpose.draft(id));
        match purpose.question(case, &open.form) {
            Some((question, lines, label)) => {
                self.ask_first(shared, Place::Case(id), (question, lines, label), (write, purpose.done(), Some(draft)));
            }
            None => self.send(shared, write, purpose.done(), Some(draft)),
        }
    }

    pub(super) fn do_picked(&mut self, shared: &mut Shared, purpose: &str, value: &str) {
        let Some(case) = self.seen.as_deref() else { return };
        match purpose {
            "prove" => {
                let way = startable(case).into_iter().map(|(_, _, way)| way).find(|way| name(way) == value);
                let proof = way.map(|w| StartProof { method: w.method, endpoint: w.endpoint.clone(), attester: w.attester.clone() });
                match proof {
                    Some(proof) => {
                        let held = case.hold.is_some();
                        let answered = "Started: it was sent. You will see here when it is answered; lift-hold lifts the hold then.";
                        let proved = "Started: it was sent. You will see here when it is proved.";
                        self.send(shared, Write::Proof(proof), if held { answered } else { proved }, None);
                    }
                    None => shared.say(Tone::Bad, "The case changed meanwhile: that can't be started any more. Nothing was sent."),
                }
            }
            "assign" => match value.parse::<OperatorId>() {
                Ok(operator) => self.assign(shared, Some(operator)),
                Err(why) => shared.say(Tone::Bad, format!("That is no account: {why}.")),
            },
            "flag" => {
                if let Ok(kind) = value.parse::<FlagKind>() {
                    let place = Place::Case(case.row.id);
                    let question = format!("Flag {}: {}?", case.row.id, kind.label());
                    self.ask_first(shared, place, (question, raises(case), "flag it"), (Write::Flag(AddFlag { kind }), "The flag is noted.", None));
                }
            }
            _ => {}
        }
    }
}
