//! Trends: what a server measures by itself, drawn and told by the command line.

use std::fs;

use crate::harness::{Folder, ROOT, Server, have, tool, until_true};

const SITE: &str = "site lab domain=\"lab.example\"\n\
    network lan \"10.77.0.0/24\" gateway=1 server=2 dns=2 { pool 100 199 lease=\"1h\"; host boot 2 \"52:54:00:77:00:02\" }\n\
    trends\n";

/// A folder whose server has measured once, and ended.
fn measured() -> Folder {
    let folder = Folder::with(SITE);
    folder.run(&["build"]).ended(0);
    let _server = Server::start(&folder, &[]);
    let last = folder.0.join("state/trends/requests/syslog.rrd");
    until_true("the first figures come, at the start", || last.exists());
    folder
}

#[test]
fn a_server_measures_at_its_start_and_its_files_are_drawn() {
    if !have(&["rrdtool"]) {
        return;
    }
    let folder = measured();
    let list = folder.run(&["trend", "list", "--state", "state"]).ended(0).out();
    assert!(list.starts_with("leases/lan"), "{list}");
    for service in ["dhcp", "tftp", "dns", "http", "syslog"] {
        assert!(list.contains(&format!("requests/{service} ")), "{list}");
    }
    let file = folder.0.join("state/trends/leases/lan.rrd");
    let info = tool("rrdtool", &["info", file.to_str().unwrap()]);
    assert!(info.contains("step = 60") && info.contains("ds[used].type = \"GAUGE\"") && info.contains("ds[pool].type"), "{info}");
    let two = ["trend", "graph", "leases/lan", "requests/dns", "--state", "state", "-o", "x.png"];
    let said = folder.run(&two).ended(2).err();
    assert!(said.contains("leases/lan is in addresses and requests/dns in requests/s: draw them one by one"), "{said}");
    folder.run(&["trend", "graph", "leases/lan", "--state", "state", "-o", "x.svg"]).ended(0);
    assert!(fs::read_to_string(folder.0.join("x.svg")).unwrap().contains("<svg"));
    let told = folder.run(&["trend", "show", "leases/lan", "--state", "state"]).ended(0).out();
    assert!(told.contains("mean") && told.contains("year"), "{told}");
}

#[test]
fn first_mistakes_are_named_with_their_mend_and_nothing_is_half_written() {
    let folder = measured();
    let page = fs::read_to_string(format!("{ROOT}/docs/trends.md")).unwrap();
    for (series, output) in [("lease/lan", "leases.png"), ("leases/lan", "pictures/leases.png")] {
        let said = folder.run(&["trend", "graph", series, "--state", "state", "-o", output]).ended(2).err();
        assert!(page.contains(said.trim_end()), "the page does not say: {said}");
    }
    assert!(fs::read_dir(&folder.0).unwrap().flatten().all(|entry| !entry.file_name().to_string_lossy().contains("leases")));
}
