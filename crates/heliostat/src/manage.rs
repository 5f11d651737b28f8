//! Commands that talk to a host that runs on this machine: share links, and any other method.

use crate::cli::{CallFlags, Lifetime, ShareFlags};
use crate::print;
use anyhow::{Context, anyhow};
use control::management::{Client, socket_path};
use host::config::Config;
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// What the host says of a share link.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShareLink {
    id: u32,
    url: Option<String>,
    role: String,
    name: Option<String>,
    expires_in_seconds: u64,
    logins: u32,
}

/// The host that listens where the configuration says.
pub(crate) fn connect(config: &Config) -> anyhow::Result<Client> {
    let path = socket_path(config.runtime_dir.as_deref(), config.listen.port());
    Client::connect(&path).map_err(|error| {
        let ip = config.listen.ip();
        anyhow!("{error}; start one with `heliostat`, or name its port: --listen {ip}:PORT")
    })
}

/// `heliostat share`: makes, lists and revokes share links.
pub(crate) fn share(flags: &ShareFlags, config: &Config) -> anyhow::Result<ExitCode> {
    let mut host = connect(config)?;
    if let Some(id) = flags.revoke {
        host.call("revokeShareLink", &json!({ "id": id }))?;
        return print(&format!(
            "Share link {id} is revoked; whoever it let in is out.\n"
        ));
    }
    if flags.list {
        let answer = host.call("listShareLinks", &json!({}))?;
        let links: Vec<ShareLink> = serde_json::from_value(answer["links"].clone())?;
        return print(&table(&links));
    }
    let params = json!({
        "role": flags.role,
        "forSeconds": flags.lifetime.0.as_secs(),
        "name": flags.name,
    });
    let link: ShareLink = serde_json::from_value(host.call("createShareLink", &params)?)?;
    let url = link
        .url
        .context("the host made a link and did not tell it")?;
    print(&format!("{url}\n"))
}

fn table(links: &[ShareLink]) -> String {
    if links.is_empty() {
        return "There are no share links.\n".to_owned();
    }
    let mut text = format!(
        "{:<5} {:<11} {:<11} {:<7} {}\n",
        "ID", "ROLE", "EXPIRES IN", "LOGINS", "NAME"
    );
    for link in links {
        let lifetime = Lifetime(Duration::from_secs(link.expires_in_seconds)).to_string();
        let name = link.name.as_deref().unwrap_or_default();
        text += &format!(
            "{:<5} {:<11} {lifetime:<11} {:<7} {name}\n",
            link.id, link.role, link.logins
        );
    }
    text
}

/// `heliostat call`: calls any method and prints its result.
pub(crate) fn call(flags: &CallFlags, config: &Config) -> anyhow::Result<ExitCode> {
    let params: Value = serde_json::from_str(&flags.params).context("PARAMS is not JSON")?;
    let result = connect(config)?.call(&flags.method, &params)?;
    print(&format!("{result:#}\n"))
}
