//! # Name
//! `monitor`: what the operating half knows of hosts, what it watches, and whom it tells.
//!
//! # Description
//! `monitor/hosts.jsonl` has a row for each host: its network, groups, tags and profile, and the router
//! through which the boot server reaches it. A network in which the boot server has no address (`server=`
//! is absent) is reached through its gateway. `monitor/trends.jsonl` says that what is
//! measured is kept, and how long.
//! `monitor/checks.jsonl` has a row for each host and check, `monitor/alerts.jsonl` one for each mailbox and
//! webhook; a password is never in it, the row tells the file on the boot server that holds it. A site that
//! watches nothing, or tells nobody, has neither file.
//!
//! # Syntax
//! Reads every `host`, the `gateway=` and `server=` of its network, `trends`, `check`, `alerts` with `mail` and
//! `webhook`, and the file of `secret`.
//!
//! # Example
//! ```kdl
//! site lab
//! network lan "10.77.0.0/24" gateway=1 server=2 { host boot 2 "52:54:00:77:00:02" }
//! network hall "10.78.0.0/24" gateway=1 { host hall-01 11 "52:54:00:78:00:0b" }
//! check ping on="lan, hall"
//! alerts { mail "admin@lab.example" through="10.77.0.51:25" }
//! trends keep="730d"
//! ```

mod alerts;
mod checks;
mod hosts;
mod trends;

use crate::check::Checked;
use crate::diag::Diags;
use crate::out::Wing;

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    hosts::emit(checked.site(), wing);
    checks::emit(checked.site(), wing);
    alerts::emit(checked.site(), wing);
    trends::emit(checked.site(), wing);
}
