//! A folder with a manifest, verified before anybody sees its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Error, Result, failed};
use crate::out::manifest::Findings;
use crate::out::{MANIFEST, Manifest};

/// The largest file and the largest number of files that we open, so that a wrong folder does no harm.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 30;
pub(super) const FILES_MAX: usize = 1_000_000;

/// A verified tree: what it holds is what was built.
#[derive(Debug)]
pub struct Generation {
    pub manifest: Manifest,
    /// Path → bytes, without the manifest.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Opens and verifies.
pub fn open(folder: &Path) -> Result<Generation> {
    let (manifest, files, findings) = read_folder(folder)?;
    verified(folder, manifest, files, &findings)
}

/// The same of files that were read elsewhere, the manifest among them; `label` says where.
pub(super) fn of_files(label: PathBuf, mut files: BTreeMap<String, Vec<u8>>) -> Result<Generation> {
    let Some(bytes) = files.remove(MANIFEST) else { return Err(Error::NoGeneration { path: label }) };
    let manifest = parsed(&label.join(MANIFEST), &bytes)?;
    let findings = manifest.verify(&files);
    verified(&label, manifest, files, &findings)
}

fn parsed(path: &Path, bytes: &[u8]) -> Result<Manifest> {
    serde_json::from_slice(bytes).map_err(|error| Error::Manifest { path: path.to_owned(), what: error.to_string() })
}

fn verified(folder: &Path, manifest: Manifest, files: BTreeMap<String, Vec<u8>>, findings: &Findings) -> Result<Generation> {
    if findings.is_clean() {
        return Ok(Generation { manifest, files });
    }
    let list = |what: &str, paths: &[String]| paths.iter().take(5).map(|path| format!("{what} {path}")).collect::<Vec<_>>();
    let mut said = [list("changed", &findings.changed), list("lost", &findings.lost), list("added", &findings.added)].concat();
    if findings.wrong_id {
        said.push(format!("{MANIFEST} does not bear its own id"));
    }
    let mut findings = said.join(", ");
    findings.push_str("; run `pxelator build`, or take the folder from where it was built");
    Err(Error::Tampered { path: folder.to_owned(), findings })
}

/// The manifest, the files, and how they agree.
pub fn read_folder(folder: &Path) -> Result<(Manifest, BTreeMap<String, Vec<u8>>, Findings)> {
    let path = folder.join(MANIFEST);
    let bytes = match std::fs::read(&path) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Err(Error::NoGeneration { path: folder.to_owned() });
        }
        other => other.map_err(failed("read", &path))?,
    };
    let manifest = parsed(&path, &bytes)?;
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files)?;
    files.remove(MANIFEST);
    let findings = manifest.verify(&files);
    Ok((manifest, files, findings))
}

fn collect(root: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let folder = root.join(below);
    for entry in std::fs::read_dir(&folder).map_err(failed("list", &folder))? {
        let entry = entry.map_err(failed("list", &folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let meta = entry.metadata().map_err(failed("read", &entry.path()))?;
        if meta.is_dir() {
            collect(root, &path, files)?;
        } else if meta.is_file() && meta.len() <= FILE_BYTES_MAX && files.len() < FILES_MAX {
            files.insert(path, std::fs::read(entry.path()).map_err(failed("read", &entry.path()))?);
        } else {
            // A link or a device: the manifest does not know it, so verification refuses it by name.
            files.insert(path, Vec::new());
        }
    }
    Ok(())
}
