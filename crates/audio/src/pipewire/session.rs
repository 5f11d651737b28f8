//! One connection to a PipeWire server: what it has, what its session manager says, and the loop
//! that everything arrives in.
//!
//! Owns the order in which these things end; refuses to wait without a deadline.

use crate::source::SourceError;
use crate::stop::StopSignal;
use ::pipewire as pw;
use media::MonoTime;
use pw::context::ContextRc;
use pw::core::{CoreRc, PW_ID_CORE};
use pw::loop_::Timeout;
use pw::main_loop::MainLoopRc;
use pw::metadata::{Metadata, MetadataListener};
use pw::properties::{PropertiesBox, properties};
use pw::registry::{GlobalObject, RegistryRc};
use pw::spa::utils::dict::DictRef;
use pw::types::ObjectType;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// A server answers within this, or counts as absent.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Type of metadata values.
const JSON: &str = "Spa:String:JSON";

/// Ends [`Session::run`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Quit;

/// What can be captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) serial: String,
    /// Whether it is something to play into, rather than a microphone.
    pub(super) is_sink: bool,
    /// The client that made it.
    client: Option<u32>,
}

/// What the server told so far.
#[derive(Default)]
struct Told {
    /// The last answered question.
    answered: Option<i32>,
    failure: Option<String>,
    nodes: BTreeMap<u32, Node>,
    /// Process of each client.
    processes: BTreeMap<u32, u32>,
    defaults: BTreeMap<String, String>,
    defaults_object: Option<GlobalObject<PropertiesBox>>,
}

/// Fields are dropped from the first to the last: listeners before what they listen to.
pub(super) struct Session {
    _defaults_listener: Option<MetadataListener>,
    defaults: Option<Metadata>,
    _registry_listener: pw::registry::Listener,
    registry: RegistryRc,
    _core_listener: pw::core::Listener,
    core: CoreRc,
    main_loop: MainLoopRc,
    told: Rc<RefCell<Told>>,
    last_question: i32,
    name: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Fields that are worth keeping of what appears on the server.
fn note_object(told: &mut Told, object: &GlobalObject<&DictRef>) {
    let Some(props) = object.props else {
        return;
    };
    let text = |key: &str| props.get(key).unwrap_or_default().to_owned();
    match object.type_ {
        ObjectType::Client => {
            if let Some(process) = props
                .get("pipewire.sec.pid")
                .and_then(|pid| pid.parse().ok())
            {
                told.processes.insert(object.id, process);
            }
        }
        ObjectType::Metadata if props.get("metadata.name") == Some("default") => {
            told.defaults_object = Some(object.to_owned());
        }
        ObjectType::Node => {
            let is_sink = match props.get("media.class") {
                Some("Audio/Sink" | "Audio/Duplex") => true,
                Some("Audio/Source" | "Audio/Source/Virtual") => false,
                _ => return,
            };
            let node = Node {
                name: text("node.name"),
                description: text("node.description"),
                serial: text("object.serial"),
                is_sink,
                client: props.get("client.id").and_then(|id| id.parse().ok()),
            };
            told.nodes.insert(object.id, node);
        }
        _ => {}
    }
}

/// Where the server of this user usually is.
fn usual_socket() -> String {
    let user = rustix::process::getuid().as_raw();
    format!("/run/user/{user}/pipewire-0")
}

fn absent(what: &str, why: impl std::fmt::Display) -> SourceError {
    SourceError::Absent {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

impl Session {
    /// Connects, to the server there is where no socket is named, and learns what it has.
    pub(super) fn open(socket: Option<&Path>, stop: &StopSignal) -> Result<Self, SourceError> {
        pw::init();
        let name = socket.map_or_else(
            || "PipeWire server".to_owned(),
            |socket| format!("PipeWire server at {}", socket.display()),
        );
        let failed = |error: pw::Error| absent(&name, format!("no server runs ({error})"));
        let main_loop = MainLoopRc::new(None).map_err(failed)?;
        let context = ContextRc::new(&main_loop, None).map_err(failed)?;
        let connect = |socket: Option<&str>| {
            let mut props = properties! { "application.name" => "Heliostat" };
            if let Some(socket) = socket {
                props.insert("remote.name", socket);
            }
            context.connect_rc(Some(props))
        };
        let core = match socket {
            Some(socket) => connect(socket.to_str()),
            // A service has no variable that tells where its user's servers are.
            None => connect(None).or_else(|_| connect(Some(&usual_socket()))),
        };
        let core = core.map_err(failed)?;
        let registry = core.get_registry_rc().map_err(failed)?;
        let told = Rc::new(RefCell::new(Told::default()));
        let mut session = Self {
            _defaults_listener: None,
            defaults: None,
            _registry_listener: listen_to_registry(&registry, &told),
            registry,
            _core_listener: listen_to_core(&core, &told, &main_loop),
            core,
            main_loop,
            told,
            last_question: 0,
            name,
        };
        session.settle(stop)?;
        session.bind_defaults()?;
        session.settle(stop)?;
        Ok(session)
    }

    fn bind_defaults(&mut self) -> Result<(), SourceError> {
        let told = self.told.borrow();
        let Some(object) = &told.defaults_object else {
            return Ok(());
        };
        let defaults: Metadata = self
            .registry
            .bind(object)
            .map_err(|error| absent(&self.name, error))?;
        let told = Rc::clone(&self.told);
        let listener = defaults
            .add_listener_local()
            .property(move |_, key, _, value| {
                let mut told = told.borrow_mut();
                match (key, value) {
                    (Some(key), Some(value)) => {
                        told.defaults.insert(key.to_owned(), value.to_owned());
                    }
                    (Some(key), None) => {
                        told.defaults.remove(key);
                    }
                    (None, _) => told.defaults.clear(),
                }
                0
            })
            .register();
        self._defaults_listener = Some(listener);
        self.defaults = Some(defaults);
        Ok(())
    }

    pub(super) fn core(&self) -> &CoreRc {
        &self.core
    }

    /// The server in words.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// That the server is not there, or no longer.
    pub(super) fn absent(&self, why: impl std::fmt::Display) -> SourceError {
        absent(&self.name, why)
    }

    /// Waits until the server has done all that was asked of it, and told what came of it.
    pub(super) fn settle(&mut self, stop: &StopSignal) -> Result<(), SourceError> {
        let asked = self.core.sync(self.last_question);
        let asked = asked.map_err(|error| self.absent(error))?.seq();
        self.last_question = self.last_question.wrapping_add(1) & 0xffff;
        let deadline = MonoTime::now() + ANSWER_WITHIN;
        while self.told.borrow().answered != Some(asked) {
            if stop.is_raised() || MonoTime::now() >= deadline {
                return Err(self.absent("it does not answer"));
            }
            self.turn(deadline, stop)?;
        }
        Ok(())
    }

    /// Sleeps until something comes, the deadline or the stop signal, and deals with what came.
    pub(super) fn turn(&self, deadline: MonoTime, stop: &StopSignal) -> Result<(), SourceError> {
        let pipewires = self.main_loop.loop_();
        // What is still to be sent goes out in an iteration, so one comes before the wait.
        let sent = pipewires.iterate(Timeout::None);
        if sent == 0 {
            stop.wait_until(Some(pipewires.fd()), deadline)?;
            pipewires.iterate(Timeout::None);
        }
        match self.told.borrow_mut().failure.take() {
            Some(why) => Err(self.absent(why)),
            None => Ok(()),
        }
    }

    /// Turns the loop until told to quit, or until the server ends: then this is why. PipeWire's
    /// other threads rely on it that the loop is not left between two turns while a stream runs.
    pub(super) fn run(&self, quits: pw::channel::Receiver<Quit>) -> Option<String> {
        let asked = Rc::new(Cell::new(false));
        let (in_loop, noted) = (self.main_loop.downgrade(), Rc::clone(&asked));
        let _attached = quits.attach(self.main_loop.loop_(), move |Quit| {
            noted.set(true);
            if let Some(main_loop) = in_loop.upgrade() {
                main_loop.quit();
            }
        });
        while !asked.get() {
            if let Some(why) = self.told.borrow_mut().failure.take() {
                return Some(why);
            }
            self.main_loop.run();
        }
        None
    }

    /// Everything that can be captured.
    pub(super) fn nodes(&self) -> Vec<Node> {
        self.told.borrow().nodes.values().cloned().collect()
    }

    /// The process that made a node.
    pub(super) fn process_of(&self, node: &Node) -> Option<u32> {
        let told = self.told.borrow();
        told.processes.get(&node.client?).copied()
    }

    /// Whether a session manager is there, without which nothing is linked to anything.
    pub(super) fn is_managed(&self) -> bool {
        self.defaults.is_some()
    }

    /// What the session manager says of `key`, as JSON.
    pub(super) fn default(&self, key: &str) -> Option<String> {
        self.told.borrow().defaults.get(key).cloned()
    }

    /// Tells the session manager; nothing takes the key away.
    pub(super) fn set_default(&self, key: &str, json: Option<&str>) {
        let clean = |text: &str| !text.contains('\0');
        if let Some(defaults) = &self.defaults
            && json.is_none_or(clean)
        {
            defaults.set_property(0, key, json.map(|_| JSON), json);
        }
    }
}

fn listen_to_registry(registry: &RegistryRc, told: &Rc<RefCell<Told>>) -> pw::registry::Listener {
    let (appears, vanishes) = (Rc::clone(told), Rc::clone(told));
    registry
        .add_listener_local()
        .global(move |object| note_object(&mut appears.borrow_mut(), object))
        .global_remove(move |id| {
            let mut told = vanishes.borrow_mut();
            told.nodes.remove(&id);
            told.processes.remove(&id);
        })
        .register()
}

fn listen_to_core(
    core: &CoreRc,
    told: &Rc<RefCell<Told>>,
    main_loop: &MainLoopRc,
) -> pw::core::Listener {
    let (done, failed) = (Rc::clone(told), Rc::clone(told));
    let main_loop = main_loop.downgrade();
    core.add_listener_local()
        .done(move |id, sequence| {
            if id == PW_ID_CORE {
                done.borrow_mut().answered = Some(sequence.seq());
            }
        })
        .error(move |id, _, _, message| {
            // Other objects have listeners of their own, or are waited for.
            if id == PW_ID_CORE {
                failed.borrow_mut().failure = Some(message.to_owned());
                if let Some(main_loop) = main_loop.upgrade() {
                    main_loop.quit();
                }
            }
        })
        .register()
}
