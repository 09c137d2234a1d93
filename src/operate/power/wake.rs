//! Wake on LAN: a MAC → the magic packet, to everybody on its network.
//!
//! A machine that is off still listens with its network card, if its firmware says so. Nothing answers: whether
//! it woke is seen by what it asks for next.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

/// The port that wake-up tools use; the card looks at no port.
const PORT: u16 = 9;
/// A datagram may be lost, and no one asks for it again.
const TIMES: u32 = 3;
const BETWEEN: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a wake-up needs a MAC, and the host has none")]
    NoMac,
    #[error("`{0}` is no MAC")]
    Mac(String),
    #[error("the wake-up packet for {mac} does not go out to {to}: {hint}")]
    Send { mac: String, to: SocketAddrV4, hint: &'static str, source: io::Error },
}

/// Six bytes of ones, and sixteen times the MAC.
pub fn packet(mac: &str) -> Result<Vec<u8>, Error> {
    let bytes: Vec<u8> = mac.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    if bytes.len() != 6 || mac.len() != 17 {
        return Err(Error::Mac(mac.to_owned()));
    }
    Ok([vec![0xff; 6], bytes.repeat(16)].concat())
}

/// Sends a packet for each MAC to the broadcast address of its network, and to that of the wire. Gives
/// where they went.
pub fn send(macs: &[String], network: Option<Ipv4Addr>) -> Result<Vec<SocketAddrV4>, Error> {
    let to: Vec<SocketAddrV4> =
        network.into_iter().chain([Ipv4Addr::BROADCAST]).map(|address| SocketAddrV4::new(address, PORT)).collect();
    if macs.is_empty() {
        return Err(Error::NoMac);
    }
    for time in 0..TIMES {
        if time > 0 {
            std::thread::sleep(BETWEEN);
        }
        for mac in macs {
            let packet = packet(mac)?;
            for to in &to {
                send_one(&packet, *to, network).map_err(|source| Error::Send { mac: mac.clone(), to: *to, hint: hint(&source), source })?;
            }
        }
    }
    Ok(to)
}

/// The address of the wire names no network: of several cards the one is taken that is in the host's network.
fn send_one(packet: &[u8], to: SocketAddrV4, network: Option<Ipv4Addr>) -> io::Result<()> {
    let own = network.filter(|_| *to.ip() == Ipv4Addr::BROADCAST).and_then(|network| own_address(network).ok());
    let socket = UdpSocket::bind((own.unwrap_or(Ipv4Addr::UNSPECIFIED), 0))?;
    socket.set_broadcast(true)?;
    socket.send_to(packet, to).map(|_| ())
}

/// The address from which this machine speaks to a network.
fn own_address(network: Ipv4Addr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_broadcast(true)?;
    socket.connect((network, PORT))?;
    match socket.local_addr()? {
        std::net::SocketAddr::V4(own) => Ok(*own.ip()),
        std::net::SocketAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

fn hint(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if [io::ErrorKind::NetworkUnreachable, io::ErrorKind::HostUnreachable].contains(&kind) {
        "this machine has no route there (`ip route get` shows it); it needs an address in the host's network"
    } else if kind == io::ErrorKind::PermissionDenied {
        "a firewall of this machine forbids it"
    } else {
        "the system refuses it"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_is_the_mac_sixteen_times() {
        let packet = packet("54:b2:03:00:00:0b").unwrap();
        assert_eq!((packet.len(), &packet[..8], &packet[96..]), (102, &[255, 255, 255, 255, 255, 255, 0x54, 0xb2][..], &[0x54, 0xb2, 3, 0, 0, 0xb][..]));
        for bad in ["", "54:b2:03:00:00", "54b20300000b", "54:b2:03:00:00:0g", "54:b2:03:00:00:0b:0c"] {
            assert_eq!(super::packet(bad).unwrap_err().to_string(), format!("`{bad}` is no MAC"));
        }
        assert!(matches!(send(&[], None), Err(Error::NoMac)));
    }
}
