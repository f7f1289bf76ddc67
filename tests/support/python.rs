//! Programs from PyPI for tests, in a virtual environment of their own under `target/`.
//!
//! Contract: the same packages are installed once. Plain `cargo test` runs what needs only Rust: without `COUNTERSIGN_REQUIRE_ALL=1` an environment
//! that is not there yet is not fetched, and the caller says what it leaves out; with it (as `tests/all` sets it) anything missing fails.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment's Python, with these packages (`name==version`); `None` if they are not there and were not asked for.
pub fn ensure_venv(packages: &[&str]) -> Option<PathBuf> {
    let name: String = packages.join("+").chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join("venvs").join(name);
    let (python, done) = (folder.join("bin").join("python"), folder.join("installed"));
    if done.exists() {
        return Some(python);
    }
    if std::env::var("COUNTERSIGN_REQUIRE_ALL").as_deref() != Ok("1") {
        println!("left out (set COUNTERSIGN_REQUIRE_ALL=1 to fetch it): {}", packages.join(", "));
        return None;
    }
    std::fs::create_dir_all(&folder).unwrap();
    // Several test processes may want it at once.
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if !done.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages));
        std::fs::write(&done, packages.join("\n")).unwrap();
    }
    Some(python)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
