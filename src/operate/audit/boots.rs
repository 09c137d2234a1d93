//! The boots of a host, out of what was recorded of it.
//!
//! ```text
//!  [switched on] ─► DISCOVER of a firmware ─► offer ─► address ─► loader ─► menu ─► kernel ─► initrd ─► first line of its log
//!                       └ begins a boot: an earlier one that did not come to its log stopped where it was
//! ```

use serde_json::{Value, json};

use super::line::Entry;
use super::moment;
use crate::terminal::{escaped, json_escaped};

/// How long a firmware that gets no answer goes on with the same attempt, in microseconds.
const AGAIN_MICROS: i64 = 60_000_000;
/// How long after it was switched on a machine has its first word, in microseconds.
const SWITCHED_MICROS: i64 = 600_000_000;
/// How long after its last step the next one is still of the same boot, in microseconds: who is in the
/// menu for longer has left it, and a line that comes later is of a system on the machine's own disk.
const STEP_MICROS: i64 = 600_000_000;
/// How long after its last step a boot may still go on.
const GOING_ON_MICROS: i64 = 120_000_000;

/// What a boot comes to, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Somebody switched it on a little before.
    Power,
    Discover,
    Offer,
    Address,
    Loader,
    Menu,
    Kernel,
    Initrd,
    Line,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Power => "switched on by",
            Step::Discover => "discover",
            Step::Offer => "offer",
            Step::Address => "address",
            Step::Loader => "loader",
            Step::Menu => "menu",
            Step::Kernel => "kernel",
            Step::Initrd => "initrd",
            Step::Line => "first line",
        }
    }

    /// What did not happen after it.
    fn missing(self) -> &'static str {
        match self {
            Step::Power | Step::Discover => "no address was offered (`pxelator audit query` shows whether a pool is exhausted)",
            Step::Offer => "it did not take the address: another DHCP server may be quicker",
            Step::Address => "it was told of no loader: none is pinned for this firmware (`pxelator simulate HOST --arch` tells)",
            Step::Loader => "it asked for no menu",
            Step::Menu => "it asked for no kernel: it starts from its own disk, or waits at the menu",
            Step::Kernel | Step::Initrd => {
                "no line of its log came: the kernel stopped, or its system sends no syslog to this server"
            }
            Step::Line => "",
        }
    }
}

/// One boot, from the first word of its firmware on.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    pub host: String,
    pub mac: String,
    firmware: String,
    /// Step, microseconds since 1970, what.
    pub steps: Vec<(Step, i64, String)>,
    /// The last file that it asked for and that is not here.
    absent: Option<String>,
    /// The loader that it was told of.
    offered: Option<String>,
}

/// Boots of one host, as they are read.
#[derive(Debug)]
pub struct Boots {
    /// A host, or a MAC.
    name: String,
    /// What it was offered last: of a machine that nobody declared, files and lines tell no more.
    address: Option<String>,
    /// When it was switched on, and by whom.
    switched: Option<(i64, String)>,
    current: Option<Boot>,
}

impl Boots {
    pub fn of(name: &str) -> Boots {
        Boots { name: name.to_owned(), address: None, switched: None, current: None }
    }

    /// Is it a record of this host?
    fn is_mine(&mut self, entry: &Entry) -> bool {
        let mac = entry.text("mac");
        // Not every record of a machine has its host.
        let is_booting = mac.is_some_and(|mac| self.current.as_ref().is_some_and(|boot| boot.mac == mac));
        let named = is_booting || [entry.host(), mac].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(&self.name));
        let address = entry.text("address").filter(|_| mac.is_some());
        if let Some(address) = address.filter(|address| named || self.address.as_deref() == Some(address)) {
            // Whoever else gets the address has it now.
            self.address = named.then(|| address.to_owned());
        }
        named || mac.is_none() && self.address.as_deref().is_some_and(|address| address == entry.source())
    }

    /// Takes note of a record; a boot that is over is given back.
    pub fn add(&mut self, entry: &Entry) -> Option<Boot> {
        if !self.is_mine(entry) {
            return None;
        }
        let what = |name: &str| entry.text(name).unwrap_or_default().to_owned();
        let step = match entry.event.as_str() {
            "client-discovered" => return self.discovered(entry),
            "power-changed" | "wake-sent" if matches!(entry.text("action"), None | Some("on" | "cycle" | "reset")) => {
                self.switched = Some((entry.at, what("by")));
                return None;
            }
            "lease-offered" | "reservation-offered" => (Step::Offer, what("address")),
            "lease-granted" | "reservation-granted" => (Step::Address, what("address")),
            "loader-offered" => {
                let file = Some(what("file")).filter(|file| !file.is_empty());
                self.current.iter_mut().for_each(|boot| boot.offered.clone_from(&file));
                return None;
            }
            "file-asked" => match file(&what("path")) {
                Some(step) => (step, what("path")),
                None => return None,
            },
            "line-logged" => {
                (Step::Line, format!("{}{}", entry.text("app").map(|app| format!("{app}: ")).unwrap_or_default(), what("text")))
            }
            _ => return None,
        };
        // A clock that was set back makes no boot either.
        let is_other = |boot: &Boot| !(0..STEP_MICROS).contains(&(entry.at - boot.latest().1));
        if self.current.as_ref().is_some_and(is_other) {
            return self.current.take();
        }
        let boot = self.current.as_mut()?;
        if entry.fields.get("found") == Some(&Value::Bool(false)) {
            boot.absent = Some(step.1);
            return None;
        }
        let (mut step, what) = step;
        // Loaders ask for the size first, and for the file again.
        let again = step == Step::Kernel && boot.steps.iter().any(|(_, _, known)| *known == what);
        if step == Step::Kernel && boot.has(Step::Kernel) {
            step = Step::Initrd;
        }
        // Lines of a system that is being stopped are none of the boot that begins.
        let early = step == Step::Line && !boot.has(Step::Address);
        if !boot.has(step) && !again && !early && !boot.has(Step::Line) {
            boot.steps.push((step, entry.at, what));
            boot.absent = None;
        }
        None
    }

    fn discovered(&mut self, entry: &Entry) -> Option<Boot> {
        // Without an architecture it is a system that asks, and no firmware.
        let arch = entry.fields.get("arch").and_then(Value::as_u64)?;
        let is_ipxe = entry.fields.get("is_ipxe") == Some(&Value::Bool(true));
        let goes_on = self.current.as_ref().is_some_and(|boot| {
            let since = entry.at - boot.latest().1;
            let again = !boot.has(Step::Loader) && (0..AGAIN_MICROS).contains(&since);
            // The loader is iPXE, and asks anew.
            let loaded = is_ipxe && boot.has(Step::Loader) && !boot.has(Step::Kernel);
            again || loaded && (0..STEP_MICROS).contains(&since)
        });
        if goes_on {
            return None;
        }
        let mac = entry.text("mac").unwrap_or_default().to_owned();
        let switched = self.switched.take().filter(|(at, _)| (0..SWITCHED_MICROS).contains(&(entry.at - at)));
        let power = switched.map(|(at, by)| (Step::Power, at, by));
        let begun = Boot {
            host: entry.host().unwrap_or(&mac).to_owned(),
            firmware: firmware(arch, is_ipxe),
            steps: power.into_iter().chain([(Step::Discover, entry.at, mac.clone())]).collect(),
            mac,
            absent: None,
            offered: None,
        };
        self.current.replace(begun)
    }

    /// The microseconds from the first word of its firmware to the first line of its log, where it came to that.
    pub(super) fn took(&self) -> Option<i64> {
        let boot = self.current.as_ref()?;
        let at = |wanted: Step| boot.steps.iter().find(|(step, _, _)| *step == wanted).map(|(_, at, _)| *at);
        Some(at(Step::Line)? - at(Step::Discover)?)
    }

    /// The last one, which may still go on.
    pub fn last(self) -> Option<Boot> {
        self.current
    }
}

/// What a file is to a boot; `None` where it may be anything.
fn file(path: &str) -> Option<Step> {
    let path = path.to_ascii_lowercase();
    let ends = |all: &[&str]| all.iter().any(|end| path.ends_with(end));
    let begins = |all: &[&str]| all.iter().any(|begin| path.starts_with(begin));
    if begins(&["pxelinux.cfg/", "ipxe/", "menus/"]) || ends(&["grub.cfg", ".ipxe"]) {
        return Some(Step::Menu);
    }
    if ends(&[".0", ".efi", ".kpxe", ".pxe", ".lkrn"]) {
        return Some(Step::Loader);
    }
    // Modules and fonts of loaders, and texts that a system fetches.
    let other = ends(&[".c32", ".mod", ".lst", ".pf2", ".cfg"]) || begins(&["files/", "boot/grub/", "grub/"]);
    (!other).then_some(Step::Kernel)
}

/// RFC 4578 §2.1 and IANA's list: what option 93 says.
fn firmware(arch: u64, is_ipxe: bool) -> String {
    let name = match arch {
        0 => "bios",
        6 => "efi32",
        7 | 9 => "efi64",
        10 => "arm32",
        11 => "arm64",
        16 => "efi64-http",
        19 => "arm64-http",
        other => return format!("architecture {other}{}", if is_ipxe { ", ipxe" } else { "" }),
    };
    format!("{name}{}", if is_ipxe { ", ipxe" } else { "" })
}

impl Boot {
    fn has(&self, step: Step) -> bool {
        self.steps.iter().any(|(one, _, _)| *one == step)
    }

    fn begun(&self) -> i64 {
        self.steps.first().map_or(0, |(_, at, _)| *at)
    }

    fn latest(&self) -> (Step, i64) {
        self.steps.last().map_or((Step::Discover, 0), |(step, at, _)| (*step, *at))
    }

    /// How it ended, as a sentence; `now` in microseconds since 1970.
    fn end(&self, now: i64) -> String {
        let furthest = self.steps.iter().map(|(step, _, _)| *step).max().unwrap_or(Step::Discover);
        let (step, at) = self.latest();
        if step == Step::Line {
            return format!("up after {}", seconds(at - self.begun()));
        }
        let absent = self.absent.as_ref().map(|path| format!("; it asked for {}, which is not here", escaped(path)));
        let state = if (0..GOING_ON_MICROS).contains(&(now - at)) { "so far after" } else { "stopped after" };
        let missing = match self.offered.as_ref().filter(|_| furthest == Step::Address) {
            Some(file) => format!(
                "it was told to load {}, and did not ask for it: a firewall is between (UDP 69; TCP 80 for HTTP), or its firmware does not start from the network",
                escaped(file)
            ),
            None => furthest.missing().to_owned(),
        };
        format!("{state} {}: {missing}{}", furthest.name(), absent.unwrap_or_default())
    }

    pub fn text(&self, now: i64) -> String {
        let mut out = format!("{}  {}  {}  {}\n", escaped(&self.host), moment(self.begun()), self.firmware, escaped(&self.mac));
        for (step, at, what) in &self.steps {
            let what = if *step == Step::Discover { "" } else { what };
            let line = format!("{:>10}  {} {}", seconds(at - self.begun()), step.name(), escaped(what));
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out + "            " + &self.end(now) + "\n"
    }

    pub fn json(&self, now: i64) -> String {
        let after = |at: i64| (at - self.begun()) as f64 / 1e6;
        let steps: Vec<Value> =
            self.steps.iter().map(|(step, at, what)| json!({ "step": step.name(), "after": after(*at), "what": what })).collect();
        let object = json!({
            "host": self.host, "mac": self.mac, "begun": moment(self.begun()), "firmware": self.firmware,
            "up": self.has(Step::Line), "end": self.end(now), "steps": steps,
        });
        format!("{}\n", json_escaped(&object.to_string()))
    }
}

fn seconds(micros: i64) -> String {
    format!("{:.3} s", micros as f64 / 1e6)
}
