//! Rename: a name at every place where it stands, in every file, or a reason why not.

use std::collections::BTreeMap;

use super::index::{Key, Place, Role};
use super::words::line_of;
use super::workspace::Snapshot;
use crate::model::HostName;
use crate::schema::{Kind, is_name};
use crate::syntax::shorten;

/// File below the site folder → places and what they become.
pub(super) type Edits = BTreeMap<String, Vec<(std::ops::Range<usize>, String)>>;

/// The name at an offset that can be renamed, and its place there.
pub(super) fn prepare(site: &Snapshot, file: &str, offset: usize) -> Result<(Key, Place), String> {
    let found = site.index().at(file, site.text(file), offset);
    let Some((key, place)) = found.into_iter().min_by_key(|(_, place)| place.range.len()) else {
        return Err("no name stands here; hosts, profiles, groups, networks, secrets and `let`s can be renamed".to_owned());
    };
    let name = shorten(&key.name);
    match key.kind {
        Kind::Host | Kind::Profile | Kind::Group | Kind::Network | Kind::Secret | Kind::Let | Kind::Counter | Kind::Site | Kind::Tag | Kind::Schedule | Kind::Snapshot => {}
        // Their folders on the boot server bear the names: the files would stay behind.
        Kind::Base | Kind::Overlay => return Err(format!("`{name}` is the name of a folder on the boot server: rename the folder and the lines together")),
        Kind::Module => return Err(format!("`{name}` is the name of a module's file: rename the file and its `module` line together")),
        Kind::Option => return Err(format!("`{name}` is an option that other sites may set: add `renamed {name} to=NEW since=\"…\"` to its module")),
        Kind::Instance => return Err(format!("`{name}` names a use of a module, and what the module makes may bear it: change the line itself")),
    }
    if key.name.contains('{') {
        return Err(format!("`{name}` makes many names: change the line itself"));
    }
    if site.index().declared(&key).next().is_none() {
        return Err(match site.index().made(&key).next() {
            Some(place) => {
                let kind = key.kind.name();
                format!("{kind} `{name}` is made by the line `{}` in {}: change that line", made_by(site, place), place.file)
            }
            None if (key.kind, key.name.as_str()) == (Kind::Profile, "local") => "profile `local` is built in".to_owned(),
            None => format!("nothing declares `{name}` as a {}", key.kind.name()),
        });
    }
    Ok((key, place))
}

fn made_by(site: &Snapshot, place: &Place) -> String {
    let text = site.text(&place.file);
    let start = site.lines(&place.file).map_or(0, |lines| lines.line_start(place.range.start));
    let end = site.lines(&place.file).map_or(0, |lines| lines.line_end(text, place.range.start));
    shorten(text.get(start..end).unwrap_or_default().trim())
}

/// What must change so that the thing is called `new`.
pub(super) fn rename(site: &Snapshot, file: &str, offset: usize, new: &str) -> Result<Edits, String> {
    let (key, _) = prepare(site, file, offset)?;
    let shown = shorten(new);
    let fits = if key.kind == Kind::Host { HostName::parse(new).is_some() && is_name(new) } else { is_name(new) && (key.kind != Kind::Tag || !new.contains(',')) };
    if !fits {
        let wants = if key.kind == Kind::Host { "one label of letters, digits and hyphens (RFC 1123)" } else { "letters, digits, - _ and ." };
        return Err(format!("`{shown}` is no name of a {}: write {wants}", key.kind.name()));
    }
    let wanted = Key::new(key.kind, &key.scope, new);
    if let Some(there) = taken(site, &key, &wanted) {
        return Err(format!("{} `{shown}` exists already, in {}", key.kind.name(), there.file));
    }
    let mut edits = Edits::new();
    for place in site.index().places(&key) {
        let Some(edit) = place.renamed(site.text(&place.file), new) else {
            return Err(format!("`{}` is written with escapes in {}: write it plainly first", shorten(&key.name), line_of(site, place)));
        };
        edits.entry(place.file.to_string()).or_default().push(edit);
    }
    Ok(edits)
}

/// Where the wanted name is in use already: two things of one kind and name would be one.
fn taken<'s>(site: &'s Snapshot, key: &Key, wanted: &Key) -> Option<&'s Place> {
    if wanted == key || key.kind == Kind::Tag {
        return None; // another spelling of the same host; tags are shared anyway
    }
    let index = site.index();
    // `{name}` means a counter first, then a `let`: one must not begin to hide the other.
    let lets = Key::new(Kind::Let, &key.scope, &wanted.name);
    let hidden = if key.kind == Kind::Counter { index.declared(&lets).next() } else { None };
    let made = || index.made(wanted).filter(|place| place.role == Role::Declares).find(|_| key.kind == Kind::Host);
    index.declared(wanted).next().or(hidden).or_else(made)
}
