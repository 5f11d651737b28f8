//! Who has which app: what clients ask for is decided by `apps::tenancy`, and what follows is done
//! here. Sessions are begun and ended, apps are started and stopped, and each is reported back.

use crate::lobby::Lobby;
use crate::registry::Registry;
use crate::session::lock;
use apps::Mode;
use apps::catalogue::{App, AppId, Catalogue};
use apps::journal::Journal;
use apps::process::{AppEvent, Launch, RunningApp, Surroundings, launch};
use apps::tenancy::{Client, Effect, Refusal, Request, Rules, RunId, Tenancy, Ticket, Wanted};
use control_api::EndReason;
use events::ViewerId;
use media::MonoTime;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// When the host stops, apps have this long to end.
const APPS_END_WITHIN: Duration = Duration::from_secs(8);

/// Tells what apps find around them: the display to draw on, and the like.
pub(crate) type AppSurroundings = Box<dyn Fn() -> Surroundings + Send + Sync>;

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    /// Whether its app runs already.
    pub(crate) resumed: bool,
}

type Answer = oneshot::Sender<Result<Granted, Refusal>>;

struct State {
    tenancy: Tenancy,
    waiting: HashMap<Ticket, Answer>,
    viewers: HashMap<Ticket, ViewerId>,
    names: HashMap<Client, String>,
    running: HashMap<RunId, RunningApp>,
}

/// The apps, and who has them.
pub(crate) struct House {
    catalogue: Catalogue,
    journal: Journal,
    surroundings: AppSurroundings,
    lobby: Arc<Lobby>,
    registry: Arc<Registry>,
    state: Mutex<State>,
    /// The next deadline may have changed.
    changed: Notify,
    /// For the threads of apps, which must not keep the house.
    own: Weak<Self>,
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House").finish_non_exhaustive()
    }
}

/// What a house is made of.
pub(crate) struct HouseParts {
    pub(crate) catalogue: Catalogue,
    pub(crate) journal: Journal,
    pub(crate) rules: Rules,
    pub(crate) surroundings: AppSurroundings,
    pub(crate) lobby: Arc<Lobby>,
    pub(crate) registry: Arc<Registry>,
}

impl House {
    pub(crate) fn new(parts: HouseParts) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            catalogue: parts.catalogue,
            journal: parts.journal,
            surroundings: parts.surroundings,
            lobby: parts.lobby,
            registry: parts.registry,
            state: Mutex::new(State {
                tenancy: Tenancy::new(parts.rules),
                waiting: HashMap::new(),
                viewers: HashMap::new(),
                names: HashMap::new(),
                running: HashMap::new(),
            }),
            changed: Notify::new(),
            own: Weak::clone(own),
        })
    }

    /// The apps, in the order in which clients are shown them.
    pub(crate) fn apps(&self) -> &[Arc<App>] {
        self.catalogue.apps()
    }

    /// The app that a client calls so.
    pub(crate) fn app(&self, id: i32) -> Option<&Arc<App>> {
        self.catalogue.get(AppId::new(id)?)
    }

    /// The app that a client is shown as running.
    pub(crate) fn shown(&self, client: Client) -> Option<i32> {
        lock(&self.state).tenancy.shown(client).map(AppId::get)
    }

    /// A client wants to stream an app, as the session `viewer`. Answered once it may: sessions that
    /// have to end first are waited for.
    pub(crate) async fn launch(
        &self,
        request: Request,
        app: &App,
        viewer: ViewerId,
    ) -> Result<Granted, Refusal> {
        let wanted = Wanted {
            app: app.id,
            linger: app.linger,
        };
        self.ask(viewer, request, move |tenancy, request, now| {
            tenancy.launch(request, wanted, now)
        })
        .await
    }

    /// A client wants to go on with the app that it has.
    pub(crate) async fn resume(
        &self,
        request: Request,
        viewer: ViewerId,
    ) -> Result<Granted, Refusal> {
        self.ask(viewer, request, Tenancy::resume).await
    }

    async fn ask(
        &self,
        viewer: ViewerId,
        request: Request,
        ask: impl FnOnce(&mut Tenancy, Request, MonoTime) -> (Ticket, Vec<Effect>),
    ) -> Result<Granted, Refusal> {
        let (told, answer) = oneshot::channel();
        {
            let mut state = lock(&self.state);
            state.names.insert(request.client, request.name.clone());
            let (ticket, effects) = ask(&mut state.tenancy, request, MonoTime::now());
            state.waiting.insert(ticket, told);
            state.viewers.insert(ticket, viewer);
            self.perform(&mut state, effects);
        }
        answer
            .await
            .unwrap_or(Err(Refusal::Ended(EndReason::HostStopped)))
    }

    /// A client quits.
    pub(crate) fn quit(&self, client: Client) {
        self.change(|tenancy, now| tenancy.quit(client, now));
    }

    /// A session's first picture came: its app may start.
    pub(crate) fn live(&self, viewer: ViewerId) {
        let mut state = lock(&self.state);
        if let Some(ticket) = state.ticket(viewer) {
            let effects = state.tenancy.live(ticket, MonoTime::now());
            self.perform(&mut state, effects);
        }
    }

    /// A session is gone, all of it; or its client never came.
    pub(crate) fn gone(&self, viewer: ViewerId, reason: EndReason) {
        let mut state = lock(&self.state);
        let effects = state.gone(viewer, reason);
        self.perform(&mut state, effects);
    }

    /// Ends everything, and waits until no app is left.
    pub(crate) fn close(&self) {
        self.change(Tenancy::stop_all);
        let running: Vec<RunningApp> = {
            let mut state = lock(&self.state);
            state.running.drain().map(|(_, app)| app).collect()
        };
        for app in &running {
            app.stop();
        }
        let until = MonoTime::now() + APPS_END_WITHIN;
        for app in running {
            if !app.wait(until.since(MonoTime::now())) {
                tracing::warn!("an app does not end; it is left behind");
            }
        }
    }

    /// Stops what nobody came back for, as long as the host runs.
    pub(crate) async fn watch_the_clock(&self) {
        loop {
            let deadline = lock(&self.state).tenancy.deadline();
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.to_instant().into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = due => self.change(Tenancy::tick),
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Tenancy, MonoTime) -> Vec<Effect>) {
        let mut state = lock(&self.state);
        let effects = change(&mut state.tenancy, MonoTime::now());
        self.perform(&mut state, effects);
    }

    /// Does what was decided, under the lock, so that what follows from two events does not mix. None
    /// of it waits.
    fn perform(&self, state: &mut State, effects: Vec<Effect>) {
        let mut effects = std::collections::VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Begin {
                    ticket, resumed, ..
                } => state.answer(ticket, Ok(Granted { resumed })),
                Effect::Join { ticket, .. } => state.answer(ticket, Ok(Granted { resumed: true })),
                Effect::Refuse { ticket, why } => {
                    state.viewers.remove(&ticket);
                    state.answer(ticket, Err(why));
                }
                Effect::EndSession { ticket, reason } => {
                    effects.extend(self.end_session(state, ticket, reason));
                }
                Effect::Ended { ticket, reason, .. } => {
                    tracing::debug!(ticket = ticket.0, %reason, "a place is free");
                    state.viewers.remove(&ticket);
                }
                Effect::StartApp {
                    run,
                    client,
                    app,
                    mode,
                } => effects.extend(self.start_app(state, run, (client, app), mode)),
                Effect::StopApp { run } => {
                    if let Some(app) = state.running.get(&run) {
                        app.stop();
                    }
                }
            }
        }
        self.changed.notify_one();
    }

    /// A session that runs ends by itself; one whose client has not come yet is gone at once.
    fn end_session(&self, state: &mut State, ticket: Ticket, reason: EndReason) -> Vec<Effect> {
        let Some(viewer) = state.viewers.get(&ticket).copied() else {
            return Vec::new();
        };
        match self.registry.get(viewer) {
            Some(session) => {
                session.end(reason);
                Vec::new()
            }
            None => {
                self.lobby.leave(viewer);
                state.gone(viewer, reason)
            }
        }
    }

    fn start_app(
        &self,
        state: &mut State,
        run: RunId,
        (client, app): (Client, AppId),
        mode: Mode,
    ) -> Vec<Effect> {
        let now = MonoTime::now();
        let Some(app) = self.catalogue.get(app).map(Arc::clone) else {
            return state.tenancy.app_ended(run, now);
        };
        let mut around = (self.surroundings)();
        let name = state.names.get(&client).map_or("", String::as_str);
        around.describe(&app, name, mode);
        let house = Weak::clone(&self.own);
        let told = move |event: AppEvent| {
            if let Some(house) = house.upgrade() {
                house.app_event(run, &event);
            }
        };
        match launch(Launch { app, around }, &self.journal, told) {
            Ok(app) => {
                state.running.insert(run, app);
                Vec::new()
            }
            Err(error) => {
                tracing::warn!(%error, "an app does not start");
                state.tenancy.app_ended(run, now)
            }
        }
    }

    /// Called on the app's own thread.
    fn app_event(&self, run: RunId, event: &AppEvent) {
        match event {
            AppEvent::Started { pid } => tracing::info!(run = run.0, ?pid, "an app runs"),
            AppEvent::HandedOver => {}
            AppEvent::LaunchFailed { error, output } => {
                tracing::warn!(%error, ?output, "an app does not start; the stream goes on");
            }
            AppEvent::Exited { exit, .. } => {
                tracing::info!(run = run.0, ?exit, "an app has ended");
                self.change(|tenancy, now| tenancy.app_exited(run, now));
            }
            AppEvent::Stopped { killed } => {
                tracing::info!(run = run.0, killed, "an app is stopped")
            }
            AppEvent::UndoFailed(error) => tracing::warn!(%error, "an app's traces remain"),
            AppEvent::Ended => {
                let mut state = lock(&self.state);
                state.running.remove(&run);
                let effects = state.tenancy.app_ended(run, MonoTime::now());
                self.perform(&mut state, effects);
            }
        }
    }
}

impl State {
    fn answer(&mut self, ticket: Ticket, answer: Result<Granted, Refusal>) {
        if let Some(told) = self.waiting.remove(&ticket) {
            // A client that hung up is noticed when it does not come.
            let _ = told.send(answer);
        }
    }

    fn ticket(&self, viewer: ViewerId) -> Option<Ticket> {
        let mut viewers = self.viewers.iter();
        viewers
            .find(|(_, known)| **known == viewer)
            .map(|(ticket, _)| *ticket)
    }

    fn gone(&mut self, viewer: ViewerId, reason: EndReason) -> Vec<Effect> {
        let Some(ticket) = self.ticket(viewer) else {
            return Vec::new();
        };
        self.tenancy.gone(ticket, reason, MonoTime::now())
    }
}
