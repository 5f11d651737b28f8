//! Random stories against a simple model of the host: sessions and apps that begin and end in any
//! order, and what must hold in all of them.

use super::*;
use media::{FrameRate, Size};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const CLIENTS: u8 = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    Launch {
        client: u8,
        app: i32,
    },
    Resume {
        client: u8,
    },
    Quit {
        client: u8,
    },
    Operator {
        client: u8,
    },
    /// Of the sessions there are, the one at this place.
    Live(usize),
    Gone(usize, EndReason),
    /// Of the apps there are, the one at this place.
    Exited(usize),
    Ended(usize),
    Tick {
        millis: u64,
    },
    StopAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..CLIENTS;
    let reason = prop_oneof![
        Just(EndReason::Lost),
        Just(EndReason::Timeout),
        Just(EndReason::Quit),
        Just(EndReason::Error)
    ];
    let step = prop_oneof![
        6 => (client.clone(), 1..4_i32).prop_map(|(client, app)| Step::Launch { client, app }),
        3 => client.clone().prop_map(|client| Step::Resume { client }),
        2 => client.clone().prop_map(|client| Step::Quit { client }),
        1 => client.prop_map(|client| Step::Operator { client }),
        6 => (0..6_usize).prop_map(Step::Live),
        5 => (0..6_usize, reason).prop_map(|(index, reason)| Step::Gone(index, reason)),
        1 => (0..6_usize).prop_map(Step::Exited),
        4 => (0..6_usize).prop_map(Step::Ended),
        4 => (0..6_000_u64).prop_map(|millis| Step::Tick { millis }),
    ];
    let many = proptest::collection::vec(step, 1..120);
    (many, any::<bool>()).prop_map(|(mut steps, stops)| {
        let middle = steps.len() / 2;
        if stops && middle > 30 {
            steps.insert(middle, Step::StopAll);
        }
        steps
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let conflict = prop_oneof![
        Just(ModeConflict::Separate),
        Just(ModeConflict::Join),
        Just(ModeConflict::Steal),
        Just(ModeConflict::Reject)
    ];
    let linger = prop_oneof![
        Just(Linger::Off),
        Just(Linger::Seconds(10)),
        Just(Linger::Forever)
    ];
    (conflict, linger, 1..5_u8).prop_map(|(conflict, linger, places)| Rules {
        conflict,
        linger,
        places: Places::new(places).unwrap(),
    })
}

#[derive(Debug)]
struct SessionModel {
    client: Client,
    guest: bool,
    live: bool,
    /// Why it was told to end.
    told: Option<EndReason>,
}

#[derive(Debug)]
struct AppModel {
    client: Client,
    app: AppId,
    stopped: bool,
    exited: bool,
    /// Since when nobody of its client is here.
    away: Option<MonoTime>,
}

impl AppModel {
    fn runs(&self) -> bool {
        !self.stopped && !self.exited
    }
}

/// The host as the tenancy may believe it to be.
struct Host {
    tenancy: Tenancy,
    rules: Rules,
    now: MonoTime,
    /// Requests without an answer.
    open: BTreeMap<Ticket, Client>,
    answered: BTreeSet<Ticket>,
    sessions: BTreeMap<Ticket, SessionModel>,
    apps: BTreeMap<RunId, AppModel>,
    stopping: bool,
}

fn client(number: u8) -> Client {
    Client([number; 32])
}

fn own_linger(app: i32) -> Option<Linger> {
    (app == 3).then_some(Linger::Seconds(3))
}

impl Host {
    fn new(rules: Rules) -> Self {
        Self {
            tenancy: Tenancy::new(rules),
            rules,
            now: MonoTime::from_nanos(1),
            open: BTreeMap::new(),
            answered: BTreeSet::new(),
            sessions: BTreeMap::new(),
            apps: BTreeMap::new(),
            stopping: false,
        }
    }

    fn step(&mut self, step: Step) {
        let now = self.now;
        let effects = match step {
            Step::Launch { client, app } => {
                let wanted = Wanted {
                    app: AppId::new(app).unwrap(),
                    linger: own_linger(app),
                };
                let (ticket, effects) = self.tenancy.launch(request(client), wanted, now);
                self.asked(ticket, client, effects)
            }
            Step::Resume { client } => {
                let (ticket, effects) = self.tenancy.resume(request(client), now);
                self.asked(ticket, client, effects)
            }
            Step::Quit { client: number } => self.tenancy.quit(client(number), now),
            Step::Operator { client: number } => {
                self.tenancy.end(client(number), EndReason::Operator, now)
            }
            Step::Live(index) => match self.sessions.iter_mut().nth(index) {
                Some((ticket, session)) => {
                    session.live = true;
                    self.tenancy.live(*ticket, now)
                }
                None => self.tenancy.live(Ticket(999), now),
            },
            Step::Gone(index, reason) => match self.sessions.keys().nth(index).copied() {
                Some(ticket) => self.gone(ticket, reason),
                None => self.tenancy.gone(Ticket(999), reason, now),
            },
            Step::Exited(index) => match self.apps.iter_mut().nth(index) {
                Some((run, app)) => {
                    app.exited |= !app.stopped;
                    self.tenancy.app_exited(*run, now)
                }
                None => self.tenancy.app_exited(RunId(999), now),
            },
            Step::Ended(index) => match self.apps.keys().nth(index).copied() {
                Some(run) => {
                    self.apps.remove(&run);
                    self.tenancy.app_ended(run, now)
                }
                None => self.tenancy.app_ended(RunId(999), now),
            },
            Step::Tick { millis } => {
                self.now = now + Duration::from_millis(millis);
                self.tenancy.tick(self.now)
            }
            Step::StopAll => {
                self.stopping = true;
                self.tenancy.stop_all(now)
            }
        };
        for effect in &effects {
            self.perform(effect, step);
        }
        self.check_all(step);
    }

    fn asked(&mut self, ticket: Ticket, number: u8, effects: Vec<Effect>) -> Vec<Effect> {
        self.open.insert(ticket, client(number));
        effects
    }

    /// The session goes, and is told of once, with the first reason.
    fn gone(&mut self, ticket: Ticket, reason: EndReason) -> Vec<Effect> {
        let session = self.sessions.remove(&ticket).unwrap();
        let mut effects = self.tenancy.gone(ticket, reason, self.now);
        let reason = session.told.unwrap_or(reason);
        let client = session.client;
        let ended = Effect::Ended {
            ticket,
            client,
            reason,
        };
        assert_eq!(effects.remove(0), ended);
        effects
    }

    fn answer(&mut self, ticket: Ticket) -> Client {
        assert!(self.answered.insert(ticket), "{ticket:?} is answered twice");
        self.open.remove(&ticket).expect("an answer to a request")
    }

    fn perform(&mut self, effect: &Effect, step: Step) {
        match *effect {
            Effect::Begin {
                ticket,
                client,
                resumed,
                app,
                ..
            } => {
                assert_eq!(self.answer(ticket), client);
                let running = self.apps.values().find(|app| app.client == client);
                assert_eq!(running.is_some(), resumed);
                assert!(running.is_none_or(|running| running.runs() && running.app == app));
                self.add_session(ticket, client, false);
            }
            Effect::Join {
                ticket,
                client,
                host,
                app,
                ..
            } => {
                assert_eq!(self.answer(ticket), client);
                assert_ne!(client, host);
                assert_eq!(self.tenancy.tenant(host).and_then(Tenant::app), Some(app));
                assert!(self.apps.values().all(|app| app.client != client));
                self.add_session(ticket, client, true);
            }
            Effect::Refuse { ticket, .. } => {
                self.answer(ticket);
            }
            Effect::EndSession { ticket, reason } => {
                let session = self
                    .sessions
                    .get_mut(&ticket)
                    .expect("a session that is here");
                assert_eq!(session.told.replace(reason), None, "told twice");
            }
            Effect::Ended { .. } => panic!("nothing is gone that was not reported"),
            Effect::StartApp {
                run, client, app, ..
            } => self.start(run, client, app),
            Effect::StopApp { run } => self.stop(run, step),
        }
    }

    fn start(&mut self, run: RunId, client: Client, app: AppId) {
        let mut sessions = self.sessions.values();
        let shows = |s: &SessionModel| s.client == client && s.live && !s.guest && s.told.is_none();
        assert!(
            sessions.any(shows),
            "an app starts before its session is live"
        );
        let mut apps = self.apps.values();
        assert!(apps.all(|app| app.client != client), "an app runs twice");
        let app = AppModel {
            client,
            app,
            stopped: false,
            exited: false,
            away: None,
        };
        assert!(self.apps.insert(run, app).is_none());
    }

    fn stop(&mut self, run: RunId, step: Step) {
        let app = self.apps.get_mut(&run).expect("an app that is here");
        assert!(app.runs(), "stopped twice, or after its end");
        app.stopped = true;
        if let (Step::Tick { .. }, Some(away)) = (step, app.away) {
            let linger = linger(self.rules, app.app);
            assert!(
                linger.is_some_and(|linger| self.now >= away + linger),
                "too early"
            );
        }
    }

    fn add_session(&mut self, ticket: Ticket, client: Client, guest: bool) {
        let mut sessions = self.sessions.values();
        assert!(
            sessions.all(|session| session.client != client),
            "two sessions of one client"
        );
        let others = self.sessions.values();
        match self.rules.conflict {
            ModeConflict::Separate | ModeConflict::Join => {}
            ModeConflict::Steal => assert_eq!(others.count(), 0),
            ModeConflict::Reject => assert!(others.into_iter().all(|other| other.told.is_some())),
        }
        let session = SessionModel {
            client,
            guest,
            live: false,
            told: None,
        };
        self.sessions.insert(ticket, session);
    }

    fn check_all(&mut self, step: Step) {
        for run in self.apps.values_mut() {
            let here = self.sessions.values().any(|s| s.client == run.client)
                || self.open.values().any(|client| *client == run.client);
            run.away = if here {
                None
            } else {
                run.away.or(Some(self.now))
            };
        }
        for run in self.apps.values().filter(|run| run.runs()) {
            if let Some(away) = run.away {
                let linger = linger(self.rules, run.app).expect("an app that may linger");
                assert!(self.now < away + linger, "a linger is over");
            }
            if self.open.values().all(|client| *client != run.client) {
                assert_eq!(self.tenancy.shown(run.client), Some(run.app));
            }
        }
        let owners = self
            .sessions
            .values()
            .filter(|s| !s.guest)
            .map(|s| s.client);
        let here: BTreeSet<Client> = owners
            .chain(self.apps.values().map(|app| app.client))
            .collect();
        assert!(here.len() <= self.rules.places.get(), "too many are here");
        if let Some(deadline) = self.tenancy.deadline() {
            assert!(deadline > self.now);
        }
        match step {
            Step::Quit { client: number } | Step::Operator { client: number } => {
                self.check_left(client(number));
            }
            Step::StopAll => (0..CLIENTS).for_each(|number| self.check_left(client(number))),
            _ => {}
        }
        if self.stopping {
            assert!(self.open.is_empty());
        }
    }

    /// A client that quit keeps nothing, and is shown nothing of its own.
    fn check_left(&self, who: Client) {
        assert!(self.open.values().all(|client| *client != who));
        let mut sessions = self
            .sessions
            .values()
            .filter(|session| session.client == who);
        assert!(sessions.all(|session| session.told.is_some()));
        assert!(
            self.apps
                .values()
                .filter(|app| app.client == who)
                .all(|app| !app.runs())
        );
        assert_eq!(self.tenancy.tenant(who).and_then(Tenant::app), None);
        if self.rules.conflict != ModeConflict::Join {
            assert_eq!(self.tenancy.shown(who), None);
        }
    }

    /// Everything that was told to end ends, and no more: afterwards every request has its answer.
    fn drain(&mut self) {
        loop {
            let told = self
                .sessions
                .values()
                .position(|session| session.told.is_some());
            let over = self.apps.values().position(|app| !app.runs());
            match (told, over) {
                (Some(index), _) => self.step(Step::Gone(index, EndReason::Lost)),
                (None, Some(index)) => self.step(Step::Ended(index)),
                (None, None) => return,
            }
        }
    }
}

fn request(number: u8) -> Request {
    Request {
        client: client(number),
        name: number.to_string(),
        mode: Mode {
            size: Size::new(1280, 720),
            fps: FrameRate::new(60).unwrap(),
        },
    }
}

/// How long an app may be left alone; nothing where not at all.
fn linger(rules: Rules, app: AppId) -> Option<Duration> {
    match own_linger(app.get()).unwrap_or(rules.linger) {
        Linger::Off => None,
        Linger::Seconds(seconds) => Some(Duration::from_secs(u64::from(seconds))),
        Linger::Forever => Some(Duration::from_secs(1 << 30)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn no_story_breaks_the_rules(rules in rules(), steps in steps()) {
        let mut host = Host::new(rules);
        for step in steps {
            host.step(step);
        }
        host.drain();
        assert!(host.open.is_empty(), "requests without an answer: {:?}", host.open);
        (0..CLIENTS).for_each(|client| host.step(Step::Quit { client }));
        host.drain();
        assert!(host.sessions.is_empty() && host.apps.is_empty());
        assert_eq!(host.tenancy.tenants().count(), 0);
    }
}
