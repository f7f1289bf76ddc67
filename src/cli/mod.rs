//! The command line: arguments as data, one file per group of commands, no rules of its own.
//!
//! Contract: what a command needs comes from its arguments, the configuration and the environment; what it answers goes through
//! [`out::Out`], as sentences or, with `--json`, as one JSON value. Text from outside is sanitised on its way out.
//!
//! Exit codes: 0 done · 1 failed · 2 wrong usage or configuration · 3 refused by a rule · 4 not signed in · 5 the server can't be reached ·
//! 6 not found · 7 changed meanwhile · 8 sent, and whether it was done is not known.

pub mod case;
pub mod compared;
mod connect;
pub mod console;
mod course;
pub mod decide;
pub mod demo;
pub mod desk;
pub mod doctor;
mod ending;
pub mod events;
mod every;
pub mod found;
pub mod grants;
pub mod host;
pub mod journal;
pub mod manual;
pub mod out;
pub mod policy;
mod proposed;
pub mod recover;
pub mod register;
mod restore;
mod said;
mod shown;
pub mod subject;
mod unsure;
mod waited;
mod ways;
mod word;

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser, Subcommand};
use out::{Failure, Out};

/// Access recovery in which whoever routes a case never decides it.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    max_term_width = 100,
    after_help = manual::exits()
)]
pub struct Arguments {
    /// Print one JSON value instead of sentences.
    #[arg(long, global = true)]
    pub json: bool,
    /// The server's address; otherwise from the settings or the session file.
    #[arg(long, global = true, env = "COUNTERSIGN_SERVER", hide_env_values = true, value_name = "URL")]
    pub server: Option<String>,
    /// Change nothing, whatever is typed or asked for.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Linear mode for screen readers and pipes (console).
    #[arg(long, global = true)]
    pub plain: bool,
    /// Give a request up after so many seconds, 1 to 300; otherwise after `timeout_seconds` of the settings, or 10.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    pub timeout: Option<u64>,
    /// What to do; without it the console opens.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Work on cases.
    Case(case::CaseArguments),
    /// List temporary access, the one that ends soonest first; `case revoke` ends one.
    Grants(grants::Grants),
    /// Look up whose access can be asked for.
    #[command(subcommand)]
    Subject(subject::SubjectCommand),
    /// Say what changes, as it happens: a line for each, with --json an object a line.
    Events(events::Listen),
    /// Look at the log.
    #[command(subcommand)]
    Log(case::LogCommand),
    /// Look at the register and change it: who may do what.
    #[command(subcommand)]
    Register(register::RegisterCommand),
    /// Issue, revoke and list tokens.
    #[command(subcommand)]
    Token(register::TokenCommand),
    /// Read, compare and try policies.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Commands on the server's host.
    #[command(flatten)]
    Host(host::HostCommand),
    /// Try everything: a server, a sample organisation and the console, thrown away afterwards.
    ///
    /// In its console T, or :tutor, begins a tour of five minutes on the real screens: find a case, take it, start a proof, type the code as
    /// the subject, request approval, be refused it yourself, become a supervisor, approve, and see access restored. T leaves the tour and
    /// goes on with it.
    Demo(demo::DemoArguments),
    /// The sample target of the demo, which it starts itself.
    #[command(hide = true)]
    DemoTarget(demo::TargetArguments),
    /// Who you are to the server.
    Whoami,
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Runs the process's arguments.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let words: Vec<_> = std::env::args_os().skip(1).collect();
            let error = usage_of(error, &words);
            if !error.use_stderr() {
                // Help and version end well, and quote nobody; a closed pipe is no reason to shout.
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            if std::env::args_os().any(|a| a == "--json") {
                return Out::new(true).fail(&Failure::usage(error.to_string().trim().to_owned()));
            }
            // It quotes what was typed, which may be a field of somebody's ticket.
            let _ = std::io::stderr().lock().write_all(crate::base::text::sanitise(&error.to_string(), true).as_bytes());
            return ExitCode::from(out::USAGE);
        }
    };
    let out = Out::new(arguments.json);
    if let Some(what) = meaningless(&arguments, &std::env::args().collect::<Vec<_>>()) {
        return out.fail(&Failure::usage(format!("{what} means nothing here: this works on the server's own files and asks no server.")));
    }
    match run(&arguments, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => out.fail(&failure),
    }
}

/// An option of requests and screens that a command on the server's host was given. An address that the environment names for other commands is none.
fn meaningless(arguments: &Arguments, words: &[String]) -> Option<&'static str> {
    let host = match &arguments.command {
        Some(Command::Host(_)) => true,
        Some(Command::Log(command)) => matches!(command, case::LogCommand::Verify(_)),
        Some(Command::Policy(command)) => matches!(command, policy::PolicyCommand::Simulate { .. }),
        _ => false,
    };
    let typed = words.iter().take_while(|w| *w != "--").any(|w| w == "--server" || w.starts_with("--server="));
    let given = [(arguments.plain, "--plain"), (arguments.timeout.is_some(), "--timeout"), (typed, "--server")];
    given.into_iter().find(|(given, _)| host && *given).map(|(_, what)| what)
}

fn run(arguments: &Arguments, out: Out) -> Result<(), Failure> {
    match &arguments.command {
        Some(Command::Host(command)) if arguments.read_only && command.changes() => {
            Err(Failure::usage("Nothing was changed: --read-only is given, and this command changes things."))
        }
        Some(Command::Completions { shell }) => manual::completions(*shell, out),
        Some(Command::Man) => manual::man(out),
        Some(Command::Policy(command)) => block(policy::run(command, arguments, out)),
        Some(Command::Register(command)) => block(register::run(command, arguments, out)),
        Some(Command::Token(command)) => block(register::token(command, arguments, out)),
        Some(Command::Case(command)) => block(case::run(command, arguments, out)),
        Some(Command::Subject(command)) => block(subject::run(command, arguments, out)),
        Some(Command::Events(listen)) => block(events::run(listen, arguments, out)),
        Some(Command::Grants(list)) => block(grants::run(list, arguments, out)),
        Some(Command::Log(command)) => block(case::log(command, arguments, out)),
        Some(Command::Host(command)) => block(host::run(command, out)),
        Some(Command::Whoami) => block(case::whoami(arguments, out)),
        Some(Command::Demo(command)) => block(demo::run(command, arguments, out)),
        Some(Command::DemoTarget(command)) => block(demo::target(command, out)),
        None if arguments.json => Err(Failure::usage("The console prints no JSON: name a command, e.g. `countersign case list --json`.")),
        None => block(console::run(arguments)),
    }
}

/// The error with the command's own usage line: clap's would ask for whatever the environment gave, or for what it guesses was meant. And
/// `--read-only`, which every command takes, is suggested only to whoever began to type it.
fn usage_of(mut error: clap::Error, words: &[std::ffi::OsString]) -> clap::Error {
    let text = |value: Option<&ContextValue>| if let Some(ContextValue::String(text)) = value { text.clone() } else { String::new() };
    let (typed, meant) = (text(error.get(ContextKind::InvalidArg)), text(error.get(ContextKind::SuggestedArg)));
    if meant == "--read-only" && !typed.starts_with("--read") {
        error.remove(ContextKind::SuggestedArg);
    }
    if error.get(ContextKind::Usage).is_some() {
        let mut command = Arguments::command();
        command.build();
        for word in words.iter().filter_map(|w| w.to_str()) {
            if let Some(inner) = command.find_subcommand(word).cloned() {
                command = inner;
            }
        }
        error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
    }
    error
}

/// Runs a command that waits for the network.
pub fn block<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::new(out::FAILED, format!("can't start: {e}")))?;
    let done = runtime.block_on(work);
    // What still reads from standard input would hold the process for as long as that stays open.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_means_nothing_on_the_host_is_refused() {
        let said = |words: &[&str]| {
            let words: Vec<String> = std::iter::once("countersign").chain(words.iter().copied()).map(str::to_owned).collect();
            meaningless(&Arguments::try_parse_from(&words).unwrap(), &words)
        };
        assert_eq!(said(&["doctor", "--server", "http://127.0.0.1:1"]), Some("--server"));
        assert_eq!(said(&["--server=http://127.0.0.1:1", "log", "verify"]), Some("--server"));
        assert_eq!(said(&["--timeout", "3", "backup", "x.db"]), Some("--timeout"));
        assert_eq!(said(&["policy", "simulate", "p.toml", "--plain"]), Some("--plain"));
        assert_eq!(said(&["doctor", "--json", "--read-only"]), None);
        assert_eq!(said(&["--server", "http://127.0.0.1:1", "--timeout", "3", "case", "list", "--plain"]), None);
    }

    #[test]
    fn a_usage_line_is_the_commands_own_and_suggests_nothing_far_off() {
        let said = |words: &[&str]| {
            let error = Arguments::try_parse_from([&["countersign"], words].concat()).unwrap_err();
            usage_of(error, &words.iter().map(Into::into).collect::<Vec<_>>()).to_string()
        };
        let missing = said(&["--server", "http://127.0.0.1:1", "case", "show"]);
        assert!(missing.contains("Usage: countersign case show [OPTIONS] <CASE>") && !missing.contains("--server"), "{missing}");
        let reason = said(&["case", "approve", "--reason", "x"]);
        assert!(reason.contains("Usage: countersign case approve [OPTIONS]") && !reason.contains("read-only"), "{reason}");
        assert!(said(&["case", "list", "--read"]).contains("--read-only"));
        assert!(said(&["case", "list", "--limt", "3"]).contains("--limit"));
    }

    #[test]
    fn every_command_explains_itself() {
        fn check(command: &clap::Command, missing: &mut Vec<String>) {
            for sub in command.get_subcommands() {
                if sub.get_about().is_none() {
                    missing.push(sub.get_name().to_owned());
                }
                check(sub, missing);
            }
        }
        let mut missing = Vec::new();
        check(&Arguments::command(), &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }
}
