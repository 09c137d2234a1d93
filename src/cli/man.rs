//! `man`: the man pages, made of the same descriptions as `--help`.

use std::fs;
use std::path::{Path, PathBuf};

use clap_mangen::Man;

use super::{Failure, Outcome, command_line};
use crate::store::{failed, out};
use crate::terminal::{print, say};

/// Print the man page, or write all of them into a folder
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator man | man -l -\n  pxelator man --out ~/.local/share/man/man1    # pxelator(1), pxelator-build(1), …"
)]
pub(super) struct Args {
    /// The folder to write pxelator.1 and a page for each command into; it is made where it does not exist
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let pages = pages(command_line())?;
    let Some(folder) = &args.out else {
        pages.first().into_iter().for_each(|(_, text)| print(text));
        return Ok(Outcome::Good);
    };
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    for (name, text) in &pages {
        out::replace_file(&folder.join(Path::new(name)), text)?;
    }
    say(&format!("{} pages written into {}", pages.len(), folder.display()));
    Ok(Outcome::Good)
}

/// The command `help` repeats what the pages say.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// The page of the program, and those of its commands and their commands: name of the file, and text.
fn pages(mut command: clap::Command) -> Result<Vec<(String, String)>, Failure> {
    command = without_help(command);
    // Gives each command the flags that it inherits, and its full name.
    command.build();
    let mut pages = Vec::new();
    let mut waiting = vec![command];
    while let Some(command) = waiting.pop() {
        waiting.extend(command.get_subcommands().cloned());
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let mut text = Vec::new();
        Man::new(command).render(&mut text)?;
        pages.push((format!("{name}.1"), String::from_utf8(text)?));
    }
    Ok(pages)
}
