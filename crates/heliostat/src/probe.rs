//! `heliostat probe`: a client of a host's that measures instead of showing. Flags to options, reports
//! to the terminal.

mod decoders;
mod flags;
mod tell;

use crate::cli::SettingFlags;
use crate::{print, resolve};
use decoders::Built;
pub(crate) use flags::ProbeCommand;
use flags::{MoonlightFlags, StreamFlags, Verb};
use probe::{Client, Options, Report};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tell::Line;

/// Runs a client.
pub(crate) fn probe(command: &ProbeCommand) -> anyhow::Result<ExitCode> {
    let ProbeCommand::Moonlight(flags) = command;
    let mut client = Client::open(&Options {
        host: flags.host.clone(),
        state_dir: state_dir(flags)?,
    })?;
    match &flags.verb {
        Verb::Info { json } => {
            let info = client.info()?;
            match json {
                true => print(&format!("{}\n", serde_json::to_string(&info)?)),
                false => print(&tell::info(&info)),
            }
        }
        Verb::Pair { pin } => pair(&mut client, pin),
        Verb::List { json } => {
            let apps = client.apps()?;
            match json {
                true => print(&format!("{}\n", serde_json::to_string(&apps)?)),
                false => print(&tell::apps(&apps)),
            }
        }
        Verb::Stream(flags) => stream(&client, flags),
        Verb::Quit => {
            client.quit()?;
            print("The host ended the app of this client, if it had one.\n")
        }
        Verb::Unpair => {
            let host = &flags.host;
            print(&match client.unpair()? {
                true => format!("{host} is forgotten, and forgot this client.\n"),
                false => format!(
                    "{host} is forgotten. It may know this client still: remove it there.\n"
                ),
            })
        }
    }
}

fn state_dir(flags: &MoonlightFlags) -> anyhow::Result<PathBuf> {
    match &flags.state_dir {
        Some(folder) => Ok(folder.clone()),
        None => {
            let config = resolve(&SettingFlags::default())?.config;
            Ok(config.state_dir.join("probe"))
        }
    }
}

fn pair(client: &mut Client, pin: &str) -> anyhow::Result<ExitCode> {
    let made_up;
    let pin = if pin == "-" {
        made_up = probe::pairing::random_pin()?;
        print(&tell::big_pin(&made_up))?;
        made_up.as_str()
    } else {
        pin
    };
    print(&format!(
        "Enter the PIN {pin} at {}; waiting.\n",
        client.host()
    ))?;
    client.pair(pin)?;
    print(&format!("Paired with {}.\n", client.host()))
}

fn stream(client: &Client, flags: &StreamFlags) -> anyhow::Result<ExitCode> {
    let options = flags.options()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let mut told: anyhow::Result<ExitCode> = Ok(ExitCode::SUCCESS);
    let mut on_report = |report: &Report| {
        told = match flags.json {
            true => print_json(&Line::Second(report)),
            false => print(&tell::second(report)),
        };
        if told.is_err() || interrupted.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let summary = client.stream(&options, &Built, &mut on_report)?;
    told?;
    match flags.json {
        true => print_json(&Line::Summary(&summary)),
        false => print(&tell::summary(&summary)),
    }
}

fn print_json(line: &Line<'_>) -> anyhow::Result<ExitCode> {
    print(&format!("{}\n", serde_json::to_string(line)?))
}
