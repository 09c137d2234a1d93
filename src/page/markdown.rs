//! A runbook's Markdown → blocks that a template writes down; our own runbooks use no more of it.

use serde::Serialize;

/// One block. Its text is plain: a template escapes it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Block {
    /// `h`, `p`, `ul`, `ol` or `pre`
    pub(super) kind: &'static str,
    /// Of a heading: 1 to 6.
    pub(super) level: usize,
    /// One for a heading or paragraph, one for each entry of a list; of `pre` the whole text.
    pub(super) items: Vec<Vec<Piece>>,
}

/// A piece of a line: as it stands, or as code.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Piece {
    pub(super) code: bool,
    pub(super) text: String,
}

pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut lines = text.lines();
    let mut apart = true;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            all.push(Block { kind: "pre", level: 0, items: vec![vec![Piece { code: false, text: code.join("\n") }]] });
            apart = true;
            continue;
        }
        let (kind, level, rest) = of(line);
        let rest = rest.trim();
        if rest.is_empty() {
            apart = true;
            continue;
        }
        match all.last_mut().filter(|last| !apart && last.kind == kind && kind != "h") {
            // A paragraph is one item, whatever its lines.
            Some(last) if kind == "p" => {
                let mut more = pieces(rest);
                if let Some(item) = last.items.last_mut() {
                    item.push(Piece { code: false, text: " ".to_owned() });
                    item.append(&mut more);
                }
            }
            Some(last) => last.items.push(pieces(rest)),
            None => all.push(Block { kind, level, items: vec![pieces(rest)] }),
        }
        apart = kind == "h";
    }
    all
}

fn of(line: &str) -> (&'static str, usize, &str) {
    let marks = line.bytes().take_while(|byte| *byte == b'#').count();
    if let Some(rest) = line.get(marks..).and_then(|rest| rest.strip_prefix(' ')).filter(|_| (1..=6).contains(&marks)) {
        return ("h", marks, rest);
    }
    if let Some(rest) = line.strip_prefix("- ") {
        return ("ul", 0, rest);
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.get(digits..).and_then(|rest| rest.strip_prefix(". ")).filter(|_| digits > 0) {
        Some(rest) => ("ol", 0, rest),
        None => ("p", 0, line),
    }
}

/// What stands between backticks is code.
fn pieces(text: &str) -> Vec<Piece> {
    let parts: Vec<&str> = text.split('`').collect();
    let whole = parts.len() % 2 == 1;
    if !whole {
        return vec![Piece { code: false, text: text.to_owned() }];
    }
    let piece = |(at, text): (usize, &str)| Piece { code: at % 2 == 1, text: text.to_owned() };
    parts.into_iter().enumerate().map(piece).filter(|piece| !piece.text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runbook_is_read_as_it_is_meant() {
        let found = blocks("# boot\n\nOne\ntwo `x`.\n\n- a\n- b\n\n1. c\n2. `d` e\n```\nf <g>\n```\n");
        let shown: Vec<(&str, usize, usize)> = found.iter().map(|block| (block.kind, block.level, block.items.len())).collect();
        assert_eq!(shown, [("h", 1, 1), ("p", 0, 1), ("ul", 0, 2), ("ol", 0, 2), ("pre", 0, 1)]);
        let code: Vec<&str> = found
            .iter()
            .flat_map(|block| block.items.iter().flatten())
            .filter(|piece| piece.code)
            .map(|piece| piece.text.as_str())
            .collect();
        assert_eq!(code, ["x", "d"]);
        assert_eq!(pieces("a ` b")[0].text, "a ` b", "one backtick alone is one");
    }
}
