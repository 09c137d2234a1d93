//! `manifest.json`: the hashes of a tree, and the id of the generation that they make.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::Tree;
use super::table::json;

/// The file's name, at the top of `out/`.
pub const MANIFEST: &str = "manifest.json";

/// A tree named by its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// blake3 over the sorted pairs of path and hash: the same content has the same id.
    pub generation: String,
    pub compiler: String,
    pub files: Vec<FileEntry>,
}

/// One file of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    pub path: String,
    pub blake3: String,
    pub size: u64,
    pub emitter: String,
}

/// What a folder's files have to do with a manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub changed: Vec<String>,
    pub lost: Vec<String>,
    pub added: Vec<String>,
    /// The id in the manifest is not the one that its own lines make.
    pub wrong_id: bool,
}

impl Findings {
    pub fn is_clean(&self) -> bool {
        *self == Findings::default()
    }
}

impl Manifest {
    pub fn of(tree: &Tree) -> Manifest {
        let files: Vec<FileEntry> = tree
            .files()
            .map(|(path, artifact)| FileEntry {
                path: path.to_owned(),
                blake3: blake3::hash(artifact.bytes()).to_hex().to_string(),
                size: artifact.bytes().len() as u64,
                emitter: artifact.emitter.to_owned(),
            })
            .collect();
        Manifest { generation: id(&files), compiler: concat!("pxelator ", env!("CARGO_PKG_VERSION")).into(), files }
    }

    /// One line a file, so that a diff shows what changed.
    pub fn text(&self) -> String {
        let mut text = format!("{{\n  \"generation\": {},\n  \"compiler\": {},\n  \"files\": [\n", json(&self.generation), json(&self.compiler));
        for (at, file) in self.files.iter().enumerate() {
            let comma = if at + 1 < self.files.len() { "," } else { "" };
            let _infallible = writeln!(text, "    {}{comma}", json(file));
        }
        text + "  ]\n}\n"
    }

    /// Holds the files of a folder (without the manifest itself) against this manifest.
    pub fn verify(&self, found: &BTreeMap<String, Vec<u8>>) -> Findings {
        let mut findings = Findings { wrong_id: id(&self.files) != self.generation, ..Findings::default() };
        for file in &self.files {
            match found.get(&file.path) {
                None => findings.lost.push(file.path.clone()),
                Some(bytes) => {
                    let same = bytes.len() as u64 == file.size && blake3::hash(bytes).to_hex().as_str() == file.blake3;
                    findings.changed.extend((!same).then(|| file.path.clone()));
                }
            }
        }
        let known: std::collections::BTreeSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        findings.added = found.keys().filter(|path| !known.contains(path.as_str())).cloned().collect();
        findings
    }
}

fn id(files: &[FileEntry]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.path.as_bytes()).update(b"\0").update(file.blake3.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}


#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_its_text_and_finds_what_changed() {
        let file = |path: &str, bytes: &[u8]| FileEntry {
            path: path.into(),
            blake3: blake3::hash(bytes).to_hex().to_string(),
            size: bytes.len() as u64,
            emitter: "x".into(),
        };
        let files = vec![file("a", b"1"), file("b", b"2")];
        let manifest = Manifest { generation: id(&files), compiler: "c".into(), files };
        assert_eq!(serde_json::from_str::<Manifest>(&manifest.text()).unwrap(), manifest);
        let found = BTreeMap::from([("b".to_owned(), b"x".to_vec()), ("c".to_owned(), vec![])]);
        let findings = manifest.verify(&found);
        assert_eq!((findings.changed, findings.lost, findings.added), (vec!["b".into()], vec!["a".into()], vec!["c".into()]));
        assert!(!findings.wrong_id);
    }
}
