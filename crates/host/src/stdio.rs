//! A host for another program: one JSON object a line on stdin and stdout, nothing else on either. It
//! ends when stdin does.

mod lines;
mod parent;
pub mod protocol;

use crate::config::Config;
use crate::media_host::MediaHost;
use crate::serve::HostError;
use lines::Lines;
use parent::Parent;
use protocol::Reply;
use std::io::{Read, Write};
use std::net::SocketAddr;

/// Serves the parent until it closes `input`.
///
/// # Errors
/// [`HostError`] when the host cannot start; nothing was written then.
pub fn serve(
    config: &Config,
    version: &str,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<(), HostError> {
    let quit = std::sync::Arc::new(tokio::sync::Notify::new());
    let quits = std::sync::Arc::clone(&quit);
    // There is no page, so media need not share the number of its port.
    let media = SocketAddr::new(config.listen.ip(), 0);
    let on_quit = Box::new(move || quits.notify_one());
    let (host, started) = MediaHost::start(config, version, media, on_quit)?;
    let (lines, said) = Lines::start(input, output).map_err(HostError::Thread)?;
    let hub = host.hub().clone();
    let parent = Parent::new(hub.clone(), lines);
    let version = version.to_owned();
    let (done, ended) = std::sync::mpsc::channel();
    hub.runtime().spawn(async move {
        let ready = Reply::Ready {
            version: &version,
            source: &started.source,
            encoder: &started.encoder,
        };
        parent.say(&ready).await;
        tokio::select! {
            () = parent.serve(said) => {}
            () = quit.notified() => {}
        }
        // Whoever waits is this function.
        let _ = done.send(());
    });
    // No word means that the hub's thread is gone, and everything with it.
    let _ = ended.recv();
    drop(host);
    Ok(())
}
