//! [`Site`] → [`Checked`]: whether the parts agree with each other.
//!
//! Each check is a function over the whole site that puts its findings into the basket; nothing stops at
//! the first. **Invariant:** [`Checked`] can be made here alone, and `emit` takes nothing else: what was
//! not checked cannot be written down.
//!
//! To add one: a function in the family's file, a line in [`CHECKS`], and the page of its code.

mod audit;
mod boot;
mod commands;
mod dhcp;
mod dns;
mod engines;
mod host;
mod monitor;
mod network;
mod nfs;
mod page;
mod power;
mod rule;
mod running;
mod schedule;
mod site;
mod track;
mod vm;

use crate::diag::Diags;
use crate::model::Site;

/// A rule over the whole site.
pub struct Check {
    /// The codes that it may say.
    pub codes: &'static [&'static str],
    pub about: &'static str,
    run: fn(&Site, &mut Diags),
}

/// All checks; those on which others build come first.
pub const CHECKS: &[Check] = &[
    Check { codes: &["network/overlap"], about: "no two networks share an address", run: network::overlap },
    Check { codes: &["network/reserved-address"], about: "nobody has a network's own or broadcast address", run: network::reserved },
    Check { codes: &["network/gateway", "network/gateway-clash"], about: "gateways lie in their network and are no host by accident", run: network::gateway },
    Check { codes: &["network/pool-overlap"], about: "no two pools share an address", run: network::pools },
    Check { codes: &["network/host-in-pool"], about: "reservations lie outside of pools", run: network::host_in_pool },
    Check { codes: &["network/pool-too-small"], about: "pools suffice for the hosts that need them", run: network::pool_size },
    Check { codes: &["host/duplicate-name"], about: "a name is one host", run: host::names },
    Check { codes: &["host/duplicate-mac"], about: "a MAC is one host", run: host::macs },
    Check { codes: &["host/duplicate-address"], about: "an address is one host", run: host::addresses },
    Check { codes: &["host/unknown-profile", "boot/no-start"], about: "every profile that is named exists and starts something", run: host::profiles },
    Check { codes: &["boot/reserved-name", "boot/two-starts"], about: "a profile has a name of its own and starts one thing", run: boot::names },
    Check { codes: &["boot/no-default", "boot/default-not-entry", "boot/unknown-entry", "boot/label-clash"], about: "the menu offers what exists", run: boot::menu },
    Check { codes: &["boot/path-escape", "boot/asset-missing", "boot/tftp-size"], about: "assets lie below their folder, are pinned, and fit their way", run: boot::assets },
    Check { codes: &["boot/no-loader"], about: "machines that start over the network have a loader", run: boot::loaders },
    Check { codes: &["boot/file-missing", "boot/file-twice", "eval/import-escape"], about: "texts have a source and a name of their own", run: site::texts },
    Check { codes: &["boot/newline", "boot/loader-syntax", "boot/cmdline-long"], about: "command lines survive every loader", run: boot::cmdlines },
    Check { codes: &["dhcp/option-overflow", "dhcp/reply-too-large"], about: "DHCP replies fit", run: dhcp::replies },
    Check { codes: &["nfs/bad-path", "nfs/upper-on-nfs", "nfs/overlay-in-base"], about: "folders of NFS are plain and lie apart", run: nfs::folders },
    Check { codes: &["nfs/unknown-base", "nfs/unknown-overlay", "nfs/no-kernel"], about: "every base and overlay that is named exists", run: nfs::names },
    Check { codes: &["nfs/file-twice"], about: "files of overlays have a source and a place of their own", run: nfs::files },
    Check { codes: &["nfs/open-export", "nfs/no-server", "nfs/no-root"], about: "roots are exported to hosts that are known", run: nfs::clients },
    Check { codes: &["nfs/base-writable"], about: "nobody writes to a base beneath an overlay", run: nfs::writers },
    Check { codes: &["nfs/fsid-clash"], about: "every export has a number of its own", run: nfs::numbers },
    Check { codes: &["vm/bad-path"], about: "files of snapshots are plain", run: vm::files },
    Check { codes: &["vm/unknown-snapshot", "nfs/unknown-base"], about: "every VM stands on something that exists", run: vm::names },
    Check { codes: &["vm/one-mac"], about: "DHCP knows every VM by its MAC", run: vm::cards },
    Check { codes: &["dns/outside-zone", "dns/name-length"], about: "names lie in the site's domain and fit a packet", run: dns::names },
    Check { codes: &["dns/cname-and-other", "dns/duplicate-record", "dns/ttl-mixed"], about: "records of one name agree", run: dns::sets },
    Check { codes: &["dns/target-missing", "dns/cname-loop"], about: "aliases lead to a host", run: dns::aliases },
    Check { codes: &["dns/forward-self"], about: "forwarders are others", run: dns::forwards },
    Check { codes: &["dns/command-open"], about: "not everybody may switch machines", run: commands::open },
    Check { codes: &["dns/command-no-power"], about: "hosts can do what they are commanded", run: commands::power },
    Check { codes: &["dns/command-from", "dns/command-outside"], about: "whoever may give a command exists", run: commands::callers },
    Check { codes: &["dns/command-clash"], about: "a command's name is nothing else", run: commands::clashes },
    Check { codes: &["dns/name-length"], about: "a command's name fits a packet", run: commands::lengths },
    Check { codes: &["schedule/bad-zone", "schedule/no-zone"], about: "time zones exist, and schedules have one", run: schedule::zones },
    Check { codes: &["schedule/order", "schedule/overlap"], about: "windows end after they begin, and lie apart", run: schedule::windows },
    Check { codes: &["schedule/dst-gap"], about: "clocks show the times of windows on all days", run: schedule::gaps },
    Check { codes: &["schedule/no-holidays", "schedule/holidays-end"], about: "holidays are known, and for how long", run: schedule::holidays },
    Check { codes: &["host/unknown-schedule", "schedule/unused"], about: "every schedule that is named exists, and is used", run: schedule::names },
    Check { codes: &["schedule/no-power", "schedule/no-off"], about: "hosts with a schedule can be switched", run: power::schedules },
    Check { codes: &["power/no-address", "power/no-amt", "power/no-mac", "secret/unknown"], about: "what switches hosts can be reached", run: power::ways },
    Check { codes: &["eval/unknown-reference", "secret/unknown"], about: "names that options hold exist", run: site::references },
    Check { codes: &["secret/unused", "secret/bad-file"], about: "secrets are used, and lie in files", run: site::secrets },
    Check { codes: &["audit/same-sink", "audit/half-login"], about: "every sink is named once, with a whole login or none", run: audit::sinks },
    Check { codes: &["audit/plain-http"], about: "no password leaves the site's networks unencrypted", run: audit::plain },
    Check { codes: &["ssh/on", "ssh/two"], about: "logins are for hosts that exist, and agree", run: running::logins },
    Check { codes: &["monitor/on", "monitor/no-address", "monitor/no-gateway", "monitor/twice"], about: "hosts that are watched exist, can be reached, and are asked once", run: monitor::targets },
    Check { codes: &["alert/same-sink", "alert/half-login", "alert/no-check"], about: "whoever is told is told once, of something, with a whole login or none", run: monitor::sinks },
    Check { codes: &["alert/plain-password"], about: "no password of an alert leaves the site's networks unencrypted", run: monitor::plain },
    Check { codes: &["track/on", "track/no-address"], about: "hosts of tracked folders exist and can be reached", run: track::targets },
    Check { codes: &["track/nested"], about: "no tracked folder lies within another", run: track::nested },
    Check { codes: &["page/from", "page/open", "page/outside"], about: "whoever may look at the page exists", run: page::callers },
    Check { codes: &["page/port-clash"], about: "the port of the page is its own", run: page::ports },
    Check { codes: &["rule/name", "rule/after"], about: "a name is one rule, and none waits for itself", run: rule::names },
    Check { codes: &["rule/on", "rule/unknown-tag", "rule/no-address"], about: "rules hold on hosts that exist and can be reached", run: rule::targets },
    Check { codes: &["rule/no-check", "rule/path"], about: "rules can tell whether they are kept, and name plain paths", run: rule::bodies },
    Check { codes: &["rule/file-clash"], about: "no rule undoes another on one host", run: rule::clashes },
    Check { codes: &["eval/assertion", "eval/warning", "eval/empty-selector"], about: "what the site claims of itself holds", run: site::claims },
    Check { codes: &["dns/reverse-mismatch"], about: "an address has one name of its own", run: dns::reverse },
    Check { codes: &["engine/pool-lease"], about: "kea gives one lease in all pools of a network", run: engines::pool_leases },
    Check { codes: &["engine/several-macs"], about: "kea gives an address to one MAC of a host at a time", run: engines::several_macs },
    Check { codes: &["engine/lease-short"], about: "dnsmasq gives no lease below two minutes", run: engines::short_leases },
    Check { codes: &["engine/alias", "engine/ttl"], about: "dnsmasq answers as we do", run: engines::records },
    Check { codes: &["engine/line-long"], about: "dnsmasq reads whole lines", run: engines::lines },
    Check { codes: &["engine/no-server"], about: "other DHCP servers know where machines boot from", run: engines::servers },
];

/// A site that passed every check.
#[derive(Debug)]
pub struct Checked(Site);

impl Checked {
    pub fn site(&self) -> &Site {
        &self.0
    }

    /// Back to a site that must be checked again.
    pub fn into_site(self) -> Site {
        self.0
    }
}

/// Runs all checks.
pub fn findings(site: &Site, diags: &mut Diags) {
    CHECKS.iter().for_each(|check| (check.run)(site, diags));
}

/// Runs all checks; `None` where anything so far was an error.
pub fn check(site: Site, diags: &mut Diags) -> Option<Checked> {
    findings(&site, diags);
    (diags.errors() == 0).then_some(Checked(site))
}
