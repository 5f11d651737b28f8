//! What the host says on the control stream: news for controllers, for the screen, and the end
//! (`controlReceiveThreadFunc` and `queueAsyncCallback` in ControlStream.c).

use crate::input::Sensor;

/// A message to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMessage {
    /// A controller shakes.
    Rumble(Rumble),
    /// A controller's triggers shake.
    TriggerRumble(TriggerRumble),
    /// A controller should say what it feels, or no longer.
    MotionRequest(MotionRequest),
    /// A controller's light.
    Led(Led),
    /// How a controller's triggers resist.
    AdaptiveTriggers(AdaptiveTriggers),
    /// Whether pictures have high dynamic range, and of what kind.
    Hdr(HdrMode),
    /// The stream ends.
    Termination(Termination),
}

/// How strongly a controller shakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rumble {
    /// Which controller.
    pub number: u8,
    /// The heavy motor, 0 to 65535.
    pub low: u16,
    /// The light motor, 0 to 65535.
    pub high: u16,
}

/// How strongly a controller's triggers shake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerRumble {
    /// Which controller.
    pub number: u8,
    /// 0 to 65535.
    pub left: u16,
    /// 0 to 65535.
    pub right: u16,
}

/// How often a controller should say what it feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MotionRequest {
    /// Which controller.
    pub number: u8,
    /// With which sensor.
    pub sensor: Sensor,
    /// Times a second; 0 is never.
    pub rate_hz: u16,
}

/// The colour of a controller's light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led {
    /// Which controller.
    pub number: u8,
    /// Red, green and blue.
    pub rgb: [u8; 3],
}

/// What one trigger of a DualSense does, as its reports have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerEffect {
    /// Which effect.
    pub kind: u8,
    /// Its parameters.
    pub parameters: [u8; 10],
}

/// How a controller's triggers resist; one that is absent stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveTriggers {
    /// Which controller.
    pub number: u8,
    /// The left one.
    pub left: Option<TriggerEffect>,
    /// The right one.
    pub right: Option<TriggerEffect>,
}

/// A colour, in units of 1/50000 of CIE 1931.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chromaticity {
    /// x.
    pub x: u16,
    /// y.
    pub y: u16,
}

/// What the pictures were mastered for (`SS_HDR_METADATA` in Limelight.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HdrMetadata {
    /// Red, green and blue.
    pub primaries: [Chromaticity; 3],
    /// White.
    pub white: Chromaticity,
    /// The brightest the display gets, in nits.
    pub max_display_nits: u16,
    /// The darkest the display gets, in 1/10000 nits.
    pub min_display_ten_thousandth_nits: u16,
    /// The brightest pixel, in nits; 0 when not known.
    pub max_content_nits: u16,
    /// The brightest picture on average, in nits; 0 when not known.
    pub max_frame_average_nits: u16,
    /// The brightest the whole display gets at once, in nits; 0 when not known.
    pub max_full_frame_nits: u16,
}

/// Whether pictures have high dynamic range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HdrMode {
    /// Whether they have.
    pub enabled: bool,
    /// Of what kind.
    pub metadata: HdrMetadata,
}

/// Why a stream ends; clients have words for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// Somebody wanted it to. Clients take it for an error when no picture has come yet.
    Graceful,
    /// Pictures could not be converted for the encoder.
    ConversionFailed,
    /// The screen shows what may not be copied.
    ProtectedContent,
}

impl Termination {
    const fn code(self) -> u32 {
        match self {
            Self::Graceful => 0x8003_0023,
            Self::ConversionFailed => 0x800e_9403,
            Self::ProtectedContent => 0x800e_9302,
        }
    }
}

fn push(packet: &mut Vec<u8>, numbers: &[u16]) {
    for number in numbers {
        packet.extend_from_slice(&number.to_le_bytes());
    }
}

impl HostMessage {
    pub(super) const fn kind(&self) -> u16 {
        match self {
            Self::Rumble(_) => 0x010b,
            Self::Termination(_) => 0x0109,
            Self::Hdr(_) => 0x010e,
            Self::TriggerRumble(_) => 0x5500,
            Self::MotionRequest(_) => 0x5501,
            Self::Led(_) => 0x5502,
            Self::AdaptiveTriggers(_) => 0x5503,
        }
    }

    /// Appends what follows kind and length.
    pub(super) fn write(&self, packet: &mut Vec<u8>) {
        match self {
            // Clients skip the first four bytes.
            Self::Rumble(rumble) => {
                push(
                    packet,
                    &[0, 0, rumble.number.into(), rumble.low, rumble.high],
                );
            }
            Self::TriggerRumble(rumble) => {
                push(packet, &[rumble.number.into(), rumble.left, rumble.right]);
            }
            Self::MotionRequest(request) => {
                push(packet, &[request.number.into(), request.rate_hz]);
                packet.push(request.sensor.byte());
            }
            Self::Led(led) => {
                push(packet, &[led.number.into()]);
                packet.extend_from_slice(&led.rgb);
            }
            Self::AdaptiveTriggers(triggers) => triggers.write(packet),
            Self::Hdr(mode) => mode.write(packet),
            Self::Termination(why) => packet.extend_from_slice(&why.code().to_be_bytes()),
        }
    }
}

impl AdaptiveTriggers {
    /// `DS_EFFECT_RIGHT_TRIGGER` and `DS_EFFECT_LEFT_TRIGGER` in Limelight.h.
    fn write(&self, packet: &mut Vec<u8>) {
        const NONE: TriggerEffect = TriggerEffect {
            kind: 0,
            parameters: [0; 10],
        };
        let set = u8::from(self.right.is_some()) << 2 | u8::from(self.left.is_some()) << 3;
        let (left, right) = (self.left.unwrap_or(NONE), self.right.unwrap_or(NONE));
        push(packet, &[self.number.into()]);
        packet.extend_from_slice(&[set, left.kind, right.kind]);
        packet.extend_from_slice(&left.parameters);
        packet.extend_from_slice(&right.parameters);
    }
}

impl HdrMode {
    fn write(&self, packet: &mut Vec<u8>) {
        let metadata = &self.metadata;
        packet.push(self.enabled.into());
        for colour in metadata.primaries.iter().chain([&metadata.white]) {
            push(packet, &[colour.x, colour.y]);
        }
        let light = [
            metadata.max_display_nits,
            metadata.min_display_ten_thousandth_nits,
            metadata.max_content_nits,
            metadata.max_frame_average_nits,
            metadata.max_full_frame_nits,
        ];
        push(packet, &light);
    }
}
