//! Control messages across the wraps that ENet has: of its numbers, 16 bits on each channel, and of its
//! clock, 32 bits of milliseconds; and up to the last number of our own, which is not to wrap.

use super::KEY;
use gamestream_proto::StreamKey;
use gamestream_proto::control::{
    ClientMessage, ControlOpener, ControlSealer, HOST_CHANNEL, HostMessage, Rumble,
};
use gamestream_proto::input::InputPacket;
use probe::control::{HostEvent, Inbox, Message};
use probe::crypto::GcmKey;
use rusty_enet::{
    Address, Event, Host, HostSettings, MTU_MAX, Packet, PacketReceived, PeerID, Socket,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// More than ENet's numbers of a channel can tell apart.
const MESSAGES: u32 = 70_000;
/// ENet's clock wraps while they are sent: it counts milliseconds in 32 bits.
const BEGINS_AT: Duration = Duration::from_millis((1 << 32) - 8000);
/// On the way.
const DELAY: Duration = Duration::from_millis(5);
const TURN: Duration = Duration::from_millis(2);
/// How many are given to ENet in a turn.
const IN_A_TURN: u32 = 8;
/// One datagram of so many is lost.
const LOST_OF: usize = 50;

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

type Clock = Rc<Cell<Duration>>;

/// What is on its way to each end, with when it arrives.
type Wire = Rc<RefCell<[VecDeque<(Duration, Vec<u8>)>; 2]>>;

struct Line {
    end: usize,
    wire: Wire,
    clock: Clock,
    random: fastrand::Rng,
}

impl Socket for Line {
    type Address = End;
    type Error = io::Error;

    fn send(&mut self, to: End, bytes: &[u8]) -> io::Result<usize> {
        if self.random.usize(..LOST_OF) > 0 {
            let datagram = (self.clock.get() + DELAY, bytes.to_vec());
            self.wire.borrow_mut()[to.0].push_back(datagram);
        }
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8; MTU_MAX]) -> io::Result<Option<(End, PacketReceived)>> {
        let mut wire = self.wire.borrow_mut();
        let now = self.clock.get();
        let Some((_, bytes)) = wire[self.end].pop_front_if(|(at, _)| *at <= now) else {
            return Ok(None);
        };
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(Some((
            End(1 - self.end),
            PacketReceived::Complete(bytes.len()),
        )))
    }
}

fn end(end: usize, wire: &Wire, clock: &Clock) -> Host<Line> {
    let line = Line {
        end,
        wire: Rc::clone(wire),
        clock: Rc::clone(clock),
        random: fastrand::Rng::with_seed(3 + end as u64),
    };
    let time = Rc::clone(clock);
    let settings = HostSettings {
        peer_limit: 1,
        channel_limit: 0x30,
        time: Box::new(move || time.get()),
        seed: Some(5),
        ..HostSettings::default()
    };
    Host::new(line, settings).unwrap()
}

/// What came, with its channels.
type Came = Vec<(u8, Vec<u8>)>;

/// Serves an end until nothing is left to do at this time; whether it is connected now.
fn serve(host: &mut Host<Line>, came: &mut Came) -> bool {
    let mut connected = false;
    while let Some(event) = host.service().unwrap() {
        match event {
            Event::Connect { .. } => connected = true,
            Event::Receive {
                channel_id, packet, ..
            } => came.push((channel_id, packet.data().to_vec())),
            Event::Disconnect { .. } => panic!("the connection ends"),
        }
    }
    connected
}

/// Both directions on one connection.
struct Connection {
    clock: Clock,
    ends: [Host<Line>; 2],
    peer: PeerID,
}

impl Connection {
    fn new() -> Self {
        let (clock, wire) = (Clock::new(Cell::new(BEGINS_AT)), Wire::default());
        let mut ends = [0, 1].map(|at| end(at, &wire, &clock));
        let peer = ends[1].connect(End(0), 0x30, 1).unwrap().id();
        let mut this = Self { clock, ends, peer };
        let mut connected = 0;
        while connected < 2 {
            connected += this.turn().0;
        }
        this
    }

    fn turn(&mut self) -> (usize, [Came; 2]) {
        self.clock.set(self.clock.get() + TURN);
        let mut came = [Vec::new(), Vec::new()];
        let mut connected = 0;
        for (end, came) in self.ends.iter_mut().zip(&mut came) {
            connected += usize::from(serve(end, came));
        }
        (connected, came)
    }
}

fn rumble(number: u32) -> HostMessage {
    HostMessage::Rumble(Rumble {
        number: 1,
        low: (number >> 16) as u16,
        high: number as u16,
    })
}

#[test]
fn messages_arrive_once_and_in_order_across_the_wraps_of_enet() {
    const KEYBOARD: u8 = 2;
    let key = StreamKey::new(KEY);
    let (mut opener, mut sealer) = (
        ControlOpener::new(&key).unwrap(),
        ControlSealer::new(&key).unwrap(),
    );
    let mut inbox = Inbox::new(GcmKey::new(&KEY).unwrap());
    let client_key = GcmKey::new(&KEY).unwrap();
    let mut connection = Connection::new();
    let (mut sent, mut packet) = (0, Vec::new());
    let mut heard = [0_u32; 2];
    while heard.iter().any(|heard| *heard < MESSAGES) {
        let until = (sent + IN_A_TURN).min(MESSAGES);
        for number in sent..until {
            sealer.seal(&rumble(number), &mut packet).unwrap();
            let peer = connection.ends[0].peer_mut(PeerID(0));
            peer.send(HOST_CHANNEL, &Packet::reliable(packet.as_slice()))
                .unwrap();
            // A movement of the mouse whose distances are its number.
            let [a, b, c, d] = number.to_be_bytes();
            let body = vec![0, 0, 0, 8, 7, 0, 0, 0, a, b, c, d];
            let message = Message::input(KEYBOARD, body)
                .seal(&client_key, number)
                .unwrap();
            let peer = connection.ends[1].peer_mut(connection.peer);
            peer.send(KEYBOARD, &Packet::reliable(message.as_slice()))
                .unwrap();
        }
        sent = until;
        let (_, [to_host, to_client]) = connection.turn();
        for (_, packet) in to_host {
            let Ok(ClientMessage::Input(InputPacket::MouseMove(moved))) = opener.open(&packet)
            else {
                panic!("message {} is not what was sent", heard[0]);
            };
            let number =
                u32::from(moved.dx.cast_unsigned()) << 16 | u32::from(moved.dy.cast_unsigned());
            assert_eq!(number, heard[0]);
            heard[0] += 1;
        }
        for (channel, packet) in to_client {
            let Ok(HostEvent::Rumble { low, high, .. }) = inbox.open(channel, &packet) else {
                panic!("message {} is not what was sent", heard[1]);
            };
            assert_eq!(u32::from(low) << 16 | u32::from(high), heard[1]);
            heard[1] += 1;
        }
        let taken = connection.clock.get() - BEGINS_AT;
        assert!(
            taken < Duration::from_secs(3600),
            "{heard:?} of {MESSAGES} in an hour"
        );
    }
    let wrapped = connection.clock.get().as_millis() > 1 << 32;
    assert!(wrapped, "the clock of ENet wraps meanwhile");
}

#[test]
fn the_last_number_is_taken_once_and_no_number_comes_again() {
    let mut opener = ControlOpener::new(&StreamKey::new(KEY)).unwrap();
    let key = GcmKey::new(&KEY).unwrap();
    for number in [0, 1 << 31, u32::MAX - 1, u32::MAX] {
        let ping = Message::ping().seal(&key, number).unwrap();
        assert_eq!(opener.open(&ping).unwrap(), ClientMessage::Ping);
        assert!(opener.open(&ping).is_err(), "{number} again");
    }
    for number in [0, 1, 70_000] {
        let ping = Message::ping().seal(&key, number).unwrap();
        assert!(opener.open(&ping).is_err(), "{number} begins again");
    }
}
