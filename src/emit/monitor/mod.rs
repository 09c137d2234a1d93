//! # Name
//! `monitor`: what the operating half knows of hosts.
//!
//! # Description
//! `monitor/hosts.jsonl` has a row for each host: its network, groups, tags and profile, and the router
//! through which the boot server reaches it. A network in which the boot server has no address (`server=`
//! is absent, or lies elsewhere) is reached through its gateway. `monitor/trends.jsonl` says that what is
//! measured is kept, and how long.
//!
//! # Syntax
//! Reads every `host`, the `gateway=` and `server=` of its network, and `trends`.
//!
//! # Example
//! ```kdl
//! site lab
//! network lan "10.77.0.0/24" gateway=1 server=2 { host boot 2 "52:54:00:77:00:02" }
//! network hall "10.78.0.0/24" gateway=1 server="10.77.0.2" { host hall-01 11 "52:54:00:78:00:0b" }
//! trends keep="730d"
//! ```

mod hosts;
mod trends;

use crate::check::Checked;
use crate::diag::Diags;
use crate::out::Wing;

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    hosts::emit(checked.site(), wing);
    trends::emit(checked.site(), wing);
}
