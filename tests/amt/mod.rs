//! An Intel AMT device, as strict as the schema lets it be: what a machine's management engine answers, with
//! no machine behind it but a closure.
//!
//! It refuses replayed nonces, unquoted parameters, wrong namespaces and selectors, and changes that make no
//! sense. PyPI's `amt` client is the judge of it, see tests/power.rs.

mod http;
mod wsman;

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use self::http::{Door, Request, answer, request};
use self::wsman::{AMT, Asked, CIM, envelope, fault, read};

/// What the machine behind the device does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    On { network: bool },
    Off,
    Reset { network: bool },
}

/// How it misbehaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Right,
    /// Takes requests and answers none.
    Silent,
    /// Ends within its answer.
    Half,
    /// Never stops talking.
    Huge,
    /// Answers this, with 200.
    Says(String),
    /// Every nonce is stale.
    Stale,
    /// Refuses every request.
    Faults,
    Returns(u16),
    /// Asks for this authentication.
    Wants(&'static str),
}

struct Machine {
    is_on: bool,
    changed: Option<Instant>,
    boot_data: Vec<(String, String)>,
    boot_order: Option<String>,
    boot_once: bool,
}

struct Shared {
    door: Door,
    machine: Machine,
    mood: Mood,
    /// How long after a change it is busy.
    busy: Duration,
    ids: Vec<String>,
    /// What was asked, and why somebody was not let in.
    heard: Vec<String>,
    on_change: Box<dyn FnMut(Change) + Send>,
}

/// A device; its thread ends with the tests.
#[derive(Clone)]
pub(crate) struct Device {
    shared: Arc<Mutex<Shared>>,
    pub(crate) address: SocketAddrV4,
}

/// What a server within TLS shows: a certificate and its key in PEM.
pub(crate) fn tls(pem: &str) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

impl Device {
    /// Listens; the machine behind it is off.
    pub(crate) fn listen(address: SocketAddrV4, password: &str, on_change: impl FnMut(Change) + Send + 'static) -> Device {
        Device::start(address, password, on_change, None)
    }

    /// The same within TLS, with a certificate and its key in PEM.
    pub(crate) fn listen_tls(address: SocketAddrV4, password: &str, pem: &str) -> Device {
        Device::start(address, password, |_| {}, Some(tls(pem)))
    }

    fn start(
        address: SocketAddrV4,
        password: &str,
        on_change: impl FnMut(Change) + Send + 'static,
        tls: Option<Arc<ServerConfig>>,
    ) -> Device {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        Device::on(listener, password, on_change, tls)
    }

    /// With a socket that is listening already.
    pub(crate) fn on(
        listener: TcpListener,
        password: &str,
        on_change: impl FnMut(Change) + Send + 'static,
        tls: Option<Arc<ServerConfig>>,
    ) -> Device {
        let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!("bound to IPv4") };
        let machine = Machine { is_on: false, changed: None, boot_data: boot_data(), boot_order: None, boot_once: false };
        let shared = Shared {
            door: Door::new(password, 1000),
            machine,
            mood: Mood::Right,
            busy: Duration::ZERO,
            ids: Vec::new(),
            heard: Vec::new(),
            on_change: Box::new(on_change),
        };
        let device = Device { shared: Arc::new(Mutex::new(shared)), address };
        let own = device.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (own, tls) = (own.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => own.converse(stream),
                    Some(config) => own.converse(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
                });
            }
        });
        device
    }

    fn with<T>(&self, look: impl FnOnce(&mut Shared) -> T) -> T {
        look(&mut self.shared.lock().unwrap())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.with(|shared| shared.machine.is_on)
    }

    /// Somebody pushed the button.
    pub(crate) fn set_on(&self, is_on: bool) {
        self.with(|shared| shared.machine.is_on = is_on);
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.with(|shared| shared.mood = mood);
    }

    /// How long it is busy after a change, and how often a nonce may be used.
    pub(crate) fn limits(&self, busy: Duration, uses_max: u32) {
        self.with(|shared| (shared.busy, shared.door.uses_max) = (busy, uses_max));
    }

    pub(crate) fn boot_data(&self) -> Vec<(String, String)> {
        self.with(|shared| shared.machine.boot_data.clone())
    }

    /// What was asked since the last time.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.with(|shared| std::mem::take(&mut shared.heard))
    }

    /// One connection, as long as it lasts.
    fn converse(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = request(&mut stream) {
            let mood = self.with(|shared| shared.mood.clone());
            let out = stream.get_mut();
            let sent = match mood {
                Mood::Silent => return std::thread::sleep(Duration::from_secs(120)),
                Mood::Half => {
                    let _gone =
                        write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<a:Envelope").and_then(|()| out.flush());
                    return;
                }
                Mood::Huge => {
                    let (head, part) = ("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", [b'<'; 65536]);
                    let _gone = out.write_all(head.as_bytes()).and_then(|()| (0..1526).try_for_each(|_| out.write_all(&part)));
                    return;
                }
                Mood::Says(text) => answer(out, "200 OK", "", &text),
                Mood::Wants(header) => answer(out, "401 Unauthorized", &format!("WWW-Authenticate: {header}\r\n"), ""),
                Mood::Stale => {
                    let challenge = self.with(|shared| shared.door.challenge(true));
                    answer(out, "401 Unauthorized", &challenge, "")
                }
                Mood::Right | Mood::Faults | Mood::Returns(_) => {
                    let (status, headers, body) = self.with(|shared| shared.reply(&request));
                    answer(out, status, &headers, &body)
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

/// Some of the fields that AMT has, with options of an earlier boot left in them.
fn boot_data() -> Vec<(String, String)> {
    let fields = [
        ("BIOSPause", "false"),
        ("BIOSSetup", "true"),
        ("BootMediaIndex", "1"),
        ("ElementName", "Intel(r) AMT Boot Configuration Settings"),
        ("EnforceSecureBoot", "true"),
        ("InstanceID", "Intel(r) AMT:BootSettingData 0"),
        ("OptionsCleared", "false"),
        ("OwningEntity", "Intel(r) AMT"),
        ("UseSOL", "true"),
    ];
    fields.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
}

impl Shared {
    fn reply(&mut self, request: &Request) -> (&'static str, String, String) {
        if request.line != "POST /wsman HTTP/1.1" {
            return ("404 Not Found", String::new(), "<html><body>Not Found</body></html>".into());
        }
        let let_in = request.headers.get("authorization").map_or(Err("no authorization"), |header| self.door.check(header));
        if let Err(why) = let_in {
            self.heard.push(format!("401: {why}"));
            return ("401 Unauthorized", self.door.challenge(why == "stale"), String::new());
        }
        let uri_of = |scheme: &str| format!("{scheme}://{}/wsman", request.headers.get("host").cloned().unwrap_or_default());
        let is_tls = request.body.contains(":To s:mustUnderstand=\"true\">https://");
        let asked = read(&request.body, &uri_of(if is_tls { "https" } else { "http" }), &mut self.ids);
        self.heard.push(format!("{asked:?}"));
        let xml = "Content-Type: application/soap+xml; charset=UTF-8\r\n".to_owned();
        let asked =
            asked.and_then(|asked| if self.mood == Mood::Faults { Err("The server was not ready.".into()) } else { Ok(asked) });
        match asked {
            Ok(asked) => ("200 OK", xml, self.answer(asked)),
            Err(why) => ("400 Bad Request", xml, fault("b:InvalidMessageInformationHeader", &why)),
        }
    }

    fn answer(&mut self, asked: Asked) -> String {
        let field = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let returned = |class: &str, method: &str, value: u16| {
            envelope(&format!("{CIM}{class}"), &format!("{method}_OUTPUT"), &[field("ReturnValue", &value.to_string())])
        };
        match asked {
            Asked::State => {
                let (state, others) = if self.machine.is_on { ("2", ["8", "5", "10"]) } else { ("8", ["2", "0", "0"]) };
                let fields: Vec<_> = others
                    .iter()
                    .map(|other| field("AvailableRequestedPowerStates", other))
                    .chain([field("PowerState", state)])
                    .collect();
                envelope(&format!("{CIM}CIM_AssociatedPowerManagementService"), "CIM_AssociatedPowerManagementService", &fields)
            }
            Asked::Change(number) => returned("CIM_PowerManagementService", "RequestPowerStateChange", self.change(number)),
            Asked::BootData => envelope(&format!("{AMT}AMT_BootSettingData"), "AMT_BootSettingData", &self.machine.boot_data),
            Asked::PutBootData(fields) => {
                if fields.iter().any(|(name, _)| name == "OptionsCleared") {
                    return fault("w:InvalidParameter", "OptionsCleared cannot be written");
                }
                let kept = self.machine.boot_data.iter().find(|(name, _)| name == "OptionsCleared").cloned();
                self.machine.boot_data = fields.into_iter().chain(kept).collect();
                envelope(&format!("{AMT}AMT_BootSettingData"), "AMT_BootSettingData", &self.machine.boot_data)
            }
            Asked::BootOrder(source) => {
                self.machine.boot_order = source;
                returned("CIM_BootConfigSetting", "ChangeBootOrder", 0)
            }
            Asked::BootRole(role) => {
                self.machine.boot_once = role == 1;
                returned("CIM_BootService", "SetBootConfigRole", if matches!(role, 1 | 32768) { 0 } else { 5 })
            }
        }
    }

    fn change(&mut self, number: u16) -> u16 {
        if let Mood::Returns(value) = self.mood {
            return value;
        }
        if self.machine.changed.is_some_and(|at| at.elapsed() < self.busy) {
            return 4099;
        }
        let network = self.machine.boot_once && self.machine.boot_order.as_deref() == Some("Intel(r) AMT: Force PXE Boot");
        let changes: &[Change] = match (number, self.machine.is_on) {
            (2, false) => &[Change::On { network }],
            (8, true) => &[Change::Off],
            (5, true) => &[Change::Off, Change::On { network }],
            (10, true) => &[Change::Reset { network }],
            (2 | 5 | 8 | 10, _) => return 4097,
            _ => return 5,
        };
        for change in changes {
            self.machine.is_on = *change != Change::Off;
            if *change != Change::Off {
                (self.machine.boot_once, self.machine.boot_order) = (false, None);
            }
            (self.on_change)(*change);
        }
        self.machine.changed = Some(Instant::now());
        0
    }
}

/// An address of loopback that no other test of any run has, with AMT's own port.
pub(crate) fn own_address() -> SocketAddrV4 {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let id = std::process::id();
    SocketAddrV4::new(Ipv4Addr::new(127, 77 + (id >> 8) as u8 % 100, id as u8, NEXT.fetch_add(1, Ordering::Relaxed)), 16992)
}
