//! `deploy`: a generation to the boot server, with a way back.

use std::path::{Path, PathBuf};

use super::target::{CareArgs, TargetArgs, execute, refusal, revision, show_change, target, who};
use super::{Failure, Outcome};
use crate::deploy::{Desire, Error, Target, Tree};
use crate::out::plan::{Plan, short};
use crate::store;
use crate::terminal::{print, say};

/// Put a generation on the boot server, check it, and go back by itself if it is not healthy
///
/// Verifies out/, shows what changes for whom and each step, and carries them out on the boot server:
/// assets are held against their hashes, the generation is copied, `current` is switched by one rename,
/// and the server there is asked for its zones and a menu. Anything wrong: the one before is current again.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator deploy                                     # to /srv/pxelator on this machine\n  pxelator deploy ana@boot:/srv/pxelator --dry-run    # over ssh; only show it\n  pxelator deploy boot:/srv/pxelator --save-plan p.json && pxelator deploy boot:/srv/pxelator --plan p.json\n\nThe server there: pxelator serve --out /srv/pxelator/current/out\nExit codes: 0 deployed, 1 refused or taken back, 2 it could not be tried"
)]
pub(super) struct Args {
    /// The store: a folder, or [USER@]HOST:FOLDER over ssh
    #[arg(default_value = "/srv/pxelator", value_name = "TARGET", value_parser = target)]
    target: Target,
    /// The folder that was built
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    place: TargetArgs,
    #[command(flatten)]
    care: CareArgs,
    /// Write the plan into a file, and do nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "plan"])]
    save_plan: Option<PathBuf>,
    /// Carry out exactly this plan, which was saved
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "keep", "patience", "stamp", "without_assets"])]
    plan: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let tree = Tree::of(store::open(&args.out)?)?;
    let saved = args.plan.as_deref().map(read_plan).transpose()?;
    let mut link = args.place.open(&args.target)?;
    let who = || who(revision(&args.out), args.care.why.clone());
    let saved_idle = saved.as_ref().is_some_and(|plan| plan.steps.is_empty());
    if let Some(plan) = saved.filter(|plan| !plan.steps.is_empty()) {
        print(&plan.text());
        return execute(&mut link, plan, Some(tree), who(), &args.care);
    }
    let desire = Desire {
        rollback: None,
        without_assets: args.care.without_assets,
        assets: args.care.assets.clone(),
        stamp: args.care.stamp,
        patience_secs: args.care.patience,
        keep: args.care.keep as usize,
    };
    let planned = match link.plan(desire, Some(tree.clone())) {
        Ok(planned) => planned,
        Err(error) => return refusal(error),
    };
    let Some(plan) = planned.plan.clone() else {
        let number = planned.current.as_ref().map_or(0, |place| place.number);
        if let Some(path) = &args.save_plan {
            // What carries it out finds a plan on every run.
            let (parent, generation) = (planned.current.clone(), tree.manifest.generation.clone());
            write_plan(path, &Plan { parent, number, generation, from: None, steps: Vec::new(), way_back: None })?;
        }
        say(&format!("generation {} is current already, as {number}: nothing to do", short(&tree.manifest.generation)));
        return Ok(Outcome::Good);
    };
    if saved_idle {
        return refusal(Error::Stale("it changes nothing, and this generation is not current any more".into()));
    }
    show_change(&planned, &tree);
    print(&plan.text());
    if let Some(path) = &args.save_plan {
        write_plan(path, &plan)?;
        say(&format!("plan written to {}; nothing was done", path.display()));
        return Ok(Outcome::Good);
    }
    if args.care.dry_run {
        return Ok(Outcome::Good);
    }
    execute(&mut link, plan, None, who(), &args.care)
}

fn write_plan(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(plan)? + "\n";
    Ok(store::out::replace_file(path, &text)?)
}

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    Ok(serde_json::from_slice(&text)
        .map_err(|error| format!("{shown} is no plan of this pxelator: {error}; make a new one with --save-plan"))?)
}
