//! How a device fails, in words: what was found, and what mends it.

use std::net::SocketAddrV4;
use std::path::PathBuf;

/// A device that did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    pub at: SocketAddrV4,
    pub tls: bool,
    pub user: String,
    pub password_file: PathBuf,
    pub kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// No answer came.
    Wire(Trouble),
    /// 401 to an answer under a fresh nonce: the password is wrong.
    Denied,
    /// Every nonce is said to have run out.
    Stale,
    /// It asks for another authentication.
    Scheme(String),
    /// Something answers, and it is no AMT.
    NotAmt(String),
    /// A SOAP fault, in the device's words.
    Fault(String),
    /// A method's ReturnValue that is not 0.
    Returned { method: &'static str, value: u16, means: &'static str },
}

/// Why no answer came.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    Refused,
    /// Nobody says anything in time.
    Silent,
    /// No way there, by this machine's routes.
    NoWay,
    /// It ended the connection before its answer was whole.
    Half,
    TooLong,
    /// It shows another certificate than it did.
    OtherCertificate { known: String, shown: String },
    Tls(String),
    /// It speaks, and no HTTP.
    NoHttp(String),
}

/// How soon it may help to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    Soon,
    /// A person must mend something first.
    Late,
}

impl Error {
    pub fn again(&self) -> Again {
        match &self.kind {
            Kind::Wire(Trouble::OtherCertificate { .. } | Trouble::Tls(_) | Trouble::NoHttp(_) | Trouble::TooLong) => Again::Late,
            Kind::Wire(Trouble::Refused | Trouble::Silent | Trouble::NoWay | Trouble::Half) | Kind::Stale => Again::Soon,
            // AMT slows down whoever guesses passwords.
            Kind::Denied | Kind::Scheme(_) | Kind::NotAmt(_) => Again::Late,
            Kind::Fault(_) => Again::Soon,
            Kind::Returned { value, .. } => if matches!(value, 1 | 5 | 4098) { Again::Late } else { Again::Soon },
        }
    }

    /// Is it only that the device does something else at the moment?
    pub fn is_busy(&self) -> bool {
        matches!(self.kind, Kind::Returned { value: 6 | 4099, .. })
    }

    /// It says no more than that it did not work; most often it is not ready, and sometimes it did it all the same.
    pub fn is_vague(&self) -> bool {
        matches!(self.kind, Kind::Returned { value: 2, .. })
    }
}

impl std::error::Error for Error {}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at;
        match &self.kind {
            Kind::Wire(trouble) => write!(f, "{at} {}", self.trouble(trouble)),
            Kind::Denied => write!(
                f,
                "{at} refuses user `{}` with the password in {}: put the AMT password of this machine there (it is set in the machine's MEBx, Ctrl-P at its start)",
                self.user,
                self.password_file.display()
            ),
            Kind::Stale => write!(f, "{at} asks for the password again and again: switch the machine's mains off for ten seconds, so that its AMT starts anew"),
            Kind::Scheme(what) => write!(f, "{at} asks for {what}, and AMT for Digest with MD5 and qop `auth`: look which program listens there"),
            Kind::NotAmt(what) => write!(f, "{at} answers with {what}, as no AMT does: look which program listens there"),
            Kind::Fault(words) => write!(f, "{at} refuses: {words}"),
            Kind::Returned { method, value, means } => write!(f, "{at} answers {method} with {value}: {means}"),
        }
    }
}

impl Error {
    fn trouble(&self, trouble: &Trouble) -> String {
        let or_tls = if self.tls { "" } else { ", or it is new (AMT 16.1 and later) and listens with TLS alone (amt-tls=#true in the site)" };
        match trouble {
            Trouble::Refused => format!("refuses the connection: the machine is there, and its AMT is not provisioned (do that in its MEBx, Ctrl-P at its start){or_tls}"),
            Trouble::Silent => "does not answer: the machine has no mains or no network cable, or its AMT has another address than the site says".into(),
            Trouble::NoWay => "cannot be reached: this machine has no route there (`ip route get` shows it)".into(),
            Trouble::Half => "ends the connection before its answer is whole: its AMT may be starting, try again in a minute".into(),
            Trouble::TooLong => "answers with more than 256 KiB, as no AMT does: look which program listens there".into(),
            Trouble::OtherCertificate { known, shown } => {
                format!("shows the certificate {shown}, and the one that is known is {known}: somebody answers in its place, or it was provisioned anew")
            }
            Trouble::Tls(what) => format!("does not agree on TLS ({what}): where it speaks none, take amt-tls= out of the site"),
            Trouble::NoHttp(what) => format!("answers with no HTTP ({what}): look which program listens there"),
        }
    }
}

/// What a ReturnValue means, and what helps.
pub(super) fn returned(value: u16) -> &'static str {
    match value {
        1 => "its firmware does not know this",
        2 => "it says no more than that; some machines say so while they are not ready, so try again in ten seconds",
        3 => "it took too long by its own clock, so try again",
        4 => "it tried and failed; look at the machine's own event log",
        5 => "it does not take what we sent; its firmware differs from what we know, so report it to us with its version",
        6 => "somebody else uses it at the moment; end the redirection session (SOL, KVM) to this machine",
        4096 => "it began a job and says nothing of its end; ask for the status in a minute",
        4097 => "it does not change to that from what it does now; end a redirection session (SOL, KVM), or turn the machine on first",
        4098 => "it does not take a limit of time",
        4099 => "it is still at work on the request before; try again in ten seconds",
        _ => "no meaning that the schema knows",
    }
}
