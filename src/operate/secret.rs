//! What a secret's file holds; it is read when it is needed, so that a changed one counts at once.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::Path;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::warn;

use super::{Error, Result, Working};
use crate::out::table::{AlertSink, Tables};
use crate::serve::Handle;

/// The most that a secret may have, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// What goes wrong most often, and its mend.
const KNOWN: &[(ErrorKind, &str)] = &[
    (ErrorKind::NotFound, "there is no such file: write the secret into it, one line, readable by the user of `pxelator serve`"),
    (
        ErrorKind::PermissionDenied,
        "the site's secret lies here, and this user may not read it: `pxelator serve` runs as the user that owns it, and so must `pxelator power` (or as root)",
    ),
];

/// The first line of a secret's file, without its end.
pub fn read(path: &Path) -> Result<String> {
    let refused = |what: &str| Error::Secret { path: path.to_owned(), what: what.to_owned() };
    let failed = |source: std::io::Error| {
        let known = KNOWN.iter().find(|(kind, _)| *kind == source.kind());
        known.map_or_else(|| Error::Io { step: "read the secret", path: path.to_owned(), source }, |(_, what)| refused(what))
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(refused("a secret has at most 4,096 bytes, and this file has more"));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("a secret is one line of text, and this is none"))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    match text {
        "" => Err(refused("the site's secret lies here, and the file is empty")),
        _ if text.contains('\n') => Err(refused("a secret is one line of text, and this file has several")),
        _ => Ok(text.to_owned()),
    }
}

/// Whoever reads the log hears of a secret that lacks when a generation comes, and not when it is needed at night.
pub(super) fn begin(handle: &Handle) -> Result<Box<dyn Working>> {
    let mut tables = handle.tables.clone();
    tell(&tables.borrow_and_update());
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let thread = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            if tables.has_changed().unwrap_or(false) {
                tell(&tables.borrow_and_update());
            }
        }
    });
    Ok(Box::new(Watch { is_over, thread }))
}

/// How often we look whether there is another generation.
const LOOK: Duration = Duration::from_millis(500);

struct Watch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Working for Watch {
    fn end(self: Box<Self>) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ended = self.thread.join();
    }
}

fn tell(tables: &Tables) {
    for path in files(tables) {
        if let Err(error) = read(Path::new(path)) {
            warn!("a secret of the site cannot be read, and is needed: {error}");
        }
    }
}

/// The files of all secrets that the operating half needs, each once.
fn files(tables: &Tables) -> BTreeSet<&str> {
    let amt = tables.power.values().filter_map(|row| row.amt.as_ref()).map(|amt| amt.password_file.as_str());
    let sinks = tables.sinks.iter().filter_map(|row| row.password_file.as_deref());
    let told = tables.alerts.iter().filter_map(|row| match &row.to {
        AlertSink::Mail(mail) => mail.password_file.as_deref(),
        AlertSink::Webhook(webhook) => webhook.token_file.as_deref(),
    });
    amt.chain(sinks).chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line() {
        let path = std::env::temp_dir().join(format!("pxelator-secret-{}", std::process::id()));
        let held = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path).map_err(|error| error.to_string().rsplit(": ").next().unwrap().to_owned())
        };
        assert_eq!(held(b"pa ss\n"), Ok("pa ss".to_owned()));
        assert_eq!(held(b"pass\r\n"), Ok("pass".to_owned()));
        assert_eq!(held(b"pass"), Ok("pass".to_owned()));
        assert_eq!(held(b"\n").unwrap_err(), "the site's secret lies here, and the file is empty");
        assert_eq!(held(b"a\nb\n").unwrap_err(), "a secret is one line of text, and this file has several");
        assert_eq!(held(&[b'x'; 5000]).unwrap_err(), "a secret has at most 4,096 bytes, and this file has more");
        assert_eq!(held(b"\xff").unwrap_err(), "a secret is one line of text, and this is none");
        std::fs::remove_file(&path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("there is no such file"));
    }
}
