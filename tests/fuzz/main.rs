//! Every parser of outside input without a fuzzer at hand: the committed corpora, and arbitrary and mutated bytes.
//!
//! `COUNTERSIGN_FUZZ` says how many inputs a target gets beside its corpus (default 200).

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/canned.rs"]
mod canned;
mod targets;
#[path = "../support/whole.rs"]
mod whole;

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use targets::{TARGETS, run};

/// Targets that drive a whole console get a quarter of the inputs: each takes some ten milliseconds.
const WITH_A_CONSOLE: &[&str] = &["answers", "kept", "keys", "lines"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn files(name: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder().join("corpus").join(name)).unwrap_or_else(|e| panic!("the corpus of {name}: {e}"));
    files.map(|f| f.unwrap().path()).collect()
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    files(name).iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn every_target_has_a_corpus_and_a_binary_and_nothing_else_has() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folders = std::fs::read_dir(folder().join("corpus")).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), names);
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let binaries = manifest.lines().filter_map(|l| l.strip_prefix("name = \"")).map(|n| n.trim_end_matches('"').to_owned());
    assert_eq!(binaries.filter(|n| n != "countersign-fuzz").collect::<BTreeSet<_>>(), names);
    assert!(names.iter().all(|n| !corpus(n).is_empty()));
}

#[test]
fn every_corpus_replays() {
    for (name, target) in TARGETS {
        for file in files(name) {
            // The last of these lines, shown when it fails, names the file.
            eprintln!("{}", file.display());
            target(&std::fs::read(&file).unwrap());
        }
    }
}

/// What a mutation does to an input.
#[derive(Debug, Clone)]
enum Mutation {
    Set(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Double(Index, Index),
}

fn mutate(mut input: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let len = input.len();
        match mutation {
            Mutation::Set(at, byte) if len > 0 => input[at.index(len)] = *byte,
            Mutation::Cut(at) => input.truncate(at.index(len + 1)),
            Mutation::Insert(at, bytes) => {
                let at = at.index(len + 1);
                input.splice(at..at, bytes.iter().copied());
            }
            Mutation::Double(from, to) if len > 0 => {
                let (from, to) = (from.index(len), to.index(len));
                let piece = input[from.min(to)..=from.max(to)].to_vec();
                input.extend(piece);
            }
            Mutation::Set(..) | Mutation::Double(..) => {}
        }
    }
    input
}

/// Bytes that have a meaning somewhere: in terminals, TOML, JSON, CSV, forms.
fn telling() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "\u{1b}]52;c;eA==\u{7}",
        "\u{202e}",
        "\u{9b}31m",
        "\u{e0041}",
        "\r\n",
        "\0",
        "\"",
        "\\u0000",
        "[[",
        "]",
        "=",
        "{",
        ",",
        "%00",
        "1e999",
        "-0",
    ];
    prop_oneof![select(known.map(|k| k.as_bytes().to_vec()).to_vec()), vec(any::<u8>(), 0..8)]
}

#[test]
fn arbitrary_and_mutated_bytes_are_read_or_refused_and_nothing_else() {
    let asked: Option<u32> = std::env::var("COUNTERSIGN_FUZZ").ok().and_then(|n| n.parse().ok());
    let cases = asked.unwrap_or(200);
    for (name, _) in TARGETS {
        let cases = if WITH_A_CONSOLE.contains(name) { cases.div_ceil(4) } else { cases };
        let mutation = prop_oneof![
            (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
            any::<Index>().prop_map(Mutation::Cut),
            (any::<Index>(), telling()).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
            (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Double(from, to)),
        ];
        let mutated = (select(corpus(name)), vec(mutation, 1..6)).prop_map(|(input, mutations)| mutate(input, &mutations));
        let input = prop_oneof![1 => vec(any::<u8>(), 0..300), 4 => mutated];
        let began = std::time::Instant::now();
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        // The same inputs each time unless more are asked for: whoever runs all tests sees what their change does, and chance finds on demand.
        let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = if asked.is_some() { TestRunner::new(config) } else { TestRunner::new_with_rng(config, seed) };
        runner
            .run(&input, |bytes| {
                run(name, &bytes);
                Ok(())
            })
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        eprintln!("{name}: {cases} inputs in {:?}", began.elapsed());
    }
}
