//! The words of every message: short, plain, the same for everyone.
//!
//! Contract: pure. A code stands only in the message to the recorded endpoint of its session; the "this wasn't me" word stands beside its
//! link, never in it (invariant 13). Names are sanitised before they get here. Knows nothing about how mail is sent.

use crate::base::Time;
use crate::base::ids::{CaseId, ProposalId};
use crate::domain::effect::Notice;
use crate::domain::grant::Given;
use crate::domain::vocabulary::{CaseState, HoldSource, Method};

/// What every message about a case says.
#[derive(Debug, Clone)]
pub struct About {
    /// The case.
    pub case: CaseId,
    /// Name of the organisation.
    pub organisation: String,
    /// The subject's name, sanitised.
    pub subject: String,
    /// What is restored, in words.
    pub action: &'static str,
    /// In which system.
    pub target: String,
}

/// The way out printed at the end of a message to the subject.
#[derive(Debug, Clone)]
pub struct NotMe {
    /// Link to the page.
    pub link: String,
    /// The word to type there.
    pub word: String,
}

/// Subject line and body.
pub type Text = (String, String);

fn time(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn what(about: &About) -> String {
    format!("{} for \"{}\" in {}", about.action, about.subject, about.target)
}

fn foot(about: &About) -> String {
    format!("\n--\n{}, case {}\nThis message was sent by a program. Nobody reads answers to it.\n", about.organisation, about.case)
}

fn way_out(not_me: &NotMe) -> String {
    way_to(not_me, "The request is then stopped until security has looked at it, and others for you may have to wait for that")
}

/// The way out, and what comes of it.
fn way_to(not_me: &NotMe, then: &str) -> String {
    format!("\nWasn't this you?\nOpen this page and type the word \"{}\" there. {then}:\n  {}\n", not_me.word, not_me.link)
}

/// The message with an issued code.
pub fn code(about: &About, code: &str, link: &str, until: Time, not_me: &NotMe) -> Text {
    let body = format!(
        "Someone asked for this: {}.\n\nIf it was you, open this page:\n  {link}\nand type this code there:\n  {code}\n\n\
         It is good until {}, for this request only, and only on that page.\nNobody will ever ask you to read it out or to send it to them.\n{}{}",
        what(about),
        time(until),
        way_out(not_me),
        foot(about)
    );
    (format!("Your code for case {}", about.case), body)
}

/// The message that leads to the page where a saved recovery code is typed.
pub fn saved_code(about: &About, link: &str, until: Time, not_me: &NotMe) -> Text {
    let body = format!(
        "Someone asked for this: {}.\n\nIf it was you, open this page and type one of the recovery codes that you saved:\n  {link}\n\n\
         The page is open until {}.\nNobody will ever ask you to read a code out or to send it to them.\n{}{}",
        what(about),
        time(until),
        way_out(not_me),
        foot(about)
    );
    (format!("A recovery code is asked for in case {}", about.case), body)
}

/// The message to a manager or owner who is asked to attest by that method.
pub fn attestation(about: &About, method: Method, (code, link): (&str, &str), until: Time) -> Text {
    let how = match method {
        // SP 800-63B-4 §4.2.2.3: attended, on site.
        Method::InPerson => {
            "Please meet the person in a place of the organisation, compare their face there with their recorded picture or identity document,\n\
             and find out whether it is wanted. A call, also with a camera, is not enough."
        }
        _ => "Please find out whether it is wanted, by speaking to the person yourself, on a number or in a place that you know.",
    };
    let body = format!(
        "You are recorded as someone who knows about \"{}\". Someone asked for this: {}.\n\n\
         {how}\n\
         Then open this page:\n  {link}\nand type this code there:\n  {code}\n\n\
         It asks you for a yes or a no, and is open until {}. Your answer alone restores nothing.\n{}",
        about.subject,
        what(about),
        time(until),
        foot(about)
    );
    (format!("Your answer is asked for in case {}", about.case), body)
}

/// What a subject is told.
pub fn notice(about: &About, notice: Notice, not_me: &NotMe) -> Text {
    let (subject, sentence) = match notice {
        Notice::Started => ("A recovery was started", "A recovery was started: "),
        Notice::Completed => ("A recovery was completed", "A recovery was completed: "),
        Notice::Undone => ("A recovery was taken back", "A recovery was carried out, all of it or a part, and then taken back: "),
        Notice::CodeUsed => (
            "A saved recovery code was used",
            "One of your saved recovery codes was used and is no longer good; a new one took its place. It was used for this: ",
        ),
    };
    let stays = match notice {
        Notice::Completed => {
            "It was carried out already: what was given for a time ends then, all else stays until they have looked. Tell your help desk, too.\n"
        }
        Notice::Started | Notice::CodeUsed | Notice::Undone => "",
    };
    let then = match notice {
        Notice::Undone => format!(
            "What it had given or changed there no longer counts: {} no longer shows it, and what was asked for is not restored.\n\
             If you lack something by that, or don't know why it was done, ask your help desk and name case {}: it takes a new request.\n",
            about.target, about.case
        ),
        Notice::Started | Notice::Completed | Notice::CodeUsed => "If you know about it, there is nothing to do.\n".to_owned(),
    };
    let out = match notice {
        // There is nothing left to stop.
        Notice::Undone => way_to(not_me, "Security then looks at who asked for it, though it is taken back already"),
        Notice::Started | Notice::Completed | Notice::CodeUsed => way_out(not_me),
    };
    let body = format!("{sentence}{}.\n\n{then}{out}{stays}{}", what(about), foot(about));
    (format!("{subject}: case {}", about.case), body)
}

/// What everyone who governs is told when two of them were let back in.
pub fn recovered(organisation: &str, by: &[String; 2], counts_from: Option<Time>) -> Text {
    let from = counts_from.map_or_else(|| "at once".to_owned(), |from| format!("not before {}", time(from)));
    let body = format!(
        "Nobody held a token any more with which the register of access recovery could be governed. On the server's own machine\n\
         {} and {} were given one each. They count {from}.\n\n\
         If you know about it, there is nothing to do.\nIf you don't, have it stopped before then, or at once if it counts already: any policy owner or\n\
         security reviewer with \"countersign token revoke\", or on the server's machine \"countersign recover-governance --stop\".\n\
         It stands in the log as \"governance recovered\".\n\n--\n{organisation}\nThis message was sent by a program. Nobody reads answers to it.\n",
        by[0], by[1],
    );
    ("Two persons were let back in to govern access recovery".to_owned(), body)
}

/// A proposal that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What it would change.
    pub what: String,
    /// Who proposed it, sanitised.
    pub by: String,
    /// How many persons have still to approve it.
    pub missing: u8,
    /// That fewer persons could approve it than it takes, why, and what would help.
    pub too_few: Option<String>,
    /// Until when it waits.
    pub until: Time,
    /// Whether they were told before.
    pub reminder: bool,
}

/// What those who could approve a proposal are told.
pub fn proposed(organisation: &str, id: &ProposalId, waiting: &Waiting) -> Text {
    let again = if waiting.reminder { "still " } else { "" };
    let persons = if waiting.missing == 1 { "one person".to_owned() } else { format!("{} persons", waiting.missing) };
    let too_few = waiting.too_few.as_ref().map_or_else(String::new, |few| format!("{few}\n\n"));
    let body = format!(
        "{} proposed to change who may do what in access recovery:\n{}.\n\n\
         It {again}waits for {persons}, and you could be one of them: proposal\n{id}. It waits until {}.\n\n\
         {too_few}Open the console and look at it under Proposals.\nThis message asks for a look, not for a yes.\n\n\
         --\n{organisation}\nThis message was sent by a program. Nobody reads answers to it.\n",
        waiting.by,
        waiting.what,
        time(waiting.until),
    );
    let subject = if waiting.reminder { "Reminder: a proposal waits for approval" } else { "A proposal waits for approval" };
    (format!("{subject}: {id}"), body)
}

/// What they are told where one person proposed more in a day than is announced one by one.
pub fn more_proposed(organisation: &str, by: &str, most: usize) -> Text {
    let body = format!(
        "{by} proposed more changes of who may do what in access recovery than are announced one by one: {most} a day.\n\
         There are others that you could approve, and about these no message comes.\n\n\
         Open the console and look at all of them under Proposals.\nThis message asks for a look, not for a yes.\n\n\
         --\n{organisation}\nThis message was sent by a program. Nobody reads answers to it.\n"
    );
    ("More proposals wait for approval than are announced".to_owned(), body)
}

/// What those who could decide are told.
pub fn waiting(about: &About, reminder: bool, due: Option<Time>) -> Text {
    let due = due.map(|d| format!(" It is due at {}.", time(d))).unwrap_or_default();
    let again = if reminder { "still " } else { "" };
    let body = format!(
        "Case {} {again}waits for a decision that you could make: {}.{due}\n\n\
         Open the console and look at it under Approvals. This message asks for a look, not for a yes.\n{}",
        about.case,
        what(about),
        foot(about)
    );
    let subject = if reminder { "Reminder: a decision is waited for" } else { "A decision is waited for" };
    (format!("{subject}: case {}", about.case), body)
}

/// What staff are told of a case that takes too long or came to nothing.
pub fn overdue(about: &About, state: CaseState) -> Text {
    let (subject, what_is, what_now) = match state {
        CaseState::Failed => (
            "An execution failed",
            "could not be carried out as approved, or what it did could not be taken back",
            "Open the console and look at the case: it says why, and what can be done next.",
        ),
        CaseState::Expired => (
            "A case expired",
            "was not restored in the time that policy gives, and has expired",
            "Nothing moves in it any more. If access is still wanted, open another case.",
        ),
        CaseState::New => ("Triage is overdue", "still waits for triage", "Open the console and look at the case in the queue."),
        CaseState::Proofing => ("Proofing is overdue", "still waits to be proved and sealed", "Open the console: the case says what is missing."),
        CaseState::Sealed => ("A decision is overdue", "still waits for a decision", "Open the console: the case says who could decide it."),
        _ => ("A case is overdue", "takes longer than policy gives it", "Open the console: the case says what it waits for."),
    };
    let body = format!("Case {} {what_is}: {}.\n\n{what_now}\n{}", about.case, what(about), foot(about));
    (format!("{subject}: case {}", about.case), body)
}

/// What was carried out before a hold, what of it stays, and what can be done about that.
fn carried_out(given: Given, reversible: bool) -> String {
    let what = match given {
        Given::ForATime => "the access that it gave for a time is being ended",
        Given::Ended => "the access that it gave for a time has ended",
        Given::Standing => "what it gave stays given",
        Given::Nothing => "the secret stays revoked",
    };
    let then = match (reversible, given) {
        (true, _) => " A supervisor can roll it back.",
        (false, Given::Standing) => {
            " The target can't undo it: have the account suspended or its\ncredential replaced, there by hand or by a new case."
        }
        (false, _) => "",
    };
    format!("It was CARRIED OUT before: {what}.{then}\n")
}

/// What security is told of a case that is held; what it had given, and whether that can be undone, if it was carried out before.
pub fn held(about: &About, source: HoldSource, done: Option<(Given, bool)>, escalated: bool) -> Text {
    let why = match source {
        HoldSource::NotMe => "the subject said: this was not me",
        HoldSource::Restore => "a backup was restored, and more had happened in it than the backup knows",
        HoldSource::Policy => "something about the request is unusual",
        HoldSource::Security => "security held it",
    };
    let done = done.map_or_else(String::new, |(given, reversible)| carried_out(given, reversible));
    let late = if escalated { " Nobody has looked at it in the time that policy gives." } else { "" };
    let body = format!(
        "Case {} is held, because {why}: {}.{late}\n\n{done}\
         Nothing moves in it until someone of security, with no hand in it, has reached the subject on another channel and lifts the hold.\n\
         Open the console and look at it under Approvals, Held.\n{}",
        about.case,
        what(about),
        foot(about)
    );
    let subject = if escalated { "Reminder: a held case waits for security" } else { "A held case waits for security" };
    (format!("{subject}: case {}", about.case), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            case: CaseId::new(2026, 1),
            organisation: "Corp".into(),
            subject: "m.okafor".into(),
            action: "password reset",
            target: "directory".into(),
        }
    }

    fn not_me() -> NotMe {
        NotMe { link: "https://x.example/n/abc".into(), word: "bakolu".into() }
    }

    #[test]
    fn invariant_13_every_message_to_the_subject_has_a_way_out_with_a_word_outside_its_link() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let mut texts = vec![code(&about(), "1234 5678", "https://x.example/p/t", at, &not_me()), saved_code(&about(), "l", at, &not_me())];
        texts.extend([Notice::Started, Notice::Completed, Notice::CodeUsed, Notice::Undone].map(|n| notice(&about(), n, &not_me())));
        for (subject, body) in texts {
            assert!(body.contains("https://x.example/n/abc\n") && body.contains("\"bakolu\""), "{body}");
            assert!(!not_me().link.contains("bakolu") && !subject.contains("1234"), "{subject}");
        }
    }

    #[test]
    fn whoever_is_told_that_something_was_taken_back_reads_what_that_leaves_them_with_and_whom_to_turn_to() {
        let (subject, body) = notice(&about(), Notice::Undone, &not_me());
        assert_eq!(subject, "A recovery was taken back: case CS-26-000001");
        for said in
            ["no longer counts: directory no longer shows it", "is not restored.\nIf you lack", "ask your help desk and name case CS-26-000001"]
        {
            assert!(body.contains(said), "{said}: {body}");
        }
        assert!(!body.contains("undone") && !body.contains("nothing to do") && !body.contains("is then stopped"), "{body}");
        let (_, body) = notice(&about(), Notice::Completed, &not_me());
        assert!(body.contains("If you know about it, there is nothing to do."), "{body}");
    }

    #[test]
    fn no_line_of_a_letter_is_shifted_in_but_a_link_or_a_code_after_a_colon() {
        use CaseState::{Approved, Expired, Failed, New, Proofing, Sealed};
        let (about, at) = (about(), chrono::DateTime::UNIX_EPOCH);
        let mut texts = vec![
            code(&about, "1234 5678", "https://x.example/p/t", at, &not_me()),
            saved_code(&about, "https://x.example/p/t", at, &not_me()),
            recovered("Corp", &["ana".into(), "cy".into()], Some(at)),
        ];
        texts.extend([Method::InPerson, Method::ManagerAttestation].map(|m| attestation(&about, m, ("1234", "https://x.example/a/t"), at)));
        texts.extend([Notice::Started, Notice::Completed, Notice::CodeUsed, Notice::Undone].map(|n| notice(&about, n, &not_me())));
        texts.push(more_proposed("Corp", "ana", 50));
        for reminder in [false, true] {
            let proposal = Waiting {
                what: "the account".into(),
                by: "ana".into(),
                missing: 1,
                too_few: reminder.then(|| "At present nobody could.".into()),
                until: at,
                reminder,
            };
            texts.push(proposed("Corp", &"prp-1".parse().unwrap(), &proposal));
            texts.push(waiting(&about, reminder, Some(at)));
            for given in [Given::ForATime, Given::Ended, Given::Standing, Given::Nothing] {
                texts.push(held(&about, HoldSource::Restore, Some((given, reminder)), reminder));
            }
        }
        texts.extend([Failed, Expired, New, Proofing, Sealed, Approved].map(|state| overdue(&about, state)));
        for (_, body) in texts {
            let mut before = "";
            for line in body.lines() {
                let apart = line.starts_with("  ") && !line.starts_with("   ") && before.ends_with(':');
                assert!(!line.starts_with(char::is_whitespace) || apart, "{line:?} in {body}");
                before = line;
            }
        }
    }

    #[test]
    fn security_hears_what_stays_given_and_only_of_what_can_be_undone_that_it_can() {
        let said = |done| held(&about(), HoldSource::NotMe, done, false).1;
        assert!(!said(None).contains("CARRIED OUT"));
        for given in [Given::ForATime, Given::Ended, Given::Standing, Given::Nothing] {
            let (undone, stays) = (said(Some((given, true))), said(Some((given, false))));
            assert!(undone.contains("CARRIED OUT") && undone.contains("A supervisor can roll it back."), "{undone}");
            assert!(stays.contains("CARRIED OUT") && !stays.contains("roll it back"), "{stays}");
            assert_eq!(stays.contains("stays given"), given == Given::Standing, "{stays}");
            assert_eq!(stays.contains("The target can't undo it"), given == Given::Standing, "{stays}");
        }
    }

    #[test]
    fn invariant_07_no_message_to_staff_holds_a_code_or_a_link() {
        let (subject, body) = waiting(&about(), true, None);
        assert!(!body.contains("://") && !body.bytes().any(|b| b == b'@') && subject.contains("Reminder"), "{body}");
    }
}
