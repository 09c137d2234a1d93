//! What a secret's file holds; it is read when it is needed, so that a changed one counts at once.

use std::io::{ErrorKind, Read};
use std::path::Path;

use super::{Error, Result};

/// The most that a secret may have, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// What goes wrong most often, and its mend.
const KNOWN: &[(ErrorKind, &str)] = &[
    (ErrorKind::NotFound, "the site's secret lies here, and there is no such file"),
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
        assert!(read(&path).unwrap_err().to_string().ends_with("there is no such file"));
    }
}
