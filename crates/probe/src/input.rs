//! Input scripts: one action a line, turned into the messages that clients send (Input.h,
//! InputStream.c). It sends nothing and waits for nothing itself.

use std::str::FromStr;
use std::time::Duration;

use crate::Error;
use crate::control::Message;
use crate::error::ScriptError;

/// Longest script.
const MAX_LINES: usize = 100_000;
/// Longest wait in one line.
const MAX_WAIT_MS: u64 = 3_600_000;

const KEYBOARD: u8 = 2;
const MOUSE: u8 = 3;
const PEN: u8 = 4;
const TOUCH: u8 = 5;
const TEXT: u8 = 6;
const PAD: u8 = 0x10;
const SENSOR: u8 = 0x20;
/// Marks a rotation as unknown (Limelight.h, `LI_ROT_UNKNOWN`).
const ROTATION_UNKNOWN: u64 = 0xffff;
/// Marks a tilt as unknown (`LI_TILT_UNKNOWN`).
const TILT_UNKNOWN: u64 = 0xff;

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing, for this long.
    Wait(Duration),
    /// Send these messages.
    Send(Vec<Message>),
    /// Ask for a keyframe.
    Keyframe,
}

/// Actions in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    actions: Vec<Action>,
}

impl Script {
    /// The actions in order.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }
}

impl FromStr for Script {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut actions = Vec::new();
        for (at, line) in text.lines().take(MAX_LINES).enumerate() {
            let action = parse_line(line).map_err(|cause| Error::Script {
                line: at + 1,
                cause,
            })?;
            actions.extend(action);
        }
        Ok(Self { actions })
    }
}

/// One line; nothing for a blank one or a comment.
///
/// # Errors
/// [`ScriptError`].
pub fn parse_line(line: &str) -> Result<Option<Action>, ScriptError> {
    let words = split(line)?;
    let Some((command, values)) = words.split_first() else {
        return Ok(None);
    };
    let values = Values(values);
    let action = match command.as_str() {
        "sleep" => Action::Wait(Duration::from_millis(values.number(0, MAX_WAIT_MS)?)),
        "idr" => Action::Keyframe,
        "tap" => {
            let mut messages = key(&values, true, values.or(1, 0)? as u8)?;
            messages.extend(key(&values, false, values.or(1, 0)? as u8)?);
            Action::Send(messages)
        }
        "key" => {
            let down = values.word(1, &["up", "down"])? == 1;
            Action::Send(key(&values, down, values.or(2, 0)? as u8)?)
        }
        "text" => Action::Send(text(values.text(0)?)),
        "mouse-move" | "mouse-abs" | "button" | "scroll" | "scroll-hires" | "hscroll"
        | "hscroll-hires" => Action::Send(vec![mouse(command, &values)?]),
        "pad" | "arrival" | "pad-touch" | "motion" | "battery" => {
            Action::Send(vec![pad(command, &values)?])
        }
        "touch" => Action::Send(vec![touch(&values)?]),
        "pen" => Action::Send(vec![pen(&values)?]),
        _ => return Err(ScriptError::Command(command.clone())),
    };
    Ok(Some(action))
}

/// Words between blanks; quotes keep blanks together; `#` begins a comment.
fn split(line: &str) -> Result<Vec<String>, ScriptError> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(words),
            Some('"') => {
                chars.next();
                let mut word = String::new();
                loop {
                    match chars.next().ok_or(ScriptError::Quote)? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(ScriptError::Quote)? {
                            'n' => word.push('\n'),
                            't' => word.push('\t'),
                            other => word.push(other),
                        },
                        other => word.push(other),
                    }
                }
                words.push(word);
            }
            Some(_) => {
                let mut word = String::new();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                    word.push(c);
                }
                words.push(word);
            }
        }
    }
}

struct Values<'a>(&'a [String]);

impl Values<'_> {
    fn text(&self, at: usize) -> Result<&str, ScriptError> {
        self.0
            .get(at)
            .map(String::as_str)
            .ok_or(ScriptError::Missing)
    }

    fn signed(&self, at: usize, limit: u64) -> Result<i64, ScriptError> {
        let text = self.text(at)?;
        let wrong = || ScriptError::Number(text.to_owned());
        let (negative, digits) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (digits, radix) = digits
            .strip_prefix("0x")
            .map_or((digits, 10), |hex| (hex, 16));
        let number = u64::from_str_radix(digits, radix)
            .ok()
            .filter(|&number| number <= limit);
        // Every limit in use is far below 2^63.
        let number = number.ok_or_else(wrong)?.cast_signed();
        Ok(if negative { -number } else { number })
    }

    fn number(&self, at: usize, limit: u64) -> Result<u64, ScriptError> {
        let number = self.signed(at, limit)?;
        u64::try_from(number).map_err(|_| ScriptError::Number(number.to_string()))
    }

    fn short(&self, at: usize) -> Result<i16, ScriptError> {
        self.signed(at, 32_767).map(|number| number as i16)
    }

    fn byte(&self, at: usize) -> Result<u8, ScriptError> {
        self.number(at, 255).map(|number| number as u8)
    }

    /// A number that may be left out.
    fn or(&self, at: usize, default: u64) -> Result<u64, ScriptError> {
        if self.0.len() > at {
            self.number(at, u32::MAX.into())
        } else {
            Ok(default)
        }
    }

    fn float_or(&self, at: usize, default: f32) -> Result<f32, ScriptError> {
        let Some(text) = self.0.get(at) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number: &f32| number.is_finite());
        number.ok_or_else(|| ScriptError::Number(text.clone()))
    }

    fn float(&self, at: usize) -> Result<f32, ScriptError> {
        self.text(at)?;
        self.float_or(at, 0.0)
    }

    /// Which of these words, or its number.
    fn word(&self, at: usize, words: &[&str]) -> Result<u8, ScriptError> {
        let text = self.text(at)?;
        match words.iter().position(|word| *word == text) {
            Some(found) => Ok(found as u8),
            None => self
                .byte(at)
                .map_err(|_| ScriptError::Word(text.to_owned())),
        }
    }

    fn touch_event(&self, at: usize) -> Result<u8, ScriptError> {
        let events = [
            "hover",
            "down",
            "up",
            "move",
            "cancel",
            "button-only",
            "hover-leave",
            "cancel-all",
        ];
        self.word(at, &events)
    }

    fn pad(&self, at: usize) -> Result<u8, ScriptError> {
        self.number(at, 15).map(|number| number as u8)
    }
}

/// The body of an input message: size, kind, then these parts.
struct Body(Vec<u8>);

impl Body {
    fn new(magic: u32) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(magic.to_le_bytes());
        Self(bytes)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn floats(mut self, floats: &[f32]) -> Self {
        for float in floats {
            self.0.extend(float.to_le_bytes());
        }
        self
    }

    fn little(mut self, shorts: &[i16]) -> Self {
        for short in shorts {
            self.0.extend(short.to_le_bytes());
        }
        self
    }

    fn big(mut self, shorts: &[i16]) -> Self {
        for short in shorts {
            self.0.extend(short.to_be_bytes());
        }
        self
    }

    fn on(mut self, channel: u8) -> Message {
        // Scripts have no line that makes a body of 4 GiB.
        let size = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&size.to_be_bytes());
        Message::input(channel, self.0)
    }
}

/// What every client sends first: rumble is welcome.
#[must_use]
pub(crate) fn haptics() -> Message {
    Body::new(0x0d).little(&[1]).on(0)
}

fn key(values: &Values<'_>, down: bool, modifiers: u8) -> Result<Vec<Message>, ScriptError> {
    let code = values.byte(0)?;
    let flags = values.or(3, 0)? as u8;
    let body = Body::new(if down { 3 } else { 4 });
    let body = body.bytes(&[flags, code, 0x80, modifiers, 0, 0]);
    Ok(vec![body.on(KEYBOARD)])
}

/// One code point a message, as clients send them.
fn text(text: &str) -> Vec<Message> {
    let one = |c: char| {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).as_bytes();
        Body::new(0x17).bytes(bytes).on(TEXT)
    };
    text.chars().map(one).collect()
}

fn mouse(command: &str, values: &Values<'_>) -> Result<Message, ScriptError> {
    let clicks = |at| Ok(values.signed(at, 127)? as i16 * 120);
    let scroll = |amount: i16| Body::new(0x0a).big(&[amount, amount, 0]);
    let body = match command {
        "mouse-move" => Body::new(0x07).big(&[values.short(0)?, values.short(1)?]),
        "mouse-abs" => {
            let (width, height) = (values.short(2)?, values.short(3)?);
            let place = [
                values.short(0)?,
                values.short(1)?,
                0,
                width.max(1) - 1,
                height.max(1) - 1,
            ];
            Body::new(0x05).big(&place)
        }
        "button" => {
            let down = values.word(1, &["up", "down"])? == 1;
            Body::new(if down { 0x08 } else { 0x09 }).bytes(&[values.byte(0)?])
        }
        "scroll" => scroll(clicks(0)?),
        "scroll-hires" => scroll(values.short(0)?),
        "hscroll" => Body::new(0x5500_0001).big(&[clicks(0)?]),
        _ => Body::new(0x5500_0001).big(&[values.short(0)?]),
    };
    Ok(body.on(MOUSE))
}

/// `pad PAD MASK BUTTONS LT RT LX LY RX RY`, `arrival PAD MASK TYPE BUTTONS CAPABILITIES`, `pad-touch
/// PAD EVENT ID X Y [PRESSURE [TOUCHPAD]]`, `motion PAD accel|gyro X Y Z`, `battery PAD STATE PERCENT`.
fn pad(command: &str, values: &Values<'_>) -> Result<Message, ScriptError> {
    let pad = values.pad(0)?;
    let channel = PAD + pad;
    let message = match command {
        "pad" => {
            let buttons = values.or(2, 0)? as u32;
            let mask = values.number(1, 0xffff)? as i16;
            let mut sticks = [0; 4];
            for (stick, at) in sticks.iter_mut().zip(5..) {
                *stick = if values.0.len() > at {
                    values.short(at)?
                } else {
                    0
                };
            }
            let body = Body::new(0x0c).little(&[0x1a, pad.into(), mask, 0x14, buttons as i16]);
            let body = body.bytes(&[values.or(3, 0)? as u8, values.or(4, 0)? as u8]);
            let body = body
                .little(&sticks)
                .little(&[0x9c, (buttons >> 16) as i16, 0x55]);
            body.on(channel)
        }
        "arrival" => {
            let kind = values.word(2, &["unknown", "xbox", "ps", "nintendo", "steam"])?;
            let body = Body::new(0x5500_0004).bytes(&[pad, kind]);
            let body = body.little(&[values.or(4, 3)? as i16]);
            body.bytes(&(values.or(3, 0xffff)? as u32).to_le_bytes())
                .on(channel)
        }
        "pad-touch" => {
            let touchpad = values.or(6, 0)? as u8;
            let body = Body::new(0x5500_0005).bytes(&[pad, values.touch_event(1)?, 0, touchpad]);
            let body = body.bytes(&(values.number(2, u32::MAX.into())? as u32).to_le_bytes());
            let place = [values.float(3)?, values.float(4)?, values.float_or(5, 0.0)?];
            body.floats(&place).on(channel)
        }
        "motion" => {
            let kind = values.word(1, &["", "accel", "gyro"])?;
            let axes = [values.float(2)?, values.float(3)?, values.float(4)?];
            let body = Body::new(0x5500_0006)
                .bytes(&[pad, kind, 0, 0])
                .floats(&axes);
            body.on(SENSOR + pad).unreliable()
        }
        _ => {
            let state = [pad, values.byte(1)?, values.byte(2)?, 0];
            Body::new(0x5500_0007).bytes(&state).on(channel)
        }
    };
    Ok(message)
}

/// `touch EVENT ID X Y [PRESSURE MAJOR MINOR ROTATION]`.
fn touch(values: &Values<'_>) -> Result<Message, ScriptError> {
    let rotation = values.or(7, ROTATION_UNKNOWN)? as i16;
    let body = Body::new(0x5500_0002).bytes(&[values.touch_event(0)?, 0]);
    let body = body.little(&[rotation]);
    let body = body.bytes(&(values.number(1, u32::MAX.into())? as u32).to_le_bytes());
    let place = [
        values.float(2)?,
        values.float(3)?,
        values.float_or(4, 0.0)?,
        values.float_or(5, 0.0)?,
        values.float_or(6, 0.0)?,
    ];
    Ok(body.floats(&place).on(TOUCH))
}

/// `pen EVENT TOOL BUTTONS X Y [PRESSURE MAJOR MINOR ROTATION TILT]`.
fn pen(values: &Values<'_>) -> Result<Message, ScriptError> {
    let tool = values.word(1, &["unknown", "pen", "eraser"])?;
    let body = Body::new(0x5500_0003).bytes(&[values.touch_event(0)?, tool, values.byte(2)?, 0]);
    let body = body.floats(&[values.float(3)?, values.float(4)?, values.float_or(5, 0.0)?]);
    let body = body.little(&[values.or(8, ROTATION_UNKNOWN)? as i16]);
    let body = body.bytes(&[values.or(9, TILT_UNKNOWN)? as u8, 0]);
    let area = [values.float_or(6, 0.0)?, values.float_or(7, 0.0)?];
    Ok(body.floats(&area).on(PEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(line: &str) -> Vec<(u8, Vec<u8>)> {
        match parse_line(line) {
            Ok(Some(Action::Send(messages))) => {
                let parts = |message: Message| (message.channel(), message.body().to_vec());
                messages.into_iter().map(parts).collect()
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn messages_have_the_bytes_of_the_clients() {
        let key = vec![0, 0, 0, 10, 3, 0, 0, 0, 0, 0x41, 0x80, 1, 0, 0];
        assert_eq!(sent("key 0x41 down 1"), [(2, key)]);
        let motion = vec![0, 0, 0, 8, 7, 0, 0, 0, 0xff, 0xff, 0, 1];
        assert_eq!(sent("mouse-move -1 1"), [(3, motion)]);
        let place = vec![
            0, 0, 0, 14, 5, 0, 0, 0, 0, 10, 0, 20, 0, 0, 4, 0xff, 2, 0xcf,
        ];
        assert_eq!(sent("mouse-abs 10 20 1280 720"), [(3, place)]);
        let scroll = vec![0, 0, 0, 10, 10, 0, 0, 0, 0xff, 0x88, 0xff, 0x88, 0, 0];
        assert_eq!(sent("scroll -1"), [(3, scroll)]);
    }

    #[test]
    fn sizes_are_those_of_the_structures_in_input_h() {
        let size = |line: &str| sent(line)[0].1.len() - 4;
        assert_eq!(size("pad 1 3 0x1000 0 0 0 0 0 0"), 30);
        assert_eq!(size("arrival 0 1 xbox 0xffff 3"), 12);
        assert_eq!(size("touch down 1 0.5 0.5"), 32);
        assert_eq!(size("pen move pen 0 0.5 0.5"), 32);
        assert_eq!(size("pad-touch 0 down 1 0.1 0.2 1"), 24);
        assert_eq!(size("motion 0 gyro 1 2 3"), 20);
        assert_eq!(size("battery 0 2 50"), 8);
        assert_eq!(size("hscroll 1"), 6);
        assert_eq!(sent("pad 1 3 0")[0].0, 0x11);
        assert_eq!(sent("motion 2 gyro 1 2 3")[0].0, 0x22);
    }

    #[test]
    fn text_goes_one_code_point_a_message() {
        let messages = sent(r#"text "ä\"b""#);
        let bodies: Vec<_> = messages.iter().map(|(_, body)| &body[8..]).collect();
        assert_eq!(bodies, ["ä".as_bytes(), b"\"", b"b"]);
    }

    #[test]
    fn blanks_comments_and_mistakes() {
        assert_eq!(parse_line("  # nothing"), Ok(None));
        assert_eq!(
            parse_line("sleep 5"),
            Ok(Some(Action::Wait(Duration::from_millis(5))))
        );
        assert_eq!(
            parse_line("fly"),
            Err(ScriptError::Command("fly".to_owned()))
        );
        assert_eq!(
            parse_line("key 300 down"),
            Err(ScriptError::Number("300".to_owned()))
        );
        assert_eq!(parse_line("key 65"), Err(ScriptError::Missing));
        assert_eq!(parse_line("text \"open"), Err(ScriptError::Quote));
        let error = "sleep 1\nfly".parse::<Script>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2 of the input script: \"fly\" is not a command"
        );
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(key|pad|touch|pen|scroll|text|motion|arrival|mouse-abs|pad-touch|battery)?[ -~]{0,40}") {
            let _ = parse_line(&line);
        }
    }
}
