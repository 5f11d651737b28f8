//! Share links from their making to their end.

use crate::client::Ws;
use crate::host::Host;
use control_api::EndReason;
use serde_json::{Value, json};

fn share(owner: &mut Ws, role: &str, seconds: u32) -> Value {
    let wanted = json!({"role": role, "forSeconds": seconds, "name": "Guest"});
    owner.ok("createShareLink", &wanted)
}

#[test]
fn several_people_come_by_one_link_and_all_go_when_it_is_revoked() {
    let host = Host::start();
    let mut owner = host.page();
    let link = share(&mut owner, "viewer", 600);
    assert_eq!(
        (&link["role"], &link["name"]),
        (&json!("viewer"), &json!("Guest"))
    );
    let path = host.path_of(&link["url"]);
    let cookies = [0, 1].map(|_| host.get(&path, &[]).cookie().unwrap());
    assert_ne!(cookies[0], cookies[1]);
    let mut guests = cookies.clone().map(|cookie| host.watching(&cookie));
    // An owner that has the page open as well is not touched.
    let cookie = host.log_in();
    let (mut own, _) = host.watching(&cookie);

    let links = owner.ok("listShareLinks", &json!({}));
    assert_eq!(links["links"][0]["logins"], 2);
    assert!(
        links["links"][0].get("url").is_none(),
        "a link is shown once"
    );
    owner.ok("revokeShareLink", &json!({"id": link["id"]}));
    for (page, _) in &mut guests {
        assert_eq!(u16::from(page.close_frame().unwrap().code), 1008);
        assert_eq!(
            page.notification("sessionEnded"),
            json!({"reason": "operator"})
        );
    }
    let mut gone = [0, 1].map(|_| match host.next_event() {
        crate::engine::Event::Closed(viewer, EndReason::Operator) => viewer,
        other => panic!("expected an end: {other:?}"),
    });
    gone.sort_unstable();
    assert_eq!(gone, guests.map(|(_, viewer)| viewer));
    for cookie in &cookies {
        assert_eq!(host.get("/", &[("Cookie", cookie)]).status, 401);
    }
    assert_eq!(host.get(&path, &[]).status, 401);
    own.ok("ping", &json!({}));
    assert_eq!(owner.ok("listShareLinks", &json!({}))["links"], json!([]));
    assert_eq!(
        owner.error_code("revokeShareLink", &json!({"id": link["id"]})),
        -32602
    );
}

#[test]
fn a_link_ends_by_itself_with_everything_that_came_by_it() {
    let host = Host::start();
    let mut owner = host.page();
    let link = share(&mut owner, "controller", 2);
    let reply = host.get(&host.path_of(&link["url"]), &[]);
    assert!(reply.header("set-cookie").unwrap().contains("Max-Age="));
    assert!(
        !reply
            .header("set-cookie")
            .unwrap()
            .contains("Max-Age=2592000")
    );
    let cookie = reply.cookie().unwrap();
    let (mut guest, viewer) = host.watching(&cookie);
    // It waits for nothing else than the end of the link.
    assert_eq!(u16::from(guest.close_frame().unwrap().code), 1008);
    host.expect_closed(viewer, EndReason::Operator);
    assert_eq!(host.get("/", &[("Cookie", &cookie)]).status, 401);
    assert_eq!(host.desk.permitted(), [0_u32; 0]);
}

#[test]
fn a_player_session_of_a_guest_ends_with_the_link_as_well() {
    let host = Host::start();
    let mut owner = host.page();
    let link = share(&mut owner, "viewer", 600);
    let cookie = host.get(&host.path_of(&link["url"]), &[]).cookie().unwrap();
    let origin = host.origin();
    let headers = [
        ("Cookie", cookie.as_str()),
        ("Content-Type", "application/sdp"),
        ("Origin", origin.as_str()),
    ];
    assert_eq!(host.request("POST", "/whep", &headers, b"v=0").status, 201);
    let viewer = host.expect_offered();
    owner.ok("revokeShareLink", &json!({"id": link["id"]}));
    host.expect_closed(viewer, EndReason::Operator);
}

#[test]
fn a_guest_sees_the_role_and_may_open_the_link_again() {
    let host = Host::start();
    let mut owner = host.page();
    let link = share(&mut owner, "controller", 600);
    let path = host.path_of(&link["url"]);
    let cookie = host.get(&path, &[]).cookie().unwrap();
    let cookie = [("Cookie", cookie.as_str())];
    let session = host.get("/api/session", &cookie);
    assert_eq!(session.body, r#"{"name":"Guest","role":"controller"}"#);
    assert_eq!(host.get(&path, &cookie).status, 303, "in already");
    // The printed link makes a guest an owner.
    let newest = host.link();
    let reply = host.get(&newest, &cookie);
    assert_eq!(reply.status, 200);
    let promoted = reply.cookie().unwrap();
    let session = host.get("/api/session", &[("Cookie", &promoted)]);
    assert!(session.body.contains("admin"), "{}", session.body);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let host = Host::start();
    let mut owner = host.page();
    for (wanted, field) in [
        (json!({"role": "viewer", "forSeconds": 0}), "forSeconds"),
        (
            json!({"role": "viewer", "forSeconds": 2_592_001}),
            "forSeconds",
        ),
        (json!({"role": "player", "forSeconds": 60}), "role"),
        (
            json!({"role": "viewer", "forSeconds": 60, "name": "a\nb"}),
            "name",
        ),
        (
            json!({"role": "viewer", "forSeconds": 60, "name": "x".repeat(65)}),
            "name",
        ),
    ] {
        let answer = owner.call("createShareLink", &wanted);
        assert_eq!(answer["error"]["code"], -32602, "{wanted}");
        assert_eq!(answer["error"]["data"]["field"], field, "{answer}");
    }
    let role = json!({"role": "king", "forSeconds": 60});
    assert_eq!(owner.error_code("createShareLink", &role), -32602);
}

#[test]
fn open_access_needs_no_links() {
    let host = Host::open();
    let mut page = host.page_with("");
    let wanted = json!({"role": "viewer", "forSeconds": 60});
    assert_eq!(page.error_code("createShareLink", &wanted), -32004);
}
