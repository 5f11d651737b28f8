//! WHEP, as a player would use it.

use crate::client::Reply;
use crate::host::Host;
use control_api::EndReason;

const SDP: (&str, &str) = ("Content-Type", "application/sdp");
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");
const CANDIDATE: &str = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host";
const OFFER: &[u8] = b"v=0\r\na=ice-ufrag:abcd\r\n";

fn post(host: &Host, offer: &[u8]) -> Reply {
    host.request("POST", "/whep", &[SDP], offer)
}

#[test]
fn a_player_watches_from_offer_to_delete() {
    let host = Host::open();
    let created = post(&host, OFFER);
    let viewer = host.expect_offered();
    assert_eq!((created.status, created.body.as_str()), (201, "answer 1"));
    assert_eq!(created.header("content-type"), Some("application/sdp"));
    let session = created.header("location").unwrap();
    assert!(
        session.starts_with("/whep/") && session.len() > 40,
        "{session}"
    );
    let etag = created.header("etag").unwrap();

    let fragment =
        format!("a=ice-ufrag:abcd\r\na=mid:0\r\na={CANDIDATE}\r\na=end-of-candidates\r\n");
    let trickle =
        |headers: &[(&str, &str)]| host.request("PATCH", session, headers, fragment.as_bytes());
    assert_eq!(trickle(&[FRAGMENT, ("If-Match", etag)]).status, 204);
    assert_eq!(host.expect_candidate(viewer), CANDIDATE);
    assert_eq!(
        trickle(&[FRAGMENT]).status,
        204,
        "many players leave the entity tag out"
    );
    assert_eq!(host.expect_candidate(viewer), CANDIDATE);

    assert_eq!(host.request("DELETE", session, &[], b"").status, 200);
    host.expect_closed(viewer, EndReason::Quit);
    assert_eq!(host.request("DELETE", session, &[], b"").status, 404);
    assert_eq!(trickle(&[FRAGMENT]).status, 404);
}

#[test]
fn a_bad_offer_is_refused_with_a_reason() {
    let host = Host::open();
    for (offer, status, words) in [
        ("malformed", 400, "no media line"),
        ("codec", 422, "codec"),
        ("busy", 503, "as many viewers"),
        ("unavailable", 503, "no source"),
        ("drop", 503, "stopping"),
        ("panic", 503, "stopping"),
    ] {
        let reply = post(&host, offer.as_bytes());
        assert_eq!(reply.status, status, "{offer}");
        assert!(reply.body.contains(words), "{offer}: {}", reply.body);
        assert_eq!(
            reply.header("retry-after").is_some(),
            status == 503,
            "{offer}"
        );
    }
    assert_eq!(post(&host, b"\xff\xfe").status, 400);
    assert_eq!(
        post(&host, &vec![b'a'; sessions::MAX_MESSAGE_BYTES + 1]).status,
        413
    );
    let json = host.request(
        "POST",
        "/whep",
        &[("Content-Type", "application/json")],
        b"{}",
    );
    assert_eq!(json.status, 415);
    assert_eq!(host.request("POST", "/whep", &[], OFFER).status, 415);
    let parameters = [("Content-Type", "Application/SDP; charset=utf-8")];
    assert_eq!(
        host.request("POST", "/whep", &parameters, OFFER).status,
        201
    );
}

#[test]
fn a_bad_fragment_is_refused_and_the_session_lives() {
    let host = Host::open();
    let created = post(&host, OFFER);
    let viewer = host.expect_offered();
    let session = created.header("location").unwrap();
    let patch = |headers: &[(&str, &str)], body: &[u8]| {
        host.request("PATCH", session, headers, body).status
    };
    assert_eq!(patch(&[SDP], OFFER), 415);
    assert_eq!(patch(&[FRAGMENT, ("If-Match", "\"other\"")], b""), 412);
    assert_eq!(
        patch(&[FRAGMENT, ("If-Match", "*")], b""),
        422,
        "ICE restarts are not taken"
    );
    assert_eq!(
        patch(&[FRAGMENT], b"a=ice-ufrag:efgh\r\n"),
        422,
        "nor without saying so"
    );
    assert_eq!(patch(&[FRAGMENT], b"hello"), 400);
    assert_eq!(patch(&[FRAGMENT], b"a=candidate:x"), 400);
    assert_eq!(patch(&[FRAGMENT], b"\xff"), 400);
    assert_eq!(patch(&[FRAGMENT], format!("a={CANDIDATE}").as_bytes()), 204);
    assert_eq!(host.expect_candidate(viewer), CANDIDATE);
}

#[test]
fn what_whep_does_not_know_is_not_allowed() {
    let host = Host::open();
    assert_eq!(host.get("/whep", &[]).status, 405);
    assert_eq!(host.request("PUT", "/whep", &[], b"").status, 405);
    let options = host.request(
        "OPTIONS",
        "/whep",
        &[("Origin", "https://player.example")],
        b"",
    );
    assert_eq!(
        (options.status, options.header("accept-post")),
        (204, Some("application/sdp"))
    );
    assert_eq!(options.header("access-control-allow-origin"), None);
}

#[test]
fn a_session_that_the_engine_ended_is_gone() {
    let host = Host::open();
    let created = post(&host, OFFER);
    let session = created.header("location").unwrap();
    let viewer = host.expect_offered();
    host.engine.end(viewer, Some(EndReason::Timeout));
    // The end travels to the other thread; it is there once the session's address is unknown.
    let deadline = std::time::Instant::now() + crate::host::PATIENCE;
    while host.request("PATCH", session, &[FRAGMENT], b"").status != 404 {
        assert!(
            std::time::Instant::now() < deadline,
            "the session is still known"
        );
    }
    assert!(
        host.events.try_recv().is_err(),
        "it is not closed a second time"
    );
}

#[test]
fn players_are_bounded_in_number() {
    let host = Host::open();
    let statuses: Vec<u16> = (0..65).map(|_| post(&host, OFFER).status).collect();
    assert_eq!(statuses[..64], [201; 64]);
    assert_eq!(statuses[64], 503);
    let first = host.expect_offered();
    host.engine.end(first, None);
    let deadline = std::time::Instant::now() + crate::host::PATIENCE;
    while post(&host, OFFER).status != 201 {
        assert!(std::time::Instant::now() < deadline, "no place became free");
    }
}

#[test]
fn the_end_of_the_host_ends_every_player() {
    let host = Host::open();
    assert_eq!(post(&host, OFFER).status, 201);
    let viewer = host.expect_offered();
    let Host { handle, events, .. } = host;
    handle.shutdown();
    let event = events.recv_timeout(crate::host::PATIENCE).unwrap();
    let expected = format!("Closed({viewer:?}, HostStopped)");
    assert_eq!(format!("{event:?}"), expected);
}
