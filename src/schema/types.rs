//! The types of values, and how a message names them.

use crate::syntax::{Entry, Value};

/// The kinds of things that a site names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Site,
    Network,
    Group,
    Host,
    Profile,
    Module,
    /// One use of a module.
    Instance,
    Option,
    Let,
    Secret,
    /// The name that counts in a `repeat`.
    Counter,
    Tag,
    /// A system that overlays stand on.
    Base,
    Overlay,
    Schedule,
    /// A disk that VMs start over.
    Snapshot,
}

impl Kind {
    pub const ALL: &[Kind] = &[
        Kind::Site,
        Kind::Network,
        Kind::Group,
        Kind::Host,
        Kind::Profile,
        Kind::Module,
        Kind::Instance,
        Kind::Option,
        Kind::Let,
        Kind::Secret,
        Kind::Counter,
        Kind::Tag,
        Kind::Base,
        Kind::Overlay,
        Kind::Schedule,
        Kind::Snapshot,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Site => "site",
            Kind::Network => "network",
            Kind::Group => "group",
            Kind::Host => "host",
            Kind::Profile => "profile",
            Kind::Module => "module",
            Kind::Instance => "instance",
            Kind::Option => "option",
            Kind::Let => "let",
            Kind::Secret => "secret",
            Kind::Counter => "counter",
            Kind::Tag => "tag",
            Kind::Base => "base",
            Kind::Overlay => "overlay",
            Kind::Schedule => "schedule",
            Kind::Snapshot => "snapshot",
        }
    }

    pub fn find(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// What a slot wants. Addresses, MACs and names are text here: `model` reads them, with findings of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The name of the thing that the node declares.
    Declares(Kind),
    /// The name of a thing that is declared elsewhere.
    Refers(Kind),
    Text,
    /// From, to.
    Int(i64, i64),
    Bool,
    /// Seconds from, to.
    Duration(u64, u64),
    /// Dotted address, or a number: the nth of the enclosing network.
    Address,
    /// The same, or several in one text, with commas.
    Addresses,
    Cidr,
    Mac,
    /// A path below the assets folder.
    AssetPath,
    /// A path below the site folder, or below the module's.
    SourcePath,
    /// Several names in one text, with commas.
    Names,
    /// A DNS name in which `{host}` stands for the name of each host: `eval` leaves that as it is.
    Pattern,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `(secret)name`.
    Secret,
    /// `group:NAME` or `tag:NAME`, or any value.
    Selector,
    /// Any value: a module's option says what it wants, and `eval` holds it against that.
    Any,
}

impl Type {
    /// For “wants …”.
    pub fn wants(self) -> String {
        let fixed = match self {
            Type::OneOf(words) => return format!("one of {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
            Type::Declares(_) | Type::Refers(_) => "a name of letters, digits, - _ and .",
            Type::Text => "text",
            Type::Int(..) => "a whole number",
            Type::Bool => "`#true` or `#false`",
            Type::Duration(..) => "a duration such as \"1h\"",
            Type::Address => "an address such as \"10.0.0.9\", or its number in the network",
            Type::Addresses => "an address such as \"10.0.0.9\", its number in the network, or \"10.0.0.9, 10.0.0.10\"",
            Type::Cidr => "an address range such as \"10.0.0.0/24\"",
            Type::Mac => "a MAC such as \"52:54:00:12:34:56\"",
            Type::AssetPath => "a path below the assets folder",
            Type::SourcePath => "a path below the site folder",
            Type::Names => "names, with commas between them",
            Type::Pattern => "a name such as \"wake.{host}.do\"",
            Type::Secret => "the name of a secret: (secret)name",
            Type::Selector => "`group:NAME`, `tag:NAME`, or a value",
            Type::Any => "a value",
        };
        fixed.to_owned()
    }

    /// One word for tables: what the reference calls it.
    pub fn name(self) -> String {
        match self {
            Type::Declares(_) => "name".into(),
            Type::Refers(kind) => format!("name of a {}", kind.name()),
            Type::Text => "text".into(),
            Type::Int(low, high) => format!("number, {low} to {high}"),
            Type::Bool => "#true or #false".into(),
            Type::Duration(low, high) => format!("duration, {} to {}", show_duration(low), show_duration(high)),
            Type::Address => "address or number".into(),
            Type::Addresses => "addresses or number".into(),
            Type::Cidr => "address range".into(),
            Type::Mac => "MAC".into(),
            Type::AssetPath => "path of an asset".into(),
            Type::SourcePath => "path of a source file".into(),
            Type::Names => "names".into(),
            Type::Pattern => "name with {host}".into(),
            Type::OneOf(words) => words.join(" or "),
            Type::Secret => "(secret)name".into(),
            Type::Selector => "selector or value".into(),
            Type::Any => "any value".into(),
        }
    }

    /// Is the value of the right kind, its range aside?
    pub fn fits(self, entry: &Entry<'_>) -> bool {
        match self {
            Type::Declares(_) | Type::Refers(_) => entry.text().is_some_and(is_name),
            Type::Text | Type::Cidr | Type::Mac | Type::AssetPath | Type::SourcePath | Type::Names | Type::Pattern => entry.text().is_some(),
            Type::Secret => entry.is_secret() && entry.text().is_some_and(is_name),
            Type::OneOf(words) => entry.text().is_some_and(|text| words.contains(&text)),
            Type::Int(..) => entry.int().is_some(),
            Type::Bool => matches!(entry.value, Value::Bool(_)),
            Type::Duration(..) => entry.text().and_then(duration_secs).is_some(),
            Type::Address | Type::Addresses => entry.text().is_some() || entry.int().is_some(),
            Type::Selector | Type::Any => true,
        }
    }

    /// Why the value is out of range, as “at most 1h”.
    pub fn range_error(self, entry: &Entry<'_>) -> Option<String> {
        if self == Type::Names || self == Type::Addresses {
            let many = entry.text().is_some_and(|text| text.split(',').count() > NAMES_MAX);
            return many.then(|| format!("at most {NAMES_MAX} of them"));
        }
        let (value, low, high): (i128, i128, i128) = match self {
            Type::Int(low, high) => (entry.int()?.into(), low.into(), high.into()),
            Type::Duration(low, high) => (entry.text().and_then(duration_secs)?.into(), low.into(), high.into()),
            Type::Declares(_) | Type::Refers(_) | Type::Text | Type::Bool | Type::Address | Type::Addresses | Type::Cidr => return None,
            Type::Mac | Type::AssetPath | Type::SourcePath | Type::Names | Type::OneOf(_) => return None,
            Type::Pattern | Type::Secret | Type::Selector | Type::Any => return None,
        };
        let is_duration = matches!(self, Type::Duration(..));
        let show = |limit: i128| if is_duration { show_duration(limit as u64) } else { limit.to_string() };
        match value {
            _ if value > high => Some(format!("at most {}", show(high))),
            _ if value < low => Some(format!("at least {}", show(low))),
            _ => None,
        }
    }
}

/// What stands in a [`Type::Pattern`] for the name of each host, between braces.
pub const PLACEHOLDER: &str = "host";
/// How many names one text may hold.
const NAMES_MAX: usize = 64;
/// The longest name of a host, profile, network …, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// Names become file names in `out/` and labels in menus, so they are plain.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= NAME_BYTES_MAX && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

const UNITS: &[(&str, u64)] = &[("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// `"1h"`, `"90s"`, `"1d12h"` → seconds. Units: d, h, m, s, each at most once and in this order.
pub fn duration_secs(text: &str) -> Option<u64> {
    let (mut rest, mut total, mut any) = (text, 0_u64, false);
    for (unit, secs) in UNITS {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let Some(after) = rest.get(digits..).and_then(|tail| tail.strip_prefix(unit)) else { continue };
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        total = total.checked_add(count.checked_mul(*secs)?)?;
        (rest, any) = (after, true);
    }
    (any && rest.is_empty()).then_some(total)
}

/// The same the other way, in the largest unit that divides it.
pub fn show_duration(secs: u64) -> String {
    let unit = UNITS.iter().find(|(_, size)| secs > 0 && secs.is_multiple_of(*size));
    unit.map_or_else(|| format!("{secs}s"), |(name, size)| format!("{}{name}", secs / size))
}

/// A MAC with colons, dashes or dots, any case → its bytes; the error is how many there are.
pub fn mac_bytes(text: &str) -> Result<[u8; 6], usize> {
    let group = if text.contains('.') { 4 } else { 2 };
    let parts: Vec<&str> = text.split([':', '-', '.']).collect();
    let hex = |part: &&str| part.len() == group && part.chars().all(|c| c.is_ascii_hexdigit());
    if !parts.iter().all(hex) {
        return Err(0);
    }
    let digits: String = parts.concat();
    let pairs = (0..digits.len() / 2).map(|at| digits.get(2 * at..2 * at + 2).unwrap_or_default());
    let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap_or_default()).collect();
    let count = bytes.len();
    bytes.try_into().map_err(|_| count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_read_in_three_spellings() {
        let mac = Ok([0x54, 0xb2, 0x03, 0, 0, 0x0b]);
        assert_eq!(mac_bytes("54:b2:03:00:00:0b"), mac);
        assert_eq!(mac_bytes("54-B2-03-00-00-0B"), mac);
        assert_eq!(mac_bytes("54b2.0300.000b"), mac);
        assert_eq!(mac_bytes("54:b2:03:00:00"), Err(5));
        assert_eq!(mac_bytes("printer"), Err(0));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration_secs("1h"), Some(3600));
        assert_eq!(duration_secs("1d12h"), Some(129_600));
        assert_eq!(duration_secs("90"), None);
        assert_eq!(duration_secs("h"), None);
        assert_eq!(duration_secs("5m1h"), None);
        assert_eq!(duration_secs("99999999999999999999d"), None);
        assert_eq!(show_duration(3600), "1h");
        assert_eq!(show_duration(90), "90s");
    }
}
