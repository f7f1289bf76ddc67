//! Every parser of outside input without a fuzzer at hand: the committed corpora, and arbitrary and mutated bytes.
//!
//! `COUNTERSIGN_FUZZ` says how many inputs a target gets beside its corpus (default 200, the same ones each time; asked for, they are new
//! ones), `COUNTERSIGN_FUZZ_SEED` begins again where another run began, `COUNTERSIGN_FUZZ_TARGET` names the only target that is run.
//! A failure says target, seed and input; whatever was being tried when a run ended, in whatever way, lies in `target/tmp/fuzz-TARGET`.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/canned.rs"]
mod canned;
#[path = "../support/ports.rs"]
mod ports;
mod targets;
#[path = "../support/whole.rs"]
mod whole;

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::str::FromStr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

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

/// A number that was asked for in the environment.
fn asked<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// What a target is thrown: one in five anything, the others from its corpus.
fn inputs(name: &str) -> impl Strategy<Value = Vec<u8>> {
    let mutation = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        any::<Index>().prop_map(Mutation::Cut),
        (any::<Index>(), telling()).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Double(from, to)),
    ];
    let mutated = (select(corpus(name)), vec(mutation, 1..6)).prop_map(|(input, mutations)| mutate(input, &mutations));
    prop_oneof![1 => vec(any::<u8>(), 0..300), 4 => mutated]
}

#[test]
fn arbitrary_and_mutated_bytes_are_read_or_refused_and_nothing_else() {
    let wanted: Option<u32> = asked("COUNTERSIGN_FUZZ");
    // The same inputs each time unless more are asked for: whoever runs all tests sees what their change does, and chance finds on demand.
    let chance = wanted.map_or(1, |_| RandomState::new().hash_one(std::process::id()));
    let seed: u64 = asked("COUNTERSIGN_FUZZ_SEED").unwrap_or(chance);
    let only: Option<String> = asked("COUNTERSIGN_FUZZ_TARGET");
    assert!(only.iter().all(|o| TARGETS.iter().any(|(name, _)| name == o)), "no target has the name {only:?}");
    for (name, _) in TARGETS.iter().filter(|(name, _)| only.as_ref().is_none_or(|o| o == name)) {
        let cases = wanted.unwrap_or(200);
        let cases = if WITH_A_CONSOLE.contains(name) { cases.div_ceil(4) } else { cases };
        let trying = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
        let began = std::time::Instant::now();
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
        let tried = TestRunner::new_with_rng(config, rng).run(&inputs(name), |bytes| {
            std::fs::write(&trying, &bytes).unwrap();
            run(name, &bytes);
            Ok(())
        });
        if let Err(TestError::Fail(why, input)) = &tried {
            panic!("{name}, COUNTERSIGN_FUZZ_SEED={seed}: {why}\nleast input: b\"{}\"", input.escape_ascii());
        }
        tried.unwrap_or_else(|e| panic!("{name}, COUNTERSIGN_FUZZ_SEED={seed}: {e}"));
        eprintln!("{name}: {cases} inputs from seed {seed} in {:?}", began.elapsed());
    }
}
