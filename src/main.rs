//! Chooses the role.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign::cli::main()
}
