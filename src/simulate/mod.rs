//! A machine's conversation with the pure answers, step by step, from `out/` alone.
//!
//! [`simulate`] plays the client: the packets that firmware sends, the files that a loader asks for in
//! its own order, the names that a system looks up. **Invariant:** every answer comes from
//! [`crate::answer`], the very functions that `serve` calls.

mod client;
mod menu;

use std::fmt;
use std::net::Ipv4Addr;

use crate::answer::dhcp::{self, Leases};
use crate::answer::dns::{self, Zones};
use crate::answer::{Content, http, tftp};
use crate::out::table::Tables;
use client::Reply;

/// Which firmware the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// BIOS PXE: pxelinux over TFTP.
    Bios,
    /// UEFI x86-64, native PXE: a loader over TFTP, then iPXE.
    Efi64,
    /// iPXE for UEFI in the NIC's ROM: a script over HTTP.
    Ipxe,
}

impl Firmware {
    /// Option 93.
    fn arch(self) -> u16 {
        match self {
            Firmware::Bios => 0,
            Firmware::Efi64 | Firmware::Ipxe => 7,
        }
    }
}

/// One line of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub service: &'static str,
    pub text: String,
    /// False where the machine would stop here.
    pub good: bool,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<5} {}", if self.good { " " } else { "✗" }, self.service, self.text)
    }
}

/// The whole conversation; the machine boots if no step is bad.
pub fn simulate(tables: &Tables, zones: &Zones, mac: &str, firmware: Firmware) -> Vec<Step> {
    let mut machine = Machine { tables, zones, mac, steps: Vec::new(), leases: Leases::default(), address: Ipv4Addr::UNSPECIFIED };
    machine.boot(firmware);
    machine.steps
}

/// The machine and what it knows so far.
struct Machine<'a> {
    tables: &'a Tables,
    zones: &'a Zones,
    mac: &'a str,
    steps: Vec<Step>,
    leases: Leases,
    address: Ipv4Addr,
}

impl Machine<'_> {
    fn good(&mut self, service: &'static str, text: String) {
        self.steps.push(Step { service, text, good: true });
    }

    fn bad(&mut self, service: &'static str, text: String) {
        self.steps.push(Step { service, text, good: false });
    }

    fn boot(&mut self, firmware: Firmware) {
        let Some(ack) = self.dora(firmware.arch(), firmware == Firmware::Ipxe) else { return };
        let file = ack.file.clone();
        let started = match (firmware, file.as_str()) {
            (_, "") => {
                self.bad("dhcp", "no boot file for this firmware: pin a loader, see `pxelator lock --help`".into());
                false
            }
            (_, url) if url.starts_with("http://") => self.script(url),
            (Firmware::Bios, "undionly.kpxe") | (Firmware::Efi64 | Firmware::Ipxe, _) => self.chain_to_ipxe(firmware, &file),
            (Firmware::Bios, _) => self.pxelinux(&file),
        };
        if started {
            self.lookups(&ack);
        }
    }

    /// DISCOVER to ACK.
    fn dora(&mut self, arch: u16, is_ipxe: bool) -> Option<Reply> {
        let who = if is_ipxe { "iPXE" } else { "PXEClient" };
        let discover = client::packet(self.mac, 1, None, arch, is_ipxe);
        self.good("dhcp", format!("DISCOVER from {} ({who}, architecture {arch})", self.mac));
        let Some(offer) = self.exchange(&discover) else {
            self.bad("dhcp", "no answer: the MAC has no reservation, and no pool has a free address".into());
            return None;
        };
        self.good("dhcp", format!("OFFER {offer}"));
        let request = client::packet(self.mac, 3, Some(&offer), arch, is_ipxe);
        let Some(ack) = self.exchange(&request) else {
            self.bad("dhcp", "REQUEST was not answered".into());
            return None;
        };
        self.good("dhcp", format!("ACK {}, for {} s", ack.address, ack.lease_secs));
        self.address = ack.address;
        Some(ack)
    }

    fn exchange(&mut self, packet: &[u8]) -> Option<Reply> {
        let local = self.local();
        let request = dhcp::Request { packet, local: local.as_slice(), is_rehearsal: true, now: 0, http_port: 80 };
        let answer = dhcp::answer(&request, self.tables, &self.leases);
        answer.events.iter().for_each(|event| self.leases.apply(event));
        answer.reply.and_then(|(bytes, _)| Reply::read(&bytes))
    }

    /// The server's address in the machine's network: declared, or the first that it could have.
    fn local(&self) -> Option<Ipv4Addr> {
        let reserved = self.tables.home_of(self.mac);
        let network = reserved.or_else(|| self.tables.networks.iter().find(|network| !network.pools.is_empty())).or(self.tables.networks.first())?;
        network.server.or(Some(Ipv4Addr::from(u32::from(network.first) + 1)))
    }

    fn tftp(&mut self, name: &str) -> Option<Content> {
        let packet = [b"\0\x01".as_slice(), name.as_bytes(), b"\0octet\0tsize\x000\0blksize\x001408\0"].concat();
        match tftp::answer(&packet, self.address, self.tables) {
            Some(tftp::Answer::Transfer { content, .. }) => {
                self.good("tftp", format!("{name}: {} bytes", content.len()));
                Some(content)
            }
            _ => None,
        }
    }

    fn http(&mut self, path: &str) -> Option<Content> {
        let request = http::Request { method: "GET", target: path, range: None, if_range: None, if_none_match: None, peer: self.address };
        let answer = http::answer(&request, self.tables);
        match answer.body.filter(|_| answer.status == 200) {
            Some((content, _)) => {
                self.good("http", format!("{path}: {} bytes", content.len()));
                Some(content)
            }
            None => {
                self.bad("http", format!("{path}: status {}", answer.status));
                None
            }
        }
    }

    /// pxelinux: itself, its core, its configuration by MAC, by address, by default; then what that names.
    fn pxelinux(&mut self, file: &str) -> bool {
        for part in [file, "ldlinux.c32"] {
            if self.tftp(part).is_none() {
                self.bad("tftp", format!("{part}: not found; pin it in assets.lock"));
                return false;
            }
        }
        let hex = format!("{:08X}", u32::from(self.address));
        let mut names = vec![format!("01-{}", self.mac.replace(':', "-"))];
        names.extend((1..=hex.len()).rev().filter_map(|end| hex.get(..end).map(str::to_owned)));
        names.push("default".into());
        let found = names.iter().find_map(|name| self.tftp(&format!("pxelinux.cfg/{name}")));
        let Some(Content::Bytes(text)) = found else {
            self.bad("tftp", "no pxelinux.cfg file for this machine".into());
            return false;
        };
        let choice = menu::pxelinux(&String::from_utf8_lossy(&text));
        self.start(&choice, |machine, path| {
            let found = machine.tftp(path).is_some();
            if !found {
                machine.bad("tftp", format!("{path}: not found"));
            }
            found
        })
    }

    fn chain_to_ipxe(&mut self, firmware: Firmware, file: &str) -> bool {
        if self.tftp(file).is_none() {
            self.bad("tftp", format!("{file}: not found"));
            return false;
        }
        self.good("dhcp", "the loader is iPXE and asks once more".into());
        match self.dora(firmware.arch(), true) {
            Some(ack) if ack.file.starts_with("http://") => self.script(&ack.file),
            Some(_) | None => {
                self.bad("dhcp", "iPXE got no script".into());
                false
            }
        }
    }

    fn script(&mut self, url: &str) -> bool {
        let path = url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let Some(Content::Bytes(text)) = self.http(&path) else { return false };
        let choice = menu::ipxe(&String::from_utf8_lossy(&text));
        self.start(&choice, |machine, path| machine.http(path).is_some())
    }

    /// What the menu starts by itself.
    fn start(&mut self, choice: &menu::Choice, fetch: impl Fn(&mut Self, &str) -> bool) -> bool {
        self.good("menu", format!("{}{}", choice.entry, if choice.waits { " (after the menu's timeout)" } else { "" }));
        if choice.is_local {
            self.good("boot", "the machine's own disk".into());
            return false;
        }
        let all = choice.files.iter().all(|path| fetch(self, path));
        if all {
            self.good("boot", format!("command line: {}", choice.cmdline));
        }
        all && (!choice.cmdline.split(' ').any(|word| word == "nfsroot=auto") || self.root())
    }

    /// The system's own DHCP client asks where its root lies, and the server must export it.
    fn root(&mut self) -> bool {
        let told = self.exchange(&client::system_packet(self.mac)).map(|offer| offer.root).filter(|root| !root.is_empty());
        let Some(told) = told else {
            self.bad("dhcp", "no root path for this machine, and its kernel waits for one: give it the profile by its own line".into());
            return false;
        };
        self.good("dhcp", format!("root path {told}"));
        let folder = told.split_once(':').map_or("", |(_, folder)| folder);
        match self.tables.roots.iter().find(|row| row.export == folder && row.address == self.address) {
            Some(row) => {
                let what = row.overlay.as_ref().map_or(String::new(), |overlay| format!("overlay {} over ", overlay.name));
                self.good("nfs", format!("{folder}: {what}base {}, {}", row.base, if row.write { "writable" } else { "read-only" }));
                true
            }
            None => {
                self.bad("nfs", format!("{folder} is not exported to {}", self.address));
                false
            }
        }
    }

    /// The system asks for its own name, both ways.
    fn lookups(&mut self, ack: &Reply) {
        if ack.host.is_empty() || !self.tables.reservations.contains_key(self.mac) {
            return; // only reservations have records
        }
        let name = format!("{}.{}", ack.host, ack.domain);
        let [a, b, c, d] = ack.address.octets();
        for (name, kind) in [(name, "A"), (format!("{d}.{c}.{b}.{a}.in-addr.arpa"), "PTR")] {
            let packet = client::question(&name, kind);
            let answer = dns::answer(&dns::Request { packet: &packet, peer: self.address, over_tcp: false }, self.tables, self.zones);
            match client::first_record(&answer) {
                Some(data) => self.good("dns", format!("{name} {kind}: {data}")),
                None => self.bad("dns", format!("{name} {kind}: no answer")),
            }
        }
    }
}
