//! `completion`: what a shell needs to complete our commands, flags and codes.

use clap_complete::Shell;

use super::{Failure, Outcome, command_line};
use crate::diag::codes::CODES;
use crate::terminal::print;

/// Print the completions for a shell
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  source <(pxelator completion bash)    # in ~/.bashrc\n  pxelator completion zsh > ~/.zfunc/_pxelator\n  pxelator completion fish > ~/.config/fish/completions/pxelator.fish"
)]
pub(super) struct Args {
    #[arg(value_enum)]
    shell: Named,
}

/// The shells that we try.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Named {
    Bash,
    Zsh,
    Fish,
}

/// The generator for fish knows the values of flags only, and a code is none.
fn codes_for_fish() -> String {
    let codes: Vec<&str> = CODES.iter().map(|code| code.name).collect();
    format!("complete -c pxelator -n \"__fish_pxelator_using_subcommand explain\" -f -a \"{}\"\n", codes.join(" "))
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let shell = match args.shell {
        Named::Bash => Shell::Bash,
        Named::Zsh => Shell::Zsh,
        Named::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command_line(), env!("CARGO_PKG_NAME"), &mut text);
    let mut text = String::from_utf8(text)?;
    if shell == Shell::Fish {
        text.push_str(&codes_for_fish());
    }
    print(&text);
    Ok(Outcome::Good)
}
