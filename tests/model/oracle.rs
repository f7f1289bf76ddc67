//! The judge: what must never happen, worked out from what truly happened, without asking the rules.
//!
//! Contract: knows the organisation by heart (who is whose account, who owns the bot, who delegated to whom); never calls `lineage`.

use std::collections::BTreeSet;

use super::state::State;

/// The human behind an account.
pub fn human(account: &str) -> &'static str {
    match account {
        "nadia" | "nadia-sup" => "nadia",
        "lind" | "lind-two" => "lind",
        "omar" => "omar",
        "ruiz" => "ruiz",
        "sato" => "sato",
        "tess" => "tess",
        "vega" => "vega",
        _ => "lee",
    }
}

/// Who must not decide either case: the subject, everyone with a hand in it or in the other one, which is of the same subject and target,
/// and whoever is tied to them by the one delegation there was, revoked or not.
pub fn barred(state: &State) -> BTreeSet<&'static str> {
    let mut out: BTreeSet<&'static str> = state.hands[0].union(&state.hands[1]).copied().collect();
    out.insert("sam");
    if out.contains("nadia") || out.contains("ruiz") {
        out.extend(["nadia", "ruiz"]);
    }
    out
}

/// Notes a decision on a case that was accepted.
pub fn decided(state: &mut State, n: usize, account: &str, of_what_stands: bool) {
    let person = human(account);
    if barred(state).contains(person) {
        state.broken = Some("someone with a hand in it decided");
    }
    if !of_what_stands {
        state.broken = Some("something unseen was approved");
    }
    state.approved[n].insert(person);
}

/// Notes that execution began: two humans, none with a hand in it, approved exactly what stands (the case's own policy asks for two).
pub fn began(state: &mut State, n: usize) {
    if state.approved[n].len() < 2 {
        state.broken = Some("it was executed without two humans' approval of what stands");
    }
    if !state.approved[n].is_disjoint(&barred(state)) {
        state.broken = Some("it was executed on the approval of someone with a hand in it");
    }
}
