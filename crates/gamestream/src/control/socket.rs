//! The UDP socket of ENet: what does not come from the address of a session's client never reaches it,
//! and answers leave from the address that was asked.

use crate::registry::Registry;
use net::{Port, Route};
use rusty_enet::{Address, MTU_MAX, PacketReceived, Socket};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Room for one receive, which the kernel may have coalesced.
const RECEIVE_BYTES: usize = 65_536;
/// Datagrams that wait for ENet; more than that is lost, as on any network.
const WAITING: usize = 512;

/// Where a peer is, and which address of this host it speaks to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(pub(super) Route);

impl Address for Place {
    fn same_host(&self, other: &Self) -> bool {
        self.0.remote.ip() == other.0.remote.ip()
    }

    fn same(&self, other: &Self) -> bool {
        self.0.remote == other.0.remote
    }

    fn is_broadcast(&self) -> bool {
        false
    }
}

pub(super) struct Guarded {
    port: Arc<Port>,
    registry: Arc<Registry>,
    buffer: Vec<u8>,
    waiting: VecDeque<(Route, Vec<u8>)>,
    /// Their memory is used again.
    spare: Vec<Vec<u8>>,
}

impl Guarded {
    pub(super) fn new(port: Arc<Port>, registry: Arc<Registry>) -> Self {
        Self {
            port,
            registry,
            buffer: vec![0; RECEIVE_BYTES],
            waiting: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    fn take_in(&mut self) {
        let (registry, waiting, spare) = (&self.registry, &mut self.waiting, &mut self.spare);
        self.port.receive(&mut self.buffer, |route, bytes| {
            let fits = bytes.len() <= MTU_MAX && waiting.len() < WAITING;
            if fits && registry.knows_address(route.remote.ip()) {
                let mut kept = spare.pop().unwrap_or_default();
                kept.extend_from_slice(bytes);
                waiting.push_back((route, kept));
            }
        });
    }
}

impl Socket for Guarded {
    type Address = Place;
    type Error = io::Error;

    fn send(&mut self, address: Place, buffer: &[u8]) -> io::Result<usize> {
        self.port.send_run(address.0, buffer, buffer.len());
        Ok(buffer.len())
    }

    fn receive(
        &mut self,
        buffer: &mut [u8; MTU_MAX],
    ) -> io::Result<Option<(Place, PacketReceived)>> {
        if self.waiting.is_empty() {
            self.take_in();
        }
        let Some((route, mut bytes)) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let length = bytes.len();
        buffer[..length].copy_from_slice(&bytes);
        bytes.clear();
        self.spare.push(bytes);
        Ok(Some((Place(route), PacketReceived::Complete(length))))
    }
}
