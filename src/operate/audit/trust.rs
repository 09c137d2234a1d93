//! Whose signature under a sink's certificate counts: what this machine trusts, an authority of one's own with it.

use std::path::{Path, PathBuf};

use rustls::CertificateError::{UnknownIssuer, NotValidForName, NotValidForNameContext};
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// Where systems keep the authorities that they trust, in one file: Debian, Alpine, Arch and NixOS; Fedora; SUSE.
const BUNDLES: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// Those of `SSL_CERT_FILE`, or of the system; where it has none, those of Mozilla that are built in.
pub(in crate::operate) fn roots() -> RootCerts {
    let told = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let found = told.iter().map(PathBuf::as_path).chain(BUNDLES.iter().map(Path::new)).find_map(held);
    found.map_or(RootCerts::WebPki, RootCerts::from)
}

/// The same as DER; none where Mozilla's count.
pub(in crate::operate) fn certificates() -> Vec<Vec<u8>> {
    let RootCerts::Specific(all) = roots() else { return Vec::new() };
    all.iter().map(|certificate| certificate.der().to_vec()).collect()
}

/// The certificates of a file; `None` where it has none.
fn held(path: &Path) -> Option<Vec<Certificate<'static>>> {
    let text = std::fs::read(path).ok()?;
    let each = |item| if let Ok(PemItem::Certificate(certificate)) = item { Some(certificate) } else { None };
    let all: Vec<_> = parse_pem(&text).filter_map(each).collect();
    (!all.is_empty()).then_some(all)
}

/// Why a certificate does not count, and what mends it; `None` where something else is wrong.
pub(in crate::operate) fn refused(error: &ureq::Error) -> Option<String> {
    let tls = if let ureq::Error::Io(error) = error {
        error.get_ref()?.downcast_ref()?
    } else if let ureq::Error::Rustls(error) = error {
        error
    } else {
        return None;
    };
    why(tls)
}

/// The same of what TLS itself says.
pub(in crate::operate) fn why(tls: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(why) = tls else { return None };
    Some(if *why == UnknownIssuer {
        "nobody whom this machine trusts has signed its certificate: copy the one of your authority to \
         /usr/local/share/ca-certificates/NAME.crt and run update-ca-certificates; it is read again by itself"
            .to_owned()
    } else if matches!(why, NotValidForName | NotValidForNameContext { .. }) {
        "its certificate is for another name: write one of its names into the site, or have it made for this one".to_owned()
    } else {
        format!("its certificate does not count ({why}): have it made anew, or mend the clock")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_none() {
        let path = std::env::temp_dir().join(format!("pxelator-trust-{}", std::process::id()));
        std::fs::write(&path, "# nothing\n").unwrap();
        assert!(held(&path).is_none() && held(Path::new("/nowhere")).is_none());
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(held(&path), Some(all) if all.len() == 1));
        std::fs::remove_file(&path).unwrap();
    }
}
