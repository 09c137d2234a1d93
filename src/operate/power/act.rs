//! One action on one machine: its row → what was done. The schedule, the command line and commands by DNS
//! all do it here.
//!
//! **Invariant:** a machine that is already as it is wanted is told nothing. Nothing waits longer than a busy
//! controller needs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::amt::{self, Again, Change, Device, Kind, Session, State, Trouble};
use super::wake;
use crate::event::Event;
use crate::operate::{self, secret};
use crate::out::table::{AmtRow, PowerRow};
use crate::store;

/// What AMT needs between two changes of one machine.
pub const PAUSE: Duration = Duration::from_secs(10);
/// How often a controller that is busy is asked.
const TRIES_MAX: u32 = 4;
/// Certificates that machines showed lie here, in the state folder: a file a host.
pub(super) const CERTIFICATES: &str = "amt";
const CERTIFICATE_BYTES_MAX: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    On,
    Off,
    /// Off, and on again.
    Cycle,
    /// As the button at the machine: it starts anew, and keeps its power.
    Reset,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::On => "on",
            Action::Off => "off",
            Action::Cycle => "cycle",
            Action::Reset => "reset",
        }
    }
}

/// What an action came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was so already.
    Kept(State),
    /// It agreed to change from this.
    Changed(State),
    /// A wake-up went out, to the network's broadcast address; nothing answers one.
    Woken,
}

impl Outcome {
    /// The same as an event; `by` is who wanted it.
    pub fn event(&self, host: &str, action: Action, by: &'static str) -> Event {
        let (host, action, by) = (host.to_owned(), action.name().into(), by.into());
        match self {
            Outcome::Kept(_) => Event::PowerKept { host, action, by },
            Outcome::Changed(_) => Event::PowerChanged { host, action, by },
            Outcome::Woken => Event::WakeSent { host, by },
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Amt(Box<amt::Error>),
    #[error("{amt}; if it was provisioned anew, remove {path}")]
    Certificate { amt: Box<amt::Error>, path: PathBuf },
    #[error(transparent)]
    Wake(#[from] wake::Error),
    #[error(transparent)]
    Secret(#[from] operate::Error),
    #[error(transparent)]
    State(#[from] store::Error),
    #[error("no thread can be had to speak to it: too many run, or memory is full")]
    Thread(#[source] std::io::Error),
    #[error("pxelator itself failed at it; the log says where, so report it")]
    Broken,
    /// Nobody can do this to this machine.
    #[error("{0}")]
    Cannot(String),
}

impl Failure {
    /// How soon it may help to try again; never, where it is the site that must change.
    pub fn again(&self) -> Option<Again> {
        match self {
            Failure::Amt(error) | Failure::Certificate { amt: error, .. } => Some(error.again()),
            Failure::Wake(wake::Error::NoMac | wake::Error::Mac(_)) | Failure::Cannot(_) => None,
            Failure::Wake(wake::Error::Send { .. }) | Failure::State(_) => Some(Again::Soon),
            // A file that is read in vain troubles nobody.
            Failure::Secret(_) | Failure::Thread(_) => Some(Again::Soon),
            Failure::Broken => Some(Again::Late),
        }
    }
}

/// Does it; `network` makes the boot that follows one from the network.
pub fn carry_out(row: &PowerRow, action: Action, network: bool, state: &Path) -> Result<Outcome, Failure> {
    match &row.amt {
        Some(amt) => with(row, amt, state, |session| by_amt(session, action, network)),
        None if action != Action::On => Err(Failure::Cannot(format!("it can be woken, and not be told `{}`: that needs amt= in the site", action.name()))),
        None if network => Err(Failure::Cannot("a boot from the network that is asked for needs amt= in the site; its firmware decides what it starts from".into())),
        None if row.wake => Ok(wake::send(&row.macs, row.broadcast).map(|_| Outcome::Woken)?),
        None => Err(Failure::Cannot("it has no amt= and no wake= in the site".into())),
    }
}

/// What it does now.
pub fn look(row: &PowerRow, state: &Path) -> Result<State, Failure> {
    match &row.amt {
        Some(amt) => with(row, amt, state, |session| Ok(session.state()?)),
        None => Err(Failure::Cannot("it has no amt= in the site: nobody can be asked whether it is on".into())),
    }
}

impl From<amt::Error> for Failure {
    fn from(error: amt::Error) -> Failure {
        Failure::Amt(Box::new(error))
    }
}

/// A conversation with the machine's controller, known by its password and its certificate.
fn with<T>(row: &PowerRow, amt: &AmtRow, state: &Path, talk: impl FnOnce(&mut Session) -> Result<T, Failure>) -> Result<T, Failure> {
    let Some(address) = row.address else {
        return Err(Failure::Cannot("its AMT has no address: give the host one in the site".into()));
    };
    let path = state.join(CERTIFICATES).join(format!("{}.sha256", row.host));
    let certificate = if amt.tls { known(&path)? } else { None };
    let password_file = PathBuf::from(&amt.password_file);
    let device = Device {
        address,
        port: amt.port,
        tls: amt.tls,
        user: amt.user.clone(),
        password: secret::read(&password_file)?,
        password_file,
        certificate: certificate.clone(),
    };
    let mut session = Session::new(device);
    let talked = talk(&mut session);
    if let (Ok(_), None, Some(shown)) = (&talked, &certificate, session.certificate()) {
        // Only after a whole conversation: what breaks off is nobody to remember.
        keep(state, &path, &shown)?;
    }
    talked.map_err(|failure| {
        let is_other = |amt: &amt::Error| matches!(amt.kind, Kind::Wire(Trouble::OtherCertificate { .. }));
        if let Failure::Amt(amt) = failure { if is_other(&amt) { Failure::Certificate { amt, path } } else { Failure::Amt(amt) } } else { failure }
    })
}

fn known(path: &Path) -> Result<Option<String>, Failure> {
    let bytes = store::serials::read_state(path, CERTIFICATE_BYTES_MAX)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|text| !text.is_empty()))
}

fn keep(state: &Path, path: &Path, shown: &str) -> Result<(), Failure> {
    let folder = state.join(CERTIFICATES);
    // Whoever switches machines from elsewhere has no state folder yet.
    std::fs::create_dir_all(state).map_err(store::failed("make", state))?;
    store::out::make_in_state(&folder)?;
    Ok(store::out::replace_state(path, &format!("{shown}\n"))?)
}

fn by_amt(session: &mut Session, action: Action, network: bool) -> Result<Outcome, Failure> {
    let was = session.state()?;
    let Some(mut change) = plan(action, was)? else { return Ok(Outcome::Kept(was)) };
    if network && change != Change::Off {
        patiently(|| session.boot_from_network_once())?;
    }
    let mut tries = 1;
    loop {
        match session.change(change) {
            Ok(()) => return Ok(Outcome::Changed(was)),
            Err(error) if tries < TRIES_MAX && may_repeat(change, &error) => std::thread::sleep(PAUSE),
            Err(error) => return Err(error.into()),
        }
        tries += 1;
        // It may have done it all the same.
        match plan(action, session.state()?)? {
            Some(again) => change = again,
            None => return Ok(Outcome::Changed(was)),
        }
    }
}

/// What a machine in this state is told, if anything.
fn plan(action: Action, state: State) -> Result<Option<Change>, Failure> {
    Ok(Some(match (action, state) {
        (Action::On, State::On) | (Action::Off, State::Off) => return Ok(None),
        (Action::Reset, State::Off | State::Asleep | State::Hibernated) => {
            return Err(Failure::Cannot(format!("it is {state}, and only a running machine can be reset: tell it `on`")));
        }
        (Action::On, _) | (Action::Cycle, State::Off | State::Hibernated) => Change::On,
        (Action::Off, _) => Change::Off,
        (Action::Cycle, _) => Change::Cycle,
        (Action::Reset, _) => Change::Reset,
    }))
}

/// `on` and `off` can be seen in its state; what starts it anew cannot, and is told a second time only where
/// the device surely did not do it.
fn may_repeat(change: Change, error: &amt::Error) -> bool {
    error.is_busy() || (error.is_vague() && matches!(change, Change::On | Change::Off))
}

/// A controller that is at work on the request before is asked again.
fn patiently(mut ask: impl FnMut() -> Result<(), amt::Error>) -> Result<(), amt::Error> {
    let mut tries = 1;
    loop {
        match ask() {
            Err(error) if (error.is_busy() || error.is_vague()) && tries < TRIES_MAX => std::thread::sleep(PAUSE),
            other => return other,
        }
        tries += 1;
    }
}
