//! What every engine with sockets needs: UDP that sends runs of packets in one call, and threads that
//! sleep on descriptors, alarms and deadlines. It knows no protocol.

mod udp;
mod wake;

pub use udp::{Port, Route, UdpPort, canonical};
pub use wake::{Alarm, readable, sleep};
