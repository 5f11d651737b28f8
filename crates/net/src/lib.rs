//! What every engine with sockets needs: UDP that sends runs of packets in one call, and threads that
//! sleep on descriptors, alarms and deadlines. It knows no protocol.

mod card;
mod mark;
mod udp;
mod wake;

pub use card::hardware_address;
pub use mark::ServiceClass;
pub use udp::{Port, Route, UdpPort, canonical};
pub use wake::{Alarm, readable, sleep};
