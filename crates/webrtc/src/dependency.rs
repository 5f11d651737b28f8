//! The dependency descriptor, an RTP header extension that tells a browser which earlier picture
//! each picture needs, so that it decodes on after a gap without a keyframe.
//!
//! Format: <https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension>

use media::{FrameIndex, Reference};
use str0m::rtp::{Extension, ExtensionSerializer, ExtensionValues};

/// URI under which the extension is negotiated.
pub const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// Bytes of the longest descriptor: a keyframe's, with the template structure.
const MAX_BYTES: usize = 16;
/// Templates: a keyframe, and a picture that refers to the one before it.
const KEYFRAME_TEMPLATE: u32 = 0;
const DELTA_TEMPLATE: u32 = 1;

/// What one packet says about its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The packet is the picture's first.
    pub first_packet: bool,
    /// The packet is the picture's last.
    pub last_packet: bool,
    /// Number of the picture; sixteen bits of it travel.
    pub frame: FrameIndex,
    /// What the picture refers to.
    pub reference: Reference,
}

/// Writes bits, most significant first.
struct BitWriter<'a> {
    out: &'a mut [u8],
    bits: usize,
}

impl BitWriter<'_> {
    fn put(&mut self, value: u32, count: usize) {
        for shift in (0..count).rev() {
            if let Some(byte) = self.out.get_mut(self.bits / 8) {
                *byte |= ((value >> shift & 1) as u8) << (7 - self.bits % 8);
            }
            self.bits += 1;
        }
    }

    fn bytes(&self) -> usize {
        self.bits.div_ceil(8)
    }
}

impl Descriptor {
    /// Writes the descriptor and returns its length.
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let mut scratch = [0_u8; MAX_BYTES];
        let mut bits = BitWriter {
            out: &mut scratch,
            bits: 0,
        };
        let distance = match self.reference {
            Reference::None => 0,
            Reference::Frame(referred) => self.frame.0.saturating_sub(referred.0),
        };
        let template = if distance == 0 {
            KEYFRAME_TEMPLATE
        } else {
            DELTA_TEMPLATE
        };
        bits.put(self.first_packet.into(), 1);
        bits.put(self.last_packet.into(), 1);
        bits.put(template, 6);
        bits.put((self.frame.0 & 0xffff) as u32, 16);
        let with_structure = distance == 0 && self.first_packet;
        let with_distance = distance > 1;
        if with_structure || with_distance {
            bits.put(with_structure.into(), 1);
            bits.put(0, 1); // active_decode_targets_present_flag
            bits.put(0, 1); // custom_dtis_flag
            bits.put(with_distance.into(), 1);
            bits.put(0, 1); // custom_chains_flag
        }
        if with_structure {
            put_structure(&mut bits);
        }
        if with_distance {
            put_distance(&mut bits, distance);
        }
        let length = bits.bytes().min(MAX_BYTES);
        let Some(target) = buffer.get_mut(..length) else {
            return 0;
        };
        target.copy_from_slice(&scratch[..length]);
        length
    }
}

/// One decode target, one layer, the two templates.
fn put_structure(bits: &mut BitWriter<'_>) {
    const SAME_LAYER: u32 = 0;
    const NO_MORE_TEMPLATES: u32 = 3;
    const SWITCH: u32 = 2;
    bits.put(0, 6); // template_id_offset
    bits.put(0, 5); // dt_cnt_minus_one
    bits.put(SAME_LAYER, 2);
    bits.put(NO_MORE_TEMPLATES, 2);
    bits.put(SWITCH, 2);
    bits.put(SWITCH, 2);
    bits.put(0, 1); // the keyframe template refers to nothing
    bits.put(1, 1); // the delta template: one reference,
    bits.put(0, 4); // to the picture just before,
    bits.put(0, 1); // and no other
    bits.put(0, 1); // chain_cnt, coded for one decode target: no chains
    bits.put(0, 1); // resolutions_present_flag
}

/// `frame_fdiffs` with one entry, in as many nibbles as it takes.
fn put_distance(bits: &mut BitWriter<'_>, distance: u64) {
    let minus_one = (distance - 1).min(0xfff) as u32;
    let nibbles = match minus_one {
        0..=0xf => 1,
        0x10..=0xff => 2,
        _ => 3,
    };
    bits.put(nibbles as u32, 2);
    bits.put(minus_one, nibbles * 4);
    bits.put(0, 2);
}

/// Lets the RTP layer write a [`Descriptor`] that was put into the packet's user values.
#[derive(Debug)]
struct Serializer;

impl ExtensionSerializer for Serializer {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        values
            .user_values
            .get::<Descriptor>()
            .map_or(0, |descriptor| descriptor.write(buffer))
    }

    fn parse_value(&self, _buffer: &[u8], _values: &mut ExtensionValues) -> bool {
        // Viewers send no video.
        false
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }
}

/// The extension as the RTP layer negotiates it.
#[must_use]
pub fn extension() -> Extension {
    Extension::with_serializer(URI, Serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(descriptor: Descriptor) -> Vec<u8> {
        let mut buffer = [0_u8; 32];
        let length = descriptor.write(&mut buffer);
        buffer[..length].to_vec()
    }

    fn delta(frame: u64, referred: u64) -> Descriptor {
        Descriptor {
            first_packet: true,
            last_packet: false,
            frame: FrameIndex(frame),
            reference: Reference::Frame(FrameIndex(referred)),
        }
    }

    #[test]
    fn a_normal_packet_takes_three_bytes() {
        assert_eq!(
            written(delta(0x1_2345, 0x1_2344)),
            [0b1000_0001, 0x23, 0x45]
        );
    }

    #[test]
    fn the_first_packet_of_a_keyframe_carries_the_structure() {
        let key = Descriptor {
            first_packet: true,
            last_packet: true,
            frame: FrameIndex(7),
            reference: Reference::None,
        };
        let bytes = written(key);
        assert_eq!(bytes[..3], [0b1100_0000, 0, 7]);
        // Flags 10000, offset 000000, one target 00000: then the templates.
        assert_eq!(bytes[3..5], [0b1000_0000, 0b0000_0000]);
        assert_eq!(bytes.len(), 8);
        let rest = Descriptor {
            first_packet: false,
            ..key
        };
        assert_eq!(written(rest).len(), 3);
    }

    #[test]
    fn a_recovery_picture_names_its_distance() {
        // Flags 00010, size 01, distance-1 = 6 as 0110, end 00.
        assert_eq!(written(delta(20, 13))[3..], [0b0001_0010, 0b1100_0000]);
        assert_eq!(written(delta(300, 100)).len(), 6);
    }

    #[test]
    fn a_packet_without_a_descriptor_writes_nothing() {
        let mut buffer = [0_u8; 16];
        assert_eq!(
            Serializer.write_to(&mut buffer, &ExtensionValues::default()),
            0
        );
    }
}
