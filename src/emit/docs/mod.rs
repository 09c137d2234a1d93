//! # Name
//! `docs`: what to do when a machine is gone.
//!
//! # Description
//! `docs/HOST.md` is the runbook of a host: what it is, what to ask when it does not start, how another one
//! takes its place, and where its changes lie. `docs/README.md` is that of the boot server itself. They name
//! what a host belongs to, and not what that holds: a new kernel changes no runbook.
//!
//! # Syntax
//! Reads `runbooks`, every `host` with its `note=`, and what it names: networks, profiles, roots, schedules, controllers, secrets.
//!
//! # Example
//! ```kdl
//! site lab
//! network lan "10.77.0.0/24" gateway=1 server=2 {
//!     host boot     2 "52:54:00:77:00:02"
//!     host printer 50 "00:1b:a9:00:00:32" note="Second floor; its switch is at the back."
//! }
//! ```

mod host;
mod rules;
mod server;
mod vm;

use crate::check::Checked;
use crate::diag::Diags;
use crate::out::Wing;
use crate::out::table::{RUNBOOKS, SERVER_RUNBOOK};

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    if !site.has_runbooks {
        return;
    }
    let roots = host::roots(site);
    let tracked = host::tracked(site);
    let ruled = rules::by_host(site);
    for host in &site.hosts {
        let name = host.name.as_str();
        let folders = tracked.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut lines = host::runbook(site, host, roots.get(name), folders);
        ruled.get(name).into_iter().for_each(|rules| rules::chapter(name, rules, &mut lines));
        wing.write(format!("{RUNBOOKS}{name}.md"), lines);
    }
    wing.write(SERVER_RUNBOOK.into(), server::runbook(site));
}
