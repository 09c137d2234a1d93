//! What is mounted where, as the kernel tells it (proc_pid_mountinfo(5)).

use std::collections::BTreeMap;

use super::{Result, failed};

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// A union that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) kind: String,
    pub(super) source: String,
    /// The file system's own options.
    pub(super) options: String,
}

/// Everything that is mounted, by folder; of several at one place the uppermost.
pub(super) fn mounted() -> Result<BTreeMap<String, Mounted>> {
    let text = std::fs::read_to_string(MOUNTINFO).map_err(failed("read", MOUNTINFO))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> BTreeMap<String, Mounted> {
    text.lines().filter_map(line).collect()
}

/// `36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn line(line: &str) -> Option<(String, Mounted)> {
    let (mount, system) = line.split_once(" - ")?;
    let mut system = system.split(' ');
    let (kind, source, options) = (system.next()?, system.next()?, system.next()?);
    let mounted = Mounted { kind: kind.to_owned(), source: unescaped(source), options: unescaped(options) };
    Some((unescaped(mount.split(' ').nth(4)?), mounted))
}

/// Spaces, tabs, line breaks and backslashes come as three octal digits.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out + rest
}

impl Mounted {
    /// Does it join these two folders?
    pub(super) fn joins(&self, kind: &str, lower: &str, upper: &str) -> bool {
        let has = |option: String| self.options.split(',').any(|known| known == option);
        match kind {
            // The kernel tells `br:` in another way than it was told, and xino and branches apart.
            "aufs" => self.kind == "aufs" && self.source.starts_with("pxelator-"),
            _ => self.kind == "overlay" && has(format!("lowerdir={lower}")) && has(format!("upperdir={upper}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_as_the_kernel_writes_them() {
        let found = parse(
            "36 35 0:42 / /srv/a\\040b rw,relatime shared:1 - overlay pxelator-pc rw,lowerdir=/l,upperdir=/u/upper,workdir=/u/work\nnonsense\n",
        );
        let union = found.get("/srv/a b").unwrap();
        assert!(union.joins("overlay", "/l", "/u/upper") && !union.joins("overlay", "/l", "/u/other"));
        assert_eq!((found.len(), union.source.as_str()), (1, "pxelator-pc"));
    }
}
