//! The texts that we were given: names, bytes, and positions in them.
//!
//! `store` reads the files that a site names and hands them over as [`Inputs`]; from here on nobody
//! opens a file. **Invariant:** no path in here is ever resolved against a disk.

use std::collections::BTreeMap;

/// What `store` gives: path below the site folder (with `/`) → bytes, sorted.
pub type Inputs = BTreeMap<String, Vec<u8>>;

/// The largest KDL file we read, in bytes; 100,000 hosts are about 6 MB.
pub const FILE_BYTES_MAX: usize = 128 << 20;

/// How many times all modules of a site may be used.
pub const INSTANCES_MAX: usize = (1 << (u32::BITS - FILE_BITS)) - 1;
/// How many files a site may have.
pub const FILES_MAX: usize = 1 << FILE_BITS;
const FILE_BITS: u32 = 20;

/// Which of the [`Sources`] a [`Span`] lies in, and in which use of it: a module that is used twice is
/// read twice, so that each of its lines knows the `use` line behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

impl FileId {
    pub fn new(file: usize) -> Self {
        FileId(u32::try_from(file).unwrap_or(u32::MAX) & (FILES_MAX as u32 - 1))
    }

    /// The same file, read for the nth use of a module, counted from 1.
    pub fn used(self, instance: usize) -> Self {
        FileId(self.real().0 | (u32::try_from(instance).unwrap_or(u32::MAX) << FILE_BITS))
    }

    /// The file itself.
    pub fn real(self) -> Self {
        FileId(self.0 & (FILES_MAX as u32 - 1))
    }

    fn index(self) -> usize {
        self.real().0 as usize
    }

    /// The number of the use, counted from 1; 0 is the file itself.
    pub fn instance(self) -> usize {
        (self.0 >> FILE_BITS) as usize
    }
}

/// A range of bytes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let cut = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file, start: cut(start), end: cut(end) }
    }

    /// From the start of this one to the end of the other.
    pub fn to(self, other: Span) -> Span {
        Span { end: other.end.max(self.end), ..self }
    }

    /// So many bytes further on.
    pub fn shifted(self, by: i64) -> Span {
        let at = |at: u32| u32::try_from(i64::from(at) + by).unwrap_or(u32::MAX);
        Span { start: at(self.start), end: at(self.end), ..self }
    }

    /// Does the other one lie within it?
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One text and its name.
#[derive(Debug)]
pub struct Source {
    pub name: String,
    pub text: String,
    /// It was cut before a byte that is not UTF-8: nobody reads it further.
    pub is_cut: bool,
    /// Byte offsets of the line starts, so that a line is found by bisection.
    line_starts: Vec<u32>,
}

/// A place as people count: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Source {
    pub fn new(name: String, text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let line_starts = std::iter::once(0).chain(breaks.map(|(at, _)| at as u32 + 1)).collect();
        Source { name, text, is_cut: false, line_starts }
    }

    /// The line of an offset, from 1, and the offset of its start; by bisection.
    pub fn line_at(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start as usize <= offset).max(1);
        (line, self.line_starts.get(line - 1).map_or(0, |start| *start as usize))
    }

    pub fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let (line, start) = self.line_at(offset);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        Place { line, column }
    }
}

/// All texts of a site, sorted by name: the same folder gives the same ids.
#[derive(Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
    /// For each use of a module the `use` line that made it.
    instances: Vec<Span>,
}

impl Sources {
    /// Takes every input as text. One that is not UTF-8 is cut before its first bad byte, whose place is
    /// given back.
    pub fn from_inputs(inputs: Inputs) -> (Self, Vec<Span>) {
        let mut sources = Sources::default();
        let mut broken = Vec::new();
        for (name, bytes) in inputs {
            let text = String::from_utf8(bytes).unwrap_or_else(|error| {
                let at = error.utf8_error().valid_up_to();
                broken.push(Span::new(FileId::new(sources.list.len()), at, at));
                let mut bytes = error.into_bytes();
                bytes.truncate(at);
                String::from_utf8_lossy(&bytes).into_owned()
            });
            sources.list.push(Source::new(name, text));
        }
        for span in &broken {
            if let Some(source) = sources.list.get_mut(span.file.index()) {
                source.is_cut = true;
            }
        }
        (sources, broken)
    }

    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.list.get(id.index())
    }

    pub fn find(&self, name: &str) -> Option<FileId> {
        self.list.binary_search_by(|source| source.name.as_str().cmp(name)).ok().map(FileId::new)
    }

    pub fn text(&self, id: FileId) -> &str {
        self.get(id).map_or("", |source| &source.text)
    }

    pub fn name(&self, id: FileId) -> &str {
        self.get(id).map_or("?", |source| &source.name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.list.iter().enumerate().map(|(at, source)| (FileId::new(at), source))
    }

    /// Takes note of which `use` line is behind each instance.
    pub fn adopt(&mut self, instances: Vec<Span>) {
        self.instances = instances;
    }

    /// A file says something else now; places of `use` lines behind `from` moved by so many bytes.
    pub fn replace(&mut self, file: FileId, text: String, from: u32, by: i64) {
        for span in self.instances.iter_mut().filter(|span| span.file.real() == file.real() && span.start >= from) {
            *span = span.shifted(by);
        }
        if let Some(source) = self.list.get_mut(file.index()) {
            *source = Source::new(std::mem::take(&mut source.name), text);
        }
    }

    /// The `use` line behind a line of a module; it may itself lie in a module.
    pub fn via(&self, span: Span) -> Option<Span> {
        span.file.instance().checked_sub(1).and_then(|at| self.instances.get(at)).copied()
    }

    /// The span and every `use` line behind it, up to the site's own.
    pub fn chain(&self, span: Span) -> Vec<Span> {
        std::iter::successors(Some(span), |span| self.via(*span)).take(self.instances.len() + 1).collect()
    }

    /// Makes the text of these places unreadable, its length kept: a secret that somebody wrote down must
    /// not be shown again.
    pub fn mask(&mut self, places: impl Iterator<Item = Span>) {
        const MASKS: [char; 4] = ['*', '¤', '•', '𐄂'];
        for span in places {
            let Some(source) = self.list.get_mut(span.file.index()) else { continue };
            let Some(text) = source.text.get(span.range()) else { continue };
            let masked: String =
                text.chars().filter_map(|c| if c == '\n' { Some(c) } else { MASKS.get(c.len_utf8() - 1).copied() }).collect();
            source.text.replace_range(span.range(), &masked);
        }
    }

    /// Takes the power from characters that would act on a terminal, the length of the texts kept.
    pub fn tame(&mut self) {
        let acts = |c: char| {
            (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        for source in self.list.iter_mut().filter(|source| source.text.contains(acts)) {
            let harmless = |c: char| match (acts(c), c.len_utf8()) {
                (false, _) => c,
                (true, 1) => '?',
                (true, 2) => '¿',
                (true, _) => '\u{fffd}',
            };
            source.text = source.text.chars().map(harmless).collect();
        }
    }

    /// `site.kdl:12`, as editors understand it.
    pub fn describe(&self, span: Span) -> String {
        let line = self.get(span.file).map_or(0, |source| source.place(span.start as usize).line);
        format!("{}:{line}", self.name(span.file))
    }
}

/// Does `path` match `pattern`, where `*` and `?` stand for anything but a slash?
///
/// Greedy with one step back, so linear in practice and never worse than quadratic.
pub fn glob_matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = path.get(s) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, s));
                p += 1;
            }
            Some('?') if *c != '/' => (p, s) = (p + 1, s + 1),
            Some(x) if x == c => (p, s) = (p + 1, s + 1),
            _ => match star {
                Some((at, from)) if path.get(from) != Some(&'/') => {
                    star = Some((at, from + 1));
                    (p, s) = (at + 1, from + 1);
                }
                _ => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// Does a pattern name a path, or a folder above it? One that begins with a slash is a whole path, any other the
/// name of a file or folder wherever it lies. `?` stands for a byte, as rsync has it.
pub fn names_path(pattern: &str, path: &[u8]) -> bool {
    let bytes = |text: &[u8]| text.iter().map(|byte| char::from(*byte)).collect::<String>();
    let (pattern, path) = (bytes(pattern.as_bytes()), bytes(path));
    if !pattern.starts_with('/') {
        return path.split('/').any(|part| glob_matches(&pattern, part));
    }
    let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    above.chain([path.as_str()]).any(|path| glob_matches(&pattern, path))
}

/// What holds secrets on a machine: git on the boot server would keep it for ever, and a module shows it to all. A
/// path, or the name of a file or folder; `*` stands for anything.
pub const SECRETS: &[&str] = &[
    "/etc/shadow*",
    "/etc/gshadow*",
    "/etc/security/opasswd",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssl/private",
    "/etc/wireguard",
    "/etc/NetworkManager/system-connections",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "privkey*.pem",
    "*.key",
    "*.keytab",
];

/// Is a path of a machine, or a folder that it lies in, one of [`SECRETS`]?
pub fn is_secret(path: &str) -> bool {
    SECRETS.iter().any(|pattern| names_path(pattern, path.as_bytes()))
}

/// The path that `import "TARGET"` means, or `None` where it would leave the site folder.
///
/// Paths are relative to the site folder, wherever the `import` stands, so moving a line between
/// files changes nothing.
pub fn import_path(target: &str) -> Option<String> {
    let inside = !target.starts_with('/') && !target.contains('\\') && !target.split('/').any(|part| part == "..");
    let parts: Vec<&str> = target.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (inside && !parts.is_empty()).then(|| parts.join("/"))
}

/// Where module `name` may lie, the first that exists wins.
pub fn module_paths(name: &str) -> [String; 2] {
    [format!("modules/{name}.kdl"), format!("modules/{name}/module.kdl")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_path_and_by_name() {
        for path in ["/etc/shadow.bak", "/etc/security/opasswd", "/etc/wireguard/wg0.conf", "/srv/x/site.key", "/opt/id_rsa"] {
            assert!(is_secret(path), "{path}");
        }
        for path in ["/etc/passwd", "/etc/wireguard.conf", "/srv/key", "/etc/ssl/certs/x.pem", ""] {
            assert!(!is_secret(path), "{path}");
        }
    }

    #[test]
    fn globs_stay_within_a_folder() {
        assert!(glob_matches("hosts/*.kdl", "hosts/a.kdl"));
        assert!(!glob_matches("hosts/*.kdl", "hosts/b/a.kdl"));
        assert!(glob_matches("h*/?.kdl", "hosts/a.kdl"));
        assert!(!glob_matches("a*b*c", "a/b/c"));
        assert!(glob_matches("a*b*c", "aXbYbZc"));
    }

    #[test]
    fn a_pattern_names_a_path_and_what_lies_below() {
        for (pattern, path) in [
            ("/etc/a*", "/etc/ab/c"),
            ("/etc/a", "/etc/a"),
            ("*.key", "/srv/tls.key/x"),
            ("x?", "/a/xy"),
            ("id_rsa", "/a/id_rsa"),
        ] {
            assert!(names_path(pattern, path.as_bytes()), "{pattern} {path}");
        }
        for (pattern, path) in [("/etc/a", "/etc/ab"), ("/etc/a/b", "/etc/a"), ("x?", "/a/xé"), ("rsa", "/id_rsa")] {
            assert!(!names_path(pattern, path.as_bytes()), "{pattern} {path}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let source = Source::new("x".into(), "ž é\nab".into());
        assert_eq!(source.place(3), Place { line: 1, column: 3 });
        assert_eq!(source.place(source.text.len()), Place { line: 2, column: 3 });
    }

    #[test]
    fn what_is_masked_keeps_its_length() {
        let (mut sources, _) = Sources::from_inputs(BTreeMap::from([("x".into(), "a \"hé€😀\" b".as_bytes().to_vec())]));
        sources.mask([Span::new(FileId::new(0), 3, 13)].into_iter());
        assert_eq!(sources.text(FileId::new(0)), "a \"*¤•𐄂\" b");
    }

    #[test]
    fn imports_stay_in_the_site() {
        assert_eq!(import_path("./hosts//a.kdl").as_deref(), Some("hosts/a.kdl"));
        assert_eq!(import_path("../x"), None);
        assert_eq!(import_path("/etc/passwd"), None);
    }
}
