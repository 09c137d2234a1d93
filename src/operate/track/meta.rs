//! What git does not keep of a file: permissions, owner, empty folders, links to one file, ACLs.
//!
//! `.pxelator/HOST` in the repository has a line for each path, in their order:
//!
//! ```text
//! KIND MODE OWNER:GROUP PATH [=PATH] [@ATTRIBUTE:HEX …]
//! f 0640 0:42 /etc/app\040data =/etc/app
//! ```
//! The kind is `d`, `f` or `l`; `=` names the first path of the same file. In a path, every byte that is no
//! visible character is a backslash and three octal digits.

use std::collections::BTreeMap;

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
    Link,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    pub kind: Kind,
    /// Permissions alone.
    pub mode: u32,
    pub owner: u32,
    pub group: u32,
    /// The first path of the same file, where it has several.
    pub same_as: Option<Vec<u8>>,
    /// As rsync keeps them, by name.
    pub attributes: BTreeMap<String, Vec<u8>>,
}

/// By whole path on the machine.
pub type Metas = BTreeMap<Vec<u8>, Meta>;

impl Kind {
    const ALL: [Kind; 3] = [Kind::Folder, Kind::File, Kind::Link];

    fn letter(self) -> &'static str {
        match self {
            Kind::Folder => "d",
            Kind::File => "f",
            Kind::Link => "l",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Folder => "folder",
            Kind::File => "file",
            Kind::Link => "link",
        }
    }

    /// The bits of `st_mode`.
    pub fn bits(self) -> u32 {
        match self {
            Kind::Folder => 0o040_000,
            Kind::File => 0o100_000,
            Kind::Link => 0o120_000,
        }
    }

    pub fn of_bits(mode: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.bits() == mode & 0o170_000)
    }
}

pub fn write(metas: &Metas) -> String {
    let mut out = String::new();
    for (path, meta) in metas {
        let Meta { kind, mode, owner, group, same_as, attributes } = meta;
        out.push_str(&format!("{} {mode:04o} {owner}:{group} {}", kind.letter(), escape(path)));
        out.extend(same_as.iter().map(|first| format!(" ={}", escape(first))));
        for (name, value) in attributes {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            out.push_str(&format!(" @{}:{hex}", escape(name.as_bytes())));
        }
        out.push('\n');
    }
    out
}

/// `None` where a line is none of ours.
pub fn read(text: &str) -> Option<Metas> {
    text.lines().map(line).collect()
}

fn line(text: &str) -> Option<(Vec<u8>, Meta)> {
    let mut words = text.split(' ');
    let letter = words.next()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.letter() == letter)?;
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let (owner, group) = words.next()?.split_once(':')?;
    let path = unescape(words.next()?)?;
    let (owner, group) = (owner.parse().ok()?, group.parse().ok()?);
    let mut meta = Meta { kind, mode, owner, group, same_as: None, attributes: BTreeMap::new() };
    for word in words {
        if let Some(first) = word.strip_prefix('=') {
            meta.same_as = Some(unescape(first)?);
        } else {
            let (name, hex) = word.strip_prefix('@')?.rsplit_once(':')?;
            meta.attributes.insert(String::from_utf8(unescape(name)?).ok()?, unhex(hex)?);
        }
    }
    Some((path, meta))
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// A path in one word of visible characters.
pub fn escape(path: &[u8]) -> String {
    let mut out = String::new();
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            let plain = !c.is_control()
                && !c.is_whitespace()
                && c != '\\'
                && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
            if plain { out.push(c) } else { c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&octal(byte))) }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&octal(*byte)));
    }
    out
}

fn octal(byte: u8) -> String {
    format!("\\{byte:03o}")
}

fn unescape(word: &str) -> Option<Vec<u8>> {
    let mut bytes = word.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?);
    }
    Some(out)
}

/// What is otherwise, in words: `mode 0644 → 0600, owner 0 → 33`.
pub fn differences(from: &Meta, to: &Meta) -> Vec<String> {
    let mut all = Vec::new();
    let mut told = |what: &str, from: String, to: String| {
        if from != to {
            all.push(format!("{what} {from} → {to}"));
        }
    };
    told("kind", from.kind.name().to_owned(), to.kind.name().to_owned());
    if from.kind == to.kind && from.kind != Kind::Link {
        told("mode", format!("{:04o}", from.mode), format!("{:04o}", to.mode));
    }
    told("owner", from.owner.to_string(), to.owner.to_string());
    told("group", from.group.to_string(), to.group.to_string());
    let same = |meta: &Meta| meta.same_as.as_ref().map_or_else(|| "none".to_owned(), |path| escape(path));
    told("the same file as", same(from), same(to));
    let names = from.attributes.keys().chain(to.attributes.keys()).collect::<std::collections::BTreeSet<_>>();
    for name in names {
        let word = match (from.attributes.get(name), to.attributes.get(name)) {
            (Some(was), Some(is)) if was == is => continue,
            (Some(_), Some(_)) => "changed",
            (None, _) => "added",
            (_, None) => "gone",
        };
        let shown = match name.as_str() {
            "%aacl" => "ACL".to_owned(),
            "%dacl" => "default ACL".to_owned(),
            other => format!("attribute {}", escape(other.as_bytes())),
        };
        all.push(format!("{shown} {word}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_and_attribute_comes_back() {
        let meta = |kind, mode| Meta { kind, mode, owner: 0, group: 42, same_as: None, attributes: BTreeMap::new() };
        let mut metas = Metas::from([
            (b"/etc".to_vec(), meta(Kind::Folder, 0o755)),
            (b"/etc/a b\n'\"\\".to_vec(), meta(Kind::File, 0o4755)),
            (b"/etc/bad\xff\xfe".to_vec(), meta(Kind::File, 0o644)),
            ("/etc/ljubičica\u{202e}".as_bytes().to_vec(), meta(Kind::Link, 0o777)),
        ]);
        let last = metas.get_mut(b"/etc/bad\xff\xfe".as_slice()).unwrap();
        last.same_as = Some(b"/etc/a b\n'\"\\".to_vec());
        last.attributes = BTreeMap::from([("security.capability".to_owned(), vec![1, 255]), ("user.a b:c".to_owned(), vec![])]);
        let text = write(&metas);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(!text.contains('\u{202e}') && text.contains("ljubičica"), "{text}");
        assert_eq!(read(&text), Some(metas));
        for wrong in ["x 0644 0:0 /a", "f 0648 0:0 /a", "f 0644 0 /a", "f 0644 0:0 /a\\4", "f 0644 0:0 /a b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
