//! What routing a case costs, in the same sentences wherever it is said.
//!
//! Contract: made of what the server said alone; names are sanitised where they are put in.

use super::case::{CaseDetail, ChecklistItem, ReceiptDetail, RoutePreview};

/// That the server is not set up for a case's target: what follows, and who mends it.
pub const NO_TARGET: &str = "This server is not set up for that target: nothing could be carried out there. Whoever runs it adds the target \
                             to its settings and starts it anew.";

impl RoutePreview {
    /// The most of what would end that is named one by one.
    const NAMED: usize = 3;

    /// What would end, as a sentence; none if nothing would.
    pub fn would_end(&self) -> Option<String> {
        let named: Vec<String> = self.ends.iter().take(Self::NAMED).map(|end| crate::base::text::sanitise(end, false)).collect();
        let more = self.ends.len().checked_sub(named.len()).filter(|more| *more > 0).map(|more| format!("; and {more} more"));
        let (what, again) = match self.ends.len() {
            1 => ("1 request that is waited for ends".to_owned(), "it has"),
            n => (format!("{n} requests that are waited for end"), "they have"),
        };
        (!named.is_empty()).then(|| format!("{what} ({}{}): {again} to be asked anew.", named.join("; "), more.unwrap_or_default()))
    }

    /// How what is needed stands: of a way that can't be gone, as the case stands now.
    pub fn stands(&self, item: &ChecklistItem) -> &'static str {
        match (&item.receipt, &self.problem) {
            (None, _) => "needed",
            (Some(_), None) => "still counts",
            (Some(_), Some(_)) => "done",
        }
    }

    /// What becomes of proofs, seal and approvals of a case that goes this way, and whether each is a loss; of a way that can't be gone nothing.
    pub fn becomes(&self, case: &CaseDetail) -> Vec<(bool, String)> {
        if self.problem.is_some() {
            return Vec::new();
        }
        let counts = |r: &&ReceiptDetail| self.checklist.items.iter().filter_map(|i| i.receipt.as_ref()).any(|after| after.id == r.id);
        let (kept, gone): (Vec<_>, Vec<_>) = case.checklist.items.iter().filter_map(|i| i.receipt.as_ref()).partition(counts);
        let mut all = Vec::new();
        if !gone.is_empty() {
            let methods = gone.iter().map(|r| r.method.label()).collect::<Vec<_>>().join(", ");
            all.push((
                true,
                match gone.len() {
                    1 => format!("1 proof given so far ({methods}) counts no more: it has to be given anew."),
                    n => format!("{n} proofs given so far ({methods}) count no more: they have to be given anew."),
                },
            ));
        }
        all.extend(self.would_end().map(|ends| (true, ends)));
        if case.seal.is_some() {
            all.push((true, "The seal goes: it has to be sealed and approved anew.".to_owned()));
        }
        let live = case.approvals.iter().filter(|a| a.void.is_none()).count();
        if live > 0 {
            all.push((true, voids(live)));
        }
        match kept.len() {
            0 => {}
            1 => all.push((false, "1 proof given so far still counts.".to_owned())),
            n => all.push((false, format!("{n} proofs given so far still count."))),
        }
        all
    }
}

/// What becomes of the approvals that count now.
pub fn voids(live: usize) -> String {
    match live {
        0 => "No approval counts yet.".to_owned(),
        1 => "The approval that counts now becomes void, visibly.".to_owned(),
        n => format!("{n} approvals that count now become void, visibly."),
    }
}
