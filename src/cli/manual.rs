//! Completions and the manual page, made from the same arguments that are parsed.
//!
//! Contract: writes text for other programs. Knows no command in particular.

use clap::CommandFactory as _;

use super::Arguments;
use super::out::{FAILED, Failure, Out};

/// Completions for a shell.
pub fn completions(shell: clap_complete::Shell, out: Out) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "countersign", &mut text);
    out.raw(&text)
}

/// The manual page, with every command in it.
pub fn man(out: Out) -> Result<(), Failure> {
    let mut text = Vec::new();
    let mut command = Arguments::command();
    command.build();
    page(&command, &mut text).map_err(|e| Failure::new(FAILED, e.to_string()))?;
    out.raw(&text)
}

fn page(command: &clap::Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(text)?;
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
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
