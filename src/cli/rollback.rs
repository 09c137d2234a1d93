//! `rollback`: what was there before, as a new generation.

use super::target::{CareArgs, TargetArgs, execute, refusal, show_change, target, who};
use super::{Failure, Outcome};
use crate::deploy::{Back, Desire, Target};
use crate::out::plan::short;
use crate::terminal::{print, say};

/// Bring an older generation of the store back
///
/// It gets a new number, and its zones larger serials, so that secondaries take it over. Shows what
/// changes for whom, and is checked and taken back like any deploy.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator rollback                          # to what was current before\n  pxelator rollback 5                        # to what number 5 holds\n  pxelator rollback 3f2a91 ana@boot:/srv/pxelator"
)]
pub(super) struct Args {
    /// A number, or the beginning of an id; `previous` is what was current before
    #[arg(default_value = "previous", value_name = "N")]
    to: String,
    /// The store: a folder, or [USER@]HOST:FOLDER over ssh
    #[arg(default_value = "/srv/pxelator", value_name = "TARGET", value_parser = target)]
    target: Target,
    #[command(flatten)]
    place: TargetArgs,
    #[command(flatten)]
    care: CareArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    // One argument that names a place is the place: `pxelator rollback boot:/srv/pxelator`.
    if args.to != "previous" && !args.to.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(format!(
            "`{}` is no generation: the first argument is a number, `previous` or the beginning of an id, and the store is the second; write `pxelator rollback previous {}`",
            args.to, args.to
        )
        .into());
    }
    let mut link = args.place.open(&args.target)?;
    let to = if args.to == "previous" { Back::Previous } else { Back::To(args.to.clone()) };
    let desire = Desire {
        rollback: Some(to),
        without_assets: args.care.without_assets,
        assets: args.care.assets.clone(),
        stamp: args.care.stamp,
        patience_secs: args.care.patience,
        keep: args.care.keep as usize,
    };
    let planned = match link.plan(desire, None) {
        Ok(planned) => planned,
        Err(error) => return refusal(error),
    };
    let Some((plan, new)) = planned.plan.clone().zip(planned.new.as_ref()) else {
        let place = planned.current.as_ref();
        let (id, number) = (place.map_or("", |place| short(&place.generation)), place.map_or(0, |place| place.number));
        say(&format!("generation {id} is current already, as {number}: nothing to do"));
        return Ok(Outcome::Good);
    };
    show_change(&planned, new);
    print(&plan.text());
    if args.care.dry_run {
        return Ok(Outcome::Good);
    }
    execute(&mut link, plan, None, who(None, args.care.why.clone()), &args.care)
}
