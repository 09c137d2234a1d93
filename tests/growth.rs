//! What something costs when its input grows, in CPU time: the clock on the wall tells how busy a machine is.

use std::process::{Command, Stdio};

use crate::harness::{Folder, PROGRAM};

/// How many times larger the large input is.
pub(crate) const GROWTH: usize = 4;
/// Others on the same core cost caches: one of these tries is left alone.
const TRIES: usize = 4;

/// CPU seconds of the program with these arguments, which ends with this code.
pub(crate) fn cpu_secs(folder: &Folder, args: &[&str], code: i32) -> f64 {
    // Bash tells what its child used up, and then how it ended.
    let script = "TIMEFORMAT=%U; time \"$@\" >/dev/null 2>&1";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", PROGRAM]).args(args).current_dir(&folder.0).stdin(Stdio::null());
    let output = command.env("LC_ALL", "C").output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}");
    String::from_utf8_lossy(&output.stderr).trim().parse().unwrap()
}

/// CPU seconds of this thread until now.
pub(crate) fn thread_cpu_secs() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The cost grows about as the input does: `cost(true)` is that of the large one.
pub(crate) fn linear(what: &str, cost: impl FnMut(bool) -> f64) {
    if let Err(seen) = grows(cost) {
        panic!("{what}: an input {GROWTH} times as large costs too much; CPU seconds of both: {seen:?}");
    }
}

fn grows(mut cost: impl FnMut(bool) -> f64) -> Result<(), Vec<(f64, f64)>> {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let (small, large) = (cost(false), cost(true));
        // Half way between 4 and its square, in multiples; what takes a blink is not measured.
        if large < 2.0 * GROWTH as f64 * small + 0.1 {
            return Ok(());
        }
        seen.push((small, large));
    }
    Err(seen)
}

#[test]
fn a_square_is_told_from_a_line() {
    let of = |power: i32| move |is_large| 0.05 * if is_large { (GROWTH as f64).powi(power) } else { 1.0 };
    assert_eq!(grows(of(1)), Ok(()));
    assert_eq!(grows(of(2)).unwrap_err().len(), TRIES);
    // One try that nothing disturbed is enough.
    let mut calls = 0;
    let busy_at_first = |is_large| {
        calls += 1;
        of(if calls < 3 { 2 } else { 1 })(is_large)
    };
    assert_eq!(grows(busy_at_first), Ok(()));
}
