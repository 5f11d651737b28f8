//! Why the front door could not open. Each message names what is wrong and what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there.
    #[error(
        "{address} is in use by another program: stop that program, or choose another port, such as \
         --listen {}:{}", address.ip(), next_port(*address)
    )]
    AddressInUse {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The port needs more rights.
    #[error(
        "not allowed to listen on {address}: ports below 1024 need extra rights, choose a higher one, \
         such as --listen {}:8080", address.ip()
    )]
    AddressForbidden {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The machine has no such address.
    #[error("this machine has no address {}: `ip address` lists the ones it has", address.ip())]
    NoSuchAddress {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// Listening failed otherwise.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Open access would let a whole network in.
    #[error(
        "open access is for loopback only, and {address} can be reached from other machines: leave \
         out --open-access, or listen on 127.0.0.1"
    )]
    OpenBeyondLoopback {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The kept certificate cannot be used. It is never overwritten: it may be somebody's own.
    #[error("cannot use the TLS certificate in {}: {why}. Move the file away to get a new one", path.display())]
    CertificateUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The state directory or the certificate cannot be written.
    #[error("cannot keep the TLS certificate in {}: {source}", path.display())]
    StateDirectory {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a TLS certificate: {0}")]
    CertificateGeneration(#[from] rcgen::Error),
    /// The TLS library refuses the certificate.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The system gave no random bytes, so no secret can be made.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The management socket cannot be made.
    #[error("cannot open the management socket {}: {source}", path.display())]
    Management {
        /// The socket or its folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// What a failed `bind` to `address` means.
    pub(crate) fn from_bind(address: SocketAddr, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::AddrInUse => Self::AddressInUse { address },
            std::io::ErrorKind::PermissionDenied => Self::AddressForbidden { address },
            std::io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Listen { address, source },
        }
    }
}

fn next_port(address: SocketAddr) -> u16 {
    address.port().checked_add(1).unwrap_or(8080)
}
