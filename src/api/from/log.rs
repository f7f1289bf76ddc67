//! Entries of the log on the wire, each with a summary made of codes and ids only.

use serde_json::Value;

use super::actor_words;
use crate::api::lists::LogEntry;
use crate::base::{Digest, canonical};
use crate::domain::case::ActorRef;
use crate::domain::event::{Body, Entry, RegisterEvent};

/// The most facts one summary names.
const MAX_FACTS: usize = 12;

impl From<&Entry> for LogEntry {
    fn from(entry: &Entry) -> Self {
        let body = serde_json::to_value(&entry.body).unwrap_or_default();
        let case = match &entry.body {
            Body::Case { case, .. } => Some(*case),
            Body::Register { .. } => None,
        };
        let event = body.get("event").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let mut facts = Vec::new();
        gather(&body, "", &mut facts);
        facts.truncate(MAX_FACTS);
        let words = event.replace('_', " ");
        let told = match &entry.body {
            Body::Case { event, .. } => super::says::sentence(event),
            Body::Register { event, .. } => Some(super::governs::sentence(event)),
        };
        let summary = if let Some(told) = told {
            told
        } else if facts.is_empty() {
            words
        } else {
            format!("{words}: {}", facts.join(", "))
        };
        let mut leaf = vec![0];
        leaf.extend(canonical::to_vec(entry).unwrap_or_default());
        let subjects = match &entry.body {
            Body::Register { event: RegisterEvent::SubjectsRead { subjects }, .. } => subjects.iter().cloned().collect(),
            _ => Vec::new(),
        };
        Self { seq: entry.seq, at: entry.at, actor: actor(&entry.actor), event, case, summary, subjects, text: None, leaf_sha256: Digest::of(&leaf) }
    }
}

/// Who, with its kind where it is a person known by their id alone.
fn actor(who: &ActorRef) -> String {
    match who {
        ActorRef::Automation { automation, on_behalf_of } if !on_behalf_of.is_empty() => {
            let chain: Vec<String> = on_behalf_of.iter().map(crate::domain::govern::says::principal).collect();
            format!("{automation} for {}", chain.join(" for "))
        }
        ActorRef::Attester { person, .. } => format!("person {person}"),
        other => actor_words(other),
    }
}

/// The scalar facts of an event: codes and ids, without digests, times and what the entry shows beside.
fn gather(value: &Value, name: &str, facts: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let beside = matches!(key.as_str(), "stream" | "case" | "version" | "event" | "by" | "hands" | "lineage" | "policy" | "seal");
                if !(beside || key.ends_with("sha256") || key.ends_with("_at") || matches!(key.as_str(), "at" | "since" | "until" | "valid_until")) {
                    gather(inner, key, facts);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| gather(inner, name, facts)),
        Value::String(text) if !text.starts_with("txt-") => facts.push(format!("{} {text}", name.replace('_', " "))),
        Value::Number(n) => facts.push(format!("{} {n}", name.replace('_', " "))),
        Value::Bool(true) => facts.push(name.replace('_', " ")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_12_everyone_whose_record_was_read_is_named_in_the_entry() {
        let subjects: std::collections::BTreeSet<_> = (10..30).map(|n| format!("s-{n}").parse().unwrap()).collect();
        let event = RegisterEvent::SubjectsRead { subjects: subjects.clone() };
        let who = ActorRef::System { worker: crate::domain::case::Worker::Host };
        let entry = Entry { v: 1, seq: 0, at: crate::base::Time::default(), actor: who, request: None, body: Body::Register { version: 1, event } };
        let read = LogEntry::from(&entry);
        assert!(read.summary.contains("and 14 more"), "{}", read.summary);
        assert_eq!(read.subjects, subjects.into_iter().collect::<Vec<_>>());
    }
}
