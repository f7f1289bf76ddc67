//! The one table of what a user can do: name, keys, where it applies, help. Hints, `?`, the palette and the keymap all come from it.
//!
//! Contract: an action that is not in this table does not exist. To add one: a row here, and an arm in the `act` of the screens it names
//! (or in `update::everywhere`). Knows no screen's inside; whether it applies to what is selected is asked of the screen.

/// Where an action applies: one bit a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(u16);

impl Scope {
    /// Signing in.
    pub const SIGN_IN: Self = Self(1);
    /// The queue.
    pub const QUEUE: Self = Self(1 << 1);
    /// A case.
    pub const CASE: Self = Self(1 << 2);
    /// The approvals inbox.
    pub const APPROVALS: Self = Self(1 << 3);
    /// Approving or denying.
    pub const APPROVE: Self = Self(1 << 4);
    /// Opening or routing a case.
    pub const ROUTE: Self = Self(1 << 5);
    /// The policy.
    pub const POLICY: Self = Self(1 << 6);
    /// The log.
    pub const LOG: Self = Self(1 << 7);
    /// Everybody's mail (demo).
    pub const MAILBOX: Self = Self(1 << 8);
    /// What happened: errors and confirmations.
    pub const MESSAGES: Self = Self(1 << 9);
    /// Help.
    pub const HELP: Self = Self(1 << 10);
    /// While a form has the keys.
    pub const FORM: Self = Self(1 << 11);
    /// Screens whose rows can be narrowed by words.
    pub const FOUND: Self = Self(0b11_0000_1010);
    /// Temporary access.
    pub const GRANTS: Self = Self(1 << 12);
    /// Where temporary access is shown.
    pub const ACCESS: Self = Self(0b1_0000_0000_0100);
    /// Every screen that has a list or text to move in.
    pub const LIST: Self = Self(0b111_0111_1111_1110);
    /// A proposal.
    pub const PROPOSAL: Self = Self(1 << 13);
    /// Proposals that wait.
    pub const PROPOSALS: Self = Self(1 << 14);
    /// A proposal, and the list of them.
    pub const PROPOSED: Self = Self(0b110_0000_0000_0000);
    /// Screens with something to open: lists of cases, rows that lead to a case, proposals.
    pub const OPENS: Self = Self(0b101_0000_1100_1010);
    /// The queue and a case.
    pub const WORK: Self = Self(0b110);
    /// A case and the inbox of those who decide.
    pub const DECIDE: Self = Self(0b1100);
    /// Screens with several pages side by side.
    pub const TABS: Self = Self(0b1_0000_0000_1100);
    /// Every screen but forms and signing in.
    pub const ANY: Self = Self::LIST;
    /// All screens, without exception.
    pub const ALL: Self = Self(0b111_1111_1111_1111);

    /// Whether the two share a screen.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name: what is typed after `:` and written in keymaps.
    pub name: &'static str,
    /// Where it applies.
    pub scope: Scope,
    /// Default keys.
    pub keys: &'static [&'static str],
    /// A word or two for the hints; empty if it is not hinted.
    pub hint: &'static str,
    /// A sentence for help and palette.
    pub help: &'static str,
    /// Whether it changes something on the server: refused when only reading is wanted.
    pub writes: bool,
    /// The server's operation code, where the case says whether it is allowed (`allowed_actions`).
    pub operation: Option<&'static str>,
    /// What can't be undone once it is done: what it is, and why, as it follows "because". Said before it is sent and when undo is tried.
    pub never: Option<(&'static str, &'static str)>,
}

impl Row {
    /// What is said before an act that can't be undone.
    pub fn before(&self) -> Option<String> {
        self.never.map(|(_, why)| format!("It can't be undone because {why}."))
    }
}

const GONE: &str = "it ends the case; a new one inherits its lineage";
const SAID: &str = "what was said stays in the log";
const HAND: &str = "a hand in a case is for good: lineage only grows";

macro_rules! actions {
    ($($action:ident, $name:literal, $scope:expr, [$($key:literal),*], $hint:literal, $help:literal $(, writes $(= $operation:literal)?)? $(, never $what:literal $why:expr)?;)+) => {
        /// Something a user can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $(#[doc = $help] $action,)+ }
        impl Action {
            /// Every action, in the order of hints and help.
            pub const ALL: &'static [Self] = &[$(Self::$action,)+];
            /// Its row of the table.
            pub const fn row(self) -> &'static Row {
                match self { $(Self::$action => {
                    const ROW: Row = Row {
                        name: $name, scope: $scope, keys: &[$($key),*], hint: $hint, help: $help,
                        writes: actions!(@writes $(writes $(= $operation)?)?), operation: actions!(@operation $(writes $(= $operation)?)?),
                        never: actions!(@never $($what, $why)?),
                    };
                    &ROW
                })+ }
            }
        }
    };
    (@never) => { None };
    (@never $what:literal, $why:expr) => { Some(($what, $why)) };
    (@writes) => { false };
    (@writes writes $(= $operation:literal)?) => { true };
    (@operation) => { None };
    (@operation writes) => { None };
    (@operation writes = $operation:literal) => { Some($operation) };
}

actions! {
    Open, "open", Scope::OPENS, ["enter"], "open", "Open the selected case, proposal or proposed policy";
    TakeNext, "take-next", Scope::QUEUE, ["n"], "take next", "Take the most urgent case that nobody works on", writes = "take_next";
    Prove, "prove", Scope::CASE, ["p"], "prove", "Start a proof that the checklist asks for", writes = "proof_start",
        never "The proof" "who is asked is told at once";
    Triage, "triage", Scope::CASE, ["t"], "triage", "Record what failed, how it was seen, and who owns triage and remedy", writes = "case_triage",
        never "Triage" HAND;
    Seal, "request-approval", Scope::CASE, ["s"], "request approval", "Seal the case and ask for approval", writes = "case_seal",
        never "The seal" "whoever seals has a hand in the case for good; reopen opens it again";
    Approve, "approve", Scope::DECIDE, ["d a"], "approve", "See all that would be signed, and approve it; or see why you can't";
    Deny, "deny", Scope::DECIDE, ["d d"], "deny", "See all that would be signed, and deny it; or see why you can't",
        never "The denial" GONE;
    ApproveProposal, "approve-proposal", Scope::PROPOSED, ["d a"], "approve", "Approve the proposal that is shown or selected; it is asked once more",
        writes = "proposal_approve", never "Your approval of the proposal" "an approval stays given; end-proposal stops what is proposed, until it counts";
    EndProposal, "end-proposal", Scope::PROPOSED, ["d d"], "refuse", "Refuse the proposal that is shown or selected, or withdraw your own",
        writes = "proposal_end", never "The end of the proposal" "what is over must be proposed anew";
    Evidence, "add-evidence", Scope::CASE, ["e"], "evidence", "Keep a piece of evidence", writes = "case_evidence",
        never "Evidence" "what is kept stays, and so does whose hand it is from";
    Comment, "comment", Scope::CASE, ["c"], "comment", "Say something; commenting is not routing", writes = "case_comment",
        never "The comment" SAID;
    HandOver, "hand-over", Scope::CASE, ["o"], "", "Leave a note for whoever works on it next", writes = "case_handover",
        never "The note" SAID;
    Decide, "send-decision", Scope::APPROVE, ["s"], "send", "Send the decision; it is asked once more", writes = "case_decide";
    Reason, "write-reason", Scope::APPROVE, ["e", "enter"], "reason", "Write the reason, which is required";
    AssignMe, "assign", Scope::WORK, ["a"], "assign", "Take the selected case yourself", writes = "case_assign";
    AssignTo, "assign-to", Scope::WORK, ["A"], "", "Give the selected case to someone", writes = "case_assign";
    LetGo, "let-go", Scope::WORK, ["L"], "", "Let the selected case go, so that others can take it", writes = "case_assign";
    NextTab, "next-tab", Scope::TABS, ["tab", "l", "right"], "next page", "To the next page of this screen";
    PreviousTab, "previous-tab", Scope::TABS, ["shift-tab", "h", "left"], "", "To the page of this screen before";
    Tab1, "first-page", Scope::TABS, ["1"], "", "To the first page of this screen: overview, what waits for you, or what lives";
    Tab2, "second-page", Scope::TABS, ["2"], "", "To the second page: checklist, held cases, or what has ended";
    Tab3, "third-page", Scope::TABS, ["3"], "", "To the third page: evidence and notes, or flagged cases";
    Tab4, "fourth-page", Scope::TABS, ["4"], "", "To the fourth page: approvals and seal, or cases to look back at";
    Tab5, "fifth-page", Scope::DECIDE, ["5"], "", "To the fifth page: the timeline, or proposals";
    RouteCase, "route", Scope::CASE, ["r"], "", "Send the case another way; shows first what that costs you", writes = "case_route",
        never "The route" HAND;
    NewCase, "new-case", Scope::WORK, ["N"], "new case", "Open a case; shows first what routing costs you", writes,
        never "Opening the case" "whoever opens a case has routed it; withdraw ends it, the lineage stays";
    WhyPolicy, "why-policy", Scope::CASE, ["w"], "", "What policy asks of this case, and why";
    NoChange, "no-change", Scope::CASE, ["x n"], "", "End it: there is nothing to recover", writes = "case_no_change",
        never "The end of the case" GONE;
    Reopen, "reopen", Scope::CASE, ["x o"], "", "Open the sealed case again; voids every approval", writes = "case_reopen",
        never "Opening it again" "every approval is void by it";
    TakeBack, "take-back", Scope::CASE, ["x a"], "", "Take your approval back, while nothing was executed", writes = "approval_take_back",
        never "Taking the approval back" "what is void stays void";
    Withdraw, "withdraw", Scope::CASE, ["x w"], "", "Withdraw the request", writes = "case_withdraw",
        never "The end of the case" GONE;
    Retry, "retry", Scope::CASE, ["x t"], "", "Carry the same plan out again after a failure", writes = "case_retry",
        never "Trying again" "the target is told at once";
    RollBack, "roll-back", Scope::CASE, ["x b"], "", "Undo what was done; of a closed case once it is held", writes = "case_roll_back",
        never "Undoing it in the target" "the target is told at once";
    CloseCase, "close", Scope::CASE, ["x c"], "", "Close the case", writes = "case_close",
        never "Closing the case" "it ends the case, and what was given with it";
    Hold, "hold", Scope::CASE, ["x h"], "", "Freeze the case: nothing moves until security lifts it", writes = "case_hold",
        never "The freeze" "only security lifts it, after contact on another channel";
    LiftHold, "lift-hold", Scope::CASE, ["x l"], "", "Lift the freeze, after contact on another channel", writes = "case_lift_hold",
        never "Lifting the freeze" "the case moves on by it; hold freezes it again";
    Flag, "flag", Scope::CASE, ["x f"], "", "Note an anomaly; it may raise what is required, never lower it", writes = "case_flag",
        never "The flag" "what was noticed stays on the case";
    Review, "review", Scope::CASE, ["x v"], "", "Write down the look back after restoration", writes = "case_review",
        never "The look back" SAID;
    Revoke, "revoke", Scope::ACCESS, ["x g"], "end it", "End a temporary access now, with a reason", writes = "grant_revoke",
        never "Ending the access" "the target is told at once; access anew takes a new case";
    Follow, "follow-case", Scope::LOG, ["f"], "this case only", "Show only the entries of the selected entry's case, or all again";
    Filter, "filter", Scope::FOUND, ["/"], "filter", "Narrow the list while you type: in queue and approvals by how names, ids, targets and case numbers begin, and by fields (risk:high subject:vault-* mine !ended); where none begins so, loaded rows that hold the letters in order";
    Unfilter, "unfilter", Scope::FOUND, ["backspace"], "", "Show what you began with";
    Views, "views", Scope::QUEUE, ["v"], "views", "Choose a saved view";
    SaveView, "save-view", Scope::QUEUE, ["V"], "", "Save filter and sorting as a view";
    RemoveView, "remove-view", Scope::QUEUE, [], "", "Remove a saved view";
    SortDue, "sort-due", Scope::QUEUE, ["s d"], "", "Sort by deadline, soonest first";
    SortRisk, "sort-risk", Scope::QUEUE, ["s r"], "", "Sort by risk, highest first";
    SortOpened, "sort-opened", Scope::QUEUE, ["s o"], "", "Sort by opening, newest first";
    SortUpdated, "sort-updated", Scope::QUEUE, ["s u"], "", "Sort by last change, newest first";
    Preview, "preview", Scope::QUEUE, ["p"], "", "Show or hide the selected case beside the queue";
    Down, "down", Scope::LIST, ["j", "down"], "", "Down";
    Up, "up", Scope::LIST, ["k", "up"], "", "Up";
    PageDown, "page-down", Scope::LIST, ["ctrl-d", "pgdn"], "", "Half a page down";
    PageUp, "page-up", Scope::LIST, ["ctrl-u", "pgup"], "", "Half a page up";
    First, "first", Scope::LIST, ["g g", "home"], "", "To the beginning";
    Last, "last", Scope::LIST, ["G", "end"], "", "To the end";
    Submit, "submit", Scope::FORM, ["ctrl-s"], "send", "Send what the form says";
    NextField, "next-field", Scope::FORM, ["tab"], "next field", "To the next field";
    PreviousField, "previous-field", Scope::FORM, ["shift-tab"], "", "To the previous field";
    Editor, "editor", Scope::FORM, ["ctrl-e"], "editor", "Write this text in $EDITOR";
    Cancel, "cancel", Scope::FORM, ["esc"], "back", "Leave the form; what was typed is kept as a draft";
    Copy, "copy", Scope::ANY, ["y"], "", "Copy what is selected (id, link, message)";
    Back, "back", Scope::ANY, ["esc"], "", "Back to where you were";
    Undo, "undo", Scope::ANY, ["u"], "", "Take back the last thing you did here, or be told why it can't be";
    GoQueue, "queue", Scope::ANY, ["g q"], "", "To the queue";
    GoApprovals, "approvals", Scope::ANY, ["g a"], "", "To the cases that wait for your decision";
    GoProposals, "proposals", Scope::ANY, ["g o"], "", "To the proposals: changes of policy, people and accounts that wait to be approved";
    GoGrants, "grants", Scope::ANY, ["g r"], "", "To the temporary access that lives";
    GoPolicy, "policy", Scope::ANY, ["g p"], "", "To the policy";
    GoLog, "log", Scope::ANY, ["g l"], "", "To the log";
    GoMailbox, "mailbox", Scope::ANY, ["g m"], "", "To everybody's mail (demo)";
    TypeCode, "type-code", Scope::MAILBOX, ["t"], "type the code", "Type the code of the selected mail into the page it leads to, and answer there (demo)";
    Identity, "identity", Scope::ANY, ["g i"], "", "Work as someone else (demo)";
    Tutor, "tutor", Scope::ANY, ["T"], "", "The tour of one case in five minutes: begin it, leave it, go on with it (demo)";
    Messages, "messages", Scope::ANY, ["!"], "", "What happened: errors and confirmations, with request ids";
    Refresh, "refresh", Scope::ANY, ["ctrl-r"], "", "Ask the server again";
    Theme, "theme", Scope::ANY, ["g t"], "", "Choose a theme";
    Mouse, "mouse", Scope::ANY, ["ctrl-t"], "", "Mouse on or off (off: the terminal selects text)";
    SignOut, "sign-out", Scope::ANY, [], "", "Forget the token and sign in anew";
    Palette, "palette", Scope::ANY, [":"], "commands", "Find any command by its name";
    Help, "help", Scope::ANY, ["?"], "help", "All keys that apply here";
    Quit, "quit", Scope::ANY, ["q"], "", "From a list leave the console; from a case or other page go back";
    Leave, "leave-at-once", Scope::ALL, ["ctrl-c"], "", "Leave the console, from anywhere";
}

/// Whether an action can be used on what is selected now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applies {
    /// It can.
    Yes,
    /// It exists here but is refused, with the reason as a sentence.
    No(String),
    /// It has no meaning here: not offered at all.
    Hidden,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_names_are_told_apart() {
        for (i, action) in Action::ALL.iter().enumerate() {
            let row = action.row();
            assert!(!row.help.is_empty() && row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", row.name);
            assert!(Action::ALL[..i].iter().all(|other| other.row().name != row.name), "{}", row.name);
            assert!(row.operation.is_none() || row.writes);
            // A decision is signed, so approving is no write of the table's; denying is for good all the same.
            assert!(row.never.is_none() || row.writes || *action == Action::Deny);
            let can = matches!(action, Action::TakeNext | Action::AssignMe | Action::AssignTo | Action::LetGo | Action::Decide);
            assert!(!row.writes || can != row.never.is_some(), "{} says whether it can be undone", row.name);
        }
    }
}
