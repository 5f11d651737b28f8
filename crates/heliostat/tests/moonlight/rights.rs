//! What a paired client may do, changed in the middle of its stream, and taken away.

use crate::control::{letter, packets, recorded};
use crate::host::{Host, Pal, small, until_true};
use probe::control::Message;
use probe::hostile::{RawControl, open_session, open_session_late};
use probe::{Action, Error, parse_line};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn id_of_only_client(host: &Host) -> Value {
    let clients = host.call("listMoonlightClients", &json!({}));
    clients["clients"][0]["id"].clone()
}

fn change(host: &Host, change: &[(&str, Value)]) -> Value {
    let mut params = json!({ "id": id_of_only_client(host) });
    for (what, value) in change {
        params[what] = value.clone();
    }
    host.call("changeMoonlightClient", &params)
}

fn remove(host: &Host) {
    host.call(
        "removeMoonlightClient",
        &json!({ "id": id_of_only_client(host) }),
    );
}

fn mouse_move() -> Message {
    match parse_line("mouse-move 3 4").unwrap() {
        Some(Action::Send(mut messages)) => messages.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_keyboard_is_taken_from_a_stream_that_goes_on() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let session = open_session(&pal.client, &small(60)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = Some(Duration::from_secs(5));
    socket.set_read_timeout(patience).unwrap();
    let mut control = RawControl::connect(&session).unwrap();
    control.send(&Message::start_a(), 0).unwrap();
    control.send(&Message::start_b(), 1).unwrap();
    assert_eq!(packets(&session, &socket), 50);
    let typed = || -> String {
        let events = recorded(&host);
        let letters = events.iter().filter_map(|event| event["text"].as_str());
        letters.collect()
    };
    let mut arrives = |message: &Message, number: u32, what: &str, seen: &dyn Fn() -> bool| {
        control.send(message, number).unwrap();
        until_true(what, || {
            control.listen(Duration::from_millis(10));
            seen()
        });
    };
    arrives(&letter('a'), 2, "a letter arrives", &|| typed() == "a");
    let rights = json!({"keyboard": false, "pointer": true, "pads": true});
    let changed = change(&host, &[("rights", rights.clone()), ("name", json!("TV"))]);
    assert_eq!(changed["rights"], rights);
    assert_eq!(changed["sessions"].as_array().unwrap().len(), 1);
    let moved = || {
        recorded(&host)
            .iter()
            .any(|event| event["moveBy"] != json!(null))
    };
    arrives(&letter('b'), 3, "it is sent", &|| true);
    arrives(&mouse_move(), 4, "the mouse counts still", &moved);
    let sessions = host.call("listSessions", &json!({}));
    assert_eq!(sessions["sessions"][0]["name"], "TV");
    change(&host, &[("role", json!("viewer"))]);
    let sessions = host.call("listSessions", &json!({}));
    assert_eq!(sessions["sessions"][0]["canControl"], false);
    assert!(sessions.get("driver").is_none(), "{sessions}");
    assert_eq!(packets(&session, &socket), 50, "it still watches");
    pal.client.quit().unwrap();
    // It ends after all that was said before.
    until_true("the session is over", || host.sessions() == 0);
    assert_eq!(typed(), "a");
}

fn assert_out(host: &Host, pal: &Pal) {
    until_true("the session is over", || host.sessions() == 0);
    assert!(matches!(pal.client.apps(), Err(Error::NotPaired)));
}

#[test]
fn a_client_that_is_removed_is_out_in_the_middle_of_its_stream() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let (streamed, ()) = pal.stream_during(&small(60), || {
        remove(&host);
        assert_out(&host, &pal);
    });
    assert!(streamed.unwrap().ended_by_host);
}

#[test]
fn a_stream_ends_with_the_time_of_its_client() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let (streamed, ()) = pal.stream_during(&small(60), || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        change(&host, &[("expiresAt", json!(since.as_secs() + 2))]);
        assert_out(&host, &pal);
    });
    assert!(streamed.unwrap().ended_by_host);
}

#[test]
fn a_launch_of_a_removed_client_becomes_no_stream() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let opened = open_session_late(&pal.client, &small(60), || remove(&host));
    assert!(opened.is_err(), "{opened:?}");
    assert_eq!(host.sessions(), 0);
    // Nor does it keep its place: the app has nobody left.
    assert_eq!(pal.info().running_app, None);
}
