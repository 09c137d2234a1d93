//! # Name
//! `power`: which hosts can be switched, by what, and when.
//!
//! # Description
//! `power/hosts.jsonl` has a row for each host with a controller or Wake on LAN. It says where the password
//! of the controller lies on the boot server, and never the password. `power/schedules.jsonl` has a row for
//! each schedule, with its zone and its holidays. A site that switches nothing has neither.
//!
//! # Syntax
//! Reads `schedule`, `holidays`, and `schedule=`, `amt=`, `amt-tls=`, `wake=` of hosts and of what stands around them.
//!
//! # Example
//! ```kdl
//! site lab timezone="Europe/Zagreb"
//! secret amt-kiosk file="/run/secrets/amt-kiosk"
//! network lan "10.77.0.0/24" { host kiosk-01 11 "54:b2:03:00:00:0b" schedule=opening amt=amt-kiosk }
//! schedule opening { power "07:30" "20:30" days="mon..fri" }
//! ```

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::{AMT_USER, Host, Origins, Power, Schedule, Site, Window};
use crate::out::table::{AmtRow, POWER, PowerRow, SCHEDULES, ScheduleRow, WindowRow, json};
use crate::out::{Lines, Wing};

/// Where AMT listens, without TLS and with it.
const PORT: u16 = 16992;
const PORT_TLS: u16 = 16993;

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    let (mut hosts, mut schedules) = (Lines::default(), Lines::default());
    let powers = site.hosts.iter().filter_map(|host| Some((host, host.power.as_deref()?)));
    for (host, power) in powers.filter(|(_, power)| power.is_switchable()) {
        let secret = power.amt.as_ref().and_then(|name| site.secrets.iter().find(|secret| secret.name == name.value));
        let said = [&power.schedule, &power.amt].into_iter().flatten().map(|at| at.span);
        let switches = [&power.amt_tls, &power.wake].into_iter().flatten().map(|at| at.span);
        let origins: Origins = std::iter::once(host.span).chain(said).chain(switches).chain(secret.map(|secret| secret.span)).collect();
        let amt = secret.map(|secret| AmtRow {
            user: AMT_USER.into(),
            password_file: secret.file.value.clone(),
            port: if power.has_tls() { PORT_TLS } else { PORT },
            tls: power.has_tls(),
        });
        hosts.line(&origins, json(&host_row(site, host, power, amt)));
    }
    for schedule in &site.schedules {
        let zone = site.zone_of(schedule);
        let holidays = site.holidays_of(schedule).map(|day| day.span).chain(schedule.holidays.as_ref().map(|off| off.span));
        let windows = schedule.windows.iter().map(|window| window.span);
        let origins: Origins = std::iter::once(schedule.span).chain(windows).chain(holidays).chain(zone.map(|zone| zone.span)).collect();
        schedules.line(&origins, json(&schedule_row(site, schedule)));
    }
    for (path, lines) in [(POWER, hosts), (SCHEDULES, schedules)] {
        if !lines.is_empty() {
            wing.write(path.into(), lines);
        }
    }
}

fn host_row(site: &Site, host: &Host, power: &Power, amt: Option<AmtRow>) -> PowerRow {
    let subnet = host.network.and_then(|index| site.networks.get(index)).map(|network| network.subnet);
    // A /31 or /32 has no broadcast address (RFC 3021).
    let broadcast = subnet.filter(|subnet| power.wakes() && subnet.reserved(subnet.last()) == Some("broadcast"));
    PowerRow {
        host: host.name.to_string(),
        address: host.address.as_ref().map(|at| at.value),
        macs: host.macs.iter().map(|mac| mac.value.to_string()).collect(),
        broadcast: broadcast.map(|subnet| subnet.last()),
        amt,
        wake: power.wakes(),
        schedule: power.schedule.as_ref().map(|name| name.value.clone()),
        selectors: selectors(host),
    }
}

/// As the site writes them, each once, in the order of the alphabet.
fn selectors(host: &Host) -> Vec<String> {
    let groups = host.groups.iter().map(|name| format!("group:{name}"));
    let all: std::collections::BTreeSet<String> = groups.chain(host.tags.iter().map(|name| format!("tag:{name}"))).collect();
    all.into_iter().collect()
}

fn schedule_row(site: &Site, schedule: &Schedule) -> ScheduleRow {
    let window = |window: &Window| WindowRow {
        days: window.days.names().map(str::to_owned).collect(),
        on: window.on.value.to_string(),
        off: window.off.value.to_string(),
        overnight: window.overnight,
    };
    let until = site.holidays.as_ref().filter(|_| schedule.holidays.is_some()).and_then(|holidays| holidays.until.as_ref());
    ScheduleRow {
        schedule: schedule.name.clone(),
        timezone: site.zone_of(schedule).map(|zone| zone.value.clone()).unwrap_or_default(),
        windows: schedule.windows.iter().map(window).collect(),
        holidays: site.holidays_of(schedule).map(|day| day.value.to_string()).collect(),
        holidays_until: until.map(|until| until.value.to_string()),
    }
}
