//! What the tenancy wants done, and the words for what it refuses.

use super::Client;
use crate::Mode;
use crate::catalogue::AppId;
use control_api::EndReason;

/// One request to stream, and the session that comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One start of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Something to be done, or to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answers a request: make a session. It is to be reported live, and gone.
    Begin {
        /// Which request.
        ticket: Ticket,
        /// Whose.
        client: Client,
        /// Its app, which is to be started once the session is live, or runs already.
        app: AppId,
        /// The stream.
        mode: Mode,
        /// Whether the app runs already.
        resumed: bool,
    },
    /// Answers a request: let the client watch along. It is to be reported gone.
    Join {
        /// Which request.
        ticket: Ticket,
        /// Whose.
        client: Client,
        /// Whose stream is watched.
        host: Client,
        /// The app in it.
        app: AppId,
        /// The mode of that stream.
        mode: Mode,
    },
    /// Answers a request: no.
    Refuse {
        /// Which request.
        ticket: Ticket,
        /// Why, to be told in words.
        why: Refusal,
    },
    /// End a session; it is still to be reported gone.
    EndSession {
        /// Which.
        ticket: Ticket,
        /// Why.
        reason: EndReason,
    },
    /// A session is over: for the log, the event stream and the recording.
    Ended {
        /// Which.
        ticket: Ticket,
        /// Whose.
        client: Client,
        /// Why, by the first reason that there was.
        reason: EndReason,
    },
    /// Start an app. It is to be reported ended.
    StartApp {
        /// This start.
        run: RunId,
        /// For whom.
        client: Client,
        /// Which app.
        app: AppId,
        /// The stream that shows it.
        mode: Mode,
    },
    /// Stop an app; it is still to be reported ended.
    StopApp {
        /// Which start of it.
        run: RunId,
    },
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another client streams, and the host serves one at a time, or one app.
    #[error("busy: {mode} streams to {name}")]
    Busy {
        /// What streams.
        mode: Mode,
        /// To whom.
        name: String,
    },
    /// Every place is taken, and none can be made free.
    #[error("full: no place is left of {max}; quit an app to make one")]
    Full {
        /// How many there are: of [`super::Places`], or [`super::MAX_GUESTS`] for those who watch along.
        max: usize,
    },
    /// The client has no app.
    #[error("no app of this client is running")]
    NothingToResume,
    /// The same client asked for something newer meanwhile.
    #[error("a newer request of the same client took its place")]
    Superseded,
    /// The stream to watch along with ended meanwhile.
    #[error("the stream to watch along with has ended")]
    StreamEnded,
    /// It was waiting, and ended before it began.
    #[error("ended before it began: {}", words(*.0))]
    Ended(EndReason),
}

/// A reason in words.
const fn words(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Quit => "the client quit",
        EndReason::Lost => "the connection broke off",
        EndReason::Timeout => "nothing was heard from the client",
        EndReason::Replaced => "another client took over",
        EndReason::SourceEnded => "its app ended",
        EndReason::HostStopped => "the host stops",
        EndReason::Operator => "an operator ended it",
        EndReason::Expired => "the client's time is over",
        EndReason::Error => "something failed",
    }
}
