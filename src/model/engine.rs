//! Other servers that a site is written down for.

use super::At;
use crate::source::Span;

/// The programs that we write for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    Kea,
    Dnsmasq,
    Bind,
    Nsd,
}

impl Program {
    pub const ALL: &[Program] = &[Program::Kea, Program::Dnsmasq, Program::Bind, Program::Nsd];

    /// The word in a site.
    pub fn name(self) -> &'static str {
        match self {
            Program::Kea => "kea",
            Program::Dnsmasq => "dnsmasq",
            Program::Bind => "bind",
            Program::Nsd => "nsd",
        }
    }

    pub fn find(name: &str) -> Option<Program> {
        Program::ALL.iter().copied().find(|program| program.name() == name)
    }
}

/// A line `engine NAME`.
#[derive(Clone, Debug)]
pub struct Engine {
    pub program: Program,
    /// Where dnsmasq finds the tree that `pxelator export tftp` writes.
    pub tftp: Option<At<String>>,
    pub span: Span,
}

/// The folder where nothing else is said.
const TFTP: &str = "/srv/tftp";

impl Engine {
    pub fn tftp(&self) -> &str {
        self.tftp.as_ref().map_or(TFTP, |at| &at.value)
    }
}

/// A text in the quotes of `dnsmasq.conf`, where commas, dots and `#` mean nothing and escapes are those
/// of C. `None` where dnsmasq would read something else: it keeps control characters for itself, its
/// lines are of no encoding, and an empty text ends a list.
pub fn dnsmasq_quoted(text: &str) -> Option<String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    plain.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// How long a line of `dnsmasq.conf` may be, in bytes: the rest of a longer one is read as another line
/// (2.90, MAXDNAME).
pub const DNSMASQ_LINE_BYTES_MAX: usize = 1023;
