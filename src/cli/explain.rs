//! `explain`: the page of a code.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};

use super::{Failure, Outcome};
use crate::diag::codes::CODES;
use crate::diag::{explain, nearest};
use crate::terminal::print;

/// Explain a finding: a failing example, the reason, the mend
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator explain host/duplicate-mac")]
pub(super) struct Args {
    /// The code, as a finding shows it; without one, all codes are listed
    #[arg(value_parser = AnyCode, hide_possible_values = true)]
    code: Option<String>,
}

/// Any word is taken, for our own answer suggests a code; the shell completes those that exist.
#[derive(Clone)]
struct AnyCode;

impl TypedValueParser for AnyCode {
    type Value = String;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&clap::Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(CODES.iter().map(|code| PossibleValue::new(code.name))))
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let Some(code) = &args.code else {
        CODES.iter().for_each(|code| print(&format!("{:<8} {}\n", code.severity.name(), code.name)));
        return Ok(Outcome::Good);
    };
    if let Some(page) = explain(code) {
        print(page);
        return Ok(Outcome::Good);
    }
    let hint = nearest(code, CODES.iter().map(|code| code.name))
        .map_or("`pxelator explain` lists them all".to_owned(), |near| format!("did you mean `{near}`?"));
    Err(format!("no finding has the code `{code}`; {hint}").into())
}
