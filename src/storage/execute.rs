//! Does what a plan says, step by step; where a host's step fails, its other steps are left and the next host follows.

use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use super::beneath::{Found, Root};
use super::mounts::mounted;
use super::plan::{GONE, options};
use super::{Error, Plan, Result, Step, failed, refused};
use crate::model::Union;
use crate::out::table::json;
use crate::store::{Generation, out::replace_file};

/// Gives what failed; `tell` hears each step that is done.
pub fn execute(plan: Plan, generation: &Generation, tell: &mut dyn FnMut(&str)) -> Vec<Error> {
    let mut failures = plan.problems;
    for (host, steps) in plan.steps {
        for step in steps {
            match one(&step, &host, generation) {
                Ok(()) => tell(&step.to_string()),
                Err(error) => {
                    failures.push(error);
                    break;
                }
            }
        }
    }
    failures
}

fn one(step: &Step, host: &str, generation: &Generation) -> Result<()> {
    match step {
        Step::MakeFolder { path, closed } => make_folder(path, *closed),
        Step::Unmount { target, address } => unmount(host, target, address),
        Step::Mount { target, union, lower, upper } => mount(host, target, *union, lower, upper),
        Step::Discard { folder } => discard(folder),
        Step::WriteFile { root, path, text, mode } => {
            let bytes = generation.files.get(text).map(Vec::as_slice).unwrap_or_default();
            Root::open(root)?.write(path, bytes, *mode, (0, 0)).map_err(in_the_way(host, path))
        }
        Step::RestoreFile { root, path, lower } => {
            restore(&Root::open(root)?, &Root::open(lower)?, path).map_err(in_the_way(host, path))
        }
        Step::Remember { file, state } => Ok(replace_file(Path::new(file), &json(state))?),
    }
}

fn make_folder(path: &str, closed: bool) -> Result<()> {
    fs::create_dir_all(path).map_err(failed("make", path))?;
    let mode = if closed { 0o700 } else { 0o755 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed("close", path))
}

/// What the base has at a path, or nothing where it has nothing.
fn restore(root: &Root, base: &Root, path: &str) -> Result<()> {
    match base.look(path)? {
        Found::Nothing => root.remove(path, base),
        Found::File { bytes, mode, owner } => root.write(path, &bytes, mode, owner),
        Found::Link(target) => root.link(path, &target),
        // A device, or a file too large to be copied: the declared one stays, and the machine may remove it.
        Found::Other => Ok(()),
    }
}

/// The disk's own complaints are no fault of the machine's.
fn in_the_way(host: &str, path: &str) -> impl FnOnce(Error) -> Error {
    let (host, path) = (host.to_owned(), path.to_owned());
    move |error| {
        let kinds = [ErrorKind::IsADirectory, ErrorKind::AlreadyExists, ErrorKind::NotADirectory];
        match matches!(&error, Error::Io { source, .. } if kinds.contains(&source.kind())) {
            true => Error::InTheWay { host, path, source: Box::new(error) },
            false => error,
        }
    }
}

fn mount(host: &str, target: &str, union: Union, lower: &str, upper: &str) -> Result<()> {
    let data = CString::new(options(union, lower, upper)).map_err(|error| failed("mount", target)(error.into()))?;
    let kind = if union == Union::Aufs { "aufs" } else { "overlay" };
    let mounted = rustix::mount::mount(
        format!("pxelator-{host}"),
        target,
        kind,
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        Some(data.as_c_str()),
    );
    mounted.map_err(|errno| match errno {
        Errno::NODEV => Error::NoUnion { host: host.to_owned(), union: union.name().to_owned() },
        Errno::STALE => Error::OtherBase { host: host.to_owned(), upper: upper.to_owned(), lower: lower.to_owned() },
        Errno::PERM => Error::Root("storage"),
        other => refused("mount", target)(other),
    })
}

fn unmount(host: &str, target: &str, address: &str) -> Result<()> {
    rustix::mount::unmount(target, UnmountFlags::empty()).map_err(|errno| match errno {
        Errno::BUSY => Error::Busy { host: name(host, target), target: target.to_owned(), address: address.to_owned() },
        Errno::PERM => Error::Root("storage"),
        other => refused("unmount", target)(other),
    })
}

/// Of a union that belongs to nobody any more, its folder bears the name.
fn name(host: &str, target: &str) -> String {
    if host.is_empty() { target.rsplit('/').next().unwrap_or_default().to_owned() } else { host.to_owned() }
}

/// The folder is aside at once; a machine that begins again never sees half of it.
fn discard(folder: &str) -> Result<()> {
    let mut aside = folder.to_owned();
    if !folder.rsplit('/').next().is_some_and(|name| name.contains(GONE)) {
        aside = format!("{folder}{GONE}{}", std::process::id());
        fs::rename(folder, &aside).map_err(failed("rename", folder))?;
    }
    fs::remove_dir_all(&aside).map_err(failed("remove", &aside))
}

/// Unmounts every union below a folder, in use or not; true where none is left.
pub fn unmount_below(folder: &Path) -> Result<bool> {
    let below = |all: &mut Vec<String>| -> Result<()> {
        *all = mounted()?.into_keys().filter(|target| Path::new(target).starts_with(folder)).collect();
        Ok(())
    };
    let mut left = Vec::new();
    below(&mut left)?;
    for target in &left {
        let _told_below = rustix::mount::unmount(target.as_str(), UnmountFlags::DETACH);
    }
    below(&mut left)?;
    Ok(left.is_empty())
}
