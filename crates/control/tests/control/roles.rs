//! Roles: every method and every route is refused to whoever may do less, and a viewer's input goes
//! nowhere, whichever way it comes.

use crate::host::Host;
use control_api::{Role, method_table};
use events::ViewerId;
use serde_json::json;
use sessions::{ChannelEvent, ChannelId};

#[test]
fn every_method_is_refused_below_its_role_and_to_nobody_else() {
    let host = Host::start();
    let mut owner = host.page();
    for (role, name) in [(Role::Viewer, "viewer"), (Role::Controller, "controller")] {
        let cookie = host.guest(&mut owner, name);
        let mut guest = host.page_with(&cookie);
        for method in method_table() {
            let answer = guest.call(method.name, &json!({}));
            let refused = answer["error"]["code"] == -32002;
            assert_eq!(
                refused,
                method.role > role,
                "{} for a {name}: {answer}",
                method.name
            );
        }
    }
    let harmless = method_table().iter().filter(|method| method.name != "quit");
    for method in harmless {
        let answer = owner.call(method.name, &json!({}));
        assert_ne!(answer["error"]["code"], -32002, "{}", method.name);
    }
}

#[test]
fn what_a_role_allows_is_as_people_expect() {
    let needed = |name: &str| {
        let method = method_table().iter().find(|method| method.name == name);
        method.unwrap_or_else(|| panic!("{name} is a method")).role
    };
    for name in [
        "sendInput",
        "setClipboard",
        "getClipboard",
        "takeControl",
        "askControl",
    ] {
        assert_eq!(needed(name), Role::Controller, "{name}");
    }
    for name in [
        "kick",
        "createShareLink",
        "selectSource",
        "setControlPolicy",
        "quit",
    ] {
        assert_eq!(needed(name), Role::Admin, "{name}");
    }
    assert!(
        method_table()
            .iter()
            .all(|method| method.role >= Role::Viewer)
    );
    let routes: Vec<_> = control::routes().collect();
    assert!(routes.iter().all(|route| route.needs <= Some(Role::Viewer)));
}

#[test]
fn every_route_is_refused_below_its_role() {
    let host = Host::start();
    let bearer = format!("Bearer {}", host.handle.player_token());
    for route in control::routes() {
        let path = route.path.replace("{id}", "x").replace("{*path}", "x");
        let player = [("Authorization", bearer.as_str())];
        let status = host
            .request(route.method.as_str(), &path, &player, b"")
            .status;
        let above = route.needs > Some(Role::Player);
        assert_eq!(status == 403, above, "{} {path}: {status}", route.method);
        let status = host.request(route.method.as_str(), &path, &[], b"").status;
        let closed = route.needs.is_some() || path == "/login";
        assert_eq!(status == 401, closed, "{} {path}: {status}", route.method);
    }
}

/// Opens the page's two input channels and sends a message on each.
fn type_blindly(host: &Host, viewer: ViewerId) {
    for (id, label) in [(ChannelId(1), "input"), (ChannelId(3), "motion")] {
        host.hub()
            .channel_event(viewer, ChannelEvent::Opened { id, label });
        let message = ChannelEvent::Message {
            id,
            binary: true,
            data: &[1, 2, 3],
        };
        host.hub().channel_event(viewer, message);
    }
}

#[test]
fn a_viewers_input_reaches_nothing_by_any_way() {
    let host = Host::start();
    let mut owner = host.page();
    let cookie = host.guest(&mut owner, "viewer");
    let (mut guest, viewer) = host.watching(&cookie);
    type_blindly(&host, viewer);
    let key = json!({"events": [{"type": "key", "code": "KeyA", "down": true}]});
    assert_eq!(guest.error_code("sendInput", &key), -32002);
    assert_eq!(guest.error_code("takeControl", &json!({})), -32002);
    assert_eq!(host.desk.permitted(), [0_u32; 0]);
    assert_eq!(host.desk.log(), [""; 0]);

    // One that may drive does, by each of these ways, and only once it drives.
    let cookie = host.guest(&mut owner, "controller");
    let (mut driver, viewer) = host.watching(&cookie);
    type_blindly(&host, viewer);
    driver.ok("sendInput", &key);
    let number = viewer.0;
    let expected = [
        format!("{number} Reliable [1, 2, 3]"),
        format!("{number} Motion [1, 2, 3]"),
        format!("{number} Key {{ code: \"KeyA\", down: true }}"),
    ];
    assert_eq!(host.desk.log(), expected);
    let cookie = host.guest(&mut owner, "controller");
    let (mut second, viewer) = host.watching(&cookie);
    type_blindly(&host, viewer);
    assert_eq!(second.error_code("sendInput", &key), -32003);
    assert_eq!(
        second.error_code("setClipboard", &json!({"text": "x"})),
        -32003
    );
    assert_eq!(host.desk.log().len(), 3);
}
