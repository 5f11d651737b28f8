//! Moonlight clients: who hears of them, how they are paired, and how what they may do reaches
//! sessions that run. Whoever pairs them follows a script.

use crate::client::Ws;
use crate::host::Host;
use control_api::{
    ChangeMoonlightClient, EndReason, EnterPin, InputRights, MoonlightClient, PairingEnd,
    PendingPairing, PinOutcome, Role, Via,
};
use events::ViewerId;
use serde_json::{Value, json};
use sessions::{Admission, ClientsError, Identity, LoginId, MoonlightClients, PinPending, Session};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{oneshot, watch};

const PIN: &str = "1234";

/// Knows clients, and takes one PIN for all of them.
#[derive(Default)]
struct Script {
    waiting: Mutex<Vec<PendingPairing>>,
    waiting_changed: watch::Sender<()>,
    paired: Mutex<Vec<MoonlightClient>>,
    paired_changed: watch::Sender<()>,
}

impl Script {
    fn knock(&self, id: u64) {
        self.waiting.lock().unwrap().push(PendingPairing {
            id,
            name: "roth".to_owned(),
            address: "192.0.2.7".to_owned(),
            fingerprint: "ab".repeat(32),
            expires_in_ms: 120_000,
        });
        self.waiting_changed.send_replace(());
    }

    fn pair(&self, id: u32, change: impl FnOnce(&mut MoonlightClient)) {
        let mut client = MoonlightClient {
            id,
            name: format!("Client {id}"),
            role: Role::Admin,
            rights: InputRights::ALL,
            paired_at: now_s(),
            expires_at: None,
            fingerprint: "cd".repeat(32),
            sessions: Vec::new(),
        };
        change(&mut client);
        self.paired.lock().unwrap().push(client);
        self.paired_changed.send_replace(());
    }
}

impl MoonlightClients for Script {
    fn pairings(&self) -> Vec<PendingPairing> {
        self.waiting.lock().unwrap().clone()
    }

    fn pairings_changed(&self) -> watch::Receiver<()> {
        self.waiting_changed.subscribe()
    }

    fn clients(&self) -> Option<Vec<MoonlightClient>> {
        Some(self.paired.lock().unwrap().clone())
    }

    fn clients_changed(&self) -> watch::Receiver<()> {
        self.paired_changed.subscribe()
    }

    fn enter_pin(&self, entered: &EnterPin) -> Result<PinPending, ClientsError> {
        let waiting = self.waiting.lock().unwrap().clone();
        let which = match (entered.id, waiting.as_slice()) {
            (None, [_, _, ..]) => return Err(ClientsError::SeveralWait),
            (None, [only]) => only.id,
            (Some(id), all) if all.iter().any(|one| one.id == id) => id,
            _ => return Err(ClientsError::NotWaiting),
        };
        self.refuse_pairing(which)?;
        let mut outcome = PinOutcome {
            ended: PairingEnd::WrongPin,
            client: None,
            why: None,
        };
        if entered.pin == PIN {
            let id = 100 + which as u32;
            let name = entered.name.clone();
            self.pair(id, |client| {
                client.name = name.unwrap_or_else(|| "Moonlight".to_owned());
            });
            outcome.ended = PairingEnd::Paired;
            outcome.client = self.paired.lock().unwrap().last().cloned();
        }
        Ok(Box::pin(async move { outcome }))
    }

    fn refuse_pairing(&self, id: u64) -> Result<(), ClientsError> {
        let mut waiting = self.waiting.lock().unwrap();
        let place = waiting.iter().position(|one| one.id == id);
        waiting.remove(place.ok_or(ClientsError::NotWaiting)?);
        self.waiting_changed.send_replace(());
        Ok(())
    }

    fn change_client(&self, change: &ChangeMoonlightClient) -> Result<(), ClientsError> {
        let mut paired = self.paired.lock().unwrap();
        let client = paired.iter_mut().find(|client| client.id == change.id);
        let client = client.ok_or(ClientsError::Unknown)?;
        client.name = change.name.clone().unwrap_or_else(|| client.name.clone());
        client.role = change.role.unwrap_or(client.role);
        client.rights = change.rights.unwrap_or(client.rights);
        client.expires_at = change.expires_at.unwrap_or(client.expires_at);
        self.paired_changed.send_replace(());
        Ok(())
    }

    fn remove_client(&self, id: u32) -> Result<(), ClientsError> {
        let mut paired = self.paired.lock().unwrap();
        let place = paired.iter().position(|client| client.id == id);
        paired.remove(place.ok_or(ClientsError::Unknown)?);
        self.paired_changed.send_replace(());
        Ok(())
    }
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn served() -> (Host, Arc<Script>) {
    let host = Host::start();
    let script = Arc::new(Script::default());
    host.hub()
        .set_moonlight(Arc::clone(&script) as Arc<dyn MoonlightClients>);
    (host, script)
}

/// A stream of a Moonlight client, as its engine keeps it.
struct Stream {
    viewer: ViewerId,
    session: Session,
    ended: oneshot::Receiver<EndReason>,
    _engine: oneshot::Sender<EndReason>,
}

/// A stream begins; the client is thought to be an administrator, whatever it is now.
fn stream(host: &Host, number: u32, client: u32) -> Option<Stream> {
    let (engine, engine_ended) = oneshot::channel();
    let viewer = ViewerId(number);
    let admission = Admission {
        viewer,
        identity: Identity {
            role: Role::Admin,
            login: LoginId::of_client(client),
            name: Some("as it was".to_owned()),
            rights: InputRights::ALL,
        },
        via: Via::Moonlight,
        address: None,
        channels: None,
        notices: None,
        engine_ended,
    };
    let (session, ended) = host.hub().admit(admission).ok()?;
    Some(Stream {
        viewer,
        session,
        ended,
        _engine: engine,
    })
}

fn only_of(list: &Value, key: &str) -> Value {
    let all = list[key].as_array().unwrap();
    assert_eq!(all.len(), 1, "{list}");
    all[0].clone()
}

fn field_of(page: &mut Ws, method: &str, params: &Value) -> String {
    let answer = page.call(method, params);
    assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    answer["error"]["data"]["field"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn administrators_alone_hear_of_moonlight_clients() {
    let (host, script) = served();
    script.pair(1, |_| {});
    let mut owner = host.page();
    assert_eq!(
        owner.notification("pairingsChanged"),
        json!({"pairings": []})
    );
    let clients = owner.notification("moonlightClientsChanged");
    assert_eq!(only_of(&clients, "clients")["name"], "Client 1");
    let mut guests = ["viewer", "controller"].map(|role| {
        let cookie = host.guest(&mut owner, role);
        host.page_with(&cookie)
    });
    script.knock(7);
    let shown = only_of(&owner.notification("pairingsChanged"), "pairings");
    assert_eq!(
        shown,
        json!({"id": 7, "name": "roth", "address": "192.0.2.7", "fingerprint": "ab".repeat(32),
            "expiresInMs": 120_000})
    );
    script.pair(2, |_| {});
    owner.notification("moonlightClientsChanged");
    for guest in &mut guests {
        // What was told before the answer has been read by then.
        guest.ok("ping", &json!({}));
        host.engine
            .host_state
            .send_modify(|state| state.viewers += 1);
        while guest.notification("hostState")["viewers"] == 0 {}
        assert!(guest.seen("pairingsChanged").is_none());
        assert!(guest.seen("moonlightClientsChanged").is_none());
    }
}

#[test]
fn the_right_pin_pairs_the_one_it_is_for_and_the_answer_says_whom() {
    let (host, script) = served();
    let mut owner = host.page();
    script.knock(7);
    script.knock(8);
    let pin = json!({"pin": PIN});
    assert_eq!(field_of(&mut owner, "enterPin", &pin), "id");
    let entered = json!({"pin": PIN, "id": 8, "name": "Living room"});
    let outcome = owner.ok("enterPin", &entered);
    assert_eq!(outcome["ended"], "paired");
    let client = &outcome["client"];
    assert_eq!(
        (&client["id"], &client["name"], &client["sessions"]),
        (&json!(108), &json!("Living room"), &json!([]))
    );
    let outcome = owner.ok("enterPin", &pin);
    assert_eq!(outcome["client"]["id"], 107);
    let waiting = owner.ok("listPairings", &json!({}));
    assert_eq!(waiting, json!({"pairings": []}));
    let list = owner.ok("listMoonlightClients", &json!({}));
    assert_eq!(list["clients"].as_array().unwrap().len(), 2);
}

#[test]
fn a_wrong_pin_and_a_pin_for_nobody_are_told_apart() {
    let (host, script) = served();
    let mut owner = host.page();
    let wrong = json!({"pin": "4321"});
    assert_eq!(field_of(&mut owner, "enterPin", &wrong), "id");
    script.knock(7);
    let outcome = owner.ok("enterPin", &wrong);
    assert_eq!(outcome, json!({"ended": "wrong_pin"}));
    script.knock(8);
    owner.ok("refusePairing", &json!({"id": 8}));
    let gone = json!({"id": 8});
    assert_eq!(field_of(&mut owner, "refusePairing", &gone), "id");
}

#[test]
fn what_makes_no_sense_for_a_client_is_refused_by_name() {
    let (host, script) = served();
    script.pair(1, |_| {});
    script.knock(7);
    let mut owner = host.page();
    let now_ms = now_s() * 1000;
    for (change, field) in [
        (json!({"id": 1, "role": "player"}), "role"),
        (json!({"id": 1, "name": " "}), "name"),
        (json!({"id": 1, "name": "a\nb"}), "name"),
        (json!({"id": 1, "name": "x".repeat(65)}), "name"),
        (json!({"id": 1, "expiresAt": 1}), "expiresAt"),
        (json!({"id": 1, "expiresAt": now_ms}), "expiresAt"),
        (json!({"id": 9, "name": "x"}), "id"),
    ] {
        let told = field_of(&mut owner, "changeMoonlightClient", &change);
        assert_eq!(told, field, "{change}");
    }
    let missing = json!({"id": 1, "rights": {"keyboard": true}});
    assert_eq!(owner.error_code("changeMoonlightClient", &missing), -32602);
    let unknown = json!({"id": 9});
    assert_eq!(
        field_of(&mut owner, "removeMoonlightClient", &unknown),
        "id"
    );
    let named = json!({"pin": PIN, "name": "a\tb"});
    assert_eq!(field_of(&mut owner, "enterPin", &named), "name");
    assert_eq!(script.clients().unwrap()[0].name, "Client 1");
}

#[test]
fn other_rights_reach_a_session_that_runs_and_do_not_end_it() {
    let (host, script) = served();
    script.pair(1, |_| {});
    let mut owner = host.page();
    let stream = stream(&host, 50, 1).unwrap();
    let viewer = stream.viewer;
    assert_eq!(host.desk.rights(viewer), InputRights::ALL);
    let rights = json!({"keyboard": false, "pointer": true, "pads": true});
    let change = json!({"id": 1, "name": "TV", "rights": rights});
    let changed = owner.ok("changeMoonlightClient", &change);
    assert_eq!(changed["sessions"], json!(["50"]));
    // It is so before it is answered.
    let expected = InputRights {
        keyboard: false,
        ..InputRights::ALL
    };
    assert_eq!(host.desk.rights(viewer), expected);
    let viewer_only = json!({"id": 1, "role": "viewer"});
    owner.ok("changeMoonlightClient", &viewer_only);
    assert_eq!(host.desk.rights(viewer), InputRights::NONE);
    assert!(!stream.session.handle().controls());
    let list = owner.ok("listSessions", &json!({}));
    let session = only_of(&list, "sessions");
    assert_eq!(
        (&session["name"], &session["role"], &session["canControl"]),
        (&json!("TV"), &json!("viewer"), &json!(false))
    );
    assert!(list.get("driver").is_none());
    assert!(stream.session.handle().is_live());
}

#[test]
fn a_removed_client_is_out_at_once_and_does_not_come_back() {
    let (host, script) = served();
    script.pair(1, |_| {});
    script.pair(2, |_| {});
    let mut owner = host.page();
    let gone = stream(&host, 50, 1).unwrap();
    let other = stream(&host, 51, 2).unwrap();
    owner.ok("removeMoonlightClient", &json!({"id": 1}));
    assert!(!gone.session.handle().is_live());
    host.expect_closed(gone.viewer, EndReason::Operator);
    assert_eq!(gone.ended.blocking_recv(), Ok(EndReason::Operator));
    assert!(other.session.handle().is_live());
    assert!(stream(&host, 52, 1).is_none(), "it was let in again");
}

#[test]
fn a_client_is_let_in_as_what_it_is_now() {
    let (host, script) = served();
    script.pair(1, |client| {
        client.role = Role::Viewer;
        client.name = "Guest".to_owned();
    });
    script.pair(2, |client| client.expires_at = Some(now_s() - 1));
    let mut owner = host.page();
    let stream_of_guest = stream(&host, 50, 1).unwrap();
    assert_eq!(host.desk.rights(stream_of_guest.viewer), InputRights::NONE);
    let list = owner.ok("listSessions", &json!({}));
    assert_eq!(only_of(&list, "sessions")["name"], "Guest");
    assert!(stream(&host, 51, 2).is_none(), "its time is over");
}

#[test]
fn a_session_ends_with_its_clients_time() {
    let (host, script) = served();
    script.pair(1, |_| {});
    let stream = stream(&host, 50, 1).unwrap();
    let mut owner = host.page();
    let change = json!({"id": 1, "expiresAt": now_s() + 2});
    owner.ok("changeMoonlightClient", &change);
    // It waits for nothing but the end of the client's time.
    assert_eq!(stream.ended.blocking_recv(), Ok(EndReason::Expired));
    assert!(script.clients().unwrap()[0].expires_at.unwrap() <= now_s());
}

#[test]
fn a_client_that_goes_by_itself_takes_its_sessions_along() {
    let (host, script) = served();
    script.pair(1, |_| {});
    let stream = stream(&host, 50, 1).unwrap();
    script.remove_client(1).unwrap();
    assert_eq!(stream.ended.blocking_recv(), Ok(EndReason::Operator));
}

#[test]
fn who_is_connected_is_told_along_with_the_clients() {
    let (host, script) = served();
    script.pair(1, |_| {});
    let mut owner = host.page();
    owner.notification("moonlightClientsChanged");
    let stream = stream(&host, 50, 1).unwrap();
    let sessions = |told: Value| only_of(&told, "clients")["sessions"].clone();
    let told = owner.notification("moonlightClientsChanged");
    assert_eq!(sessions(told), json!(["50"]));
    stream.session.close(EndReason::Quit);
    let told = owner.notification("moonlightClientsChanged");
    assert_eq!(sessions(told), json!([]));
}

#[test]
fn a_host_without_moonlight_says_how_to_get_it() {
    let host = Host::start();
    let mut owner = host.page();
    for (method, params) in [
        ("listPairings", json!({})),
        ("enterPin", json!({"pin": PIN})),
        ("refusePairing", json!({"id": 1})),
        ("listMoonlightClients", json!({})),
        ("changeMoonlightClient", json!({"id": 1, "name": "x"})),
        ("removeMoonlightClient", json!({"id": 1})),
    ] {
        let answer = owner.call(method, &params);
        assert_eq!(answer["error"]["code"], -32004, "{method}: {answer}");
        let words = answer["error"]["message"].as_str().unwrap();
        assert!(words.contains("--moonlight"), "{words}");
    }
    owner.ok("ping", &json!({}));
    assert!(owner.seen("pairingsChanged").is_none());
    assert!(owner.seen("moonlightClientsChanged").is_none());
}
