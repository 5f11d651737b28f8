//! Who drives: asking, giving, taking over and being thrown out, over real sockets.

use crate::client::Ws;
use crate::host::Host;
use control_api::EndReason;
use events::ViewerId;
use media::MonoTime;
use serde_json::{Value, json};

struct Two {
    host: Host,
    owner: Ws,
    one: (Ws, ViewerId),
    other: (Ws, ViewerId),
}

/// An owner that does not watch, and two guests that may drive. The first one drives.
fn two_guests() -> Two {
    let host = Host::start();
    let mut owner = host.page();
    let cookies = [0, 1].map(|_| host.guest(&mut owner, "controller"));
    let [one, other] = cookies.map(|cookie| host.watching(&cookie));
    Two {
        host,
        owner,
        one,
        other,
    }
}

fn named(viewer: ViewerId) -> Value {
    json!({"session": viewer.0.to_string()})
}

#[test]
fn everybody_sees_who_watches_and_who_drives() {
    let mut two = two_guests();
    let (one, other) = (two.one.1.0.to_string(), two.other.1.0.to_string());
    let list = two.other.0.ok("listSessions", &json!({}));
    assert_eq!(
        (&list["you"], &list["driver"]),
        (&json!(other), &json!(one))
    );
    assert_eq!(list["control"], "single");
    let shown: Vec<_> = list["sessions"].as_array().unwrap().iter().collect();
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0]["name"], "controller");
    assert_eq!(
        (&shown[0]["controls"], &shown[1]["controls"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(shown[1]["canControl"], true);
    assert!(
        shown[0].get("address").is_none(),
        "addresses are for administrators"
    );
    let list = two.owner.ok("listSessions", &json!({}));
    assert!(list.get("you").is_none());
    assert!(
        list["sessions"][0]["address"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(*two.host.engine.lead.lock().unwrap(), Some(two.one.1));
}

#[test]
fn a_request_goes_to_the_driver_and_its_answer_back() {
    let mut two = two_guests();
    let ((one, _), (other, asker)) = (&mut two.one, &mut two.other);
    assert_eq!(other.error_code("takeControl", &json!({})), -32003);
    let asked = other.ok("askControl", &json!({}));
    assert_eq!(asked["granted"], false);
    assert!((1..=15_000).contains(&asked["expiresInMs"].as_u64().unwrap()));
    let request = one.notification("controlRequested");
    assert_eq!(request["session"], asker.0.to_string());
    let answer = |grant: bool| json!({"session": asker.0.to_string(), "grant": grant});
    assert_eq!(
        other.error_code("answerControlRequest", &answer(true)),
        -32003
    );
    one.ok("answerControlRequest", &answer(false));
    other.notification("controlRefused");
    assert_eq!(
        one.error_code("answerControlRequest", &answer(true)),
        -32602
    );

    other.ok("askControl", &json!({}));
    one.ok("answerControlRequest", &answer(true));
    other.notification("controlGranted");
    assert_eq!(two.host.desk.permitted(), [asker.0]);
    let revoked = format!("{} revoked", two.one.1.0);
    assert!(
        two.host.desk.log().contains(&revoked),
        "{:?}",
        two.host.desk.log()
    );
}

#[test]
fn control_is_given_and_let_go() {
    let mut two = two_guests();
    let ((one, first), (other, second)) = (&mut two.one, &mut two.other);
    assert_eq!(other.error_code("giveControl", &named(*second)), -32003);
    one.ok("giveControl", &named(*second));
    other.notification("controlGranted");
    assert_eq!(two.host.desk.permitted(), [second.0]);
    other.ok("releaseControl", &json!({}));
    assert_eq!(two.host.desk.permitted(), [0_u32; 0]);
    assert_eq!(one.ok("askControl", &json!({}))["granted"], true);
    assert_eq!(two.host.desk.permitted(), [first.0]);
    assert_eq!(
        one.error_code("giveControl", &json!({"session": "999"})),
        -32602
    );
    // An administrator decides without a session of his own.
    two.owner.ok("giveControl", &named(*second));
    assert_eq!(two.host.desk.permitted(), [second.0]);
}

#[test]
fn the_same_person_takes_over_at_once_and_the_old_session_goes_on_watching() {
    let host = Host::start();
    let cookie = host.log_in();
    let (mut old, before) = host.watching(&cookie);
    let (mut new, after) = host.watching(&cookie);
    old.notification("otherSessionConnected");
    assert_eq!(host.desk.permitted(), [after.0]);
    assert_eq!(
        host.engine.leased(before),
        Some(true),
        "the encoder is not touched"
    );
    // A pause of the old one in the overlap is its own affair.
    old.ok("pauseVideo", &json!({}));
    assert_eq!(host.engine.leased(before), Some(false));
    assert_eq!(host.engine.leased(after), Some(true));
    new.ok("closeSession", &json!({}));
    host.expect_closed(after, EndReason::Quit);
    assert_eq!(
        host.desk.permitted(),
        [before.0],
        "the person still has the old one"
    );
}

#[test]
fn whoever_is_thrown_out_hears_why() {
    let mut two = two_guests();
    let ((one, first), (other, second)) = (&mut two.one, &mut two.other);
    assert_eq!(one.error_code("kick", &named(*second)), -32002);
    two.owner.ok("kick", &named(*first));
    two.host.expect_closed(*first, EndReason::Operator);
    assert_eq!(
        one.notification("sessionEnded"),
        json!({"reason": "operator"})
    );
    assert_eq!(two.owner.error_code("kick", &named(*first)), -32602);
    other.ok("takeControl", &json!({}));
    assert_eq!(two.host.desk.permitted(), [second.0]);
}

#[test]
fn with_shared_control_all_drive_who_may() {
    let mut two = two_guests();
    two.owner
        .ok("setControlPolicy", &json!({"control": "shared"}));
    let both = [two.one.1.0, two.other.1.0];
    assert_eq!(two.host.desk.permitted(), both);
    assert_eq!(*two.host.engine.lead.lock().unwrap(), None);
    two.owner
        .ok("setControlPolicy", &json!({"control": "single"}));
    assert_eq!(two.host.desk.permitted(), [0_u32; 0]);
    two.owner.ok("giveControl", &named(two.one.1));
    assert_eq!(two.host.desk.permitted(), [two.one.1.0]);
}

#[test]
fn only_the_driver_changes_the_stream() {
    let mut two = two_guests();
    let ((one, _), (other, _)) = (&mut two.one, &mut two.other);
    assert_eq!(
        one.ok("setStreamParameters", &json!({"fps": 30}))["fps"],
        30
    );
    assert_eq!(
        other.error_code("setStreamParameters", &json!({"fps": 30})),
        -32003
    );
    let refused = two.owner.call("setStreamParameters", &json!({"fps": 0}));
    assert_eq!(refused["error"]["code"], -32602);
    assert_eq!(refused["error"]["data"]["field"], "fps");
    assert_eq!(other.ok("getStreamParameters", &json!({}))["fps"], 60);
}

#[test]
fn a_request_that_nobody_answers_is_decided_by_what_the_driver_does() {
    // Fifteen seconds each: both at the same time.
    let idle = std::thread::spawn(|| {
        let mut two = two_guests();
        two.other.0.ok("askControl", &json!({}));
        two.one.0.notification("controlRequested");
        two.other
            .0
            .notification_alive("controlGranted", &mut two.one.0);
        assert_eq!(two.host.desk.permitted(), [two.other.1.0]);
    });
    let mut two = two_guests();
    two.other.0.ok("askControl", &json!({}));
    two.one.0.notification("controlRequested");
    *two.host.desk.active.lock().unwrap() = Some(MonoTime::now());
    two.other
        .0
        .notification_alive("controlRefused", &mut two.one.0);
    assert_eq!(two.host.desk.permitted(), [two.one.1.0]);
    idle.join().unwrap();
}
