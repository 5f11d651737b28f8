//! Data channels of one session: the client makes them, this side bounds their number, the size of
//! a message and what may wait. Refuses to know what the messages mean.

use control_api::EndReason;
use events::ViewerId;
use media::{ChannelEvent, ChannelId, Message};
use std::rc::Rc;
use str0m::Rtc;
use str0m::channel::{ChannelData, ChannelId as RtcChannelId, Reliability};

/// Channels of one session at once; one more is closed as soon as it opens.
pub const MAX_CHANNELS: usize = 16;
/// Longest label of a channel; a channel with a longer one is closed as soon as it opens.
pub const MAX_LABEL_BYTES: usize = 256;
/// Longest message in either direction. A client may itself take less.
pub const MAX_MESSAGE_BYTES: usize = 256 << 10;
/// Bytes of messages that one channel holds until the client has acknowledged them.
pub const MAX_BUFFERED_BYTES: usize = 1 << 20;
/// The same over all channels of a session.
pub(crate) const MAX_SESSION_BUFFERED_BYTES: usize = 4 << 20;

const _: () = assert!(MAX_MESSAGE_BYTES <= MAX_BUFFERED_BYTES);
const _: () = assert!(MAX_BUFFERED_BYTES <= MAX_SESSION_BUFFERED_BYTES);

/// Hears of channels, on the network thread and as soon as a packet has told; must not block.
pub type OnChannel = Box<dyn Fn(ViewerId, ChannelEvent<'_>) + Send>;

#[derive(Clone, Copy, Debug)]
struct Channel {
    id: ChannelId,
    inner: RtcChannelId,
    reliable: bool,
}

/// The channels of one session.
pub(crate) struct Channels {
    viewer: ViewerId,
    open: Vec<Channel>,
    next: u16,
    /// Something was sent that may not be acknowledged yet.
    sending: bool,
    listener: Rc<OnChannel>,
}

impl Channels {
    pub(crate) fn new(viewer: ViewerId, listener: Rc<OnChannel>) -> Self {
        Self {
            viewer,
            open: Vec::new(),
            next: 0,
            sending: false,
            listener,
        }
    }

    fn tell(&self, event: ChannelEvent<'_>) {
        (self.listener)(self.viewer, event);
    }

    fn fresh_id(&mut self) -> ChannelId {
        // Fewer channels are open than numbers exist, so this ends.
        while self.open.iter().any(|channel| channel.id.0 == self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = ChannelId(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }

    pub(crate) fn opened(&mut self, rtc: &mut Rtc, inner: RtcChannelId, label: &str) {
        if self.open.len() >= MAX_CHANNELS || label.len() > MAX_LABEL_BYTES {
            let open = self.open.len();
            tracing::warn!(viewer = self.viewer.0, open, "a data channel was refused");
            rtc.direct_api().close_data_channel(inner);
            return;
        }
        let reliable = rtc.channel(inner).is_none_or(|channel| {
            let config = channel.config();
            config.is_none_or(|config| config.reliability == Reliability::Reliable)
        });
        let id = self.fresh_id();
        tracing::debug!(
            viewer = self.viewer.0,
            channel = id.0,
            label,
            reliable,
            "channel opened"
        );
        self.open.push(Channel {
            id,
            inner,
            reliable,
        });
        self.tell(ChannelEvent::Opened { id, label });
    }

    pub(crate) fn received(&self, message: &ChannelData) {
        let Some(channel) = self.open.iter().find(|open| open.inner == message.id) else {
            return;
        };
        self.tell(ChannelEvent::Message {
            id: channel.id,
            binary: message.binary,
            data: &message.data,
        });
    }

    pub(crate) fn closed(&mut self, inner: RtcChannelId) {
        if let Some(at) = self.open.iter().position(|open| open.inner == inner) {
            let id = self.open.swap_remove(at).id;
            self.tell(ChannelEvent::Closed { id });
        }
    }

    pub(crate) fn close_all(&mut self) {
        for channel in std::mem::take(&mut self.open) {
            self.tell(ChannelEvent::Closed { id: channel.id });
        }
    }

    /// Whether the client has not acknowledged everything yet.
    pub(crate) fn is_sending(&mut self, rtc: &mut Rtc) -> bool {
        if self.sending {
            self.sending = self.open.iter().any(|channel| {
                let open = rtc.channel(channel.inner);
                open.is_some_and(|mut channel| channel.buffered_amount() > 0)
            });
        }
        self.sending
    }

    /// Sends a message. Where there is no room, an unreliable channel drops it; a reliable one
    /// promised to deliver, so that the session ends. A closed channel swallows it, for the client
    /// closed it while the message was on its way here.
    pub(crate) fn send(
        &mut self,
        rtc: &mut Rtc,
        id: ChannelId,
        message: &Message,
    ) -> Result<(), EndReason> {
        let Some(known) = self.open.iter().find(|open| open.id == id) else {
            return Ok(());
        };
        let Some(mut channel) = rtc.channel(known.inner) else {
            return Ok(());
        };
        let bytes = message.bytes();
        let binary = matches!(message, Message::Binary(_));
        let fits = channel.buffered_amount() + bytes.len() <= MAX_BUFFERED_BYTES;
        let refused = match fits.then(|| channel.write(binary, bytes)) {
            Some(Ok(true)) => {
                self.sending = true;
                return Ok(());
            }
            Some(Err(error)) => error.to_string(),
            Some(Ok(false)) | None => "too much is waiting".to_owned(),
        };
        let (viewer, size) = (self.viewer.0, bytes.len());
        if !known.reliable {
            tracing::debug!(
                viewer,
                channel = id.0,
                size,
                refused,
                "a message was dropped"
            );
            return Ok(());
        }
        tracing::warn!(
            viewer,
            channel = id.0,
            size,
            refused,
            "a channel cannot keep up"
        );
        Err(EndReason::Error)
    }
}
