//! [`Checked`] → [`Tree`]: the site as other programs read it.
//!
//! Each emitter owns a prefix of `out/` and writes nowhere else. **Invariant:** an emitter takes
//! [`Checked`] and never a bare site, so unchecked output cannot be written down; every line carries the
//! lines of the site that made it.
//!
//! To add one: a file with `emit(&Checked, &mut Wing, &mut Diags)` and a line in [`EMITTERS`].

mod boot;
mod dhcp;
mod dns;

use crate::check::Checked;
use crate::diag::Diags;
use crate::out::{Tree, Wing};

/// One room of `out/`.
pub struct Emitter {
    pub name: &'static str,
    pub about: &'static str,
    pub prefix: &'static str,
    emit: fn(&Checked, &mut Wing<'_>, &mut Diags),
}

/// All emitters; they do not know each other, so the order is that of a machine's boot.
pub const EMITTERS: &[Emitter] = &[
    Emitter { name: "dhcp", about: "networks, pools and reservations", prefix: "dhcp/", emit: dhcp::emit },
    Emitter { name: "boot", about: "menus for each loader, and who gets which", prefix: "boot/", emit: boot::emit },
    Emitter { name: "dns", about: "zones, forward and reverse, and forwarders", prefix: "dns/", emit: dns::emit },
];

/// Everything, or nothing where an emitter finds an error.
pub fn emit(checked: &Checked, diags: &mut Diags) -> Option<Tree> {
    let mut tree = Tree::default();
    for emitter in EMITTERS {
        (emitter.emit)(checked, &mut tree.wing(emitter.name, emitter.prefix), diags);
    }
    (diags.errors() == 0).then_some(tree)
}
