//! Intel AMT over WS-Management: what a machine does with its power, and what it starts from.
//!
//! ```text
//!  Call ──soap──► envelope ──http──► 401 and a challenge ──digest──► envelope again ──► answer ──soap──► value
//! ```
//! The texts, the hashes and the socket have a file each, so that each is tested alone.
//!
//! **Invariant:** every way in which a device can fail has a sentence of its own, with its mend; nothing is
//! retried here, except where a nonce ran out.

mod digest;
mod error;
mod http;
mod pin;
mod soap;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use self::digest::{Account, Challenge, Use};
use self::error::returned;
pub use self::error::{Again, Error, Kind, Trouble};
use self::http::{Reply, Wire};
use self::soap::{Answer, Call, Input, Selector, Verb};

/// How many challenges one request answers.
const CHALLENGES_MAX: u32 = 3;

const SERVICE: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_PowerManagementService";
const STATE: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_AssociatedPowerManagementService";
const SYSTEM: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ComputerSystem";
const BOOT_CONFIG: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_BootConfigSetting";
const BOOT_SOURCE: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_BootSourceSetting";
const BOOT_SERVICE: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_BootService";
const BOOT_DATA: &str = "http://intel.com/wbem/wscim/1/amt-schema/1/AMT_BootSettingData";

const OWN_BOOT_CONFIG: Selector = ("InstanceID", "Intel(r) AMT: Boot Configuration 0");
const OWN_BOOT_DATA: Selector = ("InstanceID", "Intel(r) AMT:BootSettingData 0");
/// Role 1: for the next boot, and no other.
const NEXT_BOOT_ONLY: u16 = 1;
/// What names the settings themselves is left as it is; so is whether Secure Boot is enforced.
const BOOT_DATA_KEPT: &[&str] = &["InstanceID", "ElementName", "OwningEntity", "EnforceSecureBoot"];
/// What newer firmware tells and refuses to be told.
const BOOT_DATA_READ_ONLY: &[&str] = &[
    "BIOSLastStatus", "BootguardStatus", "OptionsCleared", "RPEEnabled", "RSEPassword", "SecureBootControlEnabled",
    "UEFIHTTPSBootEnabled", "UEFILocalPBABootEnabled", "UefiBootNumberOfParams", "UefiBootParametersArray", "WinREBootEnabled",
];

/// How a device is reached, and by whom.
#[derive(Clone, Debug)]
pub struct Device {
    pub address: Ipv4Addr,
    pub port: u16,
    pub tls: bool,
    pub user: String,
    pub password: String,
    /// Where the password was read, for the error that says it is wrong.
    pub password_file: PathBuf,
    /// The certificate that it showed before, as `sha256:` and hex.
    pub certificate: Option<String>,
}

/// What a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    On,
    /// Memory is kept; `on` wakes it.
    Asleep,
    Hibernated,
    Off,
    /// A number of CIM's that says neither.
    Other(u16),
}

impl State {
    fn of(number: u16) -> State {
        match number {
            2 => State::On,
            3 | 4 => State::Asleep,
            7 => State::Hibernated,
            6 | 8 | 12 | 13 => State::Off,
            other => State::Other(other),
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            State::On => f.write_str("on"),
            State::Asleep => f.write_str("asleep"),
            State::Hibernated => f.write_str("hibernated"),
            State::Off => f.write_str("off"),
            State::Other(number) => write!(f, "in power state {number}"),
        }
    }
}

/// What a machine is told, by CIM's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    On = 2,
    Cycle = 5,
    Off = 8,
    Reset = 10,
}

/// A conversation with one device.
pub struct Session {
    device: Device,
    wire: Wire,
    challenge: Option<Challenge>,
    /// How often the nonce of the challenge was used.
    count: u32,
}

impl Session {
    /// Nothing is sent yet.
    pub fn new(device: Device) -> Session {
        let to = SocketAddrV4::new(device.address, device.port);
        Session { wire: Wire::new(to, device.tls, device.certificate.clone()), device, challenge: None, count: 0 }
    }

    /// The certificate that the device showed, once it was asked something over TLS.
    pub fn certificate(&self) -> Option<String> {
        self.wire.certificate()
    }

    /// What the machine does now.
    pub fn state(&mut self) -> Result<State, Error> {
        let fields = self.ask(&Call { resource: STATE, selector: None, verb: Verb::Get })?;
        Ok(State::of(self.number(&fields, "PowerState")?))
    }

    /// Tells the machine to change; when this returns, it has agreed to.
    pub fn change(&mut self, change: Change) -> Result<(), Error> {
        let input = vec![
            ("PowerState", Input::Number(change as u16)),
            ("ManagedElement", Input::Reference(SYSTEM, ("Name", "ManagedSystem"))),
        ];
        self.invoke(SERVICE, ("Name", "Intel(r) AMT Power Management Service"), "RequestPowerStateChange", input)
    }

    /// The next boot, and no later one, is from the network. It takes effect with the next `on`, `cycle` or `reset`.
    pub fn boot_from_network_once(&mut self) -> Result<(), Error> {
        // Options of an earlier boot (BIOS setup, IDE redirection) would win over the source.
        let data = |verb| Call { resource: BOOT_DATA, selector: Some(OWN_BOOT_DATA), verb };
        let fields = self.ask(&data(Verb::Get))?;
        self.ask(&data(Verb::Put("AMT_BootSettingData", zeroed(fields))))?;
        let source = Input::Reference(BOOT_SOURCE, ("InstanceID", "Intel(r) AMT: Force PXE Boot"));
        self.invoke(BOOT_CONFIG, OWN_BOOT_CONFIG, "ChangeBootOrder", vec![("Source", source)])?;
        let input = vec![
            ("BootConfigSetting", Input::Reference(BOOT_CONFIG, OWN_BOOT_CONFIG)),
            ("Role", Input::Number(NEXT_BOOT_ONLY)),
        ];
        self.invoke(BOOT_SERVICE, ("Name", "Intel(r) AMT Boot Service"), "SetBootConfigRole", input)
    }

    fn invoke(&mut self, resource: &'static str, selector: Selector, method: &'static str, input: Vec<(&'static str, Input)>) -> Result<(), Error> {
        let fields = self.ask(&Call { resource, selector: Some(selector), verb: Verb::Invoke(method, input) })?;
        match self.number(&fields, "ReturnValue")? {
            0 => Ok(()),
            value => Err(self.error(Kind::Returned { method, value, means: returned(value) })),
        }
    }

    fn number(&self, fields: &[(String, String)], name: &'static str) -> Result<u16, Error> {
        let text = fields.iter().find(|(field, _)| field == name).map(|(_, text)| text.as_str());
        match text.map(str::parse) {
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) => Err(self.error(Kind::NotAmt(format!("a {name} that is no number")))),
            None => Err(self.error(Kind::NotAmt(format!("an answer without {name}")))),
        }
    }

    /// Sends a call, answers the challenge, and gives the fields of the answer.
    fn ask(&mut self, call: &Call) -> Result<Vec<(String, String)>, Error> {
        let envelope = call.envelope(&self.wire.uri, &random(16));
        let reply = self.post(&envelope)?;
        let text = String::from_utf8_lossy(&reply.body);
        match Answer::read(&text, call.resource) {
            Ok(Answer::Element { fields, .. }) if reply.status == 200 => Ok(fields),
            Ok(Answer::Element { .. }) => Err(self.error(Kind::NotAmt(format!("HTTP status {}", reply.status)))),
            Ok(Answer::Fault(words)) => Err(self.error(Kind::Fault(words))),
            Err(_) if reply.status != 200 => Err(self.error(Kind::NotAmt(format!("HTTP status {}", reply.status)))),
            Err(what) => Err(self.error(Kind::NotAmt(what))),
        }
    }

    /// Without a challenge, with one, and anew where the nonce ran out.
    fn post(&mut self, envelope: &str) -> Result<Reply, Error> {
        let mut challenges = 0;
        loop {
            let authorization = self.authorization();
            let reply = self.wire.post(envelope, authorization.as_deref()).map_err(|trouble| self.error(Kind::Wire(trouble)))?;
            if reply.status != 401 {
                return Ok(reply);
            }
            let read = Challenge::read(reply.challenges.iter().map(String::as_str));
            let challenge = read.map_err(|what| self.error(Kind::Scheme(what)))?;
            let answered_a_fresh_one = challenges > 0;
            if answered_a_fresh_one && !challenge.stale {
                self.challenge = None;
                return Err(self.error(Kind::Denied));
            }
            if challenges == CHALLENGES_MAX {
                return Err(self.error(Kind::Stale));
            }
            challenges += 1;
            (self.challenge, self.count) = (Some(challenge), 0);
        }
    }

    fn authorization(&mut self) -> Option<String> {
        let challenge = self.challenge.as_ref()?;
        self.count += 1;
        let account = Account { user: &self.device.user, password: &self.device.password };
        let cnonce = random(16);
        Some(challenge.answer(&account, &Use { method: "POST", uri: "/wsman", count: self.count, cnonce: &cnonce }))
    }

    fn error(&self, kind: Kind) -> Error {
        let device = &self.device;
        Error { at: SocketAddrV4::new(device.address, device.port), tls: device.tls, user: device.user.clone(), password_file: device.password_file.clone(), kind }
    }
}

/// The boot settings with everything switched off.
fn zeroed(fields: Vec<(String, String)>) -> Vec<(String, String)> {
    let told = fields.into_iter().filter(|(name, _)| !BOOT_DATA_READ_ONLY.contains(&name.as_str()));
    let off = |(name, text): (String, String)| match text.as_str() {
        _ if BOOT_DATA_KEPT.contains(&name.as_str()) => (name, text),
        "true" | "false" => (name, "false".to_owned()),
        _ => (name, "0".to_owned()),
    };
    told.map(off).collect()
}

/// Random bytes, as hex.
fn random(bytes: usize) -> String {
    let mut all = vec![0; bytes];
    // The kernel's generator fails before it is seeded alone, and then no network is there either.
    let _as_good_as_it_gets = rustix::rand::getrandom(&mut all, rustix::rand::GetRandomFlags::empty());
    digest::hex(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_settings_are_switched_off_and_keep_their_names() {
        let field = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let before = ["InstanceID", "UseSOL", "BootMediaIndex", "BIOSLastStatus", "EnforceSecureBoot"];
        let texts = ["Intel(r) AMT:BootSettingData 0", "true", "3", "5", "true"];
        let before = before.iter().zip(texts).map(|(name, text)| field(name, text)).collect();
        let id = field("InstanceID", "Intel(r) AMT:BootSettingData 0");
        assert_eq!(zeroed(before), [id, field("UseSOL", "false"), field("BootMediaIndex", "0"), field("EnforceSecureBoot", "true")]);
    }
}
