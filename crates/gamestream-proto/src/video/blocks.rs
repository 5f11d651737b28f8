//! How the packets of a frame are split into blocks of the erasure code, and how much parity each
//! gets. The percentage that is announced always gives the client the number of parity packets that
//! were made.

use crate::fec::{MAX_SHARDS, parity_shards};

/// The most blocks of a frame: their number and index have two bits each (Video.h).
pub const MAX_BLOCKS: usize = 4;
/// The most data packets of a block: their number and index have ten bits each (RtpVideoQueue.c).
pub const MAX_BLOCK_PACKETS: usize = 1023;

/// The percentage has eight bits (RtpVideoQueue.c).
const MAX_PERCENT: usize = u8::MAX as usize;
/// Raising the percentage to reach the least parity gives at most so many packets more than that.
const OVERSHOOT: usize = 3;

/// How much parity is sent with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    percent: u8,
    min_parity: u8,
}

impl Protection {
    /// No client asks for more parity packets a block (SdpGenerator.c: two).
    pub const MAX_MIN_PARITY: u8 = 32;

    /// Parity packets in percent of data packets, rounded up, but at least `min_parity` packets a
    /// block (at most [`Self::MAX_MIN_PARITY`]), which is what the client calls
    /// `minRequiredFecPackets`. Zero percent is no parity at all.
    #[must_use]
    pub const fn new(percent: u8, min_parity: u8) -> Self {
        let min_parity = if min_parity > Self::MAX_MIN_PARITY {
            Self::MAX_MIN_PARITY
        } else {
            min_parity
        };
        Self {
            percent,
            min_parity,
        }
    }

    /// Parity packets in percent of data packets.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.percent
    }

    /// The same with another percentage.
    #[must_use]
    pub const fn with_percent(self, percent: u8) -> Self {
        Self { percent, ..self }
    }

    /// The most data packets of a block whose parity still fits into the code.
    fn max_data(self) -> usize {
        let by_percent = MAX_SHARDS * 100 / (100 + usize::from(self.percent));
        by_percent.min(MAX_SHARDS - OVERSHOOT - usize::from(self.min_parity))
    }

    fn block(self, data: usize) -> Block {
        let min_parity = usize::from(self.min_parity);
        let mut percent = usize::from(self.percent);
        if percent > 0 && parity_shards(data, self.percent) < min_parity {
            percent = 100 * min_parity / data;
            if (data * percent).div_ceil(100) < min_parity {
                percent += 1;
            }
        }
        let percent = percent.min(MAX_PERCENT) as u8;
        Block {
            data,
            parity: parity_shards(data, percent),
            percent,
        }
    }
}

/// One block of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Data packets.
    pub(super) data: usize,
    /// Parity packets.
    pub(super) parity: usize,
    /// What the client computes the number of parity packets from.
    pub(super) percent: u8,
}

impl Block {
    pub(super) const fn packets(self) -> usize {
        self.data + self.parity
    }
}

/// The blocks of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    packets: usize,
    per_block: usize,
    protection: Protection,
}

impl Blocks {
    /// The blocks for `packets` data packets; nothing when four blocks cannot hold them. A frame that
    /// is too large for the percentage gets as much parity as leaves room for it, down to none.
    pub(super) fn plan(packets: usize, protection: Protection) -> Option<Self> {
        let needed = packets.div_ceil(protection.max_data());
        let per_block = packets.div_ceil(needed.clamp(1, MAX_BLOCKS));
        if packets == 0 || per_block > MAX_BLOCK_PACKETS {
            return None;
        }
        let fits = needed <= MAX_BLOCKS;
        let protection = if fits {
            protection
        } else {
            most_for(per_block, protection)
        };
        Some(Self {
            packets,
            per_block,
            protection,
        })
    }

    pub(super) const fn count(self) -> usize {
        self.packets.div_ceil(self.per_block)
    }

    /// All are equally large but the last, which may be smaller.
    pub(super) fn iter(self) -> impl Iterator<Item = Block> {
        (0..self.packets).step_by(self.per_block).map(move |first| {
            let data = self.per_block.min(self.packets - first);
            self.protection.block(data)
        })
    }

    /// Packets of all blocks, parity included.
    pub(super) fn total(self) -> usize {
        self.iter().map(Block::packets).sum()
    }
}

/// The highest percentage, but not above the wanted one, at which blocks may be so large.
fn most_for(per_block: usize, wanted: Protection) -> Protection {
    let most = (MAX_SHARDS * 100 / per_block).saturating_sub(100);
    let most = wanted.with_percent(most.min(usize::from(wanted.percent)) as u8);
    if most.max_data() < per_block {
        return wanted.with_percent(0);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shapes(packets: usize, percent: u8) -> Vec<(usize, usize, u8)> {
        let blocks = Blocks::plan(packets, Protection::new(percent, 2)).expect("it fits");
        assert_eq!(blocks.iter().count(), blocks.count());
        blocks
            .iter()
            .map(|b| (b.data, b.parity, b.percent))
            .collect()
    }

    /// As RtpVideoQueue.c writes it.
    #[allow(clippy::manual_div_ceil, reason = "the client's own words")]
    fn client_parity(data: usize, percent: usize) -> usize {
        (data * percent + 99) / 100
    }

    #[test]
    fn every_block_size_from_121_to_213_has_the_parity_that_the_client_computes() {
        for packets in 121..=212 {
            let [(data, parity, percent)] = shapes(packets, 20)[..] else {
                panic!("{packets} packets are one block");
            };
            assert_eq!((data, percent), (packets, 20));
            assert_eq!(parity, client_parity(packets, 20));
        }
        assert_eq!(shapes(213, 20), [(107, 22, 20), (106, 22, 20)]);
    }

    #[test]
    fn small_blocks_get_the_least_parity_and_the_percentage_that_says_so() {
        assert_eq!(shapes(1, 20), [(1, 2, 200)]);
        assert_eq!(shapes(2, 20), [(2, 2, 100)]);
        assert_eq!(shapes(3, 20), [(3, 2, 66)]);
        assert_eq!(shapes(5, 20), [(5, 2, 40)]);
        assert_eq!(shapes(6, 20), [(6, 2, 20)]);
        assert_eq!(shapes(3, 0), [(3, 0, 0)], "no parity is no parity");
    }

    #[test]
    fn large_frames_are_split_into_up_to_four_blocks() {
        let data = |packets| shapes(packets, 20).iter().map(|b| b.0).collect::<Vec<_>>();
        assert_eq!(data(424), [212, 212]);
        assert_eq!(data(425), [142, 142, 141]);
        assert_eq!(data(848), [212; 4]);
        assert_eq!(shapes(848, 20)[3], (212, 43, 20));
    }

    #[test]
    fn frames_too_large_for_the_percentage_keep_what_parity_fits() {
        assert_eq!(shapes(852, 20)[0], (213, 41, 19));
        assert_eq!(shapes(980, 20)[0], (245, 10, 4));
        assert_eq!(shapes(1000, 20)[0], (250, 5, 2));
        assert_eq!(shapes(1001, 20)[0], (251, 0, 0));
        assert_eq!(shapes(4092, 20), [(1023, 0, 0); 4]);
        assert_eq!(Blocks::plan(4093, Protection::new(20, 2)), None);
        assert_eq!(Blocks::plan(0, Protection::new(20, 2)), None);
    }

    proptest! {
        #[test]
        fn any_plan_is_one_that_the_client_follows(
            packets in 1..=4092usize,
            percent in 0..=255u8,
            min_parity in 0..=255u8,
        ) {
            let protection = Protection::new(percent, min_parity);
            let blocks = Blocks::plan(packets, protection).expect("it fits");
            prop_assert!(blocks.count() <= MAX_BLOCKS);
            prop_assert_eq!(blocks.iter().map(|b| b.data).sum::<usize>(), packets);
            prop_assert_eq!(blocks.iter().count(), blocks.count());
            prop_assert_eq!(blocks.iter().map(Block::packets).sum::<usize>(), blocks.total());
            for block in blocks.iter() {
                prop_assert!(block.data >= 1 && block.data <= MAX_BLOCK_PACKETS);
                let announced = usize::from(block.percent);
                prop_assert_eq!(block.parity, client_parity(block.data, announced));
                prop_assert!(block.parity == 0 || block.packets() <= MAX_SHARDS);
                let least = usize::from(protection.min_parity);
                let enough = block.parity >= least || block.percent == u8::MAX;
                prop_assert!(block.parity == 0 || enough, "{:?}", block);
            }
        }

        #[test]
        fn parity_is_left_out_only_where_there_is_no_room(packets in 1..=4092usize, percent in 1..=255u8) {
            let blocks = Blocks::plan(packets, Protection::new(percent, 2)).expect("it fits");
            let bare = blocks.iter().any(|block| block.parity == 0);
            prop_assert!(!bare || packets > 1000, "{} packets", packets);
        }
    }
}
