//! The kernel's devices that all viewers share.

use super::pen;
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
    pen: VirtualDevice,
}

impl Devices {
    pub(super) fn create() -> Result<Self> {
        Ok(Self {
            keyboard: keyboard()?,
            mouse: mouse()?,
            tablet: tablet()?,
            screen: screen()?,
            pen: pen()?,
        })
    }

    pub(super) fn emit(&mut self, device: Device, events: &[Raw]) -> Result<()> {
        let device = match device {
            Device::Keyboard => &mut self.keyboard,
            Device::Mouse => &mut self.mouse,
            Device::Tablet => &mut self.tablet,
            Device::Screen => &mut self.screen,
            Device::Pen => &mut self.pen,
        };
        emit(device, events)
    }
}

/// Sends events as one report, or as several where they say so.
pub(super) fn emit(device: &mut VirtualDevice, events: &[Raw]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
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
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_PRESSURE, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_TOUCH_MAJOR, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_MT_TOUCH_MINOR, most))?
        .with_absolute_axis(&turn(AbsoluteAxisCode::ABS_MT_ORIENTATION, 0))?
        .build()
}

/// An axis of degrees either way.
fn turn(code: AbsoluteAxisCode, units_per_radian: i32) -> UinputAbsSetup {
    UinputAbsSetup::new(code, AbsInfo::new(0, -90, 90, 0, 0, units_per_radian))
}

fn pen() -> Result<VirtualDevice> {
    let most = i32::from(u16::MAX);
    // What takes a device for a tablet wants to know how large it is: here 65 cm.
    let place = |code| UinputAbsSetup::new(code, AbsInfo::new(0, 0, most, 0, 0, 100));
    let lean = |code| turn(code, 57);
    let direct: AttributeSet<PropType> = [PropType::DIRECT].into_iter().collect();
    VirtualDevice::builder()?
        .name("Heliostat pen")
        .input_id(id(5))
        .with_properties(&direct)?
        .with_keys(&keys(pen::KEYS))?
        .with_absolute_axis(&place(AbsoluteAxisCode::ABS_X))?
        .with_absolute_axis(&place(AbsoluteAxisCode::ABS_Y))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_PRESSURE, most))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_DISTANCE, most))?
        .with_absolute_axis(&lean(AbsoluteAxisCode::ABS_TILT_X))?
        .with_absolute_axis(&lean(AbsoluteAxisCode::ABS_TILT_Y))?
        .build()
}
