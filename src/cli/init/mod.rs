//! `init`: a small site that builds, with the next steps in it, switched off.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Failure, Outcome};
use crate::store::{Error, failed};
use crate::terminal::print;

/// Write a small commented site that builds
///
/// Nothing that exists is overwritten: if one of the files is there, none is written.
#[derive(clap::Args)]
#[command(after_help = "Example: pxelator init boot && cd boot && pxelator build")]
pub(super) struct Args {
    /// The folder of the site; it is made where it does not exist
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
}

/// Path below the folder, and what stands there.
const FILES: &[(&str, &str)] = &[("site.kdl", include_str!("site.kdl")), ("modules/kiosk.kdl", include_str!("kiosk.kdl"))];

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let there: Vec<String> = FILES
        .iter()
        .map(|(name, _)| args.folder.join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        return Err(format!("{} is there already, so nothing was written; give the path of a new folder", there.join(" and ")).into());
    }
    let mut made = Vec::new();
    if let Err(error) = write(&args.folder, &mut made) {
        // All or nothing: what we made goes again, the last first. Folders with something in them stay.
        for path in made.iter().rev() {
            let _best_effort = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        }
        return Err(error.into());
    }
    print(&next_steps(&args.folder));
    Ok(Outcome::Good)
}

fn write(folder: &Path, made: &mut Vec<PathBuf>) -> Result<(), Error> {
    for (name, text) in FILES {
        let path = folder.join(name);
        make_folders(path.parent().unwrap_or(folder), made)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed("write", &path))?;
        made.push(path.clone());
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(failed("write", &path))?;
    }
    Ok(())
}

fn make_folders(folder: &Path, made: &mut Vec<PathBuf>) -> Result<(), Error> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && path.symlink_metadata().is_err()).collect();
    for path in missing.into_iter().rev() {
        match fs::create_dir(path) {
            Ok(()) => made.push(path.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("make", path)(error)),
        }
    }
    Ok(())
}

/// What was written, and the commands that come next, as they can be typed.
fn next_steps(folder: &Path) -> String {
    let names: Vec<String> = FILES.iter().map(|(name, _)| folder.join(name).strip_prefix(".").unwrap_or(&folder.join(name)).display().to_string()).collect();
    let mut text = format!("wrote {}\n\nnext:\n", names.join(" and "));
    if folder != Path::new(".") {
        text.push_str(&format!("  cd {}\n", quoted(&folder.to_string_lossy())));
    }
    for (command, what) in [
        ("pxelator check", "finds mistakes"),
        ("pxelator build", "writes out/"),
        ("pxelator why dhcp/leases.jsonl:1", "the line of your site behind a line of out/"),
        ("pxelator serve --state state --port-offset 10000", "on loopback, without root, until Ctrl-C"),
    ] {
        text.push_str(&format!("  {command:<50}# {what}\n"));
    }
    text + "\nthen put your network and your machines into site.kdl; its comments say how\n"
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/+-@".contains(c);
    if word.chars().all(plain) && !word.starts_with('-') { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
