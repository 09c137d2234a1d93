//! [`Checked`] → [`Tree`]: the site as other programs read it.
//!
//! Each emitter owns a prefix of `out/` and writes nowhere else. **Invariant:** an emitter takes
//! [`Checked`] and never a bare site, so unchecked output cannot be written down; every line carries the
//! lines of the site that made it.
//!
//! To add one: a file with `emit(&Checked, &mut Wing, &mut Diags)` and a line in [`EMITTERS`].

mod audit;
mod boot;
mod dhcp;
mod dns;
mod docs;
mod engines;
mod monitor;
mod nfs;
mod page;
mod power;
mod rules;
mod texts;
mod track;
mod vm;

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{Host, Login, Origins, Selected, Site};
use crate::out::table::LoginRow;
use crate::out::{Tree, Wing};

/// One room of `out/`.
pub struct Emitter {
    pub name: &'static str,
    pub about: &'static str,
    pub prefix: &'static str,
    /// Can it still find errors, for it reads more than the site's own lines?
    may_refuse: bool,
    emit: fn(&Checked, &mut Wing<'_>, &mut Diags),
}

/// All emitters; they do not know each other, so the order is that of a machine's boot.
pub const EMITTERS: &[Emitter] = &[
    Emitter { name: "dhcp", about: "networks, pools and reservations", prefix: "dhcp/", may_refuse: false, emit: dhcp::emit },
    Emitter { name: "boot", about: "menus for each loader, and who gets which", prefix: "boot/", may_refuse: false, emit: boot::emit },
    Emitter { name: "dns", about: "zones, forward and reverse, and forwarders", prefix: "dns/", may_refuse: false, emit: dns::emit },
    Emitter { name: "texts", about: "texts that machines fetch", prefix: "boot/files/", may_refuse: true, emit: texts::emit },
    Emitter { name: "nfs", about: "roots over NFS: exports, unions, and the files of overlays", prefix: "nfs/", may_refuse: true, emit: nfs::emit },
    Emitter { name: "vm", about: "VMs over snapshots and containers over bases: for libvirt, QEMU and systemd-nspawn", prefix: "vm/", may_refuse: false, emit: vm::emit },
    Emitter { name: "audit", about: "how long what happened is kept, and who gets it", prefix: "audit/", may_refuse: false, emit: audit::emit },
    Emitter { name: "power", about: "hosts that can be switched, and when", prefix: "power/", may_refuse: false, emit: power::emit },
    Emitter { name: "monitor", about: "hosts and where they belong, what is watched, and who is told", prefix: "monitor/", may_refuse: false, emit: monitor::emit },
    Emitter { name: "rules", about: "what must hold on hosts, and how they are reached", prefix: "rules/", may_refuse: true, emit: rules::emit },
    Emitter { name: "track", about: "folders of machines that already run, and what is left out of them", prefix: "track/", may_refuse: false, emit: track::emit },
    Emitter { name: "page", about: "where the page for browsers is, and who may look", prefix: "page/", may_refuse: false, emit: page::emit },
    Emitter { name: "docs", about: "a runbook for each host, and for the boot server", prefix: "docs/", may_refuse: false, emit: docs::emit },
    Emitter { name: "engines", about: "the same site for Kea, dnsmasq, BIND and NSD", prefix: "engines/", may_refuse: false, emit: engines::emit },
];

/// How the boot server logs in on a host, and the lines that say so; `None` without an address.
fn login(site: &Site, selected: &Selected<'_>, host: &Host) -> Option<(LoginRow, Origins)> {
    let Login { address, user, port, origins } = site.login(selected, host)?;
    Some((LoginRow { address, port, user }, origins))
}

/// What emitters would refuse; nothing is made that is not needed for it.
pub fn refusals(checked: &Checked, diags: &mut Diags) {
    let mut tree = Tree::default();
    for emitter in EMITTERS.iter().filter(|emitter| emitter.may_refuse) {
        (emitter.emit)(checked, &mut tree.wing(emitter.name, emitter.prefix), diags);
    }
}

/// Everything, or nothing where an emitter finds an error.
pub fn emit(checked: &Checked, diags: &mut Diags) -> Option<Tree> {
    let mut tree = Tree::default();
    for emitter in EMITTERS {
        (emitter.emit)(checked, &mut tree.wing(emitter.name, emitter.prefix), diags);
    }
    (diags.errors() == 0).then_some(tree)
}
