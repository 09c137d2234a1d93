//! The pure answers, typed request by typed request: no socket, no clock.

mod commands;
mod dhcp;
mod dns;
mod files;

use std::collections::BTreeMap;

use pxelator::compile;
use pxelator::out::table::Tables;

use crate::harness::inputs;

const SITE: &str = r##"
site lab domain="lab.example"
assets "/srv/boot"
network lan "10.0.0.0/24" gateway=1 server=2 dns=2 {
    pool 100 102 lease="1h" profile=rescue
    host pc 9 "52:54:00:00:00:09" profile=office
    host phone 101
    host roamer "52:54:00:00:00:0a" profile=office
}
network far "10.9.0.0/24" server=2 { pool 10 20 }
profile office { kernel "debian-12/vmlinuz"; initrd "debian-12/initrd.img" }
profile rescue { kernel "rescue/vmlinuz" }
dns { forward "9.9.9.9"; cname git to=pc; cname out to="www.example.org"; txt "deep" "x"; txt odd "č \u{1} \n \" \\ €" plain }
"##;

fn tables() -> Tables {
    tables_of(SITE)
}

fn tables_of(site: &str) -> Tables {
    let compiled = compile(inputs(site), "site.kdl");
    let tree = compiled.tree.unwrap_or_else(|| panic!("{:#?}", compiled.diags));
    let files: BTreeMap<String, Vec<u8>> = tree.files().map(|(path, file)| (path.to_owned(), file.bytes().to_vec())).collect();
    Tables::read(&files).unwrap()
}
