//! Physical keys under X, and the lights of the keyboard.
//!
//! Owns which keys are down; refuses to know what they type: the server's layout says that.

use super::{fake, leds};
use crate::injector::FeedbackSink;
use crate::key::KeyCode;
use crate::x11::{Link, XResult};
use std::collections::BTreeSet;
use x11rb::connection::RequestConnection as _;
use x11rb::protocol::xkb::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{KEY_PRESS_EVENT, KEY_RELEASE_EVENT};

/// XKB's name for whatever keyboard is in use.
const CORE_KEYBOARD: u16 = 0x100;

/// The keyboard of one connection.
#[derive(Debug)]
pub(super) struct Keyboard {
    down: BTreeSet<KeyCode>,
    /// The page's bits; absent when the server does not tell.
    lights: Option<u8>,
    has_xkb: bool,
}

impl Keyboard {
    pub(super) fn new(link: &Link) -> XResult<Self> {
        let extension = link
            .connection
            .extension_information(xkb::X11_EXTENSION_NAME)?;
        let has_xkb = match extension {
            None => false,
            Some(_) => link.connection.xkb_use_extension(1, 0)?.reply()?.supported,
        };
        let mut keyboard = Self {
            down: BTreeSet::new(),
            lights: None,
            has_xkb,
        };
        keyboard.read_leds(link)?;
        Ok(keyboard)
    }

    pub(super) fn key(&mut self, link: &Link, code: KeyCode, down: bool) -> XResult<()> {
        let Some(keycode) = code.x_keycode() else {
            return Ok(());
        };
        match down {
            true => self.down.insert(code),
            false => self.down.remove(&code),
        };
        press(link, keycode, down)
    }

    /// X keycodes of the modifiers that are held.
    pub(super) fn modifiers(&self) -> impl Iterator<Item = u8> {
        let held = self.down.iter().filter(|code| code.is_modifier());
        held.filter_map(|code| code.x_keycode())
    }

    pub(super) fn may_change_leds(&self, code: KeyCode, down: bool) -> bool {
        let locks = ["CapsLock", "NumLock", "ScrollLock"];
        self.has_xkb && !down && locks.contains(&code.code())
    }

    pub(super) fn read_leds(&mut self, link: &Link) -> XResult<()> {
        if self.has_xkb {
            let state = link.connection.xkb_get_indicator_state(CORE_KEYBOARD)?;
            let state = state.reply()?.state;
            // Every keymap numbers them caps, num, scroll.
            let bit = |at: u32| (state >> at & 1) as u8;
            self.lights = Some(bit(1) | bit(0) << 1 | bit(2) << 2);
        }
        Ok(())
    }

    pub(super) fn tell_leds(&self, feedback: &FeedbackSink) {
        if let Some(bits) = self.lights {
            feedback(leds(bits));
        }
    }
}

/// Sends one keycode down or up.
pub(super) fn press(link: &Link, keycode: u8, down: bool) -> XResult<()> {
    let kind = match down {
        true => KEY_PRESS_EVENT,
        false => KEY_RELEASE_EVENT,
    };
    fake(link, kind, keycode, [0, 0])
}
