//! Patterns across cases that are noticed by themselves: a router and an approver who meet too often, names that look alike.
//!
//! Contract: pure and deterministic; each pattern says its bounds. Noticing is not deciding: what follows from a flag is policy's. Knows
//! nothing about where the past cases were read from.

use std::collections::BTreeSet;

use chrono::Duration;
use unicode_security::MixedScript as _;

use super::case::Case;
use super::vocabulary::Duty;
use crate::base::ids::PersonId;

/// How far back approvals are looked at for odd pairs (T8).
pub const WINDOW: Duration = Duration::days(30);
/// How many approvals, the latest ones, are looked at.
pub const LOOKED_AT: u16 = 2_000;
/// How often a pair may meet before it is looked at at all.
const OFTEN: usize = 10;
/// How many times as often as by chance.
const TIMES_CHANCE: usize = 2;
/// The most characters of a name that are compared.
const MAX_NAME: usize = 256;

/// An approval of the past: who gave it, and who had routed that case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Who approved.
    pub approver: PersonId,
    /// Who had opened or routed it.
    pub routers: BTreeSet<PersonId>,
    /// Who else had software act in it: whoever owned or sponsored it then, or had it act for them.
    pub through: BTreeSet<PersonId>,
}

/// What makes someone a person who had software act in a case.
pub const THROUGH: [Duty; 3] = [Duty::AutomationOwner, Duty::AutomationSponsor, Duty::ActedFor];

impl Meeting {
    /// Who routed a case, themselves and through software; not who did with those that it is linked with.
    pub fn at(case: &Case, approver: &PersonId) -> Self {
        let who = |counts: &dyn Fn(Duty) -> bool| -> BTreeSet<PersonId> {
            case.lineage.iter().filter(|e| e.case.is_none() && counts(e.duty)).map(|e| e.person.clone()).collect()
        };
        Self { approver: approver.clone(), routers: who(&|d| d == Duty::Router), through: who(&|d| THROUGH.contains(&d)) }
    }
}

/// How often two persons met as router and approver, and how often each was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Met {
    /// Approvals looked at.
    pub all: usize,
    /// Of cases that the one routed.
    pub of_router: usize,
    /// That the other gave.
    pub of_approver: usize,
    /// Both.
    pub together: usize,
}

impl Met {
    /// Counts, by what the one routed themselves, and by that together with what software did for them. Both are looked at: software that
    /// acts in every case can't hide a pair, nor can a pair hide behind software.
    pub fn of<'a>(meetings: impl IntoIterator<Item = &'a Meeting>, router: &PersonId, approver: &PersonId) -> [Self; 2] {
        let mut met = [Self::default(); 2];
        for m in meetings {
            let (own, hers) = (m.routers.contains(router), m.approver == *approver);
            for (met, theirs) in met.iter_mut().zip([own, own || m.through.contains(router)]) {
                met.all += 1;
                met.of_router += usize::from(theirs);
                met.of_approver += usize::from(hers);
                met.together += usize::from(theirs && hers);
            }
        }
        met
    }

    /// Whether they meet too often: at least ten times, in at least half of what the approver approved, and at least twice as often as if
    /// cases had come to approvers by chance. A small crew in which everyone meets everyone is not odd.
    pub fn is_odd(self) -> bool {
        let often = self.together >= OFTEN && self.together * 2 >= self.of_approver;
        often && self.together * self.all >= TIMES_CHANCE * self.of_router * self.of_approver
    }
}

/// What a name looks like (UTS 39, confusable detection): two names that look alike have the same skeleton. Case and spacing don't count.
pub fn skeleton(name: &str) -> String {
    // Skeleton first: a capital I looks like a small L, a small i does not.
    let plain: String = name.chars().take(MAX_NAME).collect();
    let bones: String = unicode_security::skeleton(&plain).collect();
    bones.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether two different names look alike. The same name is a namesake, not a look-alike.
pub fn look_alike(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    plain(one) != plain(other) && skeleton(one) == skeleton(other)
}

/// Whether a word of a name mixes scripts (UTS 39, single-script test), as in a Latin word with a Cyrillic letter.
pub fn mixes_scripts(name: &str) -> bool {
    name.chars().take(MAX_NAME).collect::<String>().split_whitespace().any(|word| !word.is_single_script())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(list: &[(&str, &str, usize)]) -> Vec<Meeting> {
        let one = |router: &str, approver: &str| Meeting {
            approver: PersonId::parse(approver).unwrap(),
            routers: router.split('+').take(1).filter(|r| !r.is_empty()).map(|r| PersonId::parse(r).unwrap()).collect(),
            through: router.split('+').skip(1).map(|r| PersonId::parse(r).unwrap()).collect(),
        };
        list.iter().flat_map(|(r, a, n)| vec![one(r, a); *n]).collect()
    }

    fn odd(list: &[(&str, &str, usize)]) -> bool {
        Met::of(&met(list), &PersonId::parse("rae").unwrap(), &PersonId::parse("ann").unwrap()).iter().any(|m| m.is_odd())
    }

    #[test]
    fn t08_a_pair_that_meets_far_more_often_than_by_chance_is_odd() {
        assert!(odd(&[("rae", "ann", 10), ("bo", "cy", 15), ("bo", "di", 15)]));
        assert!(!odd(&[("rae", "ann", 9), ("bo", "cy", 15), ("bo", "di", 15)]), "too few to say");
        assert!(!odd(&[("rae", "ann", 10), ("rae", "cy", 30), ("bo", "cy", 5)]), "as by chance");
        assert!(!odd(&[("rae", "ann", 12), ("bo", "ann", 13), ("bo", "cy", 60)]), "less than half of what she approves");
    }

    #[test]
    fn t08_a_pair_hides_neither_behind_software_nor_behind_software_that_acts_everywhere() {
        assert!(odd(&[("+rae", "ann", 10), ("bo", "cy", 30)]), "their bot routes what she approves");
        assert!(odd(&[("+rae", "ann", 6), ("rae", "ann", 4), ("bo", "cy", 30)]), "now the bot, now they");
        assert!(odd(&[("rae", "ann", 10), ("bo+rae", "cy", 30)]), "their bot adds something to every case");
        assert!(!odd(&[("+rae", "ann", 10), ("+rae", "cy", 30)]), "as by chance");
    }

    #[test]
    fn t08_a_small_crew_in_which_everyone_meets_is_not_odd() {
        assert!(!odd(&[("rae", "ann", 40)]), "one who routes, one who approves");
        assert!(!odd(&[("rae", "ann", 40), ("rae", "cy", 10)]), "one who routes");
        assert!(!odd(&[("rae", "ann", 25), ("bo", "ann", 25)]), "one who approves");
    }

    #[test]
    fn t18_names_that_look_alike_have_one_skeleton_and_the_same_name_is_a_namesake() {
        assert!(look_alike("vault-admin", "v\u{0430}ult-admin"), "a Cyrillic a");
        assert!(look_alike("billing", "bi1ling"), "a digit");
        assert!(look_alike("Ilya", "llya"), "capital i, small L");
        assert!(!look_alike("Vault-Admin", "vault-admin"));
        assert!(!look_alike("vault-admin-01", "vault-admin-02"));
        assert!(!look_alike("", ""));
    }

    #[test]
    fn t18_a_word_that_mixes_scripts_is_noticed_and_a_name_in_its_own_script_is_not() {
        assert!(mixes_scripts("v\u{0430}ult-admin-03"));
        for name in ["Zoë Ångström", "Ольга Иванова", "Olga Иванова", "日本 太郎", "m.okafor", "svc-01", ""] {
            assert!(!mixes_scripts(name), "{name}");
        }
    }

    #[test]
    fn a_very_long_name_is_compared_up_to_a_bound() {
        assert!(skeleton(&"x".repeat(100_000)).len() <= 4 * MAX_NAME);
    }
}
