//! The exported tree says what our own TFTP and HTTP answers say, and is whole or not there.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;

use pxelator::answer::{Content, http, tftp};
use pxelator::out::table::Tables;

use crate::harness::{Folder, files};

const KERNEL: &[u8] = b"a kernel, or so";

/// A site with assets of its own, built.
pub(super) fn with_assets(site: &str) -> Folder {
    let folder = Folder::new();
    for (name, bytes) in [("pxelinux.0", &b"a loader"[..]), ("snponly.efi", b"another"), ("kernels/vmlinuz", KERNEL)] {
        let path = folder.0.join("assets").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::write(folder.0.join("motd.tera"), "Welcome to {{ site }}\n").unwrap();
    fs::write(folder.0.join("site.kdl"), site.replace("ASSETS", &folder.0.join("assets").to_string_lossy())).unwrap();
    folder.run(&["lock"]).ended(0);
    folder.run(&["build"]).ended(0);
    folder
}

const SITE: &str = r#"
site lab domain="lab.example"
assets "ASSETS"
network lan "10.0.0.0/24" server=2 {
    pool 15 33 profile=rescue
    pool 100 199
    host pc 9 "52:54:00:00:00:09" profile=office
    host roamer "52:54:00:00:00:0a" profile=office
}
network far "10.9.0.0/16" server=2 { pool "10.9.1.0" "10.9.3.255" profile=office }
profile office { kernel "kernels/vmlinuz"; file motd from="motd.tera" }
profile rescue { local }
"#;

fn tables(folder: &Folder) -> Tables {
    let mut all = files(&folder.0.join("out"));
    all.remove("manifest.json");
    Tables::read(&all).unwrap()
}

/// What we say; the bytes of pinned files are read where they lie.
fn ours(name: &str, folder: &Folder, tables: &Tables) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |content: Content| match content {
        Content::Bytes(bytes) => bytes,
        Content::Asset(row) => fs::read(folder.0.join("assets").join(row.path)).unwrap(),
    };
    let peer = Ipv4Addr::new(192, 0, 2, 1);
    let packet = format!("\0\x01{name}\0octet\0");
    let mut all = Vec::new();
    if let Some(tftp::Answer::Transfer { content, .. }) = tftp::answer(packet.as_bytes(), peer, tables) {
        all.push(("tftp", bytes(content)));
    }
    let request =
        http::Request { method: "GET", target: &format!("/{name}"), range: None, if_range: None, if_none_match: None, peer };
    all.extend(
        http::answer(&request, tables)
            .body
            .filter(|(content, _)| content_is_found(content))
            .map(|(body, _)| ("http", bytes(body))),
    );
    all
}

fn content_is_found(content: &Content) -> bool {
    !matches!(content, Content::Bytes(bytes) if bytes.starts_with(b"no such file"))
}

#[test]
fn every_file_of_the_tree_is_what_we_answer() {
    let folder = with_assets(SITE);
    folder.run(&["export", "tftp", "tree"]).ended(0);
    let mut tree = files(&folder.0.join("tree"));
    assert!(tree.remove(".pxelator-export").is_some());
    let tables = tables(&folder);
    for (name, bytes) in &tree {
        let answers = ours(name, &folder, &tables);
        let wanted = if name.starts_with("pxelinux.cfg/") { 1 } else { 2 - usize::from(name.starts_with("ipxe/")) };
        assert_eq!(answers.len(), wanted, "{name}: {answers:?}");
        answers.iter().for_each(|(service, answer)| assert!(answer == bytes, "{name} by {service}"));
    }
    for name in [
        "pxelinux.cfg/01-52-54-00-00-00-09",
        "pxelinux.cfg/01-52-54-00-00-00-0a",
        "pxelinux.cfg/0A00000F",
        "pxelinux.cfg/0A00001",
        "pxelinux.cfg/0A090",
        "pxelinux.cfg/0A0901",
        "pxelinux.cfg/default",
        "ipxe/52-54-00-00-00-09",
        "files/office/motd",
        "menus/rescue.ipxe",
        "kernels/vmlinuz",
        "pxelinux.0",
    ] {
        // The second network's pool is no whole sixteenth of its /16.
        assert_eq!(tree.contains_key(name), name != "pxelinux.cfg/0A090", "{name} in {:?}", tree.keys());
    }
}

/// The menu that pxelinux finds in the tree: by MAC, by its address and its beginnings, and then `default`.
#[test]
fn every_client_finds_the_menu_that_we_give_it() {
    let folder = with_assets(SITE);
    folder.run(&["export", "tftp", "tree"]).ended(0);
    let (tree, tables) = (files(&folder.0.join("tree")), tables(&folder));
    for host in [14_u8, 15, 16, 31, 32, 33, 34, 99, 100, 199, 200] {
        let address = Ipv4Addr::new(10, 0, 0, host);
        let hex = format!("{:08X}", u32::from(address));
        let names = (1..=8).rev().map(|len| hex[..len].to_owned()).chain(["default".into()]);
        let found = names.map(|name| format!("pxelinux.cfg/{name}")).find_map(|name| tree.get(&name)).unwrap();
        let ask = |name: &str| tftp::answer(format!("\0\x01pxelinux.cfg/{name}\0octet\0").as_bytes(), address, &tables);
        let given = [hex.as_str(), "default"].into_iter().find_map(|name| match ask(name) {
            Some(tftp::Answer::Transfer { content: Content::Bytes(bytes), .. }) => Some(bytes),
            _ => None,
        });
        assert!(given.as_ref() == Some(found), "{address}");
    }
}

#[test]
fn pinned_files_are_linked_or_copied_and_never_others() {
    let folder = with_assets(SITE);
    folder.run(&["export", "tftp", "tree"]).ended(0);
    let inode = |path: &str| fs::metadata(folder.0.join(path)).unwrap().ino();
    assert_eq!(inode("tree/kernels/vmlinuz"), inode("assets/kernels/vmlinuz"));
    // Where /dev/shm is another disk.
    let other = format!("/dev/shm/pxelator-export-{}", std::process::id());
    folder.run(&["export", "tftp", &other]).ended(0);
    let copy = fs::read(format!("{other}/kernels/vmlinuz")).unwrap();
    fs::remove_dir_all(&other).unwrap();
    assert_eq!(copy, KERNEL);
    let before = files(&folder.0.join("tree"));
    let again = |text: &str| {
        fs::remove_file(folder.0.join("assets/kernels/vmlinuz")).unwrap();
        fs::write(folder.0.join("assets/kernels/vmlinuz"), text).unwrap();
        folder.run(&["export", "tftp", "tree"]).ended(2).err()
    };
    assert!(again("A kernel, or so").contains("kernels/vmlinuz has another hash than assets.lock says: run `pxelator lock`"));
    assert!(again("short").contains("has 5 bytes, assets.lock says 15"));
    fs::remove_file(folder.0.join("assets/kernels/vmlinuz")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.0.join("assets/kernels/vmlinuz")).unwrap();
    assert!(folder.run(&["export", "tftp", "tree"]).ended(2).err().contains("cannot be opened"));
    assert_eq!(files(&folder.0.join("tree")), before, "nothing is half done");
    let left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".tree")), "{left:?}");
    fs::rename(folder.0.join("assets"), folder.0.join("elsewhere")).unwrap();
    fs::remove_file(folder.0.join("elsewhere/kernels/vmlinuz")).unwrap();
    fs::write(folder.0.join("elsewhere/kernels/vmlinuz"), KERNEL).unwrap();
    folder.run(&["export", "tftp", "tree", "--assets", "elsewhere"]).ended(0);
}

#[test]
fn a_folder_of_others_is_left_as_it_is() {
    let folder = with_assets(SITE);
    let tree = folder.0.join("tree");
    fs::create_dir(&tree).unwrap();
    folder.run(&["export", "tftp", "tree"]).ended(0);
    fs::write(tree.join("menus/own"), "mine").unwrap();
    let said = folder.run(&["export", "tftp", "tree"]).ended(2).err();
    assert!(said.contains("menus/own is not from an export") && said.contains("choose another"), "{said}");
    fs::remove_file(tree.join("menus/own")).unwrap();
    // What an older generation had goes away.
    let site = fs::read_to_string(folder.0.join("site.kdl"))
        .unwrap()
        .replace("    host roamer \"52:54:00:00:00:0a\" profile=office\n", "");
    fs::write(folder.0.join("site.kdl"), site).unwrap();
    folder.run(&["build"]).ended(0);
    folder.run(&["export", "tftp", "tree"]).ended(0);
    assert!(!tree.join("ipxe/52-54-00-00-00-0a").exists() && tree.join("ipxe/52-54-00-00-00-09").exists());
    fs::write(folder.0.join("out/dhcp/leases.jsonl"), "").unwrap();
    assert!(folder.run(&["export", "tftp", "tree"]).ended(2).err().contains("is not what was built"));
    let nothing = Folder::new();
    fs::create_dir(nothing.0.join("yours")).unwrap();
    fs::write(nothing.0.join("yours/file"), "x").unwrap();
    assert!(nothing.run(&["export", "tftp", "yours"]).ended(2).err().contains("holds no generation: run `pxelator build`"));
}

#[test]
fn a_name_that_is_file_and_folder_is_refused() {
    let folder = with_assets(SITE);
    fs::write(folder.0.join("assets/menus"), "x").unwrap();
    let site = fs::read_to_string(folder.0.join("site.kdl"))
        .unwrap()
        .replace("profile rescue { local }", "profile rescue { kernel menus }");
    fs::write(folder.0.join("site.kdl"), site).unwrap();
    folder.run(&["lock"]).ended(0);
    folder.run(&["build"]).ended(0);
    let said = folder.run(&["export", "tftp", "tree"]).ended(2).err();
    assert!(said.contains("the asset `menus` bears the name of a folder") && !folder.0.join("tree").exists(), "{said}");
}
