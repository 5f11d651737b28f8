//! Who is let in, and who is not.

use crate::host::{Host, until_true};
use probe::hostile::Reaction;
use probe::{Error, hostile};
use serde_json::json;
use std::net::Shutdown;
use std::thread;

#[test]
fn the_right_pin_pairs_and_a_wrong_one_does_not() {
    let host = Host::small(&[]);
    let mut pal = host.stranger();
    let (wrong, told) = host.pair_and_hear(&mut pal, "1234", "1235");
    assert!(matches!(wrong, Err(Error::PinRefused)), "{wrong:?}");
    assert_eq!(told, json!({"ended": "wrong_pin"}));
    assert!(!pal.info().paired);
    assert!(matches!(pal.client.apps(), Err(Error::NotPaired)));
    let (right, told) = host.pair_and_hear(&mut pal, "1234", "1234");
    right.unwrap();
    assert!(pal.info().paired);
    let clients = host.call("listMoonlightClients", &json!({}));
    let paired = json!({"ended": "paired", "client": clients["clients"][0]});
    assert_eq!(
        (told, clients["clients"].as_array().unwrap().len()),
        (paired, 1)
    );
}

#[test]
fn clients_are_offered_modes_and_no_card_where_they_come_by_none() {
    let host = Host::small(&["--moonlight-dscp"]);
    let stranger = host.stranger();
    for info in [stranger.info(), host.paired().info()] {
        for mode in ["1280x720x60", "1920x1080x60", "3840x2160x60"] {
            let offered = info.display_modes.iter().any(|known| known == mode);
            assert!(offered, "{mode} in {:?}", info.display_modes);
        }
        assert_eq!(info.mac, None, "the loopback has no card");
    }
}

#[test]
fn a_client_that_was_removed_is_a_stranger_again() {
    let host = Host::small(&[]);
    let pal = host.paired();
    assert_eq!(pal.client.apps().unwrap().len(), 1);
    let clients = host.call("listMoonlightClients", &json!({}));
    host.call(
        "removeMoonlightClient",
        &json!({ "id": clients["clients"][0]["id"] }),
    );
    assert!(!pal.info().paired);
    assert!(matches!(pal.client.apps(), Err(Error::NotPaired)));
}

#[test]
fn a_client_that_unpairs_is_forgotten_by_both() {
    let host = Host::small(&[]);
    let mut pal = host.paired();
    assert!(pal.client.unpair().unwrap(), "the host took it");
    let clients = host.call("listMoonlightClients", &json!({}));
    assert_eq!(clients["clients"], json!([]));
    assert!(matches!(pal.client.apps(), Err(Error::NotPaired)));
    assert!(!pal.client.unpair().unwrap(), "there is nothing to forget");
}

#[test]
fn the_command_that_takes_a_pin_says_how_it_ended() {
    let host = Host::small(&[]);
    let mut pal = host.stranger();
    let mut typed = |pin: &str| {
        thread::scope(|scope| {
            let asking = scope.spawn(|| pal.client.pair("1234"));
            until_true("it waits", || !host.waiting().is_empty());
            let said = host.command(&["pair", pin, "--name", "Deck"]);
            let paired = asking.join().unwrap().is_ok();
            assert_eq!(said.status.success(), paired);
            String::from_utf8([said.stdout, said.stderr].concat()).unwrap()
        })
    };
    let wrong = typed("1235");
    assert!(
        wrong.contains("not the one that the client shows"),
        "{wrong}"
    );
    let right = typed("1234");
    assert!(right.starts_with("Paired: Deck (client "), "{right}");
}

/// What whoever entered a PIN is told once its client, which does not go on, asks for `request`.
fn told_after(request: &str) -> serde_json::Value {
    let host = Host::small(&[]);
    let held = hostile::half_open_pairings(host.port(0), 1).unwrap();
    until_true("it waits", || !host.waiting().is_empty());
    thread::scope(|scope| {
        let told = scope.spawn(|| host.call("enterPin", &json!({ "pin": "1234" })));
        until_true("the PIN is taken", || host.waiting().is_empty());
        let request = format!("GET /{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let reaction = hostile::send_tcp(host.port(0), request.as_bytes());
        assert!(matches!(reaction, Reaction::Answered(_)), "{reaction:?}");
        let told = told.join().unwrap();
        drop(held);
        told
    })
}

#[test]
fn whoever_entered_a_pin_hears_at_once_of_a_client_that_gives_up_or_errs() {
    for request in [
        "unpair?uniqueid=0123456789ABCDEF",
        // A step that is not the next one, and one that is none.
        "pair?uniqueid=0123456789ABCDEF&serverchallengeresp=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "pair?uniqueid=0123456789ABCDEF&clientchallenge=nonsense",
    ] {
        assert_eq!(
            told_after(request),
            json!({"ended": "gave_up"}),
            "{request}"
        );
    }
}

#[test]
fn half_open_pairings_are_bounded_and_end_with_their_connections() {
    let host = Host::small(&[]);
    let held = hostile::half_open_pairings(host.port(0), 40).unwrap();
    assert_eq!(held.len(), 40);
    until_true("some of them wait", || !host.waiting().is_empty());
    // Somebody who comes now is told, rather than kept waiting.
    let refused = host.pair(&mut host.stranger(), "1234", "1234");
    assert!(
        matches!(refused, Err(Error::Refused { .. } | Error::PinRefused)),
        "{refused:?}"
    );
    assert!(host.waiting().len() <= 8, "{:?}", host.waiting());
    for stream in held {
        let _ = stream.shutdown(Shutdown::Both);
    }
    until_true("none of them waits", || host.waiting().is_empty());
}

#[test]
fn strangers_are_refused_over_https_whatever_they_ask() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let app = pal.client.apps().unwrap()[0].id;
    let launch = format!(
        "launch?uniqueid=0123456789ABCDEF&appid={app}&mode=640x360x30&additionalStates=1&sops=0\
         &rikey=00112233445566778899aabbccddeeff&rikeyid=1&localAudioPlayMode=0\
         &surroundAudioInfo=196610&corever=1"
    );
    let resume = launch.replacen("launch", "resume", 1);
    let https = pal.info().https_port;
    for request in [
        "serverinfo?uniqueid=0123456789ABCDEF",
        "applist?uniqueid=0123456789ABCDEF",
        "cancel?uniqueid=0123456789ABCDEF",
        "unpair?uniqueid=0123456789ABCDEF",
        "pair?uniqueid=0123456789ABCDEF&devicename=roth&updateState=1&phrase=pairchallenge",
        &launch,
        &resume,
    ] {
        let status = hostile::ask_as_stranger(&host.address(), https, request);
        assert_eq!(status.unwrap(), 401, "{request}");
    }
    assert_eq!((host.sessions(), pal.info().running_app), (0, None));
    assert!(pal.info().paired, "unpair by a stranger undoes nothing");
}
