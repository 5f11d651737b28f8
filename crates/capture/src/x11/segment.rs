//! Picture memory shared with the X server: the frame is the segment the server wrote into.

use crate::source::SourceError;
use crate::x11::display::{Display, XResult};
use crate::x11::stream::Connection;
use ffi_shm::SharedMemory;
use media::Pixels;
use std::sync::Arc;
use x11rb::connection::Connection as _;
use x11rb::protocol::shm::{ConnectionExt as _, Seg};

/// A segment that a server has attached, detached again on drop.
pub(crate) struct Segment {
    memory: SharedMemory,
    id: Seg,
    connection: Arc<Connection>,
}

impl Segment {
    /// A segment of `bytes` that the server of `display` may write into.
    pub(crate) fn attach(display: &Display, bytes: usize) -> Result<Self, SourceError> {
        let (memory, fd) = SharedMemory::new(bytes).map_err(std::io::Error::other)?;
        let connection = Arc::clone(&display.connection);
        let attached = || -> XResult<Seg> {
            let id = connection.generate_id()?;
            connection.shm_attach_fd(id, fd, false)?.check()?;
            Ok(id)
        };
        let id = attached().map_err(|error| display.lost(error))?;
        Ok(Self {
            memory,
            id,
            connection,
        })
    }

    /// The server's name for it.
    pub(crate) const fn id(&self) -> Seg {
        self.id
    }

    /// The bytes, to be written by this side, while no request of ours makes the server write.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut()
    }
}

impl Pixels for Segment {
    fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // When the server is gone, so is its side of the segment. The request leaves with the next
        // one that is flushed, since a frame may be dropped where nobody may wait.
        let _ = self.connection.shm_detach(self.id);
    }
}
