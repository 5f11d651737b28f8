//! An entry for the datagrams of ENet, which a library reads that was translated from C: what comes from
//! the address of a client that is connected, and from one that is not.

use rusty_enet::{Address, Event, Host, HostSettings, MTU_MAX, PacketReceived, PeerID, Socket};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// As the host has them, but for the number of peers.
const PEERS: usize = 4;
const CHANNELS: usize = 0x30;
const MAX_MESSAGE_BYTES: usize = 1024;
const MAX_WAITING_BYTES: usize = 64 * 1024;
const HOST: usize = 0;
const CLIENT: usize = 1;
const STRANGER: usize = 2;
/// Turns in which two ends that lose nothing have found each other.
const TURNS: usize = 10;
const TURN: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End(usize);

impl Address for End {
    fn same_host(&self, other: &Self) -> bool {
        self == other
    }
    fn same(&self, other: &Self) -> bool {
        self == other
    }
    fn is_broadcast(&self) -> bool {
        false
    }
}

/// What is on its way to each end, with where it comes from.
type Wire = Rc<RefCell<[VecDeque<(End, Vec<u8>)>; 3]>>;

struct Line {
    end: usize,
    wire: Wire,
}

impl Socket for Line {
    type Address = End;
    type Error = io::Error;

    fn send(&mut self, to: End, bytes: &[u8]) -> io::Result<usize> {
        self.wire.borrow_mut()[to.0].push_back((End(self.end), bytes.to_vec()));
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8; MTU_MAX]) -> io::Result<Option<(End, PacketReceived)>> {
        let next = self.wire.borrow_mut()[self.end].pop_front();
        Ok(next.map(|(from, bytes)| {
            buffer[..bytes.len()].copy_from_slice(&bytes);
            (from, PacketReceived::Complete(bytes.len()))
        }))
    }
}

struct Rig {
    wire: Wire,
    clock: Rc<Cell<Duration>>,
}

impl Rig {
    fn end(&self, end: usize, peers: usize) -> Option<Host<Line>> {
        let line = Line {
            end,
            wire: Rc::clone(&self.wire),
        };
        let clock = Rc::clone(&self.clock);
        let settings = HostSettings {
            peer_limit: peers,
            channel_limit: CHANNELS,
            time: Box::new(move || clock.get()),
            seed: Some(1),
            ..HostSettings::default()
        };
        let mut host = Host::new(line, settings).ok()?;
        host.set_maximum_packet_size(MAX_MESSAGE_BYTES).ok()?;
        host.set_maximum_waiting_data(MAX_WAITING_BYTES).ok()?;
        Some(host)
    }
}

fn serve(host: &mut Host<Line>) {
    while let Ok(Some(event)) = host.service() {
        if let Event::Receive { packet, .. } = event {
            assert!(packet.data().len() <= MAX_MESSAGE_BYTES);
        }
    }
}

/// Datagrams, each behind its length in two bytes, of which the highest bit says that a stranger sends it.
pub(crate) fn datagrams(mut bytes: &[u8]) {
    let rig = Rig {
        wire: Wire::default(),
        clock: Rc::new(Cell::new(Duration::from_secs(1))),
    };
    let (Some(mut host), Some(mut client)) = (rig.end(HOST, PEERS), rig.end(CLIENT, 1)) else {
        return;
    };
    if client.connect(End(HOST), CHANNELS, 7).is_err() {
        return;
    }
    for _ in 0..TURNS {
        rig.clock.set(rig.clock.get() + TURN);
        serve(&mut client);
        serve(&mut host);
    }
    assert!(host.peer_mut(PeerID(0)).connected());
    while let Some((length, after)) = bytes.split_first_chunk() {
        let length = u16::from_le_bytes(*length);
        let from = if length & 0x8000 == 0 {
            CLIENT
        } else {
            STRANGER
        };
        let length = usize::from(length & 0x0fff).min(after.len()).min(MTU_MAX);
        let (datagram, after) = after.split_at(length);
        rig.wire.borrow_mut()[HOST].push_back((End(from), datagram.to_vec()));
        bytes = after;
        rig.clock.set(rig.clock.get() + TURN);
        serve(&mut host);
        host.flush();
        rig.wire.borrow_mut()[STRANGER].clear();
        serve(&mut client);
    }
}
