//! Gates that people attest: no two of a case rest on one person's word, nor on one mailbox, so each is asked of somebody else.
//!
//! Contract: pure. Says whom an open gate can be asked of, so that their word counts beside those that were given; what was given is not asked
//! for anew. Whoever could be asked for one gate could be asked for each, so nobody who is left out could complete what the others can't.

use super::attest;
use super::case::Receipt;
use super::checklist::{self, Item, Progress, Reach, reach};
use super::command::World;
use super::mailboxes;
use super::vocabulary::Method;
use crate::base::Time;
use crate::base::ids::PersonId;

/// Somebody's word for a gate: one that was given, or one that could be.
#[derive(Clone, Copy)]
enum Word<'a> {
    Given(&'a Receipt),
    Asked(&'a PersonId),
}

/// Whether a method is a gate that somebody else attests.
pub(super) fn is_attested(method: Method) -> bool {
    method.is_gate() && reach(method) == Reach::Attester
}

/// Why a method can be asked of none of those who attest here, if there are any.
pub(super) fn hindrance(world: &World, method: Method, now: Time) -> Option<String> {
    let could = attest::attesters(world, method, now);
    let progress = checklist::progress(world, now);
    let gave = |p: &PersonId| {
        let mut given = progress.items.iter().filter_map(|i| i.receipt.as_ref());
        given.any(|r| attest::giver(r) == Some(p) && (r.method == method || !r.method.is_gate()))
    };
    let left: Vec<&PersonId> = could.iter().filter(|p| !gave(p)).collect();
    let doubles: Vec<&PersonId> = left.iter().filter_map(|p| mailboxes::double(world, p, now)).collect();
    let beside = checklist::requirement(world).gates.iter().filter(|m| is_attested(**m)).count();
    let few = "each gate needs another person's word, and too few are recorded who could give theirs";
    Some(match doubles.first() {
        _ if could.is_empty() => return None,
        Some(other) if doubles.len() == left.len() => format!(
            "whoever could be asked has the same mailbox as {other}, who was asked or said yes already: two who share one are not two; wait for a \
             no, or have the record put right"
        ),
        _ if is_attested(method) && beside > 1 && mailboxes::mailboxes(world, &could) < could.len() => {
            format!("{few} over a mailbox that is theirs alone")
        }
        _ if is_attested(method) && beside > 1 => few.to_owned(),
        _ => "whoever could be asked said yes already, and their word counts once".to_owned(),
    })
}

/// Leaves of what could be started for gates beside one another only what could count: with it, and with what `valid` receipts say already, each of
/// the others can be given by somebody else.
pub(super) fn leave_to_others(world: &World, items: &mut [Item], valid: &[&Receipt]) {
    let of_gate = |item: &Item| item.gate && item.methods.iter().all(|m| is_attested(*m));
    let gates: Vec<usize> = (0..items.len()).filter(|i| of_gate(&items[*i])).collect();
    if gates.len() < 2 || gates.iter().all(|i| items[*i].receipt.is_some()) {
        return;
    }
    let proved = |r: &Receipt| items.iter().filter(|i| !i.gate).filter_map(|i| i.receipt.as_ref()).any(|p| checklist::same_root(p, r));
    let could: Vec<Vec<Word<'_>>> = gates.iter().map(|i| words(&items[*i], valid.iter().copied().filter(|r| !proved(r)))).collect();
    let counts = |place: usize, person: &PersonId| {
        let others: Vec<&[Word<'_>]> = could.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, words)| words.as_slice()).collect();
        each_anothers(world, &others, &mut vec![Word::Asked(person)])
    };
    let left: Vec<Vec<checklist::Way>> = gates
        .iter()
        .enumerate()
        .map(|(place, i)| {
            let ways = items[*i].startable.iter();
            ways.filter(|(_, _, person)| person.as_ref().is_none_or(|p| counts(place, p))).cloned().collect()
        })
        .collect();
    for (i, ways) in gates.into_iter().zip(left) {
        items[i].startable = ways;
    }
}

/// Who gave a gate, and who could be asked for it: of one that is filled, nobody anew.
fn words<'a>(gate: &'a Item, given: impl Iterator<Item = &'a Receipt>) -> Vec<Word<'a>> {
    let asked = gate.startable.iter().filter_map(|(_, _, person)| person.as_ref()).map(Word::Asked);
    given.filter(|r| gate.methods.contains(&r.method)).map(Word::Given).chain(asked).collect()
}

/// Whether each gate can have a word that rests on nobody's who gave one of `taken`, or another one. Gates are few, and so are those recorded who
/// could give them.
fn each_anothers<'a>(world: &World, gates: &[&[Word<'a>]], taken: &mut Vec<Word<'a>>) -> bool {
    let Some((first, rest)) = gates.split_first() else { return true };
    first.iter().any(|word| {
        if taken.iter().any(|other| are_one(world, *word, *other)) {
            return false;
        }
        taken.push(*word);
        let met = each_anothers(world, rest, taken);
        taken.pop();
        met
    })
}

/// Whether two words are one person's, or come from one mailbox.
fn are_one(world: &World, one: Word<'_>, other: Word<'_>) -> bool {
    let same = |p: &PersonId, q: &PersonId| p == q || world.mailboxes.shared(p, q);
    match (one, other) {
        (Word::Given(one), Word::Given(other)) => checklist::same_root(one, other),
        (Word::Given(given), Word::Asked(person)) | (Word::Asked(person), Word::Given(given)) => {
            attest::giver(given).is_some_and(|p| same(person, p))
        }
        (Word::Asked(one), Word::Asked(other)) => same(one, other),
    }
}

/// The gates that are open beside this open one, where the word of somebody who could be asked for it could not count: they gave another one
/// already, or nobody would be left for these. Nothing where it could.
pub(super) fn kept_for(world: &World, progress: &Progress, (method, person): (Method, &PersonId), now: Time) -> Option<Vec<Method>> {
    let gate = progress.items.iter().find(|i| i.gate && i.methods == [method] && i.receipt.is_none())?;
    let offered = gate.startable.iter().any(|(_, _, p)| p.as_ref() == Some(person));
    if offered || !attest::attesters(world, method, now).contains(person) || mailboxes::double(world, person, now).is_some() {
        return None;
    }
    let open = progress.items.iter().filter(|i| i.gate && i.receipt.is_none()).flat_map(|i| &i.methods).copied();
    Some(open.filter(|m| *m != method && is_attested(*m)).collect())
}
