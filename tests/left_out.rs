//! Says at the end of a plain `cargo test` which suites, and which tests of others, need more than Rust and are left out.
//!
//! Contract: always passes; speaks the two arguments with which test runners ask for a list. Knows the names only: `tests/all` runs them.

/// Suites that `tests/all` runs beside `cargo test`, and what they need.
const OTHERS: &[(&str, &str)] = &[
    ("format", "rustfmt"),
    ("clippy", "clippy"),
    ("docs", "rustdoc"),
    ("contract", "schemathesis, from PyPI"),
    ("browser", "chromium, and playwright-core and axe-core from npm"),
];

/// Tests of the Rust suites that pass without looking where something is missing, and what they need. `tests/all` brings it.
const PARTS: &[(&str, &str)] = &[("mail to a real relay", "aiosmtpd, from PyPI, once fetched by tests/all"), ("the look at system calls", "strace")];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--list") {
        if !arguments.iter().any(|a| a == "--ignored") {
            println!("names_what_was_left_out: test");
        }
        return;
    }
    if std::env::var_os("COUNTERSIGN_REQUIRE_ALL").is_some_and(|v| v == "1") {
        println!("\nleft out here and run beside by tests/all: {}", names().join(", "));
        return;
    }
    println!("\nrun here: everything that needs only Rust\nleft out, run them with tests/all:");
    for (name, needs) in OTHERS {
        println!("  {name} (needs {needs})");
    }
    println!("left out where it is missing:");
    for (name, needs) in PARTS {
        println!("  {name} (needs {needs})");
    }
}

fn names() -> Vec<&'static str> {
    OTHERS.iter().map(|(name, _)| *name).collect()
}
