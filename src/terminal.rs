//! What we print: a reader that went away, or a full disk behind a log, ends no work.

use std::io::{ErrorKind, Write};

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
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        say(&format!("error: cannot write to standard output: {error}"));
        std::process::exit(2);
    }
}

/// What came from the wire, so that it does nothing to a terminal: control characters, and those that
/// turn the direction of writing, as `\x1b` and `\u{202e}`.
pub fn escaped(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
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
