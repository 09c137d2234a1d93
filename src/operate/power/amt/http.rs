//! A POST to a device, with limits on everything: an envelope → a status, challenges and bytes.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::header::WWW_AUTHENTICATE;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Error};

use super::error::Trouble;
use super::pin::{Pin, PinnedTls};

/// On a local network a machine that is there answers within milliseconds.
const CONNECT: Duration = Duration::from_secs(5);
/// A management engine that wakes up needs seconds for an answer.
const ANSWER: Duration = Duration::from_secs(30);
/// No answer that we ask for has a tenth of it.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// How long a connection may lie between two requests: AMT closes idle ones by itself.
const IDLE: Duration = Duration::from_secs(3);

/// One device, as HTTP sees it.
pub(super) struct Wire {
    agent: Agent,
    pin: Arc<Pin>,
    pub(super) uri: String,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) challenges: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) fn new(to: SocketAddrV4, tls: bool, known: Option<String>) -> Wire {
        let pin = Pin::new(known);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .max_idle_age(IDLE)
            .tls_config(TlsConfig::builder().use_sni(false).build())
            .build();
        let connector = ().chain(TcpConnector::default()).chain(PinnedTls(pin.clone()));
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Wire { agent, pin, uri: format!("{}://{to}/wsman", if tls { "https" } else { "http" }) }
    }

    /// The certificate that the device showed.
    pub(super) fn certificate(&self) -> Option<String> {
        self.pin.shown()
    }

    pub(super) fn post(&self, envelope: &str, authorization: Option<&str>) -> Result<Reply, Trouble> {
        let mut request = self.agent.post(&self.uri).header("content-type", "application/soap+xml;charset=UTF-8");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let mut response = request.send(envelope).map_err(|error| self.trouble(error))?;
        let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = challenges.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(Reply { status: response.status().as_u16(), challenges, body: body.map_err(|error| self.trouble(error))? })
    }

    fn trouble(&self, error: Error) -> Trouble {
        if let Some((known, shown)) = self.pin.broken() {
            return Trouble::OtherCertificate { known, shown };
        }
        if let Error::Io(error) = error {
            return io_trouble(&error);
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "ureq's error may grow, and its own words say what it is")]
        match error {
            Error::BodyExceedsLimit(_) => Trouble::TooLong,
            Error::Timeout(_) => Trouble::Silent,
            Error::Rustls(error) => Trouble::Tls(error.to_string()),
            Error::Tls(what) => Trouble::Tls(what.to_owned()),
            Error::ConnectionFailed => Trouble::Silent,
            other => Trouble::NoHttp(other.to_string()),
        }
    }
}

/// What the kernel says of a connection.
fn io_trouble(error: &std::io::Error) -> Trouble {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut, UnexpectedEof,
        WouldBlock,
    };
    let kind = error.kind();
    if kind == ConnectionRefused {
        Trouble::Refused
    } else if kind == NetworkUnreachable {
        Trouble::NoWay
    } else if [ConnectionReset, ConnectionAborted, BrokenPipe, UnexpectedEof].contains(&kind) {
        Trouble::Half
    } else if [TimedOut, WouldBlock, HostUnreachable].contains(&kind) {
        // The last is what a router, or our own ARP, says of a machine without power.
        Trouble::Silent
    } else if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        Trouble::Tls(error.to_string())
    } else {
        Trouble::NoHttp(error.to_string())
    }
}
