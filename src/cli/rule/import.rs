//! `rule import` and `rule from-changes`: a module out of a how-to, or out of what was done on a machine.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::cli::moments::time;
use crate::cli::out_args::OutArgs;
use crate::cli::{Failure, Outcome};
use crate::diag::nearest;
use crate::howto::write::{Module, module, slug};
use crate::howto::{HOWTO_BYTES_MAX, HowTo, Step, read};
use crate::operate::rule::differences::source::{Source, Tracked};
use crate::operate::rule::differences::{Made, rules};
use crate::operate::track::{Place, log};
use crate::out::table::Tables;
use crate::storage::content::Both;
use crate::storage::overlay_of;
use crate::terminal::{escaped, print, say};

/// How many things that were left out are named; the rest are counted.
const LEFT_OUT_SHOWN_MAX: usize = 30;
/// How much of a line that stays manual is shown, in characters.
const MANUAL_CHARS_MAX: usize = 70;

/// Make a module of rules out of a how-to in Markdown
///
/// A heading with shell commands becomes a rule. Commands that are known get a check; what is not understood
/// stays in the rule as `manual`, word for word, and is never run.
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator rule import web-server.md --name web")]
pub(super) struct ImportArgs {
    /// The how-to
    #[arg(value_name = "HOWTO.md")]
    howto: PathBuf,
    #[command(flatten)]
    to: To,
}

/// Make a module of rules out of what was changed on a machine
///
/// For a machine whose root is an overlay: what differs from its base. For a tracked machine: what differs
/// between its first pull, or --since, and its last one. Passwords, keys, files that others may not read and what
/// is a machine's own are left out, and named.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  pxelator rule from-changes pc-01 --name web\n  pxelator rule from-changes nas --since 7d")]
pub(super) struct FromArgs {
    /// The host
    #[arg(value_name = "HOST")]
    host: String,
    /// Of a tracked machine: since a commit or a time, as 7d or 2026-11-25
    #[arg(long, value_name = "COMMIT|WHEN")]
    since: Option<String>,
    /// A file that others may not read on the machine, to be in the module all the same; may be given again
    #[arg(long, value_name = "PATH")]
    with: Vec<String>,
    /// Where tracked machines are kept
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(clap::Args)]
struct To {
    /// The name of the module; that of the how-to or of the host if absent
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The site: the module is written to modules/NAME beside it
    #[arg(long, default_value = "site.kdl", value_name = "FILE")]
    site: PathBuf,
}

pub(super) fn import(args: &ImportArgs) -> Result<Outcome, Failure> {
    let path = &args.howto;
    let size = fs::metadata(path).map_err(|error| unread(path, &error))?.len();
    if size > HOWTO_BYTES_MAX as u64 {
        return Err(
            format!("{} is larger than {} MiB: cut it into several how-tos", path.display(), HOWTO_BYTES_MAX >> 20).into()
        );
    }
    let bytes = fs::read(path).map_err(|error| unread(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is no UTF-8 text", path.display()))?;
    let howto = read(&text).map_err(|refused| format!("{}: {refused}", path.display()))?;
    let stem = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A folder's how-to bears the folder's name.
    let parent = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let own = if ["howto", "readme"].contains(&stem.to_lowercase().as_str()) { parent.unwrap_or(stem) } else { stem };
    write(&args.to, &own, &howto)?;
    Ok(Outcome::Good)
}

/// Why a how-to cannot be read; of one that does not exist, the Markdown file beside it that may have been meant.
fn unread(path: &Path, error: &io::Error) -> String {
    if error.kind() != ErrorKind::NotFound {
        return format!("cannot read {}: {error}", path.display());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let beside: Vec<String> = beside.filter(|name| name.ends_with(".md")).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hint = match nearest(&name, beside.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{}`?", path.with_file_name(near).display()),
        None => "name the Markdown file of the how-to".to_owned(),
    };
    format!("there is no {}; {hint}", path.display())
}

pub(super) fn from_changes(args: &FromArgs) -> Result<Outcome, Failure> {
    let tables = args.out.tables()?;
    let (host, made) = changed(args, &tables)?;
    let told = |made: &Made| {
        for (what, why) in made.left_out.iter().take(LEFT_OUT_SHOWN_MAX) {
            say(&format!("left out: {}: {why}", escaped(what)));
        }
        let rest = made.left_out.len().saturating_sub(LEFT_OUT_SHOWN_MAX);
        if rest > 0 {
            say(&format!("left out: {rest} more"));
        }
    };
    if made.howto.rules.is_empty() {
        told(&made);
        say(&format!("{host} has no change that could be a rule: nothing was written"));
        return Ok(Outcome::Errors);
    }
    write(&args.to, &host, &made.howto)?;
    told(&made);
    Ok(Outcome::Good)
}

/// What was changed on a machine, as far as it is kept.
fn changed(args: &FromArgs, tables: &Tables) -> Result<(String, Made), Failure> {
    let is_tracked = tables.tracked.keys().find(|name| name.eq_ignore_ascii_case(&args.host));
    let has_overlay = tables.roots.iter().any(|row| row.host.eq_ignore_ascii_case(&args.host) && row.overlay.is_some());
    if has_overlay {
        let (row, overlay) = overlay_of(tables, &args.host)?;
        let both = Both::open(row, overlay)?;
        return Ok((row.host.clone(), rules(&row.host, &both as &dyn Source, &args.with)?));
    }
    let Some(host) = is_tracked else {
        let known = tables.tracked.keys().map(String::as_str).chain(tables.roots.iter().map(|row| row.host.as_str()));
        let hint = nearest(&args.host, known).map_or_else(
            || {
                format!(
                    "write `track \"/etc\" on=\"host:{}\"` into the site, build, and pull before and after the work",
                    escaped(&args.host)
                )
            },
            |near| format!("did you mean `{near}`?"),
        );
        return Err(format!("nothing is kept of what is changed on `{}`; {hint}", escaped(&args.host)).into());
    };
    let repository = Place::new(&args.state).repository()?;
    let lines = log(&repository, Some(host), None)?;
    let (Some(newest), Some(oldest)) = (lines.first(), lines.last()) else {
        return Err(crate::operate::track::Error::NothingOf { host: host.clone() }.into());
    };
    let from = match &args.since {
        Some(since) => {
            repository.at(host, since, time(since).ok().map(|at| at / 1_000_000))?.unwrap_or_else(|| oldest.commit.clone())
        }
        None => oldest.commit.clone(),
    };
    if from == newest.commit {
        let help = format!("`pxelator track pull {host}` looks again");
        return Err(format!("{host} was pulled once since then, so nothing is known to have changed: {help}").into());
    }
    let tracked = Tracked::open(&repository, host, &from, &newest.commit)?;
    Ok((host.clone(), rules(host, &tracked as &dyn Source, &args.with)?))
}

/// Writes the module, and says what to do with it.
fn write(to: &To, own: &str, howto: &HowTo) -> Result<(), Failure> {
    let given = to.name.as_deref().unwrap_or(own);
    let name = slug(given).replace('/', "-");
    if name.is_empty() || to.name.is_some() && name != given {
        return Err(format!(
            "`{}` is no name for a module: write small letters, digits and `-`, as --name web-server",
            escaped(given)
        )
        .into());
    }
    let module = module(&name, howto);
    let folder = to.site.parent().unwrap_or(Path::new("")).join("modules").join(&name);
    put(&folder, &name, &module)?;
    let count = module.files.len();
    let beside =
        if count == 0 { String::new() } else { format!(", and {count} {} beside it", if count == 1 { "file" } else { "files" }) };
    print(&format!("wrote {}{beside}\n", folder.join("module.kdl").display()));
    for rule in &howto.rules {
        for step in &rule.steps {
            let Step::Manual(text) = step else { continue };
            let first = text.trim().lines().next().unwrap_or_default();
            let short: String = first.chars().take(MANUAL_CHARS_MAX).collect();
            let more = if short.len() < text.trim().len() { " …" } else { "" };
            print(&format!("by hand: {}: {}{more}\n", escaped(&rule.name), escaped(&short)));
        }
    }
    print(&format!("read it, then put one line into the site: use {name} {{ on \"host:NAME\" }}\n"));
    Ok(())
}

/// The whole folder, or nothing of it; what is there already stays.
fn put(folder: &Path, name: &str, module: &Module) -> Result<(), Failure> {
    let single = folder.with_extension("kdl");
    if let Some(there) = [folder, single.as_path()].into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(
            format!("there is a module `{name}` already, {}: give another --name, or move it away", there.display()).into()
        );
    }
    let parent = folder.parent().unwrap_or(Path::new("modules"));
    let fresh = parent.join(format!(".{name}.new-{}", std::process::id()));
    let written = write_all(&fresh, module).and_then(|()| fs::rename(&fresh, folder));
    if written.is_err() {
        let _best_effort = fs::remove_dir_all(&fresh);
    }
    written.map_err(|error| match error.kind() == ErrorKind::PermissionDenied {
        true => format!("{} cannot be written: run this as whoever owns the site", folder.display()).into(),
        false => format!("cannot write {}: {error}", folder.display()).into(),
    })
}

fn write_all(folder: &Path, module: &Module) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("module.kdl"), &module.text)?;
    for (path, bytes) in &module.files {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, bytes)?;
    }
    Ok(())
}
