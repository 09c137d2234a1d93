//! Deploys that are killed at any moment: one whole generation is served, and the next deploy works.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Instant;

use super::{Boot, address, command};
use crate::harness::{PATIENCE, have};

const KILLS: u32 = 30;

#[test]
fn a_deploy_may_be_killed_at_any_moment() {
    if !have(&["dig"]) {
        return;
    }
    let boot = Boot::new();
    boot.build(1);
    boot.deploy(&[]).ended(0);
    let server = boot.serve();
    boot.build(2);
    let start = Instant::now();
    boot.deploy(&[]).ended(0);
    let whole = start.elapsed();
    let mut switched = 0;
    for round in 0..KILLS {
        let (before, wanted) = (boot.current(), 3 + 2 * round);
        let old = boot.answered(&server).0;
        boot.build(wanted);
        let mut deploy =
            command(&boot, &["deploy", "store", "--state", "state"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The switch comes early, for most of the time the server is waited for: half of the kills are in the first quarter.
        sleep(whole * round * round / KILLS / KILLS);
        deploy.kill().unwrap();
        deploy.wait().unwrap();
        boot.run(&["verify", "store/current/out"]).ended(0);
        // The server holds what `current` says, as soon as it has looked.
        let is_switched = boot.current() != before;
        switched += u32::from(is_switched);
        let expected = if is_switched { address(wanted) } else { old.clone() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = boot.answered(&server).0;
            assert!(found == old || found == expected, "round {round}: {found} is neither {old} nor {expected}");
            if found == expected {
                break;
            }
            assert!(Instant::now() < deadline, "round {round}: {expected} was never served");
        }
        boot.build(wanted + 1);
        boot.deploy(&[]).ended(0);
        assert_eq!(boot.answered(&server).0, address(wanted + 1), "round {round}");
        boot.is_tidy();
        let numbers: Vec<u64> = boot.generations().iter().map(|row| row["number"].as_u64().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers.len() <= 10, "{numbers:?}");
    }
    println!("{KILLS} kills over {whole:?}: {switched} behind the switch");
    let history = boot.history();
    let became: Vec<u64> = history.iter().filter_map(|line| line.strip_prefix("deployed ")?.parse().ok()).collect();
    assert!(became.is_sorted_by(|a, b| a < b), "each number became current once: {became:?}");
}
