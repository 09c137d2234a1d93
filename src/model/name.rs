//! Names of hosts and of records.

use std::fmt;

/// The longest label, in bytes (RFC 1035 §2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;
/// The longest name, dots included, final dot not (RFC 1035 §2.3.4: 255 on the wire).
pub const NAME_BYTES_MAX: usize = 253;

/// A host's name: one label of letters, digits and hyphens (RFC 1123 §2.1), in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    pub fn parse(text: &str) -> Option<HostName> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let sound = plain && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-');
        sound.then(|| HostName(text.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A complete DNS name in lower case, without the final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(String);

impl Domain {
    /// Labels of letters, digits, hyphens and underscores; their lengths are `check`'s concern.
    pub fn parse(text: &str) -> Option<Domain> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let label = |label: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            !label.is_empty() && label.chars().all(plain) && !label.starts_with('-') && !label.ends_with('-')
        };
        text.split('.').all(label).then(|| Domain(text.to_ascii_lowercase()))
    }

    /// What a name in the site means: `@` is the domain, one label (or `_service._proto`) lies in it,
    /// and a name with dots is complete. Nothing is guessed from a final dot.
    pub fn resolve(&self, text: &str) -> Option<Domain> {
        match text {
            "@" => Some(self.clone()),
            _ if !text.contains('.') => Domain::parse(&format!("{text}.{self}")),
            _ => {
                let complete = Domain::parse(text)?;
                let service = text.starts_with('_') && !self.contains(&complete);
                if service { Domain::parse(&format!("{text}.{self}")) } else { Some(complete) }
            }
        }
    }

    /// A host of this domain.
    pub fn host(&self, name: &HostName) -> Domain {
        Domain(format!("{name}.{self}"))
    }

    pub fn contains(&self, name: &Domain) -> bool {
        name == self || name.0.strip_suffix(&self.0).is_some_and(|rest| rest.ends_with('.'))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_without_guessing() {
        let lab = Domain::parse("lab.example").unwrap();
        let full = |text: &str| lab.resolve(text).unwrap().to_string();
        assert_eq!(full("@"), "lab.example");
        assert_eq!(full("Git"), "git.lab.example");
        assert_eq!(full("_ldap._tcp"), "_ldap._tcp.lab.example");
        assert_eq!(full("www.example.org"), "www.example.org");
        assert!(lab.contains(&lab.resolve("git").unwrap()));
        assert!(!lab.contains(&Domain::parse("notlab.example").unwrap()));
    }
}
