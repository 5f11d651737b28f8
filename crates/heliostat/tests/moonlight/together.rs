//! Two clients at one host, by each rule of what happens when the second one comes.

use crate::host::{Host, Pal, assert_complete, assert_sound, small};
use probe::{Error, StreamOptions, Summary};

fn two(mode_conflict: &str) -> (Host, Pal, Pal) {
    let host = Host::small(&["--mode-conflict", mode_conflict]);
    let (first, second) = (host.paired(), host.paired());
    (host, first, second)
}

/// The second streams, in another size than the first, while the first does.
fn second_meanwhile(first: &Pal, second: &Pal) -> (Result<Summary, Error>, Result<Summary, Error>) {
    let other = StreamOptions {
        size: "480x270".parse().unwrap(),
        quit_after: true,
        ..small(2)
    };
    first.stream_during(&small(60), || second.stream(&other))
}

#[test]
fn separate_clients_have_streams_of_their_own() {
    let (host, first, second) = two("separate");
    let (one, two) = second_meanwhile(&first, &second);
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_complete(&one.total);
    assert_complete(&two.total);
    if let (Some(one), Some(two)) = (one.total.decoded, two.total.decoded) {
        assert_eq!((one.width, two.width), (640, 480));
    }
    assert!(!one.ended_by_host && !two.setup.resumed);
    // The second one quit its own app, and the first one's waits.
    assert!(first.info().running_app.is_some() && second.info().running_app.is_none());
    drop(host);
}

#[test]
fn a_client_that_joins_watches_what_the_first_one_has() {
    let (host, first, second) = two("join");
    let (one, (shown, two)) = first.stream_during(&small(60), || {
        let shown = second.info().running_app;
        // A client that joins sees the picture as it is.
        let joining = StreamOptions {
            quit_after: true,
            ..small(2)
        };
        (shown, second.stream(&joining))
    });
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(
        shown.is_some(),
        "what the first one has is shown to the second"
    );
    assert!(two.setup.resumed && !one.ended_by_host);
    assert_sound(&one.total);
    assert_sound(&two.total);
    for total in [&one.total, &two.total] {
        assert_eq!(total.frames_missing, total.frames_never_sent);
    }
    // Whoever watches along ends nothing.
    assert!(first.info().running_app.is_some());
    drop(host);
}

#[test]
fn a_client_that_steals_ends_the_first_one() {
    let (host, first, second) = two("steal");
    let (one, two) = second_meanwhile(&first, &second);
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.ended_by_host, "the first one is told");
    assert_sound(&one.total);
    assert_complete(&two.total);
    assert!(!two.setup.resumed);
    drop(host);
}

#[test]
fn a_second_client_is_refused_in_words_where_one_at_a_time_is_served() {
    let (host, first, second) = two("reject");
    let (one, two) = second_meanwhile(&first, &second);
    let Err(Error::Refused { reason, .. }) = two else {
        panic!("{two:?}");
    };
    assert!(reason.contains("busy"), "{reason}");
    let one = one.unwrap();
    assert_complete(&one.total);
    assert!(!one.ended_by_host);
    drop(host);
}
