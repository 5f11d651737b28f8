//! What the parent asks for and is told: sessions under names of its own choice, the source's losses,
//! statistics, and a conversation of its own.

use super::lines::{Lines, Said};
use super::protocol::{Reply, Request, SessionRole};
use control_api::{EndReason, InputRights, LostReason, Role, Via, VideoInputState};
use serde_json::Value;
use sessions::{Conversation, Hub, Identity, Joined, Joining, LoginId, Out, Peer, Session, Taken};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// How often each session's figures are told.
const FIGURES_EVERY: Duration = Duration::from_secs(1);
/// Candidates that wait for one offer to be answered: more than a browser has.
const MOST_EARLY: usize = 64;
const NO_SESSION: &str = "there is no such session";

/// The parent, as the hub's thread serves it.
pub(super) struct Parent {
    hub: Hub,
    lines: Lines,
    logins: AtomicU64,
}

/// An offer that was answered, or why not.
struct Answered {
    name: String,
    number: u64,
    outcome: Result<Joined, sessions::OfferError>,
}

/// An offer on its way. Candidates do not wait for its answer.
struct Offered {
    number: u64,
    candidates: Vec<String>,
}

/// What is going on for the parent.
#[derive(Default)]
struct State {
    sessions: HashMap<String, Session>,
    /// The newest offer under each name that is not answered yet.
    offered: HashMap<String, Offered>,
    /// How many there were.
    offers_made: u64,
    /// Offers on their way, and the ends of sessions.
    offers: JoinSet<Answered>,
    ends: JoinSet<(String, events::ViewerId, EndReason)>,
    lost: Option<LostReason>,
    /// The second that was told last.
    second: u64,
}

impl Parent {
    pub(super) fn new(hub: Hub, lines: Lines) -> Self {
        let logins = AtomicU64::new(LoginId::FIRST.0);
        Self { hub, lines, logins }
    }

    pub(super) async fn say(&self, reply: &Reply<'_>) {
        self.lines.write(reply).await;
    }

    /// Serves until the parent closes its end.
    pub(super) async fn serve(&self, mut said: mpsc::Receiver<Said>) {
        let mut state = State::default();
        let mut video = self.hub.video_input();
        video.mark_changed();
        let mut figures = interval(FIGURES_EVERY);
        figures.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let peer = Peer::new(Identity::local_admin(), Via::Stdio, None);
        let Some(mut conversation) = self.hub.converse(peer) else {
            return;
        };
        loop {
            tokio::select! {
                line = said.recv() => match line {
                    Some(line) => self.obey(line, &mut state, &mut conversation).await,
                    None => break,
                },
                Some(Ok(answered)) = state.offers.join_next() => self.answer(answered, &mut state).await,
                Some(Ok((name, viewer, reason))) = state.ends.join_next() => {
                    if state.sessions.get(&name).is_some_and(|known| known.viewer() == viewer) {
                        state.sessions.remove(&name);
                    }
                    self.say(&Reply::Ended { session: &name, reason }).await;
                }
                Ok(()) = video.changed() => {
                    let now = video.borrow_and_update().clone();
                    self.tell_of_source(&now, &mut state).await;
                }
                _ = figures.tick() => self.tell_figures(&mut state),
                out = conversation.next() => match out {
                    Out::Text(text) => self.pass_on(&text).await,
                    Out::End(_) => break,
                },
            }
        }
        conversation.finish(EndReason::Quit).await;
    }

    async fn obey(&self, line: Said, state: &mut State, conversation: &mut Conversation) {
        match line {
            Err(error) => self.complain(None, &error.to_string()).await,
            Ok(Request::Offer {
                session,
                sdp,
                role,
                name,
            }) => {
                let shown = name.unwrap_or_else(|| session.clone());
                let joining = Joining {
                    sdp,
                    identity: self.identity(role, shown),
                    via: Via::Stdio,
                    ends: None,
                    channels: None,
                    notices: None,
                };
                self.join(session, joining, state);
            }
            Ok(Request::Candidate { session, candidate }) => {
                self.candidate(&session, &candidate, state).await;
            }
            Ok(Request::Close { session }) => {
                let was_offered = state.offered.remove(&session).is_some();
                match state.sessions.remove(&session) {
                    Some(known) => known.close(EndReason::Quit),
                    // What was offered ends when it is answered.
                    None if was_offered => {}
                    None => self.complain(Some(&session), NO_SESSION).await,
                }
            }
            Ok(Request::Rpc { message }) => {
                let message = message.to_string();
                if let Taken::Reply(text) | Taken::TooLong(text) =
                    conversation.take(message.as_bytes())
                {
                    self.pass_on(&text).await;
                }
            }
        }
    }

    fn join(&self, name: String, joining: Joining, state: &mut State) {
        state.offers_made += 1;
        let number = state.offers_made;
        let offered = Offered {
            number,
            candidates: Vec::new(),
        };
        state.offered.insert(name.clone(), offered);
        let hub = self.hub.clone();
        state.offers.spawn(async move {
            let outcome = hub.join(joining).await;
            Answered {
                name,
                number,
                outcome,
            }
        });
    }

    async fn candidate(&self, name: &str, candidate: &str, state: &mut State) {
        let (offered, known) = (state.offered.get_mut(name), state.sessions.get(name));
        if offered.is_none() && known.is_none() {
            return self.complain(Some(name), NO_SESSION).await;
        }
        // A browser says with an empty one that there are no more.
        if candidate.is_empty() {
            return;
        }
        match (sessions::sdpfrag::candidate(candidate), offered, known) {
            (Err(error), ..) => self.complain(Some(name), &error.to_string()).await,
            (Ok(candidate), Some(offered), _) => {
                if offered.candidates.len() < MOST_EARLY {
                    offered.candidates.push(candidate.to_owned());
                }
            }
            (Ok(candidate), None, Some(known)) => known.candidate(candidate),
            (Ok(_), None, None) => {}
        }
    }

    async fn answer(&self, answered: Answered, state: &mut State) {
        let Answered {
            name,
            number,
            outcome,
        } = answered;
        let is_newest = (state.offered.get(&name)).is_some_and(|offered| offered.number == number);
        let offered = is_newest.then(|| state.offered.remove(&name)).flatten();
        let Joined {
            session,
            sdp,
            ended,
        } = match outcome {
            Ok(joined) => joined,
            Err(error) => return self.complain(Some(&name), &error.to_string()).await,
        };
        let (viewer, told) = (session.viewer(), name.clone());
        state.ends.spawn(async move {
            let reason = ended.await.unwrap_or(EndReason::Error);
            (told, viewer, reason)
        });
        let Some(Offered { candidates, .. }) = offered else {
            // It was closed, or offered once more, before it began.
            return session.close(EndReason::Quit);
        };
        let answer = Reply::Answer {
            session: &name,
            sdp: &sdp,
        };
        self.say(&answer).await;
        for candidate in candidates {
            session.candidate(&candidate);
        }
        // A second offer under one name takes the place of the first.
        if let Some(before) = state.sessions.insert(name, session) {
            before.close(EndReason::Replaced);
        }
    }

    async fn tell_of_source(&self, now: &VideoInputState, state: &mut State) {
        if now.reason == state.lost {
            return;
        }
        state.lost = now.reason;
        match now.reason {
            Some(reason) => {
                let reason = serde_json::to_value(reason).unwrap_or_default();
                let lost = Reply::SignalLost {
                    reason: reason.as_str().unwrap_or_default(),
                    why: now.why.as_deref().unwrap_or_default(),
                };
                self.say(&lost).await;
            }
            None => self.say(&Reply::SignalRestored).await,
        }
    }

    fn tell_figures(&self, state: &mut State) {
        let mut newest = state.second;
        for (name, session) in &state.sessions {
            let Some((number, second)) = self.hub.latest_second(session.viewer()) else {
                continue;
            };
            newest = number;
            let Some(second) = second.filter(|_| number != state.second) else {
                continue;
            };
            let second = serde_json::to_value(second).unwrap_or_default();
            self.lines.offer(&Reply::Stats {
                session: name,
                second,
            });
        }
        state.second = newest;
    }

    async fn pass_on(&self, text: &str) {
        let message = serde_json::from_str::<Value>(text).unwrap_or_default();
        self.say(&Reply::Rpc { message }).await;
    }

    async fn complain(&self, session: Option<&str>, message: &str) {
        self.say(&Reply::Error { session, message }).await;
    }

    /// Each session is another person's, who takes nothing over from the others by itself.
    fn identity(&self, role: SessionRole, name: String) -> Identity {
        Identity {
            role: match role {
                SessionRole::Viewer => Role::Viewer,
                SessionRole::Controller => Role::Controller,
                SessionRole::Admin => Role::Admin,
            },
            login: LoginId(self.logins.fetch_add(1, Ordering::Relaxed)),
            name: Some(name),
            rights: InputRights::ALL,
        }
    }
}
