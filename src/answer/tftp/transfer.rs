//! A transfer as a machine: acknowledgements and time go in, blocks to send come out.
//!
//! ```text
//!            ┌── ack 0 ──┐
//! OACK ──────┘           ▼
//! (or at once)      blocks n+1 … n+window ──── ack ≥ last ───► done
//!                        ▲        │
//!                        └─ ack m ┴─ timeout: again from the last acknowledged
//! ```
//! A client's ERROR ends it at once: PXE ROMs ask for the size, abort, and ask again from the same port.

use std::ops::Range;

use super::Options;

/// How often a window is sent again before the client is given up.
pub const RETRIES_MAX: u32 = 8;

/// Why a transfer ended that its client did not want any more.
pub const BY_CLIENT: &str = "the client aborted it";

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the OACK.
    Oack,
    /// Send these blocks, counted from 1.
    Blocks(Range<u64>),
    /// Nothing; a packet that changes nothing.
    Wait,
    /// All was acknowledged.
    Done,
    /// The client aborted, or was silent for too long.
    Aborted(&'static str),
}

/// One transfer.
#[derive(Debug)]
pub struct Transfer {
    options: Options,
    size: u64,
    /// The last block that the client has for sure; the OACK counts as block 0.
    acked: u64,
    oack_pending: bool,
    retries: u32,
}

impl Transfer {
    pub fn new(options: Options, size: u64) -> Self {
        let oack_pending = !options.accepted.is_empty();
        Transfer { options, size, acked: 0, oack_pending, retries: 0 }
    }

    /// How many blocks there are: the last is shorter than a whole one, perhaps empty.
    fn blocks(&self) -> u64 {
        self.size / self.options.block_bytes + 1
    }

    fn window(&self) -> Step {
        let start = self.acked + 1;
        Step::Blocks(start..(start + self.options.window).min(self.blocks() + 1))
    }

    pub fn start(&self) -> Step {
        if self.oack_pending { Step::Oack } else { self.window() }
    }

    /// A packet from the client.
    pub fn packet(&mut self, packet: &[u8]) -> Step {
        match packet {
            [0, 4, high, low, ..] => self.ack(u16::from_be_bytes([*high, *low])),
            [0, 5, ..] => Step::Aborted(BY_CLIENT),
            _ => Step::Wait,
        }
    }

    fn ack(&mut self, number: u16) -> Step {
        if self.oack_pending {
            if number != 0 {
                return Step::Wait;
            }
            self.oack_pending = false;
            self.retries = 0;
            return self.window();
        }
        // Numbers have 16 bits and wrap; only those within the window mean anything. An old number again
        // is the sorcerer's apprentice's (RFC 1123 §4.2.3.1) and is not answered.
        let ahead = u64::from(number.wrapping_sub(self.acked as u16));
        if ahead == 0 || ahead > self.options.window || self.acked + ahead > self.blocks() {
            return Step::Wait;
        }
        self.acked += ahead;
        self.retries = 0;
        if self.acked == self.blocks() { Step::Done } else { self.window() }
    }

    /// The client was silent for the agreed time.
    pub fn timeout(&mut self) -> Step {
        self.retries += 1;
        match self.retries > RETRIES_MAX {
            true => Step::Aborted("the client is silent"),
            false => self.start(),
        }
    }

    /// The bytes of a block within the file.
    pub fn range(&self, block: u64) -> Range<u64> {
        let start = (block - 1) * self.options.block_bytes;
        start.min(self.size)..(start + self.options.block_bytes).min(self.size)
    }

    pub fn timeout_secs(&self) -> u64 {
        self.options.timeout_secs
    }

    /// The OACK packet.
    pub fn oack(&self) -> Vec<u8> {
        let mut packet = vec![0, 6];
        for (name, value) in &self.options.accepted {
            packet.extend(format!("{name}\0{value}\0").as_bytes());
        }
        packet
    }
}

/// The head of a DATA packet.
pub fn data_head(block: u64) -> [u8; 4] {
    let [high, low] = (block as u16).to_be_bytes();
    [0, 3, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(size: u64, window: u64, accepted: bool) -> Transfer {
        let accepted = if accepted { vec![("blksize".into(), 10)] } else { Vec::new() };
        Transfer::new(Options { block_bytes: 10, window, timeout_secs: 1, accepted }, size)
    }

    fn ack(block: u16) -> [u8; 4] {
        let [high, low] = block.to_be_bytes();
        [0, 4, high, low]
    }

    #[test]
    fn a_file_of_whole_blocks_ends_with_an_empty_one() {
        let mut t = transfer(20, 1, false);
        assert_eq!(t.start(), Step::Blocks(1..2));
        assert_eq!(t.packet(&ack(1)), Step::Blocks(2..3));
        assert_eq!(t.packet(&ack(2)), Step::Blocks(3..4));
        assert_eq!(t.range(3), 20..20);
        assert_eq!(t.packet(&ack(3)), Step::Done);
    }

    #[test]
    fn a_lost_window_is_sent_again_from_the_last_acknowledged_block() {
        let mut t = transfer(100, 4, true);
        assert_eq!(t.start(), Step::Oack);
        assert_eq!(t.timeout(), Step::Oack);
        assert_eq!(t.packet(&ack(0)), Step::Blocks(1..5));
        assert_eq!(t.packet(&ack(2)), Step::Blocks(3..7));
        assert_eq!(t.timeout(), Step::Blocks(3..7));
        assert_eq!(t.packet(&ack(2)), Step::Wait);
        assert_eq!(t.packet(&ack(6)), Step::Blocks(7..11));
    }

    #[test]
    fn block_numbers_wrap_after_65535() {
        let mut t = transfer(10 * 70_000, 1, false);
        for block in 1..=70_000_u64 {
            assert_eq!(t.packet(&ack(block as u16)), Step::Blocks(block + 1..block + 2));
        }
        assert_eq!(t.packet(&ack(70_001_u64 as u16)), Step::Done);
    }

    #[test]
    fn an_abort_and_a_long_silence_end_it() {
        let mut t = transfer(100, 1, true);
        assert_eq!(t.packet(&[0, 5, 0, 8, 0]), Step::Aborted(BY_CLIENT));
        for _ in 0..RETRIES_MAX {
            assert_eq!(t.timeout(), Step::Oack);
        }
        assert_eq!(t.timeout(), Step::Aborted("the client is silent"));
        assert_eq!(t.packet(b""), Step::Wait);
    }
}
