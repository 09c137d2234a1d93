//! What is measured: kinds of series, their units, and their names.

use std::fmt;
use std::path::{Path, PathBuf};

use super::FOLDER;

/// A series has one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Leases,
    Requests,
    Boots,
    Ping,
    Cpu,
    Memory,
    Disk,
}

/// One figure of a series.
#[derive(Debug)]
pub struct Source {
    /// Within the file; librrd allows 19 letters.
    pub name: &'static str,
    /// It only grows, and what is kept is how fast.
    pub is_counter: bool,
}

const fn gauge(name: &'static str) -> Source {
    Source { name, is_counter: false }
}

const fn counter(name: &'static str) -> Source {
    Source { name, is_counter: true }
}

impl Kind {
    pub const ALL: [Kind; 7] = [Kind::Leases, Kind::Requests, Kind::Boots, Kind::Ping, Kind::Cpu, Kind::Memory, Kind::Disk];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Leases => "leases",
            Kind::Requests => "requests",
            Kind::Boots => "boots",
            Kind::Ping => "ping",
            Kind::Cpu => "cpu",
            Kind::Memory => "memory",
            Kind::Disk => "disk",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Kind::Leases => "leases of pool addresses in use",
            Kind::Requests => "requests to a service",
            Kind::Boots => "boots, from the firmware's first word to the first line of the log",
            Kind::Ping => "answers to pings",
            Kind::Cpu => "processor time of a machine on this server",
            Kind::Memory => "memory of a machine on this server",
            Kind::Disk => "disk of a machine on this server",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Kind::Leases => "addresses",
            Kind::Requests => "requests/s",
            Kind::Boots => "seconds",
            Kind::Ping => "ms",
            Kind::Cpu => "% of a processor",
            Kind::Memory => "bytes",
            Kind::Disk => "bytes/s",
        }
    }

    pub fn sources(self) -> &'static [Source] {
        const LEASES: &[Source] = &[gauge("used"), gauge("pool")];
        const REQUESTS: &[Source] = &[counter("requests")];
        const BOOTS: &[Source] = &[gauge("took")];
        const PING: &[Source] = &[gauge("answer")];
        const CPU: &[Source] = &[counter("used")];
        const MEMORY: &[Source] = &[gauge("used")];
        const DISK: &[Source] = &[counter("read"), counter("written")];
        match self {
            Kind::Leases => LEASES,
            Kind::Requests => REQUESTS,
            Kind::Boots => BOOTS,
            Kind::Ping => PING,
            Kind::Cpu => CPU,
            Kind::Memory => MEMORY,
            Kind::Disk => DISK,
        }
    }

    /// By how much the figures in the file are to be divided: processors count microseconds in a second.
    pub fn divisor(self) -> f64 {
        match self {
            Kind::Cpu => 10_000.0,
            Kind::Leases | Kind::Requests | Kind::Boots | Kind::Ping | Kind::Memory | Kind::Disk => 1.0,
        }
    }

    /// Are there so many of its unit that K, M and G stand before it? Half a millisecond is no `500 m ms`.
    pub fn is_scaled(self) -> bool {
        matches!(self, Kind::Memory | Kind::Disk)
    }

    /// Does it happen now and then, and not all the time?
    pub fn is_sparse(self) -> bool {
        self == Kind::Boots
    }
}

/// `ping/kiosk-01`: a kind, and a network, a service, a host or a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    pub kind: Kind,
    name: String,
}

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 128;

impl Series {
    /// `None` where the name cannot be that of a file.
    pub fn of(kind: Kind, name: &str) -> Option<Series> {
        let name = name.to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let sound = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && name.chars().all(plain);
        sound.then_some(Series { kind, name })
    }

    /// As people write it.
    pub fn parse(text: &str) -> Option<Series> {
        let (kind, name) = text.split_once('/')?;
        Series::of(Kind::ALL.into_iter().find(|known| known.name() == kind)?, name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn title(&self) -> String {
        match self.kind {
            Kind::Leases => format!("Leases in {}", self.name),
            Kind::Requests => format!("Requests to {}", self.name.to_ascii_uppercase()),
            Kind::Boots => format!("Boots of {}", self.name),
            Kind::Ping => format!("Ping of {}", self.name),
            Kind::Cpu => format!("Processor of {}", self.name),
            Kind::Memory => format!("Memory of {}", self.name),
            Kind::Disk => format!("Disk of {}", self.name),
        }
    }

    pub(super) fn path(&self, state: &Path) -> PathBuf {
        state.join(FOLDER).join(self.kind.name()).join(format!("{}.rrd", self.name))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files_and_nothing_else() {
        assert_eq!(Series::parse("ping/kiosk-01").unwrap().to_string(), "ping/kiosk-01");
        assert_eq!(Series::parse("requests/DNS").unwrap().title(), "Requests to DNS");
        assert_eq!(Series::parse("leases/lan").unwrap().path(Path::new("/s")), Path::new("/s/trends/leases/lan.rrd"));
        for odd in
            ["ping", "ping/", "pong/a", "ping/../a", "ping/.a", "ping/a/b", "ping/a b", &format!("ping/{}", "a".repeat(129))]
        {
            assert_eq!(Series::parse(odd), None, "{odd}");
        }
    }
}
