//! What people do with it, end to end: each scenario of the design has one test in which it really happens.

use std::fs;
use std::path::Path;

use crate::harness::ROOT;

/// What happens, and the test that shows it: a file below tests/ and a function in it.
const SCENARIOS: &[(&str, &str, &str)] = &[
    (
        "a kiosk takes its boot from the network, turns on at 07:30 and off at 20:30",
        "day.rs",
        "a_kiosk_is_on_from_half_past_seven_to_half_past_eight",
    ),
    (
        "a VM with a new name and address is booted from a backup snapshot",
        "vm/boots.rs",
        "five_vms_of_one_snapshot_boot_side_by_side_each_with_an_identity_of_its_own",
    ),
    (
        "a machine is booted into a writable system whose changes are listed and kept",
        "lab.rs",
        "machines_boot_into_writable_unions_and_their_changes_are_listed",
    ),
    (
        "a how-to is turned into a rule and enforced on another machine",
        "howto/scenario.rs",
        "what_was_done_by_hand_on_one_machine_is_done_on_another_by_one_line",
    ),
    (
        "one web page shows the segment, its services, its trends and its alerts",
        "page/look.rs",
        "the_page_is_photographed_in_light_and_dark_wide_and_narrow",
    ),
];

#[test]
fn every_scenario_has_its_test() {
    for (scenario, file, name) in SCENARIOS {
        let text = fs::read_to_string(Path::new(ROOT).join("tests").join(file)).unwrap_or_default();
        assert!(text.contains(&format!("#[test]\nfn {name}()")), "{scenario}: tests/{file} has no test {name}");
    }
}
