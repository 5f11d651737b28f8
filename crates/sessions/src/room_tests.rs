//! The room: each rule once, and its invariants under every order of commands.

use super::*;
use crate::identity::LoginId;
use proptest::prelude::*;
use std::collections::BTreeSet;

const START: MonoTime = MonoTime::from_nanos(3_600_000_000_000);

fn at(seconds: u64) -> MonoTime {
    START + Duration::from_secs(seconds)
}

fn newcomer(role: Role, login: u64) -> Newcomer {
    Newcomer {
        identity: Identity {
            role,
            login: LoginId(login),
            name: Some(format!("login {login}")),
            rights: InputRights::ALL,
        },
        via: Via::WebSocket,
        address: None,
        since_ms: 0,
    }
}

const A: ViewerId = ViewerId(1);
const B: ViewerId = ViewerId(2);
const C: ViewerId = ViewerId(3);

fn room(members: &[(ViewerId, Role, u64)]) -> Room {
    let mut room = Room::new(ControlPolicy::Single);
    for (viewer, role, login) in members {
        room.apply(Command::Enter(*viewer, newcomer(*role, *login)), START)
            .unwrap();
    }
    room
}

fn two_people() -> Room {
    room(&[(A, Role::Controller, 10), (B, Role::Controller, 11)])
}

#[test]
fn the_first_who_may_drives_and_a_viewer_never_does() {
    let mut room = room(&[(A, Role::Viewer, 10), (B, Role::Controller, 11)]);
    assert_eq!(room.driver(), Some(B));
    for command in [Command::Take(A), Command::Ask(A)] {
        assert_eq!(room.apply(command, START), Err(Refusal::MayNotDrive));
    }
    let by = Actor {
        viewer: Some(B),
        role: Role::Controller,
    };
    let given = room.apply(Command::Give { by, to: A }, START);
    assert_eq!(given, Err(Refusal::MayNotDrive));
}

#[test]
fn a_player_watches_even_with_an_administrators_login() {
    let mut room = Room::default();
    let player = Newcomer {
        via: Via::Whep,
        ..newcomer(Role::Admin, 10)
    };
    room.apply(Command::Enter(A, player), START).unwrap();
    assert_eq!(room.driver(), None);
}

#[test]
fn the_same_person_takes_over_and_the_old_session_is_told_after_it_lost_its_keys() {
    let mut room = room(&[(A, Role::Controller, 10)]);
    let effects = room.apply(Command::Enter(B, newcomer(Role::Controller, 10)), START);
    let expected = vec![
        Effect::Revoke(A),
        Effect::Permit(B),
        Effect::Lead(Some(B)),
        Effect::Changed,
        Effect::Tell(A, Notice::OtherSessionConnected),
    ];
    assert_eq!(effects, Ok(expected));
    // When the new one goes, the person still has the old one.
    room.apply(Command::Leave(B), START).unwrap();
    assert_eq!(room.driver(), Some(A));
}

#[test]
fn another_person_has_to_ask() {
    let mut room = two_people();
    assert_eq!(room.apply(Command::Take(B), START), Err(Refusal::Held));
    let effects = room.apply(Command::Ask(B), START).unwrap();
    assert!(
        matches!(&effects[0], Effect::Tell(A, Notice::ControlRequested(r)) if r.session == SessionId(2))
    );
    assert_eq!(room.asked(B, START).expires_in_ms, Some(15_000));
    assert_eq!(room.driver(), Some(A));
    // Asking again changes nothing, and only one may ask at a time.
    assert_eq!(room.apply(Command::Ask(B), at(5)), Ok(vec![]));
    assert_eq!(room.deadline(), Some(at(15)));
    room.apply(Command::Enter(C, newcomer(Role::Controller, 12)), START)
        .unwrap();
    assert_eq!(
        room.apply(Command::Ask(C), at(5)),
        Err(Refusal::AnotherAsks)
    );
}

fn answer(room: &mut Room, by: ViewerId, grant: bool) -> Result<Effects, Refusal> {
    let by = Actor {
        viewer: Some(by),
        role: Role::Controller,
    };
    let asker = B;
    room.apply(Command::Answer { by, asker, grant }, START)
}

#[test]
fn the_driver_alone_answers() {
    let mut room = two_people();
    room.apply(Command::Ask(B), START).unwrap();
    assert_eq!(answer(&mut room, B, true), Err(Refusal::NotDriver));
    let refused = answer(&mut room, A, false).unwrap();
    assert!(refused.contains(&Effect::Tell(B, Notice::ControlRefused)));
    assert_eq!(answer(&mut room, A, true), Err(Refusal::NotAsking));
    room.apply(Command::Ask(B), START).unwrap();
    let granted = answer(&mut room, A, true).unwrap();
    assert_eq!(granted[..2], [Effect::Revoke(A), Effect::Permit(B)]);
    assert!(granted.contains(&Effect::Tell(B, Notice::ControlGranted)));
}

#[test]
fn a_driver_that_does_nothing_for_the_time_to_answer_loses_control() {
    let mut room = two_people();
    room.apply(Command::Ask(B), at(100)).unwrap();
    let before = Command::Tick {
        driver_active: None,
    };
    assert_eq!(room.apply(before, at(114)), Ok(vec![]));
    // It last typed before it was asked.
    let idle = Command::Tick {
        driver_active: Some(at(99)),
    };
    let effects = room.apply(idle, at(115)).unwrap();
    assert_eq!(room.driver(), Some(B));
    assert!(effects.contains(&Effect::Tell(B, Notice::ControlGranted)));
}

#[test]
fn a_driver_that_goes_on_working_keeps_control() {
    let mut room = two_people();
    room.apply(Command::Ask(B), at(100)).unwrap();
    let busy = Command::Tick {
        driver_active: Some(at(107)),
    };
    let effects = room.apply(busy, at(115)).unwrap();
    assert_eq!(room.driver(), Some(A));
    assert!(effects.contains(&Effect::Tell(B, Notice::ControlRefused)));
    assert_eq!(room.deadline(), None);
}

#[test]
fn who_asked_drives_when_the_driver_lets_go_or_leaves() {
    for goes in [Command::Release(A), Command::Leave(A)] {
        let mut room = two_people();
        room.apply(Command::Ask(B), START).unwrap();
        let effects = room.apply(goes, START).unwrap();
        assert_eq!(effects[..2], [Effect::Revoke(A), Effect::Permit(B)]);
        assert_eq!(room.driver(), Some(B));
    }
}

#[test]
fn an_administrator_takes_at_once() {
    let mut room = room(&[(A, Role::Controller, 10), (B, Role::Admin, 11)]);
    let effects = room.apply(Command::Take(B), START).unwrap();
    assert_eq!(effects[..2], [Effect::Revoke(A), Effect::Permit(B)]);
}

#[test]
fn a_pause_releases_keys_and_keeps_control() {
    let mut room = two_people();
    let effects = room.apply(Command::Paused(A, true), START);
    assert_eq!(effects, Ok(vec![Effect::ReleaseAll(A), Effect::Changed]));
    assert_eq!(room.driver(), Some(A));
    assert!(room.view(START).sessions()[0].paused);
}

#[test]
fn addresses_are_for_administrators() {
    let mut room = Room::default();
    let somebody = Newcomer {
        address: Some(([192, 0, 2, 1], 5).into()),
        ..newcomer(Role::Viewer, 10)
    };
    room.apply(Command::Enter(A, somebody), START).unwrap();
    let view = room.view(START);
    let shown = |role| view.list(None, role, START).sessions[0].address.clone();
    assert_eq!(shown(Role::Admin).as_deref(), Some("192.0.2.1:5"));
    assert_eq!(shown(Role::Controller), None);
}

/// The world outside the room, as its effects make it.
#[derive(Default)]
struct World {
    permitted: BTreeSet<ViewerId>,
    /// What the desk was told to take from whom.
    taken: BTreeMap<ViewerId, InputRights>,
    lead: Option<ViewerId>,
    waiting: BTreeSet<ViewerId>,
}

impl World {
    /// Performs effects as the hub does, with the room as it is after the command.
    fn perform(&mut self, effects: &[Effect], room: &Room, single: bool) {
        for effect in effects {
            if let Effect::Permit(viewer) | Effect::Revoke(viewer) | Effect::Allow(viewer) = effect
            {
                self.taken.insert(*viewer, room.rights(*viewer));
            }
            match effect {
                Effect::Permit(viewer) => {
                    assert!(self.permitted.insert(*viewer), "permitted twice");
                    assert!(!single || self.permitted.len() == 1, "two drive at a time");
                }
                Effect::Revoke(viewer) => {
                    assert!(self.permitted.remove(viewer), "revoked without having had");
                }
                Effect::Lead(viewer) => self.lead = *viewer,
                Effect::Tell(viewer, Notice::ControlGranted | Notice::ControlRefused) => {
                    self.waiting.remove(viewer);
                }
                Effect::Tell(..)
                | Effect::ReleaseAll(_)
                | Effect::Allow(_)
                | Effect::End(..)
                | Effect::Changed => {}
            }
        }
    }
}

fn commands() -> impl Strategy<Value = Command> {
    let viewer = || (1..6_u32).prop_map(ViewerId);
    let role = || {
        prop_oneof![
            Just(Role::Viewer),
            Just(Role::Controller),
            Just(Role::Controller),
            Just(Role::Admin)
        ]
    };
    let rights = || {
        any::<[bool; 3]>().prop_map(|[keyboard, pointer, pads]| InputRights {
            keyboard,
            pointer,
            pads,
        })
    };
    let anybody = move || {
        (role(), 10..13_u64, rights(), any::<bool>()).prop_map(|(role, login, rights, plays)| {
            let mut anybody = newcomer(role, login);
            if plays {
                anybody.via = Via::Moonlight;
                anybody.identity.rights = rights;
            }
            anybody
        })
    };
    let actor = || {
        (proptest::option::of(viewer()), role()).prop_map(|(viewer, role)| Actor { viewer, role })
    };
    prop_oneof![
        4 => (viewer(), anybody()).prop_map(|(viewer, who)| Command::Enter(viewer, who)),
        3 => (viewer(), anybody())
            .prop_map(|(viewer, who)| Command::Identify(viewer, who.identity)),
        2 => viewer().prop_map(Command::Leave),
        2 => viewer().prop_map(Command::Take),
        1 => viewer().prop_map(Command::Release),
        2 => (actor(), viewer()).prop_map(|(by, to)| Command::Give { by, to }),
        4 => viewer().prop_map(Command::Ask),
        2 => (actor(), viewer(), any::<bool>())
            .prop_map(|(by, asker, grant)| Command::Answer { by, asker, grant }),
        1 => viewer().prop_map(Command::Kick),
        1 => (viewer(), any::<bool>()).prop_map(|(viewer, p)| Command::Paused(viewer, p)),
        1 => prop_oneof![Just(ControlPolicy::Single), Just(ControlPolicy::Shared)]
            .prop_map(Command::Policy),
        2 => proptest::option::of(0..200_u64)
            .prop_map(|seconds| Command::Tick { driver_active: seconds.map(at) }),
    ]
}

proptest! {
    #[test]
    fn control_is_always_where_the_room_says_it_is(
        steps in proptest::collection::vec((commands(), 0..10_u64), 1..80),
    ) {
        let (mut room, mut world, mut seconds) = (Room::default(), World::default(), 0);
        for (command, passed) in steps {
            seconds += passed;
            if matches!(&command, Command::Enter(viewer, _) if room.members.contains_key(viewer)) {
                continue;
            }
            let (before, single) = (room.clone(), room.policy == ControlPolicy::Single);
            let asker = if let Command::Ask(viewer) = command { Some(viewer) } else { None };
            match room.apply(command, at(seconds)) {
                Err(_) => prop_assert_eq!(before.view(at(seconds)), room.view(at(seconds))),
                Ok(effects) => {
                    world.waiting.extend(asker.filter(|a| {
                        room.request.is_some_and(|request| request.asker == *a)
                    }));
                    let single = single && room.policy == ControlPolicy::Single;
                    world.perform(&effects, &room, single);
                }
            }
            check(&room, &mut world, at(seconds))?;
        }
    }
}

fn check(room: &Room, world: &mut World, now: MonoTime) -> Result<(), TestCaseError> {
    world
        .waiting
        .retain(|viewer| room.members.contains_key(viewer));
    let controls = room.members.keys().filter(|viewer| room.controls(**viewer));
    prop_assert_eq!(
        &controls.copied().collect::<BTreeSet<_>>(),
        &world.permitted
    );
    world
        .taken
        .retain(|viewer, _| room.members.contains_key(viewer));
    for viewer in room.members.keys() {
        let taken = world.taken.get(viewer).copied();
        prop_assert_eq!(taken.unwrap_or(InputRights::NONE), room.rights(*viewer));
    }
    for viewer in &world.permitted {
        prop_assert!(room.members[viewer].can_control());
    }
    prop_assert_eq!(world.lead, room.driver);
    if room.policy == ControlPolicy::Shared {
        prop_assert!(room.driver.is_none() && room.request.is_none());
    }
    match room.request {
        None => prop_assert!(world.waiting.is_empty(), "somebody was never answered"),
        Some(request) => {
            prop_assert!(room.driver.is_some_and(|driver| driver != request.asker));
            prop_assert!(room.members[&request.asker].can_control());
            prop_assert!(request.until.since(now) <= ANSWER_WITHIN);
            prop_assert_eq!(&world.waiting, &BTreeSet::from([request.asker]));
        }
    }
    Ok(())
}

fn moonlight(login: u64, rights: InputRights) -> Newcomer {
    let mut newcomer = newcomer(Role::Controller, login);
    newcomer.via = Via::Moonlight;
    newcomer.identity.rights = rights;
    newcomer
}

#[test]
fn whoever_plays_along_has_a_pad_and_nothing_else_until_it_drives() {
    let mut room = room(&[(A, Role::Controller, 10)]);
    let effects = room.apply(Command::Enter(B, moonlight(11, InputRights::ALL)), START);
    assert_eq!(effects, Ok(vec![Effect::Allow(B), Effect::Changed]));
    assert_eq!(room.rights(A), InputRights::ALL);
    assert_eq!(room.rights(B), InputRights::PADS);
    room.apply(Command::Leave(A), START).unwrap();
    room.apply(Command::Take(B), START).unwrap();
    assert_eq!(room.rights(B), InputRights::ALL);
    assert_eq!(room.rights(A), InputRights::NONE);
}

#[test]
fn a_driver_uses_no_class_of_input_that_it_was_not_given() {
    let mut room = Room::default();
    let rights = InputRights {
        keyboard: false,
        ..InputRights::ALL
    };
    room.apply(Command::Enter(A, moonlight(10, rights)), START)
        .unwrap();
    assert_eq!((room.driver(), room.rights(A)), (Some(A), rights));
    let nothing = moonlight(11, InputRights::NONE);
    room.apply(Command::Enter(B, nothing), START).unwrap();
    assert_eq!(
        room.apply(Command::Ask(B), START),
        Err(Refusal::MayNotDrive)
    );
    assert_eq!(room.rights(B), InputRights::NONE);
}

fn as_somebody(role: Role, rights: InputRights) -> Identity {
    Identity {
        role,
        rights,
        ..newcomer(Role::Controller, 11).identity
    }
}

#[test]
fn a_driver_that_may_no_longer_drive_loses_control_at_once() {
    let mut room = two_people();
    room.apply(Command::Ask(B), START).unwrap();
    let viewer = Identity {
        role: Role::Viewer,
        ..newcomer(Role::Controller, 10).identity
    };
    let effects = room.apply(Command::Identify(A, viewer), START).unwrap();
    // Whoever asked for control gets it, after the old driver's keys are up.
    assert_eq!(effects[..2], [Effect::Revoke(A), Effect::Permit(B)]);
    assert!(effects.contains(&Effect::Tell(B, Notice::ControlGranted)));
    assert_eq!(room.rights(A), InputRights::NONE);
    assert_eq!(
        room.apply(Command::Take(A), START),
        Err(Refusal::MayNotDrive)
    );
}

#[test]
fn a_class_of_input_is_taken_from_a_driver_that_goes_on_driving() {
    let mut room = Room::default();
    room.apply(Command::Enter(A, moonlight(11, InputRights::ALL)), START)
        .unwrap();
    let rights = InputRights {
        keyboard: false,
        ..InputRights::ALL
    };
    let who = as_somebody(Role::Controller, rights);
    let effects = room.apply(Command::Identify(A, who.clone()), START);
    assert_eq!(effects, Ok(vec![Effect::Allow(A), Effect::Changed]));
    assert_eq!((room.driver(), room.rights(A)), (Some(A), rights));
    // The same again is nothing new.
    let effects = room.apply(Command::Identify(A, who), START);
    assert_eq!(effects, Ok(vec![]));
}

#[test]
fn who_may_drive_from_now_on_does_not_do_so_by_itself() {
    let mut room = room(&[(B, Role::Controller, 10)]);
    let mut guest = moonlight(11, InputRights::ALL);
    guest.identity.role = Role::Viewer;
    room.apply(Command::Enter(C, guest), START).unwrap();
    room.apply(Command::Release(B), START).unwrap();
    let who = as_somebody(Role::Admin, InputRights::ALL);
    let effects = room.apply(Command::Identify(C, who), START);
    // Its pad counts beside a driver; the rest once it reaches for control.
    assert_eq!(effects, Ok(vec![Effect::Allow(C), Effect::Changed]));
    assert_eq!((room.driver(), room.rights(C)), (None, InputRights::PADS));
    room.apply(Command::Take(C), START).unwrap();
    assert_eq!(room.rights(C), InputRights::ALL);
}

#[test]
fn who_asked_and_may_no_longer_drive_is_refused() {
    let mut room = two_people();
    room.apply(Command::Ask(B), START).unwrap();
    let who = as_somebody(Role::Viewer, InputRights::ALL);
    let effects = room.apply(Command::Identify(B, who), START);
    let refused = Effect::Tell(B, Notice::ControlRefused);
    assert_eq!(effects, Ok(vec![refused, Effect::Changed]));
    assert_eq!((room.driver(), room.deadline()), (Some(A), None));
}
