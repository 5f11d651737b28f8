//! Which program of this machine has a port, as far as the system lets this user see. Reads `/proc`
//! and nothing else.

use std::fs;
use std::path::Path;

/// The table of one protocol and address family.
const TABLES: [(&str, Protocol); 4] = [
    ("/proc/net/tcp", Protocol::Tcp),
    ("/proc/net/tcp6", Protocol::Tcp),
    ("/proc/net/udp", Protocol::Udp),
    ("/proc/net/udp6", Protocol::Udp),
];
/// The state of a TCP socket that listens.
const LISTENS: &str = "0A";

/// What a port is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// The name of the program that has a port; nothing when nobody has it, or it is another user's.
pub(crate) fn owner(protocol: Protocol, port: u16) -> Option<String> {
    let tables = TABLES.iter().filter(|(_, of)| *of == protocol);
    let inode = tables
        .filter_map(|(table, _)| fs::read_to_string(table).ok())
        .find_map(|table| inode_of(&table, protocol, port))?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut processes = processes.map(|process| process.path());
    let process = processes.find(|process| has_open(process, &socket))?;
    let name = fs::read_to_string(process.join("comm")).ok()?;
    Some(name.trim().to_owned())
}

/// The inode of the socket that is bound to a port, in a table of `/proc/net`.
fn inode_of(table: &str, protocol: Protocol, port: u16) -> Option<u64> {
    let wanted = format!("{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (_, local_port) = local.rsplit_once(':')?;
        let bound = local_port == wanted && (protocol == Protocol::Udp || *state == LISTENS);
        bound.then(|| inode.parse().ok()).flatten()
    })
}

fn has_open(process: &Path, socket: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target.as_os_str() == socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn the_program_that_has_a_port_is_named() {
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        assert_eq!(owner(Protocol::Tcp, port).as_deref(), Some(own.trim()));
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        assert_eq!(owner(Protocol::Udp, port).as_deref(), Some(own.trim()));
    }

    #[test]
    fn a_connection_is_no_listener_and_lines_of_nonsense_are_nobodys() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:BB75 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 77 1\n\
             nonsense\n\
             1: 0100007F:BB75 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 78 1\n";
        assert_eq!(inode_of(table, Protocol::Tcp, 47989), Some(78));
        assert_eq!(inode_of(table, Protocol::Tcp, 47984), None);
    }
}
