//! What each rule means, one story at a time.

use super::*;
use media::{FrameRate, Size};
use std::time::Duration;

const ANA: Client = Client([1; 32]);
const BEN: Client = Client([2; 32]);
const CLEO: Client = Client([3; 32]);
const STEAM: i32 = 7;
const DESKTOP: i32 = 9;

fn id(app: i32) -> AppId {
    AppId::new(app).unwrap()
}

fn wanted(app: i32) -> Wanted {
    let app = id(app);
    Wanted { app, linger: None }
}

/// A tenancy and its time; every answer to a request is kept.
struct Story {
    tenancy: Tenancy,
    now: MonoTime,
}

impl Story {
    fn new(rules: Rules) -> Self {
        Self {
            tenancy: Tenancy::new(rules),
            now: MonoTime::from_nanos(1),
        }
    }

    fn under(conflict: ModeConflict) -> Self {
        Self::new(Rules {
            conflict,
            ..Rules::default()
        })
    }

    fn request(client: Client) -> Request {
        let name = match client {
            ANA => "Ana",
            BEN => "Ben",
            _ => "Cleo",
        };
        Request {
            client,
            name: name.to_owned(),
            mode: mode(),
        }
    }

    fn launch(&mut self, client: Client, app: i32) -> (Ticket, Vec<Effect>) {
        self.tenancy
            .launch(Self::request(client), wanted(app), self.now)
    }

    fn resume(&mut self, client: Client) -> (Ticket, Vec<Effect>) {
        self.tenancy.resume(Self::request(client), self.now)
    }

    fn live(&mut self, ticket: Ticket) -> Vec<Effect> {
        self.tenancy.live(ticket, self.now)
    }

    fn gone(&mut self, ticket: Ticket, reason: EndReason) -> Vec<Effect> {
        self.tenancy.gone(ticket, reason, self.now)
    }

    fn quit(&mut self, client: Client) -> Vec<Effect> {
        self.tenancy.quit(client, self.now)
    }

    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        self.now = self.now + time;
        self.tenancy.tick(self.now)
    }

    fn shown(&self, client: Client) -> Option<i32> {
        self.tenancy.shown(client).map(AppId::get)
    }

    /// A client streams an app.
    fn streams(&mut self, client: Client, app: i32) -> (Ticket, RunId) {
        let (ticket, effects) = self.launch(client, app);
        assert_eq!(effects, [begin(ticket, client, app, false)]);
        let started = self.live(ticket);
        let [Effect::StartApp { run, .. }] = started[..] else {
            panic!("not started: {started:?}");
        };
        (ticket, run)
    }
}

fn mode() -> Mode {
    Mode {
        size: Size::new(1920, 1080),
        fps: FrameRate::new(60).unwrap(),
    }
}

fn begin(ticket: Ticket, client: Client, app: i32, resumed: bool) -> Effect {
    let (app, mode) = (id(app), mode());
    Effect::Begin {
        ticket,
        client,
        app,
        mode,
        resumed,
    }
}

fn join(ticket: Ticket, client: Client, host: Client, app: i32) -> Effect {
    let (app, mode) = (id(app), mode());
    Effect::Join {
        ticket,
        client,
        host,
        app,
        mode,
    }
}

fn refuse(ticket: Ticket, why: Refusal) -> Effect {
    Effect::Refuse { ticket, why }
}

fn end(ticket: Ticket, reason: EndReason) -> Effect {
    Effect::EndSession { ticket, reason }
}

fn ended(ticket: Ticket, client: Client, reason: EndReason) -> Effect {
    Effect::Ended {
        ticket,
        client,
        reason,
    }
}

fn stop(run: RunId) -> Effect {
    Effect::StopApp { run }
}

#[test]
fn an_app_starts_once_its_session_is_live_and_never_again() {
    let mut story = Story::new(Rules::default());
    assert_eq!(story.shown(ANA), None);
    let (ticket, effects) = story.launch(ANA, STEAM);
    assert_eq!(effects, [begin(ticket, ANA, STEAM, false)]);
    assert_eq!(story.shown(ANA), Some(STEAM));
    let run = RunId(1);
    let start = Effect::StartApp {
        run,
        client: ANA,
        app: id(STEAM),
        mode: mode(),
    };
    assert_eq!(story.live(ticket), [start]);
    assert_eq!(story.live(ticket), [], "the capture came back");
}

#[test]
fn a_bare_disconnect_lets_the_app_linger_and_a_resume_finds_it() {
    let mut story = Story::new(Rules::default());
    let (ticket, run) = story.streams(ANA, STEAM);
    // Leaving without a quit is a disconnect too.
    let left = story.gone(ticket, EndReason::Quit);
    assert_eq!(left, [ended(ticket, ANA, EndReason::Quit)]);
    assert_eq!(story.pass(Duration::from_millis(9_999)), []);
    assert_eq!(story.shown(ANA), Some(STEAM));
    assert_eq!(story.shown(BEN), None);
    let (again, effects) = story.resume(ANA);
    assert_eq!(effects, [begin(again, ANA, STEAM, true)]);
    assert_eq!(story.live(again), [], "it runs already");
    assert_eq!(story.tenancy.deadline(), None);

    story.gone(again, EndReason::Lost);
    let until = story.tenancy.deadline().unwrap();
    assert_eq!(until.since(story.now), Duration::from_secs(10));
    assert_eq!(story.pass(Duration::from_secs(10)), [stop(run)]);
    assert_eq!(story.shown(ANA), None);
    let (late, effects) = story.resume(ANA);
    assert_eq!(effects, [refuse(late, Refusal::NothingToResume)]);
    assert_eq!(story.tenancy.app_ended(run, story.now), []);
    assert_eq!(story.tenancy.tenants().count(), 0);
}

#[test]
fn a_linger_is_off_or_for_good_by_the_app_s_own_word() {
    for (linger, stops, state) in [
        (Linger::Off, true, State::Leaving),
        (Linger::Forever, false, State::Pinned),
    ] {
        let mut story = Story::new(Rules::default());
        let own = Wanted {
            linger: Some(linger),
            ..wanted(STEAM)
        };
        let (ticket, _) = story.tenancy.launch(Story::request(ANA), own, story.now);
        story.live(ticket);
        let effects = story.gone(ticket, EndReason::Lost);
        assert_eq!(effects.contains(&stop(RunId(1))), stops, "{linger:?}");
        assert_eq!(story.pass(Duration::from_secs(1_000_000)), []);
        let states: Vec<State> = story.tenancy.tenants().map(|tenant| tenant.state).collect();
        assert_eq!(states, [state]);
    }
}

#[test]
fn a_client_that_comes_again_first_retires_its_own_session() {
    let mut story = Story::new(Rules::default());
    let (old, run) = story.streams(ANA, STEAM);
    let (new, effects) = story.resume(ANA);
    assert_eq!(effects, [end(old, EndReason::Replaced)]);
    let effects = story.gone(old, EndReason::Timeout);
    let expected = [
        ended(old, ANA, EndReason::Replaced),
        begin(new, ANA, STEAM, true),
    ];
    assert_eq!(effects, expected);

    // With another app, the old one has to be gone too.
    let (other, effects) = story.launch(ANA, DESKTOP);
    assert_eq!(effects, [end(new, EndReason::Replaced), stop(run)]);
    let effects = story.gone(new, EndReason::Lost);
    assert_eq!(effects, [ended(new, ANA, EndReason::Replaced)]);
    let effects = story.tenancy.app_ended(run, story.now);
    assert_eq!(effects, [begin(other, ANA, DESKTOP, false)]);
}

#[test]
fn of_several_requests_of_one_client_the_last_is_granted() {
    let mut story = Story::new(Rules::default());
    let (old, _) = story.streams(ANA, STEAM);
    let (first, _) = story.resume(ANA);
    let (second, effects) = story.resume(ANA);
    assert_eq!(effects, [refuse(first, Refusal::Superseded)]);
    let effects = story.gone(old, EndReason::Lost);
    assert_eq!(effects[1..], [begin(second, ANA, STEAM, true)]);
}

#[test]
fn a_quit_skips_the_linger_is_shown_at_once_and_touches_nobody_else() {
    let mut story = Story::new(Rules::default());
    let (ana, run) = story.streams(ANA, STEAM);
    story.streams(BEN, STEAM);
    assert_eq!(story.quit(ANA), [end(ana, EndReason::Quit), stop(run)]);
    assert_eq!(story.shown(ANA), None);
    assert_eq!(story.shown(BEN), Some(STEAM));
    assert_eq!(story.quit(ANA), []);
    let effects = story.gone(ana, EndReason::Lost);
    assert_eq!(effects, [ended(ana, ANA, EndReason::Quit)]);
    assert_eq!(story.tenancy.app_ended(run, story.now), []);
    assert_eq!(story.tenancy.tenants().count(), 1);
    assert_eq!(story.quit(CLEO), []);
}

#[test]
fn an_app_that_lingers_can_be_quit_and_launched_anew() {
    let mut story = Story::new(Rules::default());
    let (ticket, run) = story.streams(ANA, STEAM);
    story.gone(ticket, EndReason::Lost);
    assert_eq!(story.quit(ANA), [stop(run)]);
    let (new, effects) = story.launch(ANA, STEAM);
    assert_eq!(effects, [], "what was prepared is being undone");
    let effects = story.tenancy.app_ended(run, story.now);
    assert_eq!(effects, [begin(new, ANA, STEAM, false)]);
}

#[test]
fn a_quit_while_waiting_is_not_lost() {
    let mut story = Story::new(Rules::default());
    let (old, run) = story.streams(ANA, STEAM);
    let (new, _) = story.resume(ANA);
    let effects = story.quit(ANA);
    let why = Refusal::Ended(EndReason::Quit);
    assert_eq!(effects, [refuse(new, why), stop(run)]);
    let effects = story.gone(old, EndReason::Lost);
    assert_eq!(effects, [ended(old, ANA, EndReason::Replaced)]);
    assert_eq!(story.shown(ANA), None);
}

#[test]
fn an_app_that_ends_by_itself_ends_its_session() {
    let mut story = Story::new(Rules::default());
    let (ticket, run) = story.streams(ANA, STEAM);
    let effects = story.tenancy.app_exited(run, story.now);
    assert_eq!(effects, [end(ticket, EndReason::SourceEnded)]);
    assert_eq!(story.tenancy.app_ended(run, story.now), []);
    let effects = story.gone(ticket, EndReason::Quit);
    assert_eq!(effects, [ended(ticket, ANA, EndReason::SourceEnded)]);
    assert_eq!(story.tenancy.tenants().count(), 0);
}

#[test]
fn a_failed_launch_leaves_the_session_and_nothing_to_linger() {
    let mut story = Story::new(Rules::default());
    let (ticket, run) = story.streams(ANA, STEAM);
    assert_eq!(story.tenancy.app_ended(run, story.now), []);
    assert_eq!(story.shown(ANA), Some(STEAM), "so that it can be quit");
    assert_eq!(story.live(ticket), []);
    let effects = story.gone(ticket, EndReason::Lost);
    assert_eq!(effects, [ended(ticket, ANA, EndReason::Lost)]);
    assert_eq!(story.shown(ANA), None);
}

#[test]
fn a_session_that_never_came_leaves_nothing() {
    let mut story = Story::new(Rules::default());
    let (ticket, _) = story.launch(ANA, STEAM);
    let effects = story.gone(ticket, EndReason::Timeout);
    assert_eq!(effects, [ended(ticket, ANA, EndReason::Timeout)]);
    assert_eq!(story.tenancy.tenants().count(), 0);
}

#[test]
fn separate_sessions_stand_beside_each_other() {
    let mut story = Story::under(ModeConflict::Separate);
    story.streams(ANA, STEAM);
    assert_eq!(story.shown(BEN), None);
    story.streams(BEN, STEAM);
    let (ticket, effects) = story.resume(CLEO);
    assert_eq!(effects, [refuse(ticket, Refusal::NothingToResume)]);
}

#[test]
fn who_joins_watches_the_same_app_along_and_cannot_quit_it() {
    let mut story = Story::under(ModeConflict::Join);
    let (ana, run) = story.streams(ANA, STEAM);
    assert_eq!(story.shown(BEN), Some(STEAM));
    let (other, effects) = story.launch(BEN, DESKTOP);
    let name = "Ana".to_owned();
    let busy = Refusal::Busy { mode: mode(), name };
    assert_eq!(busy.to_string(), "busy: 1920x1080@60 streams to Ana");
    assert_eq!(effects, [refuse(other, busy)]);

    let (ben, effects) = story.resume(BEN);
    assert_eq!(effects, [join(ben, BEN, ANA, STEAM)]);
    assert_eq!(story.live(ben), []);
    assert_eq!(story.quit(BEN), [end(ben, EndReason::Quit)]);
    story.gone(ben, EndReason::Quit);
    assert_eq!(story.shown(BEN), Some(STEAM), "it is not Ben's to quit");

    let (ben, effects) = story.launch(BEN, STEAM);
    assert_eq!(effects, [join(ben, BEN, ANA, STEAM)]);
    let effects = story.quit(ANA);
    let expected = [
        end(ana, EndReason::Quit),
        stop(run),
        end(ben, EndReason::SourceEnded),
    ];
    assert_eq!(effects, expected);
    assert_eq!(story.shown(BEN), None);
}

#[test]
fn a_guest_may_stay_while_the_host_s_app_lingers_and_no_longer() {
    let mut story = Story::under(ModeConflict::Join);
    let (ana, run) = story.streams(ANA, STEAM);
    let (ben, _) = story.resume(BEN);
    assert_eq!(story.gone(ana, EndReason::Lost).len(), 1);
    let effects = story.pass(Duration::from_secs(10));
    assert_eq!(effects, [end(ben, EndReason::SourceEnded), stop(run)]);
}

#[test]
fn who_steals_begins_when_the_other_is_gone_and_its_app_lingers() {
    let mut story = Story::under(ModeConflict::Steal);
    let (ana, run) = story.streams(ANA, STEAM);
    assert_eq!(story.shown(BEN), None);
    let (ben, effects) = story.launch(BEN, DESKTOP);
    assert_eq!(effects, [end(ana, EndReason::Replaced)]);
    let effects = story.gone(ana, EndReason::Lost);
    let expected = [
        ended(ana, ANA, EndReason::Replaced),
        begin(ben, BEN, DESKTOP, false),
    ];
    assert_eq!(effects, expected);
    assert_eq!(story.shown(ANA), Some(STEAM));
    assert_eq!(story.pass(Duration::from_secs(10)), [stop(run)]);
}

#[test]
fn with_one_place_who_steals_takes_the_place_too() {
    let mut story = Story::new(Rules {
        conflict: ModeConflict::Steal,
        places: Places::new(1).unwrap(),
        linger: Linger::Forever,
    });
    let (ana, run) = story.streams(ANA, STEAM);
    let (ben, effects) = story.launch(BEN, DESKTOP);
    assert_eq!(effects, [end(ana, EndReason::Replaced), stop(run)]);
    assert_eq!(story.gone(ana, EndReason::Lost).len(), 1);
    let effects = story.tenancy.app_ended(run, story.now);
    assert_eq!(effects, [begin(ben, BEN, DESKTOP, false)]);
}

#[test]
fn who_is_rejected_is_told_who_streams() {
    let mut story = Story::under(ModeConflict::Reject);
    let (ana, _) = story.streams(ANA, STEAM);
    let (ben, effects) = story.launch(BEN, STEAM);
    let name = "Ana".to_owned();
    let busy = Refusal::Busy { mode: mode(), name };
    assert_eq!(effects, [refuse(ben, busy)]);
    assert_eq!(story.shown(BEN), None);
    // The same client is no other, and one that is away holds no stream.
    let (again, _) = story.resume(ANA);
    story.gone(ana, EndReason::Lost);
    story.gone(again, EndReason::Lost);
    let (ben, effects) = story.launch(BEN, STEAM);
    assert_eq!(effects, [begin(ben, BEN, STEAM, false)]);
    let (ana, effects) = story.resume(ANA);
    assert!(
        matches!(&effects[..], [Effect::Refuse { ticket, why: Refusal::Busy { .. } }] if *ticket == ana)
    );
    assert_eq!(story.shown(ANA), Some(STEAM), "it can still be quit");
}

#[test]
fn for_want_of_a_place_the_app_nearest_to_its_end_goes_and_a_pinned_one_never() {
    let mut story = Story::new(Rules {
        places: Places::new(2).unwrap(),
        ..Rules::default()
    });
    let pinned = Wanted {
        linger: Some(Linger::Forever),
        ..wanted(STEAM)
    };
    let (ana, _) = story.tenancy.launch(Story::request(ANA), pinned, story.now);
    story.live(ana);
    let (ben, run) = story.streams(BEN, DESKTOP);
    let (cleo, effects) = story.launch(CLEO, STEAM);
    assert_eq!(effects, [refuse(cleo, Refusal::Full { max: 2 })]);
    story.gone(ana, EndReason::Lost);
    let (cleo, effects) = story.launch(CLEO, STEAM);
    assert_eq!(effects, [refuse(cleo, Refusal::Full { max: 2 })]);
    story.gone(ben, EndReason::Lost);
    let (cleo, effects) = story.launch(CLEO, STEAM);
    assert_eq!(effects, [stop(run)]);
    assert_eq!(story.shown(BEN), None);
    let (back, effects) = story.launch(BEN, DESKTOP);
    assert_eq!(effects, [refuse(back, Refusal::Full { max: 2 })]);
    let effects = story.tenancy.app_ended(run, story.now);
    assert_eq!(effects, [begin(cleo, CLEO, STEAM, false)]);
}

#[test]
fn when_the_host_stops_everything_ends_and_nothing_begins() {
    let mut story = Story::new(Rules::default());
    let (ana, run) = story.streams(ANA, STEAM);
    let (new, _) = story.resume(ANA);
    let why = || Refusal::Ended(EndReason::HostStopped);
    let effects = story.tenancy.stop_all(story.now);
    assert_eq!(effects, [refuse(new, why()), stop(run)]);
    let (late, effects) = story.launch(BEN, STEAM);
    assert_eq!(effects, [refuse(late, why())]);
    story.gone(ana, EndReason::Lost);
    assert_eq!(story.tenancy.app_ended(run, story.now), []);
    assert_eq!(story.tenancy.tenants().count(), 0);
}

#[test]
fn words_for_conflicts_are_read_and_others_told() {
    assert_eq!("steal".parse(), Ok(ModeConflict::Steal));
    let said = "share".parse::<ModeConflict>().unwrap_err().to_string();
    assert_eq!(said, "\"share\" is none of separate, join, steal, reject");
    assert_eq!(Places::new(0), None);
    assert_eq!(Places::new(17), None);
}

#[test]
fn an_app_that_somebody_still_watches_makes_no_place() {
    let mut story = Story::new(Rules {
        conflict: ModeConflict::Join,
        places: Places::new(1).unwrap(),
        linger: Linger::default(),
    });
    let (ana, run) = story.streams(ANA, STEAM);
    let (ben, effects) = story.resume(BEN);
    assert_eq!(effects, [join(ben, BEN, ANA, STEAM)]);
    story.gone(ana, EndReason::Lost);
    story.tenancy.set_conflict(ModeConflict::Separate);
    let (cleo, effects) = story.launch(CLEO, DESKTOP);
    assert_eq!(effects, [refuse(cleo, Refusal::Full { max: 1 })]);
    story.gone(ben, EndReason::Lost);
    assert_eq!(story.launch(CLEO, DESKTOP).1, [stop(run)]);
}
