//! The hub: one room, the sessions in it, the conversations about it, and the one thread that serves
//! them all.

use crate::channels::Channels;
use crate::desk::Desk;
use crate::engine::Engine;
use crate::identity::{Identity, Links, LoginId};
use crate::limits::Limits;
use crate::moonlight::MoonlightClients;
use crate::room::{Actor, Command, Effect, Notice, Refusal, Room, RoomView};
use crate::session::SessionHandle;
use control_api::{AskResult, ControlPolicy, EndReason, HostState, InputRights, VideoInputState};
use events::ViewerId;
use media::MonoTime;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

/// What the hub works with.
pub struct HubParts {
    /// The media engine.
    pub engine: Arc<dyn Engine>,
    /// The input desk.
    pub desk: Arc<dyn Desk>,
    /// The statistics.
    pub stats: stats::Reader,
    /// Bounds.
    pub limits: Limits,
    /// Who may drive at a time.
    pub policy: ControlPolicy,
}

/// The hub, as everybody may have it.
#[derive(Clone)]
pub struct Hub {
    pub(crate) shared: Arc<Shared>,
}

/// The hub's thread. Dropping it stops it.
#[derive(Debug)]
pub struct HubThread {
    hub: Hub,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) struct Shared {
    engine: Arc<dyn Engine>,
    desk: Arc<dyn Desk>,
    pub(crate) stats: stats::Reader,
    limits: Limits,
    runtime: Handle,
    stopping: watch::Receiver<bool>,
    links: OnceLock<Arc<dyn Links>>,
    pub(crate) moonlight: OnceLock<Arc<dyn MoonlightClients>>,
    room: Mutex<Room>,
    view: watch::Sender<Arc<RoomView>>,
    /// Whose input counts, where every piece of it is checked.
    pub(crate) driving: Mutex<HashSet<ViewerId>>,
    sessions: Mutex<BTreeMap<ViewerId, Entry>>,
    conversations: Mutex<HashMap<u64, (LoginId, oneshot::Sender<()>)>>,
    next_conversation: AtomicU64,
    pub(crate) channels: Mutex<Channels>,
    /// Switches of source and encoder take seconds, and happen in the order in which they are asked for.
    switching: tokio::sync::Mutex<()>,
}

struct Entry {
    session: SessionHandle,
    listeners: Vec<mpsc::Sender<(ViewerId, Notice)>>,
}

/// Every change under these locks leaves nothing half-done, so a panic elsewhere does no harm.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// Starts the thread that serves all clients.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub fn start(parts: HubParts) -> io::Result<HubThread> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopping) = watch::channel(false);
        let room = Room::new(parts.policy);
        let (view, _) = watch::channel(Arc::new(room.view(MonoTime::now())));
        let hub = Self {
            shared: Arc::new(Shared {
                engine: parts.engine,
                desk: parts.desk,
                stats: parts.stats,
                limits: parts.limits,
                runtime: runtime.handle().clone(),
                stopping,
                links: OnceLock::new(),
                moonlight: OnceLock::new(),
                room: Mutex::new(room),
                view,
                driving: Mutex::default(),
                sessions: Mutex::default(),
                conversations: Mutex::default(),
                next_conversation: AtomicU64::new(0),
                channels: Mutex::default(),
                switching: tokio::sync::Mutex::default(),
            }),
        };
        let served = hub.clone();
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = served.stopped() => {}
                        () = served.watch_the_clock() => {}
                    }
                });
            })?;
        Ok(HubThread {
            hub,
            stop,
            thread: Some(thread),
        })
    }

    /// The hub, for whoever must not keep it alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakHub {
        WeakHub(Arc::downgrade(&self.shared))
    }

    /// Where everything of the hub runs: one thread.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    /// The media engine.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.shared.engine
    }

    /// The media engine, for what may wait and so runs elsewhere.
    pub(crate) fn shared_engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.shared.engine)
    }

    /// Waits for one's turn to switch source or encoder; whoever asks first is first.
    pub(crate) async fn turn_to_switch(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.switching.lock().await
    }

    /// The input desk.
    #[must_use]
    pub fn desk(&self) -> &dyn Desk {
        &*self.shared.desk
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Who lets callers in from now on. The first one counts.
    pub fn set_links(&self, links: Arc<dyn Links>) {
        // A hub has one front door; a second one would be a mistake that changes nothing.
        let _ = self.shared.links.set(links);
    }

    pub(crate) fn links(&self) -> Option<&Arc<dyn Links>> {
        self.shared.links.get()
    }

    /// The host's state, now and whenever it changes.
    #[must_use]
    pub fn host_state(&self) -> watch::Receiver<HostState> {
        self.engine().host_state()
    }

    /// The source's state, now and whenever it changes.
    #[must_use]
    pub fn video_input(&self) -> watch::Receiver<VideoInputState> {
        self.engine().video_input()
    }

    /// Who is here and who drives, now and whenever it changes.
    #[must_use]
    pub fn sessions(&self) -> watch::Receiver<Arc<RoomView>> {
        self.shared.view.subscribe()
    }

    /// A session that is not over.
    #[must_use]
    pub fn session(&self, viewer: ViewerId) -> Option<SessionHandle> {
        let sessions = lock(&self.shared.sessions);
        sessions.get(&viewer).map(|entry| entry.session.clone())
    }

    /// Waits until the hub stops.
    pub async fn stopped(&self) {
        let mut stopping = self.shared.stopping.clone();
        // A thread that is gone without a word means the same.
        let _ = stopping.wait_for(|stop| *stop).await;
    }

    pub(crate) fn all_sessions(&self) -> Vec<SessionHandle> {
        let sessions = lock(&self.shared.sessions);
        sessions
            .values()
            .map(|entry| entry.session.clone())
            .collect()
    }

    /// Gives the room a command and performs what follows from it.
    pub(crate) fn command(&self, command: Command) -> Result<(), Refusal> {
        let mut ending = Vec::new();
        {
            // Performed under the lock, so that the effects of two commands do not mix. None waits.
            let mut room = lock(&self.shared.room);
            for effect in room.apply(command, MonoTime::now())? {
                match effect {
                    Effect::End(viewer, reason) => ending.push((viewer, reason)),
                    effect => self.perform(effect, &room),
                }
            }
        }
        for (viewer, reason) in ending {
            if let Some(session) = self.session(viewer) {
                session.end(reason);
            }
        }
        Ok(())
    }

    fn perform(&self, effect: Effect, room: &Room) {
        match effect {
            Effect::Permit(viewer) => {
                self.desk().permit(viewer, room.rights(viewer));
                lock(&self.shared.driving).insert(viewer);
            }
            Effect::Revoke(viewer) => {
                lock(&self.shared.driving).remove(&viewer);
                self.desk().revoke(viewer);
                let left = room.rights(viewer);
                if left != InputRights::NONE {
                    self.desk().permit(viewer, left);
                }
            }
            Effect::Allow(viewer) => match room.rights(viewer) {
                InputRights::NONE => self.desk().revoke(viewer),
                rights => self.desk().permit(viewer, rights),
            },
            Effect::ReleaseAll(viewer) => self.desk().release_all(viewer),
            Effect::Lead(viewer) => self.engine().lead(viewer),
            Effect::Tell(viewer, notice) => self.tell(viewer, &notice),
            // Ended by the caller, outside the lock.
            Effect::End(..) => {}
            Effect::Changed => {
                let view = Arc::new(room.view(MonoTime::now()));
                self.shared.view.send_replace(view);
            }
        }
    }

    /// Asks the driver for control.
    pub(crate) fn ask(&self, viewer: ViewerId) -> Result<AskResult, Refusal> {
        self.command(Command::Ask(viewer))?;
        Ok(lock(&self.shared.room).asked(viewer, MonoTime::now()))
    }

    /// Whether somebody may change what concerns everybody: the driver, or an administrator.
    pub(crate) fn may_decide(&self, by: Actor) -> bool {
        let room = lock(&self.shared.room);
        by.role == control_api::Role::Admin || by.viewer.is_some_and(|viewer| room.controls(viewer))
    }

    pub(crate) fn tell(&self, viewer: ViewerId, notice: &Notice) {
        let sessions = lock(&self.shared.sessions);
        let listeners = sessions.get(&viewer).map(|entry| &entry.listeners);
        for listener in listeners.into_iter().flatten() {
            // One that reads nothing for this long learns of it from the next state.
            let _ = listener.try_send((viewer, notice.clone()));
        }
    }

    /// `listener` is told what concerns a session.
    pub(crate) fn listen(&self, viewer: ViewerId, listener: mpsc::Sender<(ViewerId, Notice)>) {
        if let Some(entry) = lock(&self.shared.sessions).get_mut(&viewer) {
            entry.listeners.retain(|known| !known.is_closed());
            entry.listeners.push(listener);
        }
    }

    pub(crate) fn entered(
        &self,
        session: &SessionHandle,
        listener: Option<mpsc::Sender<(ViewerId, Notice)>>,
    ) {
        let entry = Entry {
            session: session.clone(),
            listeners: listener.into_iter().collect(),
        };
        lock(&self.shared.sessions).insert(session.viewer(), entry);
    }

    /// A session leaves the room: its input counts no more.
    pub(crate) fn left(&self, viewer: ViewerId) {
        // Leaving is never refused.
        let _: Result<(), Refusal> = self.command(Command::Leave(viewer));
        self.desk().release_all(viewer);
    }

    pub(crate) fn forget_session(&self, viewer: ViewerId) {
        lock(&self.shared.sessions).remove(&viewer);
        self.forget_channels(viewer);
    }

    /// Counts a conversation in; it ends when the receiver fires. Nothing when its login has ended.
    pub(crate) fn conversation_began(
        &self,
        identity: &Identity,
    ) -> Option<(u64, oneshot::Receiver<()>)> {
        let (end, ended) = oneshot::channel();
        let number = self
            .shared
            .next_conversation
            .fetch_add(1, Ordering::Relaxed);
        lock(&self.shared.conversations).insert(number, (identity.login, end));
        // Looked at only now: a login that ends later finds the conversation in the table.
        if self.stands(identity) {
            Some((number, ended))
        } else {
            self.conversation_ended(number);
            None
        }
    }

    pub(crate) fn conversation_ended(&self, number: u64) {
        lock(&self.shared.conversations).remove(&number);
    }

    pub(crate) fn close_conversations(&self, login: LoginId) {
        let mut conversations = lock(&self.shared.conversations);
        let of_login = conversations.extract_if(|_, (of, _)| *of == login);
        for (_, (_, end)) in of_login {
            // It may be ending by itself.
            let _ = end.send(());
        }
    }

    /// Ends requests for control that nobody answers.
    async fn watch_the_clock(&self) {
        let mut view = self.sessions();
        loop {
            let deadline = lock(&self.shared.room).deadline();
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.to_instant().into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = view.changed() => if changed.is_err() { return },
                () = due => {
                    let driver = lock(&self.shared.room).driver();
                    let driver_active = driver.and_then(|driver| self.desk().last_active(driver));
                    // Time passing is never refused.
                    let _: Result<(), Refusal> = self.command(Command::Tick { driver_active });
                }
            }
        }
    }
}

/// The hub, for whoever must not keep it alive: what the engine calls.
#[derive(Clone)]
pub struct WeakHub(Weak<Shared>);

impl WeakHub {
    /// The hub, while there is one.
    #[must_use]
    pub fn upgrade(&self) -> Option<Hub> {
        self.0.upgrade().map(|shared| Hub { shared })
    }
}

impl fmt::Debug for WeakHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHub").finish_non_exhaustive()
    }
}

impl HubThread {
    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }
}

impl Drop for HubThread {
    fn drop(&mut self) {
        for session in self.hub.all_sessions() {
            session.end(EndReason::HostStopped);
        }
        self.stop.send_replace(true);
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the control thread panicked");
        }
    }
}
