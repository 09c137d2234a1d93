//! What a menu starts when nobody touches the keyboard, read as its loader reads it.

/// The default entry of a menu.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) entry: String,
    /// In the order in which the loader asks for them.
    pub(super) files: Vec<String>,
    pub(super) cmdline: String,
    pub(super) is_local: bool,
    pub(super) waits: bool,
}

pub(super) fn pxelinux(text: &str) -> Choice {
    let mut choice = Choice::default();
    let mut inside = false;
    for line in text.lines() {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match word {
            "DEFAULT" => choice.entry = rest.to_owned(),
            "UI" => choice.waits = true,
            "PROMPT" => choice.waits |= rest == "1",
            "LABEL" => inside = rest == choice.entry,
            "LINUX" | "KERNEL" if inside => choice.files.push(rest.to_owned()),
            "INITRD" if inside => choice.files.extend(rest.split(',').map(str::to_owned)),
            "APPEND" if inside => choice.cmdline = rest.to_owned(),
            "LOCALBOOT" if inside => choice.is_local = true,
            _ => {}
        }
    }
    choice
}

pub(super) fn ipxe(text: &str) -> Choice {
    let mut choice = Choice { entry: "the script".into(), ..Choice::default() };
    let mut inside = true;
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["choose", "--default", entry, ..] => {
                (choice.entry, choice.waits, inside) = ((*entry).to_owned(), true, false);
            }
            [label] if label.starts_with(':') => inside = label.strip_prefix(':') == Some(&choice.entry),
            ["kernel", path, cmdline @ ..] if inside => {
                choice.files.push((*path).to_owned());
                choice.cmdline = cmdline.join(" ");
            }
            ["initrd", "--name", _, path] | ["chain", path] if inside => choice.files.push((*path).to_owned()),
            ["exit", ..] if inside => choice.is_local = true,
            _ => {}
        }
    }
    choice
}
