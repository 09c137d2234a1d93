//! `file:` URIs and paths, and to which site a file belongs.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use lsp_types::Uri;

/// The file in which a site begins.
pub(super) const ENTRY: &str = "site.kdl";

/// The path behind a URI; `None` where it names no file of this machine.
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = path.split(['?', '#']).next().filter(|path| path.starts_with('/'))?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(hex(rest.next())? * 16 + hex(rest.next())?).ok()?,
            byte => byte,
        });
    }
    let path = PathBuf::from(OsString::from_vec(bytes));
    // `..` is taken away by the letter: a link in between would be the editor's own riddle.
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    Some(plain)
}

/// The URI of a path, as editors write it.
pub(super) fn uri_of(path: &Path) -> Option<Uri> {
    let mut text = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(char::from(*byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    Uri::from_str(&text).ok()
}

/// The nearest folder above a file that holds a site, and the file's name below it.
pub(super) fn site_of(path: &Path, exists: impl Fn(&Path) -> bool) -> Option<(PathBuf, String)> {
    let root = path.ancestors().skip(1).find(|folder| exists(&folder.join(ENTRY)))?;
    let name = path.strip_prefix(root).ok()?.to_str()?.to_owned();
    Some((root.to_owned(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_and_paths_are_each_others() {
        let path = |text: &str| Uri::from_str(text).ok().and_then(|uri| path_of(&uri));
        assert_eq!(path("file:///a%20b/%C5%BE.kdl"), Some(PathBuf::from("/a b/\u{17e}.kdl")));
        assert_eq!(path("file://localhost/a/./b/../c"), Some(PathBuf::from("/a/c")));
        assert_eq!(path("untitled:Untitled-1"), None);
        assert_eq!(path("file://elsewhere/a"), None);
        let there = PathBuf::from("/a b/\u{17e}#?.kdl");
        assert_eq!(uri_of(&there).map(|uri| uri.as_str().to_owned()).as_deref(), Some("file:///a%20b/%C5%BE%23%3F.kdl"));
        assert_eq!(uri_of(&there).and_then(|uri| path_of(&uri)), Some(there));
    }

    #[test]
    fn the_nearest_site_is_meant() {
        let exists = |path: &Path| path == Path::new("/a/site.kdl") || path == Path::new("/a/b/site.kdl");
        let site = |path: &str| site_of(Path::new(path), exists).map(|(root, name)| (root.display().to_string(), name));
        assert_eq!(site("/a/b/hosts/x.kdl"), Some(("/a/b".into(), "hosts/x.kdl".into())));
        assert_eq!(site("/a/site.kdl"), Some(("/a".into(), "site.kdl".into())));
        assert_eq!(site("/x/y.kdl"), None);
    }
}
