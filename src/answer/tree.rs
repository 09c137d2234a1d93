//! Every file that a plain server must have to say what we say: name → content.
//!
//! A plain server knows no client but by what it asks for, so a pool's menu lies under the beginnings of its
//! addresses, which pxelinux tries one after the other, and a host's under its MAC. iPXE machines that
//! nobody declared ask for their pool's script by name (`engines/`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::{Content, DEFAULT_MENU, menu};
use crate::out::table::{PoolRow, Tables};

/// All names, with no folder and file of one name. The error is a name that is both.
pub fn files(tables: &Tables) -> Result<BTreeMap<String, Content>, String> {
    // Later ones win, as they do where we answer.
    let mut files: BTreeMap<String, Content> =
        tables.assets.iter().map(|(path, row)| (path.clone(), Content::Asset(row.clone()))).collect();
    let text = |bytes: &Vec<u8>| Content::Bytes(bytes.clone());
    files.extend(tables.texts.iter().map(|(name, bytes)| (format!("files/{name}"), text(bytes))));
    files.extend(tables.menus.iter().map(|(name, bytes)| (format!("menus/{name}"), text(bytes))));
    let mut add = |name: String, content: Option<Content>| files.extend(content.map(|content| (name, content)));
    for (mac, row) in &tables.hosts {
        let mac = mac.replace(':', "-");
        add(format!("pxelinux.cfg/01-{mac}"), menu(tables, &row.menu, "pxelinux"));
        add(format!("ipxe/{mac}"), menu(tables, &row.menu, "ipxe"));
    }
    for pool in tables.networks.iter().flat_map(|network| &network.pools).filter(|pool| pool.menu != DEFAULT_MENU) {
        for name in beginnings(pool) {
            add(format!("pxelinux.cfg/{name}"), menu(tables, &pool.menu, "pxelinux"));
        }
    }
    add("pxelinux.cfg/default".into(), menu(tables, DEFAULT_MENU, "pxelinux"));
    let folder = |name: &str| name.match_indices('/').filter_map(|(at, _)| name.get(..at).map(str::to_owned)).collect::<Vec<_>>();
    match files.keys().flat_map(|name| folder(name)).find(|folder| files.contains_key(folder)) {
        Some(both) => Err(both),
        None => Ok(files),
    }
}

/// The fewest beginnings of addresses in hexadecimal that are all of the pool and nothing else.
fn beginnings(pool: &PoolRow) -> Vec<String> {
    const BITS_MAX: u32 = 28;
    let (mut first, last) = (u64::from(u32::from(pool.first)), u64::from(u32::from(pool.last)));
    let mut found = Vec::new();
    while first <= last {
        let fits = |bits: &u32| first.is_multiple_of(1 << bits) && first + (1 << bits) - 1 <= last;
        let bits = (0..=BITS_MAX).step_by(4).filter(fits).last().unwrap_or(0);
        let digits = 8 - usize::try_from(bits / 4).unwrap_or(0);
        let address = format!("{:08X}", u32::from(Ipv4Addr::from(u32::try_from(first).unwrap_or(u32::MAX))));
        found.push(address.chars().take(digits).collect());
        first += 1 << bits;
    }
    found
}

/// The pool in which all addresses lie that begin like this, for who asks for less than a whole address.
pub(super) fn pool_of<'t>(beginning: &str, tables: &'t Tables) -> Option<&'t PoolRow> {
    let sound = (1..8).contains(&beginning.len()) && beginning.chars().all(|c| matches!(c, '0'..='9' | 'A'..='F'));
    let fill = |digit: &str| u32::from_str_radix(&format!("{beginning}{}", digit.repeat(8 - beginning.len())), 16).ok().map(Ipv4Addr::from);
    let (first, last) = (fill("0").filter(|_| sound)?, fill("F")?);
    tables.networks.iter().flat_map(|network| &network.pools).find(|pool| pool.contains(first) && pool.contains(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_as_few_beginnings_as_possible() {
        let pool = |first: [u8; 4], last: [u8; 4]| beginnings(&PoolRow { first: first.into(), last: last.into(), lease_secs: 60, menu: "x".into() });
        assert_eq!(pool([10, 0, 0, 100], [10, 0, 0, 102]), ["0A000064", "0A000065", "0A000066"]);
        assert_eq!(pool([10, 0, 0, 15], [10, 0, 0, 33]), ["0A00000F", "0A00001", "0A000020", "0A000021"]);
        assert_eq!(pool([10, 1, 0, 0], [10, 1, 255, 255]), ["0A01"]);
        assert_eq!(pool([0, 0, 0, 0], [255, 255, 255, 255]).len(), 16);
    }
}
