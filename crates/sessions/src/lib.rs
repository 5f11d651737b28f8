//! Sessions: who watches, who drives, and the JSON-RPC that all of them speak, over any transport.
//!
//! It owns no media, no input device and no socket: what it needs of them are the traits [`Engine`],
//! [`Desk`], [`Links`] and [`MoonlightClients`].

mod caller;
mod channels;
mod conversation;
mod desk;
mod dispatch;
mod engine;
mod feed;
mod figures;
mod hub;
mod identity;
pub mod jsonrpc;
mod lanes;
mod limits;
mod methods;
mod moonlight;
mod moonlight_calls;
mod room;
pub mod sdpfrag;
mod session;

pub use channels::ChannelFront;
pub use conversation::{Conversation, Farewell, Out, Peer, Taken};
pub use desk::{Desk, InputChannel, InputRefused};
pub use engine::{Answer, CursorImage, CursorState, Done, Engine, EngineError, Offer, OfferError};
pub use hub::{Hub, HubParts, HubThread, WeakHub};
pub use identity::{Identity, Links, LinksError, LoginId};
pub use limits::{Limits, MAX_MESSAGE_BYTES};
pub use media::{ChannelEvent, ChannelId, Message};
pub use methods::method_names;
pub use moonlight::{ClientsError, MoonlightClients, PinPending};
pub use room::{Notice, RoomView};
pub use session::{Admission, Ended, Ends, Joined, Joining, Refused, Session, SessionHandle};
