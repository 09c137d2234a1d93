//! What we print: a reader that went away, or a full disk behind a log, ends no work.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;

/// A line of news, to standard error.
pub fn say(text: &str) {
    say_raw(&format!("{text}\n"));
}

/// The same as it stands, for text that brings its own line breaks.
pub fn say_raw(text: &str) {
    let _nobody_listens = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The result of a command, to standard output. `| head` is no error; anything else that keeps the
/// result from arriving is, for whoever wanted it.
pub fn print(text: &str) {
    let _nobody_reads = print_on(text);
}

/// The same for a result that is long in the making: whether anybody still reads.
pub fn print_on(text: &str) -> ControlFlow<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ControlFlow::Break(()),
        Err(error) => {
            say(&format!("error: cannot write to standard output: {error}"));
            std::process::exit(2);
        }
    }
}

/// What came from the wire, so that it does nothing to a terminal: control characters, and those that
/// turn the direction of writing, as `\x1b` and `\u{202e}`.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            _ if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            _ if turns(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

/// The same for a text that is JSON already, and that says the same afterwards: JSON itself escapes
/// neither DEL, nor the control characters beyond ASCII, nor those that turn the direction of writing.
pub fn json_escaped(json: &str) -> Cow<'_, str> {
    let acts = |c: char| c != '\n' && c.is_control() || turns(c);
    if !json.contains(acts) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        // All of them are of the first plane: one \u is enough.
        if acts(c) { out.push_str(&format!("\\u{:04x}", u32::from(c))) } else { out.push(c) }
    }
    out.into()
}

/// Does it turn the direction of writing?
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An error with its causes, in one line: no error repeats its cause, so it is told here, at the edge.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_from_the_wire_does_nothing_to_a_terminal_and_says_the_same() {
        let value = serde_json::json!({ "text": "a\u{7f}\u{85}\u{9b}2J\u{200e}\u{202e}\u{2066}é\n\u{1b}" });
        let raw = format!("{value}\n");
        let text = json_escaped(&raw);
        assert_eq!(text, "{\"text\":\"a\\u007f\\u0085\\u009b2J\\u200e\\u202e\\u2066é\\n\\u001b\"}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(matches!(json_escaped("{\"a\":\"é\"}\n"), Cow::Borrowed(_)));
    }
}
