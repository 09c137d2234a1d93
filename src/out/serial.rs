//! Serials of zones (RFC 1035, RFC 1982): the last one, plus 1 where the content changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A zone's serial, and the content that bears it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serial {
    pub serial: u32,
    pub blake3: String,
}

/// By zone.
pub type Serials = BTreeMap<String, Serial>;

/// The serials that these zones (name → text) get, given those that are known.
///
/// A zone that is gone keeps its serial: it may come back, and secondaries remember.
pub fn next(known: &Serials, zones: &BTreeMap<String, String>) -> Serials {
    let mut all = known.clone();
    for (name, text) in zones {
        let blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
        let serial = match known.get(name) {
            Some(last) if last.blake3 == blake3 => last.serial,
            // 0 is what a zone in `out/` bears; nobody shall meet it on the wire.
            Some(last) => last.serial.wrapping_add(1).max(1),
            None => 1,
        };
        all.insert(name.clone(), Serial { serial, blake3 });
    }
    all
}

/// A master file of ours with its serial in place of the 0.
pub fn stamped(text: &str, serial: u32) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len() + 10), false);
    for line in text.split_inclusive('\n') {
        match line.split_once(" hostmaster.").filter(|(head, _)| !done && head.starts_with("@ IN SOA ")) {
            Some((head, rest)) => {
                let (mail, times) = rest.split_once(" 0 ").unwrap_or((rest, ""));
                out.push_str(&format!("{head} hostmaster.{mail} {serial} {times}"));
                done = true;
            }
            None => out.push_str(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_grows_with_its_zone_and_outlives_it() {
        let mut known = Serials::new();
        for (zones, serial) in [(vec!["a"], 1), (vec!["a"], 1), (vec!["b"], 2), (vec![], 2), (vec!["a"], 3)] {
            known = next(&known, &zones.iter().map(|text| ("z".to_owned(), (*text).to_owned())).collect());
            assert_eq!(known["z"].serial, serial);
        }
        let last = Serials::from([("z".to_owned(), Serial { serial: u32::MAX, blake3: String::new() })]);
        assert_eq!(next(&last, &BTreeMap::from([("z".to_owned(), "a".to_owned())]))["z"].serial, 1);
    }

    #[test]
    fn a_stamp_changes_the_serial_alone() {
        let text = "$ORIGIN a.\n@ IN SOA ns.a. hostmaster.a. 0 3600 900 604800 300\nx IN TXT \"@ IN SOA n hostmaster.a. 0 1\"\n";
        assert_eq!(stamped(text, 7), text.replacen("hostmaster.a. 0 3600", "hostmaster.a. 7 3600", 1));
    }
}
