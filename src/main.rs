//! Chooses the role, and the allocator: a server that was busy gives back what it no longer uses (performance.md, "server memory").

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    countersign::cli::main()
}
