//! A child process to its end: its input fed, its output bounded, and a deadline.

use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How much of its complaints is kept.
const COMPLAINT_BYTES_MAX: usize = 64 << 10;
/// How often we look whether it has ended.
const LOOK: Duration = Duration::from_millis(10);
/// How long its pipes may stay open behind it: a grandchild may hold them.
const LINGER: Duration = Duration::from_secs(2);

/// A child that ended.
#[derive(Debug)]
pub struct Collected {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

/// A child that was ended.
#[derive(Debug)]
pub enum Stopped {
    Slow(Duration),
    TooMuch(usize),
    Io(std::io::Error),
}

/// Feeds `input`, takes what is printed, and waits; the child is killed at its deadline, or where it prints
/// more than `out_bytes_max`. Its pipes must be piped.
pub fn collect(mut child: Child, input: Vec<u8>, out_bytes_max: usize, deadline: Duration) -> Result<Collected, Stopped> {
    let until = Instant::now() + deadline;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end before it has read all: that is no error of ours.
        thread::spawn(move || stdin.write_all(&input));
    }
    let (full, is_full) = mpsc::channel();
    let out = child.stdout.take().map(|pipe| reader(pipe, out_bytes_max, Some(full)));
    let err = child.stderr.take().map(|pipe| reader(pipe, COMPLAINT_BYTES_MAX, None));
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if is_full.try_recv().is_ok() => return Err(killed(&mut child, Stopped::TooMuch(out_bytes_max))),
            Ok(None) if Instant::now() >= until => return Err(killed(&mut child, Stopped::Slow(deadline))),
            Ok(None) => thread::sleep(LOOK),
            Err(error) => return Err(killed(&mut child, Stopped::Io(error))),
        }
    };
    let bytes = |thread: Option<Reader>| thread.map(Reader::end).unwrap_or_default();
    let (out, err) = (bytes(out), String::from_utf8_lossy(&bytes(err)).into_owned());
    if is_full.try_recv().is_ok() {
        return Err(Stopped::TooMuch(out_bytes_max));
    }
    Ok(Collected { code: code(status), out, err })
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}

fn killed(child: &mut Child, why: Stopped) -> Stopped {
    let _gone_already = child.kill();
    let _gone_already = child.wait();
    why
}

/// A pipe that is read beside.
struct Reader {
    thread: JoinHandle<()>,
    bytes: mpsc::Receiver<Vec<u8>>,
}

impl Reader {
    /// What came until the pipe was closed, or shortly after the child ended.
    fn end(self) -> Vec<u8> {
        let until = Instant::now() + LINGER;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::sleep(LOOK);
        }
        self.bytes.try_iter().collect::<Vec<_>>().concat()
    }
}

/// Reads to the end, keeps so many bytes, and tells `full` when there are more.
fn reader(mut pipe: impl Read + Send + 'static, bytes_max: usize, full: Option<mpsc::Sender<()>>) -> Reader {
    let (sender, bytes) = mpsc::channel();
    let thread = thread::spawn(move || {
        let (mut kept, mut buffer) = (0, vec![0; 64 << 10]);
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let room = bytes_max - kept;
            kept += count.min(room);
            let Some(piece) = buffer.get(..count.min(room)) else { return };
            if sender.send(piece.to_vec()).is_err() {
                return;
            }
            if count > room {
                full.iter().for_each(|full| full.send(()).unwrap_or_default());
            }
        }
    });
    Reader { thread, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn run(script: &str, input: &[u8], max: usize, deadline: Duration) -> Result<Collected, Stopped> {
        let child =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        collect(child.map_err(Stopped::Io)?, input.to_vec(), max, deadline)
    }

    #[test]
    fn a_child_is_fed_bounded_and_ended_in_time() {
        let long = Duration::from_secs(20);
        let good = run("cat; echo no >&2; exit 3", b"yes", 10, long);
        assert!(matches!(&good, Ok(Collected { code: Some(3), out, err }) if out == b"yes" && err == "no\n"), "{good:?}");
        let begun = Instant::now();
        assert!(matches!(run("sleep 30", b"", 10, Duration::from_millis(100)), Err(Stopped::Slow(_))));
        assert!(matches!(run("while :; do echo much; done", b"", 1000, long), Err(Stopped::TooMuch(1000))));
        // It does not read what it is given, and leaves a child behind that holds its pipes.
        let left = run("sleep 30 & exit 0", &vec![b'x'; 1 << 20], 10, long);
        assert!(matches!(left, Ok(Collected { code: Some(0), .. })), "{left:?}");
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
}
