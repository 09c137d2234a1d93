//! Folders of machines that already run, kept in git on the boot server.

use super::{At, Caller};
pub use crate::source::SECRETS;
use crate::source::{Span, names_path};

/// How long the path of a folder, or a pattern, may be, in bytes.
pub const PATH_BYTES_MAX: usize = 1000;

/// Git takes no folder of this name; who has one keeps its history there already.
pub const DOT_GIT: &str = ".git";
/// Folders that the kernel makes up: there is nothing in them to keep.
const MADE_UP: &[&str] = &["/dev", "/proc", "/run", "/sys"];

/// One `track` line.
#[derive(Debug)]
pub struct Track {
    pub folder: At<String>,
    pub on: Vec<At<Caller>>,
    pub except: Vec<At<String>>,
    pub span: Span,
}

/// Why a text is no folder to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderError {
    /// It does not begin with a slash.
    Relative,
    /// The whole disk.
    Root,
    /// `.`, `..`, an empty part, a slash at its end.
    Parts,
    /// Of the kernel.
    MadeUp,
    /// What is never fetched, or within it.
    Secret,
    Characters,
}

impl Track {
    /// Everything that is left out: what the line says, and what is never fetched, each as far as it can
    /// lie below the folder.
    pub fn left_out(&self) -> Vec<String> {
        let said = self.except.iter().map(|at| at.value.as_str());
        let fixed = SECRETS.iter().copied().chain([DOT_GIT]);
        let mut all: Vec<String> = Vec::new();
        for pattern in said.chain(fixed) {
            let can = !pattern.starts_with('/') || is_below(pattern, &self.folder.value);
            if can && !all.iter().any(|other| other == pattern) {
                all.push(pattern.to_owned());
            }
        }
        all
    }
}

/// Does a path lie below a folder?
pub fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// A folder that can be kept, as it was written.
pub fn folder_error(text: &str) -> Option<FolderError> {
    let Some(rest) = text.strip_prefix('/') else { return Some(FolderError::Relative) };
    if rest.is_empty() {
        return Some(FolderError::Root);
    }
    if text.len() > PATH_BYTES_MAX || text.chars().any(|c| c.is_control() || matches!(c, '*' | '?' | '[' | ']' | '\\')) {
        return Some(FolderError::Characters);
    }
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some(FolderError::Parts);
    }
    if MADE_UP.iter().any(|own| text == *own || is_below(text, own)) {
        return Some(FolderError::MadeUp);
    }
    SECRETS.iter().any(|own| names_path(own, text.as_bytes())).then_some(FolderError::Secret)
}

/// Can rsync leave out what this names, below that folder?
pub fn is_pattern(text: &str, folder: &str) -> bool {
    let plain = text.len() <= PATH_BYTES_MAX && !text.chars().any(|c| c.is_control() || matches!(c, '[' | ']' | '\\'));
    let parts = || text.trim_start_matches('/').split('/');
    let sound = parts().all(|part| !matches!(part, "" | "." | "..") && !part.contains("**"));
    // Where rsync reads a rule, these say that something is taken, or that all rules before are void.
    let rule = ["+ ", "- ", "!"].iter().any(|begin| text.starts_with(begin));
    let place = if text.starts_with('/') { is_below(text, folder) } else { !text.contains('/') };
    plain && sound && place && !rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_whole_paths_of_files_that_exist() {
        assert_eq!(["/etc", "/srv/www data/é"].map(folder_error), [None, None]);
        for (text, error) in [
            ("etc", FolderError::Relative),
            ("", FolderError::Relative),
            ("/", FolderError::Root),
            ("/etc/", FolderError::Parts),
            ("/etc/../root", FolderError::Parts),
            ("//etc", FolderError::Parts),
            ("/proc/sys", FolderError::MadeUp),
            ("/dev", FolderError::MadeUp),
            ("/etc/wireguard", FolderError::Secret),
            ("/etc/ssl/private/mail", FolderError::Secret),
            ("/etc/shadow.d", FolderError::Secret),
            ("/srv/tls.key/new", FolderError::Secret),
            ("/etc/*", FolderError::Characters),
            ("/etc\n", FolderError::Characters),
        ] {
            assert_eq!(folder_error(text), Some(error), "{text}");
        }
        assert_eq!(["/device", "/etc/ssl", "/etc/wireguards"].map(folder_error), [None; 3]);
    }

    #[test]
    fn patterns_are_names_or_lie_below_the_folder() {
        assert!(["*.cache", "/etc/mtab", "/etc/*/x?"].iter().all(|text| is_pattern(text, "/etc")));
        for text in
            ["/etc", "/etcetera/x", "/srv/x", "a/b", "", "..", "/etc/../x", "[ab]", "a\\b", "/etc/**", "+ x", "- x", "!", "!x"]
        {
            assert!(!is_pattern(text, "/etc"), "{text}");
        }
    }
}
