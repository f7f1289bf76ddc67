//! Completions and the manual page, made from the same arguments that are parsed.
//!
//! Contract: writes text for other programs. What no argument says (files, environment, exit statuses, examples) stands here as data; a test
//! compares it with where the program looks. Knows no command in particular.

use std::fmt::Write as _;

use clap::CommandFactory as _;

use super::Arguments;
use super::out::{FAILED, Failure, Out};

/// Where things lie.
const FILES: &[(&str, &str)] = &[
    (
        "$XDG_CONFIG_HOME/countersign/console.toml",
        "Settings of console and commands: server, ca_file, timeout_seconds, theme, keymap, [views] and others.",
    ),
    ("$XDG_CONFIG_HOME/countersign/keymap.toml", "Your own keys for the console: a table [keys] of actions, e.g. take-next = [\"n\", \"ctrl-n\"]."),
    (
        "$XDG_CONFIG_HOME/countersign/themes/*.toml",
        "Your own themes: name, paper and a table [roles] with a style for every role; countersign tells of those that are missing.",
    ),
    (
        "$XDG_CONFIG_HOME/countersign/server.toml",
        "The server's settings, unless --config names another file. Relative paths in it begin at its folder.",
    ),
    ("$XDG_STATE_HOME/countersign/session.toml", "The session that the console signed in with; readable by its owner alone."),
    (
        "$XDG_STATE_HOME/countersign/state.toml, views.toml",
        "Where you were in the console (shown again to the same account of the same server), and the views you saved.",
    ),
    ("$XDG_STATE_HOME/countersign/drafts/", "What was typed and not sent, for each account and server apart; for 60 days, the newest 200 of each."),
    ("countersign.db", "The server's database, beside its settings unless `data` or `database` say otherwise. Its owner's alone."),
    (
        "keys/master.key, codes.key, nonces.key",
        "The server's keys. Without master.key the texts of cases can't be read; keep them apart from backups.",
    ),
    ("mail/*.eml", "Mail that is written into a folder where no [mail.smtp] is set. Codes stand in it."),
];

/// What the environment says.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("COUNTERSIGN_SERVER", "The staff API's address, as --server."),
    ("COUNTERSIGN_TOKEN", "The token to sign in with. It goes before the session file."),
    ("COUNTERSIGN_CONFIG", "The server's settings file, as --config."),
    (
        "COUNTERSIGN_SECTION_KEY",
        "Any key of the settings, in capitals, e.g. COUNTERSIGN_LIMITS_STREAMS or COUNTERSIGN_CA_FILE. It goes before the file.",
    ),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "Where settings and state lie; relative paths are ignored."),
    ("NO_COLOR, COLORTERM, TERM", "How many colours the console uses."),
    ("COLORFGBG, STY", "Which background the terminal has, and whether it can be asked (not inside GNU screen): for the theme `auto`."),
    ("VISUAL, EDITOR", "The editor for long texts in the console."),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "The proxy on the way to the staff API; none is used towards loopback."),
];

/// How commands end: in a few words for the help, and in full.
const EXITS: &[(u8, &str, &str)] = &[
    (0, "done", "Done. For doctor and log verify: all is in order."),
    (
        1,
        "failed",
        "Failed. For import: rows are refused, and nothing was written (with --partial that is 0, unless every row is refused). For doctor and log verify: something is wrong, and is named.",
    ),
    (2, "usage or configuration", "Wrong usage or configuration; every mistake is listed."),
    (3, "refused by a rule", "Refused by a rule, e.g. by separation of duties."),
    (4, "not signed in", "Not signed in: no token, or one that no longer counts."),
    (5, "server unreachable", "The server can't be reached."),
    (6, "not found", "There is no such thing."),
    (7, "changed meanwhile", "Someone changed it meanwhile: look again."),
    (
        8,
        "sent, but no answer came: whether it was done is not known",
        "A change was sent and no answer came back: it is not known whether it was done. Look before you ask again.",
    ),
];

/// How commands end, as a sentence below the help.
pub fn exits() -> String {
    let all: Vec<String> = EXITS.iter().map(|(code, short, _)| format!("{code} {short}")).collect();
    format!("Exit codes: {}.", all.join(", "))
}

/// What one would type.
const EXAMPLES: &[(&str, &str)] = &[
    ("Try everything, thrown away afterwards:", "countersign demo"),
    ("Found a server with two persons:", "countersign init --policy-owner ana --security-reviewer ben --employer acme"),
    ("Run it, and look after it:", "countersign serve --config server.toml\ncountersign doctor --config server.toml"),
    ("Look at a file of people, then record it:", "countersign import persons people.csv\ncountersign import persons people.csv --write"),
    ("Open a case:", "countersign case open m.okafor password_reset --target directory --scope mail --channel phone"),
    ("What waits for a decision, most urgent first:", "countersign case list state:sealed --json"),
    ("Take the next case, and hear what changes, an object a line:", "countersign case take-next\ncountersign events --json --for 3600"),
    ("See what temporary access lives, and end one:", "countersign grants\ncountersign case revoke CS-26-000042 grt-... handed-back-by-phone"),
    (
        "Give an account a role, as one person and then as another:",
        "countersign register operator cleo --person p-cleo --role support_agent\ncountersign register approve prp-...",
    ),
    ("When the tokens of all who govern have ended:", "countersign recover-governance ana ben --proof ana.token --proof ben.token"),
];

/// Completions for a shell.
pub fn completions(shell: clap_complete::Shell, out: Out) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "countersign", &mut text);
    out.raw(&text)
}

/// The manual page, with every command in it.
pub fn man(out: Out) -> Result<(), Failure> {
    out.raw(&text().map_err(|e| Failure::new(FAILED, e.to_string()))?)
}

fn text() -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let page = clap_mangen::Man::new(command.clone());
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    page.render_subcommands_section(&mut text)?;
    commands(&command, &mut text)?;
    text.extend(sections().into_bytes());
    page.render_version_section(&mut text)?;
    Ok(text)
}

fn commands(command: &clap::Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set()) {
        text.extend(format!(".SH \"{}\"\n", sub.get_bin_name().unwrap_or_default().to_uppercase()).into_bytes());
        let man = clap_mangen::Man::new(sub.clone());
        man.render_synopsis_section(text)?;
        man.render_description_section(text)?;
        man.render_options_section(text)?;
        for deeper in sub.get_subcommands().filter(|c| c.get_name() != "help") {
            let man = clap_mangen::Man::new(deeper.clone());
            man.render_synopsis_section(text)?;
            man.render_description_section(text)?;
            man.render_options_section(text)?;
        }
    }
    Ok(())
}

/// Files, environment, exit statuses and examples.
fn sections() -> String {
    let mut text = String::new();
    let mut list = |title: &str, items: &mut dyn Iterator<Item = (String, &str)>| {
        let _ = writeln!(text, ".SH {title}");
        for (name, says) in items {
            let _ = writeln!(text, ".TP\n\\fB{}\\fR\n{}", roff(&name), roff(says));
        }
    };
    list("FILES", &mut FILES.iter().map(|(name, says)| ((*name).to_owned(), *says)));
    list("ENVIRONMENT", &mut ENVIRONMENT.iter().map(|(name, says)| ((*name).to_owned(), *says)));
    list("\"EXIT STATUS\"", &mut EXITS.iter().map(|(code, _, says)| (code.to_string(), *says)));
    text += ".SH EXAMPLES\n";
    for (says, typed) in EXAMPLES {
        let _ = writeln!(text, ".PP\n{}\n.PP\n.nf\n.RS\n{}\n.RE\n.fi", roff(says), roff(typed));
    }
    text
}

/// Text as roff takes it: hyphens that can be copied, and no line that reads as a request.
fn roff(text: &str) -> String {
    let plain = text.replace('\\', "\\e").replace('-', "\\-");
    let line = |l: &str| if l.starts_with(['.', '\'']) { format!("\\&{l}") } else { l.to_owned() };
    plain.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::paths::Paths;
    use clap::Parser as _;

    #[test]
    fn help_manual_and_readme_name_the_same_exit_codes() {
        let help = Arguments::command().render_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&exits()) && exits().contains(", 8 sent"), "{help}");
        let readme = include_str!("../../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(readme.contains(&exits()), "{}", exits());
        let contract: String = include_str!("mod.rs").lines().map_while(|line| line.strip_prefix("//!")).collect();
        for (code, ..) in EXITS {
            assert!(contract.contains(&format!(" {code} ")), "the module's contract has no code {code}");
        }
    }

    #[test]
    fn the_manual_has_every_section_and_every_command() {
        let page = String::from_utf8(text().unwrap()).unwrap();
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SUBCOMMANDS", "FILES", "ENVIRONMENT", "\"EXIT STATUS\"", "EXAMPLES", "VERSION"]
        {
            assert!(page.lines().any(|l| l == format!(".SH {section}")), "{section}");
        }
        for command in Arguments::command().get_subcommands().filter(|c| !c.is_hide_set()) {
            assert!(page.contains(&format!("COUNTERSIGN {}", command.get_name().to_uppercase())), "{}", command.get_name());
        }
        assert!(!page.contains("DEMO-TARGET"), "what is hidden stays so");
    }

    #[test]
    fn the_examples_can_be_typed() {
        for line in EXAMPLES.iter().flat_map(|(_, typed)| typed.lines()) {
            let typed = line.replace("prp-...", "prp-1").replace("grt-...", "grt-1");
            Arguments::try_parse_from(typed.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }

    #[test]
    fn the_files_lie_where_the_program_looks() {
        let variables = [("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let paths = Paths::find(&variables.into()).unwrap();
        let named: Vec<String> = FILES.iter().map(|(name, _)| name.replace("$XDG_CONFIG_HOME", "/c").replace("$XDG_STATE_HOME", "/s")).collect();
        for place in [paths.console_file(), paths.keymap_file(), paths.themes(), paths.server_file(), paths.session_file(), paths.drafts()] {
            let place = place.display().to_string();
            assert!(named.iter().any(|n| n.trim_end_matches("/*.toml").trim_end_matches('/') == place), "{place}");
        }
    }

    #[test]
    fn roff_is_not_steered_by_text() {
        assert_eq!(roff(".so x\n'br\na-b\\c"), "\\&.so x\n\\&'br\na\\-b\\ec");
    }
}
