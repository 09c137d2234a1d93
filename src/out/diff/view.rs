//! A menu as its three files show it: what pxelinux, iPXE and GRUB each say, in the same words.
//!
//! A line that is none of ours is kept as it stands, so that no difference is lost.

use std::collections::BTreeMap;

/// The files of one menu.
#[derive(Default)]
pub(super) struct Menu {
    /// By loader, such as `ipxe`.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// What one file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Title, default, timeout and the like, where this loader's language has them.
    pub(super) head: BTreeMap<&'static str, String>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    /// What it says of kernel, initrd, command line and so on; a command line is a list of words.
    pub(super) values: BTreeMap<&'static str, Vec<String>>,
}

pub(super) const PXELINUX: &str = "pxelinux";
const IPXE: &str = "ipxe";
const GRUB: &str = "grub";
pub(super) const LOADERS: [&str; 3] = [PXELINUX, IPXE, GRUB];

impl Menu {
    pub(super) fn add(&mut self, loader: &str, bytes: &[u8]) {
        self.files.insert(loader.to_owned(), bytes.to_vec());
    }

    /// What a loader is told, `None` where this menu has no file for it or none that we can read.
    pub(super) fn view(&self, loader: &str) -> Option<View> {
        let text = std::str::from_utf8(self.files.get(loader)?).ok()?;
        match loader {
            PXELINUX => Some(pxelinux(text)),
            IPXE => Some(ipxe(text, self.view(PXELINUX).and_then(|view| Some(view.entries.into_iter().next()?.id)))),
            GRUB => Some(grub(text)),
            _ => None,
        }
    }

    /// The pinned files that it loads.
    pub(super) fn assets(&self) -> Vec<String> {
        let entries = self.view(PXELINUX).map(|view| view.entries).unwrap_or_default();
        let paths =
            entries.into_iter().flat_map(|entry| entry.values).filter(|(key, _)| matches!(*key, "kernel" | "initrd" | "chain"));
        paths.flat_map(|(_, paths)| paths).collect()
    }
}

impl View {
    fn say(&mut self, key: &'static str, value: &str) {
        self.head.insert(key, value.to_owned());
    }

    fn entry(&mut self, id: &str) {
        self.entries.push(Entry { id: id.to_owned(), ..Entry::default() });
    }

    /// A word on the entry that was begun last.
    fn put(&mut self, key: &'static str, value: &str) {
        if let Some(entry) = self.entries.last_mut() {
            entry.values.entry(key).or_default().push(value.to_owned());
        }
    }

    fn words(&mut self, text: &str) {
        text.split(' ').filter(|word| !word.is_empty()).for_each(|word| self.put("command line", word));
    }

    /// A value for an entry by its id: iPXE tells labels before entries.
    fn label(&mut self, id: &str, label: &str) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.values.insert("label", vec![label.to_owned()]);
        }
    }
}

fn pxelinux(text: &str) -> View {
    let mut view = View::default();
    for line in text.lines() {
        let (word, rest) = line.trim_start().split_once(' ').unwrap_or((line.trim_start(), ""));
        match (word, rest) {
            ("DEFAULT", id) => view.say("default", id),
            ("UI", module) => view.say("shown by", module),
            ("PROMPT", "1") => view.say("shown by", "a prompt"),
            // Prompts repeat id and label; those are told by their entries.
            ("PROMPT" | "SAY", _) => {}
            // Tenths of a second; 1 stands for none, for 0 would wait for ever.
            ("TIMEOUT", tenths) => view.say("timeout", &time(tenths, 10)),
            ("LABEL", id) => view.entry(id),
            ("LOCALBOOT", _) => view.put("starts", "local disk"),
            ("KERNEL", path) => view.put("chain", path),
            ("LINUX", path) => view.put("kernel", path),
            ("INITRD", paths) => paths.split(',').for_each(|path| view.put("initrd", path)),
            ("APPEND", words) => view.words(words),
            ("MENU", rest) => match (rest.strip_prefix("TITLE "), rest.strip_prefix("LABEL ")) {
                (Some(title), _) => view.say("title", title),
                (None, Some(label)) => view.put("label", label),
                (None, None) => {}
            },
            _ => {}
        }
    }
    view
}

/// `only` is the id of the entry where the script has no menu.
fn ipxe(text: &str, only: Option<String>) -> View {
    let mut view = View::default();
    let mut labels = Vec::new();
    if !text.lines().any(|line| line.starts_with("menu ")) {
        view.entry(&only.unwrap_or_default());
    }
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest) {
            ("menu", title) => view.say("title", title),
            ("item", item) => labels.extend(item.split_once(' ')),
            ("choose", rest) => {
                let after = |flag: &str| rest.split(flag).nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
                view.say("default", after("--default "));
                view.say("timeout", &time(after("--timeout "), 1000));
            }
            ("exit", _) => view.put("starts", "local disk"),
            ("chain", path) => view.put("chain", path.trim_start_matches('/')),
            ("kernel", rest) => {
                let (path, words) = rest.split_once(' ').unwrap_or((rest, ""));
                view.put("kernel", path.trim_start_matches('/'));
                // The names by which a UEFI kernel finds its initrds are no words of the site.
                let own: Vec<&str> = words.split(' ').filter(|word| !is_initrd_name(word)).collect();
                view.words(&own.join(" "));
            }
            ("initrd", rest) => view.put("initrd", rest.rsplit(' ').next().unwrap_or_default().trim_start_matches('/')),
            (label, "") => label.strip_prefix(':').into_iter().for_each(|id| view.entry(id)),
            _ => {}
        }
    }
    labels.iter().for_each(|(id, label)| view.label(id, label));
    view
}

fn is_initrd_name(word: &str) -> bool {
    let number = word.strip_prefix("initrd=initrd").and_then(|rest| rest.strip_suffix(".img"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

fn grub(text: &str) -> View {
    let mut view = View::default();
    let mut default = "";
    for line in text.lines() {
        let line = line.trim_start();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest) {
            ("set", rest) => match (rest.strip_prefix("default="), rest.strip_prefix("timeout=")) {
                (Some(number), _) => default = number,
                (None, Some(secs)) => view.say("timeout", &time(secs, 1)),
                (None, None) => {}
            },
            ("menuentry", rest) => {
                let (label, id) = rest.trim_end_matches(" {").rsplit_once(" --id ").unwrap_or((rest, ""));
                view.entry(id);
                view.put("label", &unquoted(label));
            }
            ("exit", _) => view.put("starts", "local disk"),
            ("chainloader", path) => view.put("chain", path.trim_start_matches('/')),
            ("linux", rest) => {
                let (path, words) = rest.split_once(' ').unwrap_or((rest, ""));
                view.put("kernel", path.trim_start_matches('/'));
                view.words(&unquoted(words));
            }
            ("initrd", paths) => paths.split(' ').for_each(|path| view.put("initrd", path.trim_start_matches('/'))),
            _ => {}
        }
    }
    let id = default.parse().ok().and_then(|at: usize| view.entries.get(at)).map_or(default, |entry| &entry.id).to_owned();
    view.say("default", &id);
    view
}

/// Without the single quotes that keep GRUB from reading a word as syntax.
fn unquoted(text: &str) -> String {
    text.replace("'\\''", "\u{0}").replace('\'', "").replace('\u{0}', "'")
}

/// A time in a loader's unit; one unit stands for none where zero would wait for ever.
fn time(count: &str, units_a_second: u64) -> String {
    match count.parse::<u64>() {
        Ok(1) if units_a_second > 1 => "0s".to_owned(),
        Ok(count) if count % units_a_second == 0 => format!("{}s", count / units_a_second),
        Ok(_) | Err(_) => format!("{count}/{units_a_second}s"),
    }
}
