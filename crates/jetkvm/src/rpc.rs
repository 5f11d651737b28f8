//! JSON-RPC as these devices speak it: what a call asks for, and how answers and events are written.
//! A call it does not know gets −32601, which every client takes calmly.

use crate::hidrpc::{FromClient, KeyReport};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Under this name the client wants its answer; nothing if it wants none.
    pub id: Option<Value>,
    /// What it asks for.
    pub call: Call,
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// To be told something: see [`Facts::answer`].
    Tell(Question),
    /// To press keys or move the pointer.
    Input(FromClient),
    /// To turn the wheels, in notches; up and to the right are positive.
    Wheel {
        /// Of the vertical wheel.
        y: f64,
        /// Of the horizontal one.
        x: f64,
    },
    /// To stop the pictures, or let them come again.
    Pause(bool),
    /// To change something that this host does not have: it is accepted, so that the client goes on.
    Ignore,
}

/// What a client can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether anybody is there.
    Ping,
    /// Which host this is.
    DeviceId,
    /// Its version.
    LocalVersion,
    /// The source.
    VideoState,
    /// Whether there is a keyboard and a mouse.
    UsbState,
    /// Whether they are switched on.
    UsbEmulation,
    /// The power button's lamps.
    AtxState,
    /// The quality.
    QualityFactor,
    /// The codec.
    CodecPreference,
    /// What is plugged in beside.
    ActiveExtension,
    /// The keyboard's lamps.
    KeyboardLeds,
    /// What is down.
    KeysDown,
    /// The keyboard's layout.
    KeyboardLayout,
    /// What the source takes this host for.
    Edid,
    /// What is in the drive.
    VirtualMedia,
    /// Whether it moves the mouse by itself.
    Jiggler,
    /// The macros that are kept.
    Macros,
    /// Whether there is a newer version.
    Updates,
}

/// The source, as clients see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct VideoState {
    /// Whether there are pictures.
    pub ready: bool,
    /// Whether they are sent.
    pub streaming: Streaming,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<VideoError>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pictures a second.
    pub fps: f64,
}

/// Whether pictures are sent. A number on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Streaming {
    /// No.
    #[default]
    Inactive,
    /// Yes.
    Active,
    /// Soon no more.
    Stopping,
}

impl Serialize for Streaming {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(match self {
            Self::Inactive => 0,
            Self::Active => 1,
            Self::Stopping => 2,
        })
    }
}

/// Why there are no pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoError {
    /// Nothing comes in.
    NoSignal,
    /// Something comes in, but no pictures.
    NoLock,
    /// Pictures that cannot be shown.
    OutOfRange,
}

/// Everything that can be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Tells this host from others.
    pub device_id: String,
    /// Its version.
    pub version: String,
    /// The source.
    pub video: VideoState,
    /// Whether input arrives anywhere.
    pub input: bool,
    /// The keyboard's lamps: num, caps, scroll, compose, kana from bit 0.
    pub leds: u8,
    /// What this client holds down.
    pub keys: KeyReport,
}

impl Facts {
    /// The answer to `question`.
    #[must_use]
    pub fn answer(&self, question: Question) -> Value {
        match question {
            Question::Ping => json!("pong"),
            Question::DeviceId => json!(self.device_id),
            Question::LocalVersion => {
                json!({ "appVersion": self.version, "systemVersion": self.version })
            }
            Question::VideoState => json!(self.video),
            Question::UsbState => json!(usb_state(self.input)),
            Question::UsbEmulation => json!(self.input),
            Question::AtxState => json!({ "power": true, "hdd": false }),
            Question::QualityFactor => json!(1.0),
            Question::CodecPreference => json!("h264"),
            Question::ActiveExtension | Question::Edid => json!(""),
            Question::KeyboardLeds => leds(self.leds),
            Question::KeysDown => keys_down(self.keys),
            Question::KeyboardLayout => json!("en-US"),
            Question::VirtualMedia => Value::Null,
            Question::Jiggler => json!(false),
            Question::Macros => json!([]),
            Question::Updates => {
                let version = json!({ "appVersion": self.version, "systemVersion": self.version });
                json!({
                    "local": version, "remote": version,
                    "systemUpdateAvailable": false, "appUpdateAvailable": false,
                })
            }
        }
    }
}

/// An answer, written.
#[must_use]
pub fn result(id: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "result": result, "id": id }).to_string()
}

/// −32603: it could not be done.
#[must_use]
pub fn failure(id: &Value, why: &str) -> String {
    error(id, -32603, "Internal error", why)
}

fn error(id: &Value, code: i32, message: &str, data: &str) -> String {
    let error = json!({ "code": code, "message": message, "data": data });
    json!({ "jsonrpc": "2.0", "error": error, "id": id }).to_string()
}

/// What a client is told without having asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Somebody else took over.
    OtherSessionConnected,
    /// The source changed.
    VideoInputState(VideoState),
    /// Whether there is a keyboard and a mouse.
    UsbState {
        /// Whether there are.
        input: bool,
    },
    /// The keyboard's lamps changed.
    KeyboardLeds(u8),
    /// What is down changed.
    KeysDown(KeyReport),
    /// A macro began or ended.
    MacroState {
        /// Whether one plays.
        running: bool,
        /// Whether it types a text.
        is_paste: bool,
    },
}

impl Event {
    /// The event, written.
    #[must_use]
    pub fn to_text(self) -> String {
        let (method, params) = match self {
            Self::OtherSessionConnected => ("otherSessionConnected", None),
            Self::VideoInputState(state) => ("videoInputState", Some(json!(state))),
            Self::UsbState { input } => ("usbState", Some(json!(usb_state(input)))),
            Self::KeyboardLeds(mask) => ("keyboardLedState", Some(leds(mask))),
            Self::KeysDown(report) => ("keysDownState", Some(keys_down(report))),
            Self::MacroState { running, is_paste } => (
                "keyboardMacroState",
                Some(json!({ "state": running, "isPaste": is_paste })),
            ),
        };
        let mut event = Map::from_iter([
            ("jsonrpc".to_owned(), json!("2.0")),
            ("method".to_owned(), json!(method)),
        ]);
        if let Some(params) = params {
            event.insert("params".to_owned(), params);
        }
        Value::Object(event).to_string()
    }
}

fn usb_state(input: bool) -> &'static str {
    if input { "configured" } else { "not attached" }
}

fn leds(mask: u8) -> Value {
    let lit = |bit: u8| mask >> bit & 1 == 1;
    json!({
        "num_lock": lit(0), "caps_lock": lit(1), "scroll_lock": lit(2), "compose": lit(3),
        "kana": lit(4), "shift": lit(6),
    })
}

fn keys_down(report: KeyReport) -> Value {
    json!({ "modifier": report.modifier, "keys": report.keys })
}

#[derive(Deserialize)]
struct KeyboardReport {
    #[serde(deserialize_with = "mask")]
    modifier: u8,
    #[serde(deserialize_with = "bytes")]
    keys: Vec<u8>,
}

#[derive(Deserialize)]
struct KeypressReport {
    #[serde(deserialize_with = "mask")]
    key: u8,
    press: bool,
}

#[derive(Deserialize)]
struct AbsMouseReport {
    x: f64,
    y: f64,
    #[serde(deserialize_with = "mask")]
    buttons: u8,
}

#[derive(Deserialize)]
struct RelMouseReport {
    dx: f64,
    dy: f64,
    #[serde(deserialize_with = "mask")]
    buttons: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WheelReport {
    wheel_y: f64,
    #[serde(default)]
    wheel_x: f64,
}

#[derive(Deserialize)]
struct StreamPaused {
    paused: bool,
}

/// A whole number up to 255, also where it is written as `4.0`.
fn mask<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    byte(f64::deserialize(deserializer)?)
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let numbers = Option::<Vec<f64>>::deserialize(deserializer)?.unwrap_or_default();
    numbers.into_iter().map(byte).collect()
}

fn byte<E: serde::de::Error>(number: f64) -> Result<u8, E> {
    if number.fract() == 0.0 && (0.0..=255.0).contains(&number) {
        // Just seen to fit.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        return Ok(number as u8);
    }
    Err(E::custom(format!(
        "{number} is not a whole number from 0 to 255"
    )))
}

/// Reads one message.
///
/// # Errors
/// It is no call that can be followed: the answer to send, or nothing if the client wants none.
pub fn parse(text: &str) -> Result<Request, Option<String>> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(default, deserialize_with = "present")]
        id: Option<Value>,
        method: String,
        #[serde(default)]
        params: Option<Map<String, Value>>,
    }
    let envelope: Envelope = serde_json::from_str(text).map_err(|why| {
        // The id is lost, and clients expect this one then.
        Some(error(&json!(0), -32700, "Parse error", &why.to_string()))
    })?;
    let Envelope { id, method, params } = envelope;
    let params = Value::Object(params.unwrap_or_default());
    match call(&method, params) {
        Some(Ok(call)) => Ok(Request { id, call }),
        Some(Err(why)) => {
            let why = why.to_string();
            Err(id.map(|id| error(&id, -32602, "Invalid params", &why)))
        }
        None => {
            let shown: String = method.chars().take(64).collect();
            Err(id.map(|id| error(&id, -32601, "Method not found", &shown)))
        }
    }
}

/// Tells an id that is null from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn call(method: &str, params: Value) -> Option<Result<Call, serde_json::Error>> {
    let question = |question| Some(Ok(Call::Tell(question)));
    match method {
        "ping" => question(Question::Ping),
        "getDeviceID" => question(Question::DeviceId),
        "getLocalVersion" => question(Question::LocalVersion),
        "getVideoState" => question(Question::VideoState),
        "getUSBState" => question(Question::UsbState),
        "getUsbEmulationState" => question(Question::UsbEmulation),
        "getATXState" => question(Question::AtxState),
        "getStreamQualityFactor" => question(Question::QualityFactor),
        "getVideoCodecPreference" => question(Question::CodecPreference),
        "getActiveExtension" => question(Question::ActiveExtension),
        "getKeyboardLedState" => question(Question::KeyboardLeds),
        "getKeyDownState" | "getKeysDownState" => question(Question::KeysDown),
        "getKeyboardLayout" => question(Question::KeyboardLayout),
        "getEDID" => question(Question::Edid),
        "getVirtualMediaState" => question(Question::VirtualMedia),
        "getJigglerState" => question(Question::Jiggler),
        "getKeyboardMacros" => question(Question::Macros),
        "getUpdateStatus" => question(Question::Updates),
        "pauseVideo" => Some(Ok(Call::Pause(true))),
        "resumeVideo" => Some(Ok(Call::Pause(false))),
        "setVideoStreamPaused" => Some(read(params, |StreamPaused { paused }| Call::Pause(paused))),
        "setEDID"
        | "setStreamQualityFactor"
        | "setVideoCodecPreference"
        | "setKeyboardLayout"
        | "setUsbEmulationState" => Some(Ok(Call::Ignore)),
        _ => input(method, params),
    }
}

fn input(method: &str, params: Value) -> Option<Result<Call, serde_json::Error>> {
    Some(match method {
        "keyboardReport" => read(params, |KeyboardReport { modifier, keys }| {
            Call::Input(FromClient::Keyboard(KeyReport::new(modifier, &keys)))
        }),
        "keypressReport" => read(params, |KeypressReport { key, press }| {
            Call::Input(FromClient::Keypress {
                usage: key,
                down: press,
            })
        }),
        "absMouseReport" => read(params, |AbsMouseReport { x, y, buttons }| {
            let (x, y) = (whole(x), whole(y));
            Call::Input(FromClient::Pointer { x, y, buttons })
        }),
        "relMouseReport" => read(params, |RelMouseReport { dx, dy, buttons }| {
            let (dx, dy) = (step(dx), step(dy));
            Call::Input(FromClient::Mouse { dx, dy, buttons })
        }),
        "wheelReport" => read(params, |WheelReport { wheel_y, wheel_x }| Call::Wheel {
            y: wheel_y,
            x: wheel_x,
        }),
        _ => return None,
    })
}

fn read<P: for<'de> Deserialize<'de>>(
    params: Value,
    call: impl FnOnce(P) -> Call,
) -> Result<Call, serde_json::Error> {
    serde_json::from_value(params).map(call)
}

/// Saturates.
#[allow(clippy::cast_possible_truncation)]
fn whole(number: f64) -> i32 {
    number.round() as i32
}

/// Saturates.
#[allow(clippy::cast_possible_truncation)]
fn step(number: f64) -> i8 {
    number.round() as i8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn ask(method: &str, params: &Value) -> Result<Request, Option<String>> {
        parse(&json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": 7 }).to_string())
    }

    fn code(refused: Result<Request, Option<String>>) -> Value {
        value(&refused.unwrap_err().unwrap())["error"]["code"].clone()
    }

    #[test]
    fn success_without_a_value_says_so() {
        assert_eq!(
            result(&json!("rpc-1"), &Value::Null),
            r#"{"id":"rpc-1","jsonrpc":"2.0","result":null}"#
        );
    }

    #[test]
    fn ids_come_back_as_they_were() {
        for id in [json!(1), json!("rpc-1"), Value::Null, json!(0)] {
            let text = json!({ "method": "ping", "id": id }).to_string();
            assert_eq!(parse(&text).unwrap().id, Some(id));
        }
        assert_eq!(parse(r#"{"method":"ping"}"#).unwrap().id, None);
    }

    #[test]
    fn what_cannot_be_followed_gets_the_errors_that_clients_know() {
        assert_eq!(code(parse("no json")), -32700);
        assert_eq!(code(ask("reboot", &json!({ "force": true }))), -32601);
        assert_eq!(
            code(ask(
                "keyboardReport",
                &json!({ "modifier": 999, "keys": [] })
            )),
            -32602
        );
        assert_eq!(code(ask("setVideoStreamPaused", &json!({}))), -32602);
        // A notification gets no answer, not even when it fails.
        assert_eq!(parse(r#"{"method":"reboot"}"#), Err(None));
    }

    #[test]
    fn reports_are_the_same_as_those_of_hid_rpc() {
        let input = |method, params| ask(method, &params).unwrap().call;
        assert_eq!(
            input("keyboardReport", json!({ "modifier": 2, "keys": [4.0] })),
            Call::Input(FromClient::Keyboard(KeyReport::new(2, &[4])))
        );
        assert_eq!(
            input("keypressReport", json!({ "key": 4, "press": true })),
            Call::Input(FromClient::Keypress {
                usage: 4,
                down: true
            })
        );
        assert_eq!(
            input(
                "absMouseReport",
                json!({ "x": 16383.5, "y": -1e300, "buttons": 1 })
            ),
            Call::Input(FromClient::Pointer {
                x: 16384,
                y: i32::MIN,
                buttons: 1
            })
        );
        assert_eq!(
            input(
                "relMouseReport",
                json!({ "dx": 300, "dy": -2, "buttons": 0 })
            ),
            Call::Input(FromClient::Mouse {
                dx: 127,
                dy: -2,
                buttons: 0
            })
        );
        assert_eq!(
            input("wheelReport", json!({ "wheelY": -1.5 })),
            Call::Wheel { y: -1.5, x: 0.0 }
        );
    }

    #[test]
    fn pausing_has_three_names() {
        let pause = |method, params| ask(method, &params).unwrap().call;
        assert_eq!(pause("pauseVideo", json!({})), Call::Pause(true));
        assert_eq!(pause("resumeVideo", json!({})), Call::Pause(false));
        let paused = json!({ "paused": true });
        assert_eq!(pause("setVideoStreamPaused", paused), Call::Pause(true));
    }

    #[test]
    fn the_video_state_has_a_number_for_streaming_and_leaves_out_no_error() {
        let state = VideoState {
            ready: true,
            streaming: Streaming::Active,
            error: None,
            width: 1280,
            height: 720,
            fps: 60.0,
        };
        let expected = json!({
            "ready": true, "streaming": 1, "width": 1280, "height": 720, "fps": 60.0,
        });
        assert_eq!(json!(state), expected);
        let event = value(&Event::VideoInputState(state).to_text());
        assert_eq!(event["params"], expected);
        assert!(event.get("id").is_none());
        let lost = VideoState {
            error: Some(VideoError::NoSignal),
            ..VideoState::default()
        };
        assert_eq!(json!(lost)["error"], "no_signal");
    }

    #[test]
    fn a_takeover_is_told_without_params() {
        assert_eq!(
            value(&Event::OtherSessionConnected.to_text()),
            json!({ "jsonrpc": "2.0", "method": "otherSessionConnected" })
        );
    }

    #[test]
    fn every_question_of_the_smallest_client_has_an_answer() {
        let facts = Facts {
            device_id: "heliostat-1".to_owned(),
            input: true,
            ..Facts::default()
        };
        let answers = [
            ("ping", json!("pong")),
            ("getDeviceID", json!("heliostat-1")),
            ("getVideoState", json!(facts.video)),
            ("getUSBState", json!("configured")),
            ("getATXState", json!({ "power": true, "hdd": false })),
            ("getStreamQualityFactor", json!(1.0)),
            ("getVideoCodecPreference", json!("h264")),
            ("getActiveExtension", json!("")),
            (
                "getKeyDownState",
                json!({ "modifier": 0, "keys": [0, 0, 0, 0, 0, 0] }),
            ),
        ];
        for (method, expected) in answers {
            let Call::Tell(question) = ask(method, &json!({})).unwrap().call else {
                panic!("{method}");
            };
            assert_eq!(facts.answer(question), expected, "{method}");
        }
        assert_eq!(
            ask("setEDID", &json!({ "edid": "00" })).unwrap().call,
            Call::Ignore
        );
    }

    proptest! {
        #[test]
        fn every_refusal_is_json_with_the_callers_id(
            method in "[a-zA-Z]{0,20}|keyboardReport|absMouseReport|wheelReport",
            id in any::<u32>(),
            params in "\\{\\}|null|\\[\\]|\\{\"x\":1e999\\}|\\{\"keys\":[300],\"modifier\":1\\}",
        ) {
            let text = format!(r#"{{"method":"{method}","params":{params},"id":{id}}}"#);
            match parse(&text) {
                Ok(request) => prop_assert_eq!(request.id, Some(json!(id))),
                Err(refusal) => {
                    let refusal = value(&refusal.expect("an answer"));
                    let parse_error = refusal["error"]["code"] == json!(-32700);
                    prop_assert!(parse_error || refusal["id"] == json!(id));
                }
            }
        }
    }
}
