//! Messages as they come through the pipes: a header with a length, then JSON.
//!
//! lsp-server reads them as well, but trusts the length that it is told; here it is held against a limit,
//! and memory grows only with what really arrives.

use std::io::{self, BufRead, Read, Write};

use lsp_server::Message;

use crate::source::FILE_BYTES_MAX;

/// The largest message, in bytes: the largest file, with room for the escapes of JSON.
const MESSAGE_BYTES_MAX: usize = 2 * FILE_BYTES_MAX;
/// The longest line of a header, in bytes, and how many lines one may have.
const HEADER_BYTES_MAX: u64 = 4096;
const HEADER_LINES_MAX: usize = 16;
/// How much of something odd is repeated, in characters.
const SHOWN_MAX: usize = 60;

/// Why the editor cannot be understood any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the editor sent `{line}` where a header such as `Content-Length: 99` was expected; this command is started by an editor, see `pxelator lsp --help`")]
    Header { line: String },
    #[error("the editor announced a message of {mib} MiB; at most {max} MiB are read", max = MESSAGE_BYTES_MAX >> 20)]
    TooLong { mib: usize },
    #[error("the editor closed the connection within a message")]
    Cut,
    #[error("the editor sent what is no message of JSON-RPC 2.0: {shown}")]
    NoMessage { shown: String, source: serde_json::Error },
    #[error("cannot read what the editor sends")]
    Io(#[source] io::Error),
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// The next message, or `None` at the end.
pub(super) fn read(input: &mut impl BufRead) -> Result<Option<Message>, Error> {
    let Some(length) = header(input)? else { return Ok(None) };
    if length > MESSAGE_BYTES_MAX {
        return Err(Error::TooLong { mib: length >> 20 });
    }
    let mut body = Vec::new();
    input.take(length as u64).read_to_end(&mut body).map_err(Error::Io)?;
    if body.len() < length {
        return Err(Error::Cut);
    }
    serde_json::from_slice(&body).map(Some).map_err(|source| Error::NoMessage { shown: shown(&body), source })
}

/// The length of the message that follows; other lines of a header mean nothing to us.
fn header(input: &mut impl BufRead) -> Result<Option<usize>, Error> {
    let mut length = None;
    for count in 0..HEADER_LINES_MAX {
        let mut line = Vec::new();
        input.take(HEADER_BYTES_MAX).read_until(b'\n', &mut line).map_err(Error::Io)?;
        if line.is_empty() {
            return if count == 0 { Ok(None) } else { Err(Error::Cut) };
        }
        let refused = || Error::Header { line: shown(&line) };
        let text = std::str::from_utf8(&line).map_err(|_| refused())?.trim_end();
        if text.is_empty() {
            return length.ok_or_else(refused).map(Some);
        }
        let (name, value) = text.split_once(':').ok_or_else(refused)?;
        if name.eq_ignore_ascii_case("Content-Length") {
            length = Some(value.trim().parse().map_err(|_| refused())?);
        }
    }
    Err(Error::Header { line: "too many lines".to_owned() })
}

/// The beginning of something odd, without what a terminal would obey.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_MAX).collect()
}

pub(super) fn write(message: &Message, output: &mut impl Write) -> io::Result<()> {
    message.write(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Option<Message>, Error> {
        read(&mut text.as_bytes())
    }

    #[test]
    fn messages_are_read_and_odd_ones_named() {
        assert!(matches!(read_text(""), Ok(None)));
        let exit = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let sent = format!("Content-Type: x\r\ncontent-length: {}\r\n\r\n{exit}", exit.len());
        assert!(matches!(read_text(&sent), Ok(Some(Message::Notification(note))) if note.method == "exit"));
        assert!(matches!(read_text("site lab\n"), Err(Error::Header { .. })));
        assert!(matches!(read_text("Content-Length: -1\r\n\r\n"), Err(Error::Header { .. })));
        assert!(matches!(read_text("Content-Length: 9\r\n\r\n{}"), Err(Error::Cut)));
        assert!(matches!(read_text("Content-Length: 2\r\n\r\n{}"), Err(Error::NoMessage { .. })));
        assert!(matches!(read_text("Content-Length: 99999999999\r\n\r\n{}"), Err(Error::TooLong { .. })));
        assert!(matches!(read_text(&"a: b\r\n".repeat(99)), Err(Error::Header { .. })));
        let deep = "[".repeat(100_000);
        assert!(matches!(read_text(&format!("Content-Length: {}\r\n\r\n{deep}", deep.len())), Err(Error::NoMessage { .. })));
    }
}
