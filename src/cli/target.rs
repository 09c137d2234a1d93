//! What `deploy`, `rollback` and `generations` have in common: the boot server, and a plan that is carried out.

use std::path::PathBuf;
use std::process::Command;

use super::{Failure, Outcome};
use crate::deploy::{Error, Executed, Link, Order, Planned, Ssh, Target, Tree, Who};
use crate::out::diff::{Files, diff};
use crate::out::plan::{Plan, short};
use crate::terminal::{print, say};

/// Where the boot server is.
#[derive(clap::Args)]
pub(super) struct TargetArgs {
    /// The state folder of the server there, for the first deploy: the store remembers it
    /// [default: /var/lib/pxelator]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// An option for ssh, as in its configuration file; may be given several times
    #[arg(long = "ssh-option", value_name = "OPTION")]
    ssh_options: Vec<String>,
    /// The program there, such as "sudo -n pxelator"
    #[arg(long, default_value = "pxelator", value_name = "COMMAND")]
    remote: String,
}

/// What both `deploy` and `rollback` may be told.
#[derive(clap::Args)]
pub(super) struct CareArgs {
    /// Do not hold the assets on the boot server against their hashes
    #[arg(long)]
    pub(super) without_assets: bool,
    /// Where the assets lie there, if not where the site or the server there says
    #[arg(long, value_name = "DIR")]
    pub(super) assets: Option<PathBuf>,
    /// Also keep a copy whose zones have serials, as sites with engines do
    #[arg(long)]
    pub(super) stamp: bool,
    /// How long the server may take to serve it, and then to answer
    #[arg(long, default_value = "20s", value_name = "SECONDS", value_parser = seconds)]
    pub(super) patience: u64,
    /// How many generations are kept
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) keep: u32,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
    /// Show what would change and what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// `20s` or `20`.
fn seconds(text: &str) -> Result<u64, String> {
    const SECS_MAX: u64 = 3600;
    let number = text.strip_suffix('s').unwrap_or(text).parse().ok().filter(|secs| (1..=SECS_MAX).contains(secs));
    number.ok_or_else(|| format!("write seconds, from 1s to {SECS_MAX}s"))
}

/// A TARGET on the command line.
pub(super) fn target(text: &str) -> Result<Target, String> {
    Target::parse(text)
}

impl TargetArgs {
    pub(super) fn open(&self, target: &Target) -> Result<Link, Error> {
        let ssh = Ssh { options: self.ssh_options.clone(), program: self.remote.clone() };
        // Of this machine, a state folder may be named from where we are; of another one it may not.
        let absolute = |state: &PathBuf| match target {
            Target::Here(_) => std::path::absolute(state).unwrap_or_else(|_| state.clone()),
            Target::There { .. } => state.clone(),
        };
        Link::open(target, self.state.as_ref().map(absolute).as_deref(), &ssh)
    }
}

/// Shows what changes for whom.
pub(super) fn show_change(planned: &Planned, new: &Tree) {
    let old: Option<Files> = planned.old.as_ref().map(Tree::bytes);
    match (&planned.damage, old) {
        (Some(damage), _) => say(&format!("warning: {damage}; what changes is not known")),
        (None, None) => print(&format!("the first generation here: {} files\n", new.files.len())),
        (None, Some(old)) => match diff(&old, &new.bytes()) {
            Ok(diff) => print(&diff.text()),
            // An old generation of another version: it can be replaced, though not compared.
            Err(error) => say(&format!("warning: what is current cannot be read: {error}; what changes is not known")),
        },
    }
}

/// Carries a plan out, telling each step.
pub(super) fn execute(link: &mut Link, plan: Plan, tree: Option<Tree>, who: Who, care: &CareArgs) -> Result<Outcome, Failure> {
    ignore_hangup();
    let order = Order { plan, tree, who, assets: care.assets.clone() };
    let executed = match link.execute(order, &mut |text| say(&format!("  {text}"))) {
        Ok(executed) => executed,
        Err(error) => return refusal(error),
    };
    let Executed { number, generation, is_confirmed } = executed;
    let healthy = if is_confirmed { ", healthy" } else { "" };
    say(&format!("generation {} is current as {number}{healthy}", short(&generation)));
    Ok(Outcome::Good)
}

/// A refusal is an answer, with exit code 1; anything else kept us from asking.
pub(super) fn refusal(error: Error) -> Result<Outcome, Failure> {
    if !error.is_refusal() {
        return Err(error.into());
    }
    say(&format!("error: {error}"));
    Ok(Outcome::Errors)
}

/// A terminal that is closed does not leave a deploy without its health check.
pub(super) fn ignore_hangup() {
    use nix::sys::signal::{SigSet, Signal};
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGHUP);
    let _best_effort = signals.thread_block();
}

/// Who asks for it: the person behind sudo, if there is one.
pub(super) fn who(revision: Option<String>, why: Option<String>) -> Who {
    let own = || nix::unistd::User::from_uid(nix::unistd::Uid::effective()).ok().flatten().map(|user| user.name);
    let person = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty()).or_else(own).unwrap_or_else(|| "unknown".into());
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Who { who: format!("{person}@{}", machine.trim()), revision, why }
}

/// The git revision of the folder in which `out/` lies, with `-dirty` where it is not committed.
pub(super) fn revision(out: &std::path::Path) -> Option<String> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}
