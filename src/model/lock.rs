//! `assets.lock`: size and hash of every asset, so that the compiler knows them without a disk.
//!
//! One line an asset, sorted: `BLAKE3 SIZE PATH`. `pxelator lock` writes it, people commit it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::diag::{Diag, Diags};
use crate::source::{Sources, Span};

/// What the file is called, beside `site.kdl`.
const FILE: &str = "assets.lock";

/// A pinned file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Hexadecimal.
    pub blake3: String,
    pub size: u64,
}

/// All pinned files, by path below the assets folder.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    pub assets: BTreeMap<String, Asset>,
    lines: BTreeMap<String, Span>,
}

impl Lock {
    pub const FILE: &'static str = FILE;

    pub fn read(sources: &Sources, diags: &mut Diags) -> Lock {
        let mut lock = Lock::default();
        let Some(file) = sources.find(FILE) else { return lock };
        let mut start = 0;
        for line in sources.text(file).split_inclusive('\n') {
            let span = Span::new(file, start, start + line.trim_end().len());
            start += line.len();
            match parse_line(line.trim_end()) {
                Some((path, asset)) => {
                    lock.lines.insert(path.clone(), span);
                    lock.assets.insert(path, asset);
                }
                None => {
                    let diag = Diag::new("syntax/unexpected", span, "this is no line `BLAKE3 SIZE PATH`");
                    diags.push(diag.help("run `pxelator lock`, which writes the file anew"));
                }
            }
        }
        lock
    }

    pub fn get(&self, path: &str) -> Option<&Asset> {
        self.assets.get(path)
    }

    /// The line that pins it.
    pub fn line(&self, path: &str) -> Option<Span> {
        self.lines.get(path).copied()
    }

    /// The text of the file.
    pub fn text(assets: &BTreeMap<String, Asset>) -> String {
        assets.iter().fold(String::new(), |mut text, (path, asset)| {
            let _infallible = writeln!(text, "{} {} {path}", asset.blake3, asset.size);
            text
        })
    }
}

fn parse_line(line: &str) -> Option<(String, Asset)> {
    let (blake3, rest) = line.split_once(' ')?;
    let (size, path) = rest.split_once(' ')?;
    let sound = blake3.len() == 64 && blake3.chars().all(|c| c.is_ascii_hexdigit()) && !path.is_empty();
    let asset = Asset { blake3: blake3.to_ascii_lowercase(), size: size.parse().ok()? };
    sound.then(|| (path.to_owned(), asset))
}

/// A first program for a kind of firmware, known by its file name in the assets folder.
#[derive(Debug)]
pub struct Loader {
    pub firmware: &'static str,
    /// DHCP option 93 (RFC 4578, IANA's “Processor Architecture Types”).
    pub arch: &'static [u16],
    /// In order of preference.
    pub files: &'static [&'static str],
    /// What it asks for afterwards; locked along with it where present.
    pub parts: &'static [&'static str],
}

/// The loaders that a site may offer. UEFI machines are given iPXE, which then asks for a script.
pub const LOADERS: &[Loader] = &[
    Loader {
        firmware: "bios",
        arch: &[0],
        files: &["pxelinux.0", "undionly.kpxe"],
        parts: &["ldlinux.c32", "libutil.c32", "menu.c32"],
    },
    Loader { firmware: "efi64", arch: &[7, 9], files: &["snponly.efi", "ipxe.efi"], parts: &[] },
];
