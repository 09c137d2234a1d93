//! Hardware addresses and subnets.

use std::fmt;
use std::net::Ipv4Addr;

use crate::schema::mac_bytes;

/// A hardware address of one NIC, shown with colons and in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Any of the three spellings; the error is the number of bytes that were found.
    pub fn parse(text: &str) -> Result<Mac, usize> {
        mac_bytes(text).map(Mac)
    }

    /// The lowest bit of the first byte: no NIC owns such an address (IEEE 802).
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An IPv4 network without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    base: Ipv4Addr,
    bits: u8,
}

/// Why a text is no [`Subnet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubnetError {
    Form,
    /// The network in which the address lies.
    HostBits(Subnet),
}

impl Subnet {
    pub fn parse(text: &str) -> Result<Subnet, SubnetError> {
        let (address, bits) = text.split_once('/').ok_or(SubnetError::Form)?;
        let address: Ipv4Addr = address.parse().map_err(|_| SubnetError::Form)?;
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= 32).ok_or(SubnetError::Form)?;
        let subnet = Subnet { base: Ipv4Addr::from(u32::from(address) & mask(bits)), bits };
        if subnet.base == address { Ok(subnet) } else { Err(SubnetError::HostBits(subnet)) }
    }

    /// One address alone.
    pub fn one(address: Ipv4Addr) -> Subnet {
        Subnet { base: address, bits: 32 }
    }

    pub fn base(self) -> Ipv4Addr {
        self.base
    }

    pub fn bits(self) -> u8 {
        self.bits
    }

    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from(mask(self.bits))
    }

    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) | !mask(self.bits))
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.bits) == u32::from(self.base)
    }

    pub fn overlaps(self, other: Subnet) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }

    /// The nth address, where it still lies within.
    pub fn nth(self, n: i64) -> Option<Ipv4Addr> {
        let address = u32::try_from(i64::from(u32::from(self.base)).checked_add(n)?).ok().map(Ipv4Addr::from)?;
        self.contains(address).then_some(address)
    }

    /// The network's own address or the broadcast address; a /31 and /32 have neither (RFC 3021).
    pub fn reserved(self, address: Ipv4Addr) -> Option<&'static str> {
        match address {
            _ if self.bits > 30 => None,
            _ if address == self.base => Some("network"),
            _ if address == self.last() => Some("broadcast"),
            _ => None,
        }
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_knows_its_ends() {
        let lan = Subnet::parse("10.0.0.0/24").unwrap();
        assert_eq!(lan.last(), Ipv4Addr::new(10, 0, 0, 255));
        assert_eq!(lan.nth(9), Some(Ipv4Addr::new(10, 0, 0, 9)));
        assert_eq!(lan.nth(256), None);
        assert_eq!(lan.nth(-1), None);
        assert_eq!(lan.reserved(lan.base()), Some("network"));
        assert_eq!(Subnet::parse("10.0.0.7/24"), Err(SubnetError::HostBits(lan)));
        assert_eq!(Subnet::parse("0.0.0.0/0").unwrap().last(), Ipv4Addr::BROADCAST);
        assert_eq!(Subnet::parse("10.0.0.0/33"), Err(SubnetError::Form));
        let line = Subnet::parse("10.0.0.4/31").unwrap();
        assert_eq!(line.reserved(line.last()), None);
    }
}
