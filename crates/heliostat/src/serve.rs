//! `heliostat serve`: starts the host, prints the link, waits for a signal.

use anyhow::Context;
use host::config::Resolved;
use host::{Callbacks, Host};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::process::ExitCode;

/// Serves until a signal asks to stop.
pub(crate) fn serve(resolved: &Resolved) -> anyhow::Result<ExitCode> {
    // Registered first, so that an early Ctrl-C stops in good order too.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot wait for signals")?;
    let version = env!("CARGO_PKG_VERSION");
    let waiting = signals.handle();
    let callbacks = Callbacks {
        on_link: Box::new(|link| say(&format!("That link is used up. The next one: {link}"))),
        // The wait for a signal ends without one.
        on_quit: Box::new(move || waiting.close()),
    };
    let (host, started) = Host::start(&resolved.config, version, callbacks)?;
    say(&format!("Heliostat {version}"));
    say(&format!("  source   {}", started.source));
    say(&format!("  encoder  {}", started.encoder));
    if let Some(fingerprint) = &started.fingerprint {
        say(&format!(
            "  TLS      the certificate is this host's own; its SHA-256 fingerprint is\n           {fingerprint}"
        ));
    }
    if resolved.config.open_access {
        say("  access   open to everybody on this machine");
    }
    if let Some(token) = &started.player_token {
        say(&format!(
            "  players  WHEP at /whep with the bearer token {token}"
        ));
    }
    if let Some(words) = &started.jetkvm {
        say(&format!("  JetKVM   {words}"));
    }
    say(&format!("\nOpen {}", started.link));
    match signals.forever().next() {
        Some(signal) => tracing::info!(signal, "stopping"),
        None => tracing::info!("stopping, as an administrator asked"),
    }
    drop(host);
    Ok(ExitCode::SUCCESS)
}

/// Tells the user; a closed stdout stops nobody from watching.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}
