//! JSON-RPC over the WebSocket: envelopes, errors, batches, bounds and lanes.

use crate::engine::Event;
use crate::host::Host;
use serde_json::{Value, json};
use sessions::MAX_MESSAGE_BYTES;
use tungstenite::Message;

#[test]
fn the_state_comes_first_and_again_when_it_changes() {
    let host = Host::open();
    let mut page = host.page_with("");
    let state = page.notification("hostState");
    let expected = json!({
        "version": "1.2.3",
        "source": {"name": "test-pattern", "detail": "1280x720"},
        "bitrateBps": 8_000_000,
        "viewers": 0,
    });
    assert_eq!(state, expected, "what is not known is absent");
    host.engine.host_state.send_modify(|_| {});
    page.ok("ping", &json!({}));
    host.engine
        .host_state
        .send_modify(|state| state.viewers = 3);
    assert_eq!(page.notification("hostState")["viewers"], 3);
    assert_eq!(page.ok("getHostState", &json!({}))["viewers"], 3);
}

#[test]
fn the_source_tells_what_is_wrong_with_it() {
    let host = Host::open();
    let mut page = host.page_with("");
    assert_eq!(
        page.notification("videoInputState"),
        json!({"ready": true, "streaming": false})
    );
    host.engine.video_input.send_modify(|input| {
        input.ready = false;
        input.error = Some(control_api::SourceProblem::NoSignal);
    });
    let changed = page.notification("videoInputState");
    assert_eq!(
        changed,
        json!({"ready": false, "streaming": false, "error": "no_signal"})
    );
}

#[test]
fn each_mistake_has_its_code() {
    let host = Host::open();
    let mut page = host.page_with("");
    for (message, code) in [
        ("{", -32700),
        ("\"text\"", -32600),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"offer"}"#, -32602),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"offer","params":{"sdp":7}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"addCandidate","params":{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}}"#,
            -32001,
        ),
    ] {
        page.send_text(message);
        assert_eq!(page.next_answer()["error"]["code"], code, "{message}");
    }
    page.socket.send(Message::binary(vec![0xff, 0, 1])).unwrap();
    assert_eq!(page.next_answer()["error"]["code"], -32700);
    assert!(page.ok("ping", &json!({}))["hostTimeUs"].as_u64().unwrap() > 1_700_000_000_000_000);
}

#[test]
fn success_without_a_value_is_null() {
    let host = Host::open();
    let mut page = host.page_with("");
    for method in ["closeSession", "unsubscribeStats", "subscribeStats"] {
        let answer = page.call(method, &json!({}));
        assert!(
            answer.as_object().unwrap().contains_key("result"),
            "{answer}"
        );
        assert_eq!(answer["result"], Value::Null, "{method}");
    }
}

#[test]
fn parameters_may_be_missing_or_by_position() {
    let host = Host::open();
    let mut page = host.page_with("");
    page.send_text(r#"{"jsonrpc":"2.0","id":"by name","method":"ping"}"#);
    assert_eq!(page.next_answer()["id"], "by name");
    assert_eq!(page.ok("offer", &json!(["v=0"]))["sdp"], "answer 1");
}

#[test]
fn a_batch_is_answered_together_and_notifications_not_at_all() {
    let host = Host::open();
    let mut page = host.page_with("");
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "offer", "params": {"sdp": "v=0"}},
        {"jsonrpc": "2.0", "method": "ping"},
        {"jsonrpc": "2.0", "id": 2, "method": "nothing"},
        {"jsonrpc": "2.0", "method": "nothing"},
        7,
        {"jsonrpc": "2.0", "id": 3, "method": "ping"},
    ]);
    page.send_text(batch.to_string());
    let answers = page.next_answer();
    let ids: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["id"].clone())
        .collect();
    assert_eq!(ids, [json!(1), json!(2), Value::Null, json!(3)]);
    assert_eq!(answers[0]["result"]["sdp"], "answer 1");

    page.send_text(r#"[{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","method":"nothing"}]"#);
    page.notify("nothing", &json!({}));
    let answer = page.call("ping", &json!({}));
    assert!(
        answer["result"]["hostTimeUs"].is_u64(),
        "the first answer is the ping's: {answer}"
    );
}

/// A small generator of bytes, so that a failure can be repeated.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

#[test]
fn a_thousand_messages_of_garbage_are_each_answered_and_survived() {
    let host = Host::open();
    let mut page = host.page_with("");
    let mut noise = Noise(42);
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        "\"jsonrpc\":\"2.0\"",
        ",",
        ":",
        "\"id\":",
        "1",
        "null",
        "\"method\":",
        "\"offer\"",
        "\"params\":",
        "\"\\ud800\"",
        "-1e999",
        "[[[[[[[[",
        "\u{0}",
        "ß",
    ];
    for round in 0..1000 {
        let length = 1 + noise.next() % 40;
        let message = if round % 2 == 0 {
            let chosen = (0..length).map(|_| pieces[noise.next() as usize % pieces.len()]);
            Message::text(chosen.collect::<String>())
        } else {
            Message::binary((0..length).map(|_| noise.next() as u8).collect::<Vec<u8>>())
        };
        page.socket.send(message).unwrap();
        let answer = page.next_answer();
        let code = answer["error"]["code"].as_i64().unwrap();
        assert!((-32700..=-32600).contains(&code), "round {round}: {answer}");
    }
    page.ok("ping", &json!({}));
}

#[test]
fn a_message_of_the_greatest_length_is_taken_and_a_longer_one_ends_the_connection() {
    let host = Host::open();
    let mut page = host.page_with("");
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "offer", "params": {"sdp": ""}});
    let fill = MAX_MESSAGE_BYTES - frame.to_string().len();
    let id = page.send("offer", &json!({"sdp": "v".repeat(fill)}));
    assert_eq!(page.answer(id)["result"]["sdp"], "answer 1");
    let viewer = host.expect_offered();

    page.send_text("x".repeat(MAX_MESSAGE_BYTES + 1));
    let answer = page.next_answer();
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert_eq!(u16::from(page.close_frame().unwrap().code), 1009);
    host.expect_closed(viewer, control_api::EndReason::Error);
}

#[test]
fn an_endless_message_ends_the_connection_and_nothing_else() {
    let host = Host::open();
    let mut page = host.page_with("");
    // The other side stops reading somewhere in the middle, so writing may fail.
    let _ = page.socket.send(Message::text("x".repeat(8 * 1024 * 1024)));
    while page.socket.read().is_ok() {}
    host.page_with("").ok("ping", &json!({}));
}

#[test]
fn a_broken_frame_ends_the_connection_with_a_reason() {
    use std::io::Write as _;
    let host = Host::open();
    let mut page = host.page_with("");
    // An unmasked frame with a reserved opcode.
    page.socket.get_mut().write_all(&[0x83, 0x00]).unwrap();
    assert_eq!(u16::from(page.close_frame().unwrap().code), 1002);
}

#[test]
fn a_slow_call_holds_up_its_lane_but_no_other_and_the_lane_is_bounded() {
    let host = Host::open();
    let mut page = host.page_with("");
    let slow = page.send("offer", &json!({"sdp": "hold"}));
    let Event::Held(offer) = host.next_event() else {
        panic!("the offer is held");
    };
    let waiting: Vec<u64> = (0..1024)
        .map(|_| page.send("closeSession", &json!({})))
        .collect();
    let code = page.error_code("closeSession", &json!({}));
    assert_eq!(code, -32000, "the lane is full");
    page.ok("ping", &json!({}));
    page.ok("getHostState", &json!({}));

    let viewer = host.engine.accept(offer);
    assert_eq!(
        page.answer(slow)["result"]["sdp"],
        format!("answer {}", viewer.0)
    );
    let mut answered: Vec<u64> = waiting
        .iter()
        .map(|_| page.next_answer()["id"].as_u64().unwrap())
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, waiting);
    assert!(matches!(host.next_event(), Event::Offered(v) if v == viewer));
    host.expect_closed(viewer, control_api::EndReason::Quit);
}

#[test]
fn a_panic_in_a_handler_is_an_answer_like_any_other() {
    let host = Host::open();
    let mut page = host.page_with("");
    page.ok("offer", &json!({"sdp": "v=0"}));
    let bomb = json!({"candidate": "candidate:1 1 udp 1 192.0.2.66 9 typ host"});
    let answer = page.call("addCandidate", &bomb);
    assert_eq!(answer["error"]["code"], -32603);
    assert_eq!(answer["error"]["data"], "addCandidate");
    page.ok("ping", &json!({}));
}
