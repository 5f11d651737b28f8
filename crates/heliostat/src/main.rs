//! The `heliostat` command: parses flags, starts the host, prints what a person needs.

mod bench;
mod cli;
mod manage;
mod moonlight;
mod probe;
mod serve;
mod stdio;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use cli::{Cli, Command, ConfigCommand, SettingFlags};
use host::config::{Resolved, Surroundings};
use host::doctor::{Health, examine};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            let mut stderr = std::io::stderr().lock();
            let _ = writeln!(stderr, "heliostat: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// What was tried, then why it failed. Some errors tell their cause in their own words already.
fn describe(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.as_str() {
            "" => cause,
            _ if said.contains(&cause) => said,
            _ => format!("{said}: {cause}"),
        }
    })
}

/// Logs go to stderr; stdout holds only what was asked for.
fn start_logging() {
    let filter = EnvFilter::try_from_env("HELIOSTAT_LOG");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info,str0m=warn,is=warn,dimpl=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => serve::serve(&resolve(&cli.settings)?),
        Some(Command::Serve(settings)) => serve::serve(&resolve(&settings)?),
        Some(Command::Stdio(settings)) => stdio::serve(&resolve(&settings)?.config),
        Some(Command::Share(flags)) => {
            let config = resolve(&flags.host.settings())?.config;
            manage::share(&flags, &config)
        }
        Some(Command::Call(flags)) => {
            let config = resolve(&flags.host.settings())?.config;
            manage::call(&flags, &config)
        }
        Some(Command::Pair(flags)) => {
            let config = resolve(&flags.host.settings())?.config;
            moonlight::pair(&flags, &config)
        }
        Some(Command::Clients(flags)) => {
            let config = resolve(&flags.host.settings())?.config;
            moonlight::clients(&flags, &config)
        }
        Some(Command::Sources) => list_sources(),
        Some(Command::Encoders) => list_encoders(),
        Some(Command::Doctor(settings)) => doctor(&settings),
        Some(Command::Config {
            command: ConfigCommand::Show(settings),
        }) => print(&resolve(&settings)?.to_string()),
        Some(Command::Bench(flags)) => bench::bench(&flags),
        Some(Command::Probe { client }) => probe::probe(&client),
        Some(Command::BenchPattern { arguments }) => {
            ::bench::pattern_child(&arguments)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "heliostat", &mut text);
            print(&String::from_utf8_lossy(&text))
        }
        Some(Command::Man) => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            print(&String::from_utf8_lossy(&text))
        }
    }
}

fn resolve(settings: &SettingFlags) -> anyhow::Result<Resolved> {
    let around = Surroundings::of_process(settings.layer(), settings.config.clone());
    Ok(Resolved::load(&around)?)
}

/// Prints to stdout; a reader that went away (as `head` does) is no error.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot print")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn list_sources() -> anyhow::Result<ExitCode> {
    let mut text = String::from("auto                     the first of these that works\n");
    for source in capture::list() {
        let size = source
            .size
            .map_or_else(String::new, |size| format!(", {size}"));
        let mark = if source.available { "" } else { " (not now)" };
        text += &format!("{:<24} {}{size}{mark}\n", source.spec, source.detail);
    }
    print(&text)
}

fn list_encoders() -> anyhow::Result<ExitCode> {
    let mut text = String::from("auto        the first of these that works\n");
    for encoder in encode::list() {
        let mark = if encoder.available { "" } else { " (not here)" };
        text += &format!("{:<11} {}{mark}\n", encoder.name, encoder.detail);
    }
    print(&text)
}

fn doctor(settings: &SettingFlags) -> anyhow::Result<ExitCode> {
    let findings = examine(&resolve(settings)?.config);
    let bad = findings.iter().any(|finding| finding.health == Health::Bad);
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    print(&format!("{}\n", lines.join("\n")))?;
    Ok(if bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

#[cfg(test)]
mod tests {
    use super::describe;
    use anyhow::anyhow;

    #[test]
    fn no_cause_is_told_twice() {
        let own_words = anyhow!("no such file").context("cannot read x: no such file");
        assert_eq!(describe(&own_words), "cannot read x: no such file");
        let apart = anyhow!("no such file").context("cannot read x");
        assert_eq!(describe(&apart), "cannot read x: no such file");
    }
}
