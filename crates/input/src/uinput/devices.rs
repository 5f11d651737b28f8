//! The kernel's devices that all viewers share.

use super::translate::{self, Device, Raw};
use crate::key::KeyCode;
use evdev::uinput::VirtualDevice;
use evdev::{
    AbsInfo, AbsoluteAxisCode, AttributeSet, BusType, InputId, PropType, RelativeAxisCode,
    UinputAbsSetup,
};
use std::io::Result;

/// Not anybody's number at the USB forum; only told apart by names.
const VENDOR: u16 = 0;

pub(super) struct Devices {
    keyboard: VirtualDevice,
    mouse: VirtualDevice,
    tablet: VirtualDevice,
    screen: VirtualDevice,
}

impl Devices {
    pub(super) fn create() -> Result<Self> {
        Ok(Self {
            keyboard: keyboard()?,
            mouse: mouse()?,
            tablet: tablet()?,
            screen: screen()?,
        })
    }

    pub(super) fn emit(&mut self, device: Device, events: &[Raw]) -> Result<()> {
        let device = match device {
            Device::Keyboard => &mut self.keyboard,
            Device::Mouse => &mut self.mouse,
            Device::Tablet => &mut self.tablet,
            Device::Screen => &mut self.screen,
        };
        emit(device, events)
    }
}

/// Sends events as one report.
pub(super) fn emit(device: &mut VirtualDevice, events: &[Raw]) -> Result<()> {
    let events: Vec<evdev::InputEvent> = events
        .iter()
        .map(|raw| evdev::InputEvent::new(raw.kind, raw.code, raw.value))
        .collect();
    device.emit(&events)
}

fn id(product: u16) -> InputId {
    InputId::new(BusType::BUS_VIRTUAL, VENDOR, product, 1)
}

fn keys(codes: impl IntoIterator<Item = u16>) -> AttributeSet<evdev::KeyCode> {
    codes.into_iter().map(evdev::KeyCode::new).collect()
}

/// An axis from 0 to `most`.
fn axis(code: AbsoluteAxisCode, most: i32) -> UinputAbsSetup {
    UinputAbsSetup::new(code, AbsInfo::new(0, 0, most, 0, 0, 0))
}

fn keyboard() -> Result<VirtualDevice> {
    VirtualDevice::builder()?
        .name("Heliostat keyboard")
        .input_id(id(1))
        .with_keys(&keys(KeyCode::all().filter_map(KeyCode::evdev)))?
        .build()
}

fn mouse() -> Result<VirtualDevice> {
    let axes: AttributeSet<RelativeAxisCode> = [
        RelativeAxisCode::REL_X,
        RelativeAxisCode::REL_Y,
        RelativeAxisCode::REL_WHEEL,
        RelativeAxisCode::REL_HWHEEL,
        RelativeAxisCode::REL_WHEEL_HI_RES,
        RelativeAxisCode::REL_HWHEEL_HI_RES,
    ]
    .into_iter()
    .collect();
    VirtualDevice::builder()?
        .name("Heliostat mouse")
        .input_id(id(2))
        .with_keys(&keys(translate::BUTTONS))?
        .with_relative_axes(&axes)?
        .build()
}

fn tablet() -> Result<VirtualDevice> {
    let most = u16::MAX.into();
    VirtualDevice::builder()?
        .name("Heliostat absolute mouse")
        .input_id(id(3))
        .with_keys(&keys(translate::BUTTONS))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_X, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_Y, most))?
        .build()
}

fn screen() -> Result<VirtualDevice> {
    let most = u16::MAX.into();
    let direct: AttributeSet<PropType> = [PropType::DIRECT].into_iter().collect();
    VirtualDevice::builder()?
        .name("Heliostat touch screen")
        .input_id(id(4))
        .with_properties(&direct)?
        .with_keys(&keys([translate::BTN_TOUCH]))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_X, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_Y, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_SLOT, translate::LAST_SLOT))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_TRACKING_ID, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_POSITION_X, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_POSITION_Y, most))?
        .build()
}
