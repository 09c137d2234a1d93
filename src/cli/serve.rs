//! `serve`: the boot server.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::{Failure, Outcome};
use crate::serve::clock::{Clock, moment};
use crate::serve::{Beside, Handle, Options, run as serve};
use crate::{operate, page};

/// Serve a generation: DHCP, TFTP, DNS, HTTP, syslog
///
/// Verifies out/ first, and serves nothing else. SIGHUP loads it again; one that does not verify is
/// refused, and the last good one stays.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator serve --out out --state /var/lib/pxelator\n  pxelator serve --port-offset 10000 --state /tmp/px   # on loopback, without root:\n                                                       # DHCP 10067, TFTP 10069, DNS 10053, HTTP 10080, syslog 10514"
)]
pub(super) struct Args {
    /// The folder that was built
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// Where all that changes at run time is kept: leases, serials, records, alerts, trends, what was switched
    #[arg(long, default_value = "/var/lib/pxelator", value_name = "DIR")]
    state: PathBuf,
    /// Where the assets lie, if not where the site says
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
    /// Serve on this address of the machine alone
    #[arg(long, value_name = "IP")]
    bind: Option<Ipv4Addr>,
    /// Add this to every port; on loopback unless --bind says otherwise
    #[arg(long, default_value_t = 0, value_name = "N")]
    port_offset: u16,
    /// Become this user once the ports are bound
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A rehearsal: the clock begins at this moment and runs on; its --state is its own
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let level = std::env::var("PXELATOR_LOG").unwrap_or_default();
    let level = if level.is_empty() { "info" } else { &level };
    let filter: LevelFilter =
        level.parse().map_err(|_| format!("PXELATOR_LOG is `{level}`: write error, warn, info, debug or trace"))?;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_max_level(filter).with_target(false).with_ansi(ansi).with_writer(|| Log).init();
    let clock = args.now.as_deref().map(moment).transpose()?.map_or_else(Clock::default, Clock::starting_at);
    let options = Options {
        out: args.out.clone(),
        state: args.state.clone(),
        assets: args.assets.clone(),
        bind: args.bind,
        port_offset: args.port_offset,
        user: args.user.clone(),
        clock,
    };
    serve(options, begin)?;
    Ok(Outcome::Good)
}

/// What runs beside the services: the page shows what the operating half does.
fn begin(handle: &Handle) -> Result<Box<dyn Beside>, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Box::new(Both { operate: operate::begin(handle)?, page: page::begin(handle)? }))
}

struct Both {
    operate: Box<dyn Beside>,
    page: Box<dyn Beside>,
}

impl Beside for Both {
    fn end(self: Box<Self>) {
        self.page.end();
        self.operate.end();
    }
}

/// Standard error, for a log: a full disk or a closed pipe loses lines, and never the service.
struct Log;

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let _lost = std::io::stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
