//! Commands about the Moonlight clients of a host that runs on this machine: `pair` and `clients`.

use crate::cli::{ClientsCommand, ClientsFlags, PairFlags, Stay};
use crate::manage::connect;
use crate::print;
use anyhow::{Context, bail};
use control::management::Client;
use host::config::Config;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the host says of a paired client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PairedClient {
    id: u32,
    name: String,
    role: String,
    rights: Rights,
    expires_at: Option<u64>,
    sessions: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Rights {
    keyboard: bool,
    pointer: bool,
    pads: bool,
}

fn paired(host: &mut Client) -> anyhow::Result<Vec<PairedClient>> {
    let answer = host.call("listMoonlightClients", &json!({}))?;
    Ok(serde_json::from_value(answer["clients"].clone())?)
}

/// `heliostat pair`: enters the PIN that a client shows, and waits until it is paired.
pub(crate) fn pair(flags: &PairFlags, config: &Config) -> anyhow::Result<ExitCode> {
    let mut host = connect(config)?;
    let pin = pin(&flags.pin)?;
    let params = json!({ "pin": pin, "id": flags.client, "name": flags.name });
    let outcome = match host.call("enterPin", &params) {
        Ok(outcome) => outcome,
        Err(error) => {
            let waiting = host.call("listPairings", &json!({}))?;
            bail!("{error}\n{}", pairings(&waiting["pairings"]));
        }
    };
    match outcome["ended"].as_str() {
        Some("paired") => {
            let PairedClient { id, name, .. } = serde_json::from_value(outcome["client"].clone())?;
            print(&format!("Paired: {name} (client {id}).\n"))
        }
        ended => bail!(not_paired(ended, outcome["why"].as_str())),
    }
}

/// Why a PIN paired nobody, and what to do.
fn not_paired(ended: Option<&str>, why: Option<&str>) -> String {
    let again = "start pairing in Moonlight again";
    match ended {
        Some("wrong_pin") => format!("the PIN is not the one that the client shows: {again}"),
        Some("not_kept") => {
            let why = why.unwrap_or("it does not say why");
            format!("the PIN was right, but the host could not keep the client: {why}")
        }
        Some("gave_up") => format!("the client gave up: {again}"),
        _ => format!("the client did not go on after its PIN: {again}"),
    }
}

/// The PIN, or standard input where it is `-`: arguments can be seen by others on the machine.
fn pin(given: &str) -> anyhow::Result<String> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    let mut input = std::io::stdin().lock().take(64);
    input
        .read_to_string(&mut text)
        .context("no PIN on standard input")?;
    Ok(text.trim().to_owned())
}

fn pairings(waiting: &Value) -> String {
    let lines = waiting.as_array().into_iter().flatten().map(|pairing| {
        let text = |field: &str| pairing[field].as_str().unwrap_or_default().to_owned();
        format!(
            "  {}: {} at {}\n",
            pairing["id"],
            text("name"),
            text("address")
        )
    });
    match lines.collect::<String>() {
        none if none.is_empty() => {
            "No client waits: choose this host in Moonlight first, it then shows the PIN."
                .to_owned()
        }
        some => format!("These clients wait (choose one with --client):\n{some}"),
    }
}

/// `heliostat clients`: lists and changes paired clients.
pub(crate) fn clients(flags: &ClientsFlags, config: &Config) -> anyhow::Result<ExitCode> {
    let mut host = connect(config)?;
    match &flags.command {
        None | Some(ClientsCommand::List) => print(&table(&paired(&mut host)?)),
        Some(ClientsCommand::Rename { id, name }) => {
            change(&mut host, &json!({ "id": id, "name": name }))
        }
        Some(ClientsCommand::Allow {
            id,
            role,
            input,
            stay,
        }) => {
            let mut wanted = json!({ "id": id });
            if let Some(role) = role {
                wanted["role"] = json!(role);
            }
            if !input.is_empty() {
                let has = |class: &str| input.iter().any(|given| given == class);
                let (keyboard, pointer, pads) = (has("keyboard"), has("mouse"), has("pads"));
                wanted["rights"] =
                    json!({ "keyboard": keyboard, "pointer": pointer, "pads": pads });
            }
            if let Some(stay) = stay {
                wanted["expiresAt"] = json!(end_of(*stay));
            }
            change(&mut host, &wanted)
        }
        Some(ClientsCommand::Remove { id }) => {
            host.call("removeMoonlightClient", &json!({ "id": id }))?;
            print(&format!(
                "Client {id} is removed, and its streams have ended.\n"
            ))
        }
    }
}

/// In seconds of the Unix epoch; nothing is never.
fn end_of(stay: Stay) -> Option<u64> {
    let Stay::For(time) = stay else { return None };
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    Some((since_epoch.unwrap_or_default() + time).as_secs())
}

fn change(host: &mut Client, wanted: &Value) -> anyhow::Result<ExitCode> {
    let changed = host.call("changeMoonlightClient", wanted)?;
    print(&table(&[serde_json::from_value(changed)?]))
}

fn table(clients: &[PairedClient]) -> String {
    if clients.is_empty() {
        return "No Moonlight client is paired.\n".to_owned();
    }
    let mut text = format!(
        "{:<4} {:<11} {:<20} {:<9} {}\n",
        "ID", "ROLE", "INPUT", "STREAMS", "NAME"
    );
    for client in clients {
        let Rights {
            keyboard,
            pointer,
            pads,
        } = client.rights;
        let classes = [("keyboard", keyboard), ("mouse", pointer), ("pads", pads)];
        let allowed = classes.iter().filter(|(_, allowed)| *allowed);
        let allowed: Vec<&str> = allowed.map(|(class, _)| *class).collect();
        let allowed = match allowed.len() {
            0 => "none".to_owned(),
            _ => allowed.join(","),
        };
        let streams = client.sessions.len();
        let until = client.expires_at.map(|at| format!("  (until {at})"));
        text += &format!(
            "{:<4} {:<11} {allowed:<20} {streams:<9} {}{}\n",
            client.id,
            client.role,
            client.name,
            until.unwrap_or_default()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_shown_with_what_it_may_do() {
        let client = |rights: Rights| PairedClient {
            id: 3,
            name: "Living room".to_owned(),
            role: "controller".to_owned(),
            rights,
            expires_at: None,
            sessions: vec![7],
        };
        let some = Rights {
            keyboard: false,
            pointer: true,
            pads: true,
        };
        let shown = table(&[client(some)]);
        assert!(
            shown.contains("mouse,pads") && shown.contains("Living room"),
            "{shown}"
        );
        let none = Rights {
            keyboard: false,
            pointer: false,
            pads: false,
        };
        assert!(table(&[client(none)]).contains("none"));
        assert!(table(&[]).contains("No Moonlight client"));
    }

    #[test]
    fn each_way_in_which_pairing_fails_has_its_own_words() {
        let ends = ["wrong_pin", "not_kept", "gave_up", "timed_out"];
        let told = ends.map(|ended| not_paired(Some(ended), Some("the disk is full")));
        let different: std::collections::BTreeSet<_> = told.iter().collect();
        assert_eq!(different.len(), ends.len(), "{told:?}");
        assert!(told[1].contains("the disk is full"));
    }

    #[test]
    fn whoever_waits_is_listed_by_number() {
        let waiting = json!([{"id": 4, "name": "roth", "address": "192.0.2.7"}]);
        assert!(pairings(&waiting).contains("4: roth at 192.0.2.7"));
        assert!(pairings(&json!([])).contains("No client waits"));
    }
}
