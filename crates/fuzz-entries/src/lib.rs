//! One entry for each parser of bytes from outside. The fuzz targets under `fuzz/` call them with
//! what the fuzzer makes up, and a test calls them with every corpus that was kept.

mod enet;
mod gamestream;
mod probe;

use capture::SourceSpec;
use capture::barcode::Barcode;
use control::origin::{Authority, Origin};
use host::config::{Resolved, Surroundings};
use media::PacketBatch;
use std::str::from_utf8;
use std::time::{Duration, Instant};
use webrtc::packetise::packetise;
use webrtc::tcp::Deframer;

/// A parser under test: it must take any bytes without a panic, a hang or an endless allocation.
pub type Entry = fn(&[u8]);

/// Every entry, under the name of its corpus.
pub const ENTRIES: &[(&str, Entry)] = &[
    ("sdp_offer", sdp_offer),
    ("ice_tcp", ice_tcp),
    ("jsonrpc", jsonrpc),
    ("rpc_params", rpc_params),
    ("sdpfrag", sdpfrag),
    ("http_headers", http_headers),
    ("annex_b", annex_b),
    ("barcode", barcode),
    ("settings", settings),
    ("stdio_line", stdio_line),
    ("jetkvm_hidrpc", jetkvm_hidrpc),
    ("jetkvm_signalling", jetkvm_signalling),
    ("jetkvm_rpc", jetkvm_rpc),
    ("input_reliable", input_reliable),
    ("input_motion", input_motion),
    ("input_event", input_event),
    ("apps_toml", apps_toml),
    ("gamestream_enet", enet::datagrams),
    ("gamestream_http", gamestream::http),
    ("gamestream_pairing", gamestream::pairing),
    ("gamestream_rtsp", gamestream::rtsp),
    ("gamestream_rtsp_encrypted", gamestream::rtsp_encrypted),
    ("gamestream_control", gamestream::control),
    ("gamestream_input", gamestream::input),
    ("probe_answers", probe::answers),
    ("probe_stream", probe::stream),
];

/// Runs the entry of that name; `false` when there is none.
pub fn run(name: &str, bytes: &[u8]) -> bool {
    let entry = ENTRIES.iter().find(|(known, _)| *known == name);
    entry.is_some_and(|(_, entry)| {
        entry(bytes);
        true
    })
}

fn sdp_offer(bytes: &[u8]) {
    if let Ok(text) = from_utf8(bytes) {
        // Answered or refused: both are fine, as long as it says so.
        let _ = webrtc::answer_offline(text);
    }
}

/// The first byte says how the stream is cut into reads.
fn ice_tcp(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else {
        return;
    };
    let mut deframer = Deframer::default();
    for piece in stream.chunks(usize::from(*cut).max(1)) {
        if deframer.push(piece, |_| {}).is_err() {
            return;
        }
    }
}

fn jsonrpc(bytes: &[u8]) {
    let _ = sessions::jsonrpc::parse(bytes);
}

/// Parameters of every method, and what is checked beyond their types.
fn rpc_params(bytes: &[u8]) {
    let Ok(params) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    for method in control_api::method_table() {
        let _ = (method.takes)(params.clone());
    }
    if let Ok(wanted) = serde_json::from_value::<control_api::CreateShareLink>(params)
        && control::check_share_link(&wanted).is_ok()
    {
        assert!(wanted.role > control_api::Role::Player && wanted.for_seconds > 0);
    }
}

fn sdpfrag(bytes: &[u8]) {
    if let Ok(text) = from_utf8(bytes) {
        let _ = sessions::sdpfrag::parse(text);
        let _ = sessions::sdpfrag::candidate(text);
        let _ = sessions::sdpfrag::ufrag_of(text);
    }
}

fn http_headers(bytes: &[u8]) {
    if let Ok(text) = from_utf8(bytes) {
        let _ = control::cookie_values(text, "heliostat").count();
        if let (Some(host), Some(origin)) = (Authority::parse(text), Origin::parse(text)) {
            let _ = origin.matches(&host, false);
        }
    }
}

/// The first byte decides the size of packets.
fn annex_b(bytes: &[u8]) {
    let Some((size, unit)) = bytes.split_first() else {
        return;
    };
    let max_payload = 16 + usize::from(*size) * 4;
    let mut batch = PacketBatch::default();
    packetise(unit, max_payload, &mut batch);
    assert!(batch.iter().all(|payload| payload.len() <= max_payload));
}

fn barcode(bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let luma = |x: u32, y: u32| bytes[(y as usize * 288 + x as usize) % bytes.len()];
    let _ = Barcode::read(luma);
}

/// What a user may write on the command line.
fn settings(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let _ = text.parse::<SourceSpec>();
    for setting in host::config::SETTINGS {
        let mut around = Surroundings::default();
        around
            .flags
            .insert(setting.name.to_owned(), text.to_owned());
        around
            .flags
            .entry("state-dir".to_owned())
            .or_insert_with(|| "/nowhere".to_owned());
        let _ = Resolved::load(&around);
    }
}

/// What a parent program writes.
fn stdio_line(bytes: &[u8]) {
    let _ = host::stdio::protocol::read(bytes);
}

/// Messages one after the other: a length, a pause before it in milliseconds, its bytes.
fn jetkvm_hidrpc(mut bytes: &[u8]) {
    let mut keyboard = jetkvm::Keyboard::default();
    let mut now = Instant::now();
    while let [length, pause_ms, rest @ ..] = bytes {
        let (message, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = rest;
        now += Duration::from_millis(u64::from(*pause_ms));
        keyboard.tick(now);
        if let Ok(message) = jetkvm::hidrpc::FromClient::parse(message) {
            keyboard.take(message, now);
        }
        assert!(keyboard.deadline().is_none_or(|deadline| deadline > now));
    }
}

fn jetkvm_signalling(bytes: &[u8]) {
    if let Ok(text) = from_utf8(bytes) {
        let _ = jetkvm::signalling::FromClient::parse(text);
        let _ = jetkvm::signalling::read_offer(text);
    }
}

/// Whatever is refused with words is refused in JSON.
fn jetkvm_rpc(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    match jetkvm::rpc::parse(text) {
        Ok(request) => {
            if let jetkvm::rpc::Call::Wheel { y, x } = request.call {
                let _ = jetkvm::Pointer::wheel(y, x);
            }
        }
        Err(Some(refusal)) => assert!(refusal.starts_with('{')),
        Err(None) => {}
    }
}

/// The channel of keys, buttons and text.
fn input_reliable(bytes: &[u8]) {
    if let Ok(input::wire::Reliable::Text(text)) = input::wire::reliable(bytes) {
        assert!(text.len() <= input::MAX_TEXT_BYTES);
    }
}

/// The channel of motion.
fn input_motion(bytes: &[u8]) {
    let _ = input::wire::motion(bytes);
}

/// An event as JSON, and what names an injector.
fn input_event(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let _ = text.parse::<input::InputSpec>();
    if let Ok(event) = serde_json::from_str::<input::InputEvent>(text) {
        let again = serde_json::to_string(&event).ok();
        let again = again.and_then(|text| serde_json::from_str(&text).ok());
        assert_eq!(again, Some(event));
    }
}

/// The owner's file of apps: what is accepted can be found by id, and what is refused has a line.
fn apps_toml(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    match apps::catalogue::parse(text) {
        Ok(catalogue) => {
            for app in catalogue.apps() {
                assert_eq!(catalogue.get(app.id), Some(app));
                assert!(app.id.get() > 0 && !app.name.is_empty());
                if let Some(command) = &app.command {
                    assert!(!command.program.is_empty());
                }
            }
        }
        Err(apps::AppsError::Wrong(complaint)) => {
            assert!(complaint.line > 0 && complaint.line <= 1 + text.matches('\n').count());
        }
        Err(other) => panic!("a text alone cannot lead to {other}"),
    }
}
