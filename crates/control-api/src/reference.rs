//! The schema of everything on the wire, and the page that people read, both made from the tables.

use crate::{Lane, Role, method_table, notification_table};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// One JSON Schema document: definitions, and under `methods` and `notifications` what each carries.
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let (mut methods, mut notifications) = (Map::new(), Map::new());
    for method in method_table() {
        let entry = json!({
            "description": method.summary.trim(),
            "params": (method.params)(&mut generator),
            "result": (method.result)(&mut generator),
            "needsSession": method.needs_session,
            "lane": lane(method.lane),
            "role": role(method.role),
        });
        methods.insert(method.name.to_owned(), entry);
    }
    for notification in notification_table() {
        let entry = json!({
            "description": notification.summary.trim(),
            "params": (notification.params)(&mut generator),
        });
        notifications.insert(notification.name.to_owned(), entry);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "JSON-RPC of Heliostat",
        "methods": methods,
        "notifications": notifications,
        "$defs": definitions(&mut generator),
    })
}

fn definitions(generator: &mut SchemaGenerator) -> Value {
    Value::Object(generator.take_definitions(true))
}

fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Ordered => "ordered",
        Lane::Concurrent => "concurrent",
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Player => "player",
        Role::Viewer => "viewer",
        Role::Controller => "controller",
        Role::Admin => "admin",
    }
}

const OPENING: &str = "\
# JSON-RPC reference

<!-- Made by `cargo xtask rpc-docs`; a test fails when it is not what the types say. -->

JSON-RPC 2.0, one message a WebSocket frame on `/api/ws`, the same on a data channel labelled `rpc`,
and one message a line on the management socket. The machine-readable form is
[schema.json](schema.json).

- Roles: `viewer` < `controller` < `admin`. The link that the host prints makes an administrator.
- *Ordered* calls of a connection run one after the other in the order of their arrival, *concurrent*
  ones at once, at most 32 of them. At most 1024 ordered calls wait (and 1 MiB of them), more are
  answered with -32000. Of `pauseVideo`, `resumeVideo` and `setVideoStreamPaused` waiting in a row
  only the last word is carried out, for all of them.
- A message has at most 256 KiB, a batch at most 32 calls.
- A call that succeeds without a value answers `null`. Notifications get no answer.

| code | meaning |
|---|---|
| -32700 | the message is not JSON |
| -32600 | it is no request |
| -32601 | there is no such method |
| -32602 | the method does not take these parameters; `data.field` names the one that is wrong |
| -32603 | the method failed; `data` says more |
| -32000 | busy: too much at once |
| -32001 | the method needs a session and there is none |
| -32002 | the caller's role does not allow it |
| -32003 | another session drives |
| -32004 | this host cannot do it |
";

/// The reference page, in Markdown.
#[must_use]
pub fn reference() -> String {
    let schema = schema();
    let mut page = OPENING.to_owned();
    page.push_str("\n## Methods\n\n");
    for method in method_table() {
        let entry = &schema["methods"][method.name];
        let session = if method.needs_session {
            ", needs a session"
        } else {
            ""
        };
        // Writing into a string cannot fail.
        let _ = write!(
            page,
            "### `{}`\n\n{}\n\n{}, {}{session}. Takes {}, answers {}.\n\n",
            method.name,
            method.summary.trim(),
            role(method.role),
            lane(method.lane),
            shape(&entry["params"]),
            shape(&entry["result"]),
        );
    }
    page.push_str("## Notifications\n\n");
    for notification in notification_table() {
        let entry = &schema["notifications"][notification.name];
        let _ = write!(
            page,
            "### `{}`\n\n{}\n\nCarries {}.\n\n",
            notification.name,
            notification.summary.trim(),
            shape(&entry["params"]),
        );
    }
    page.push_str("## Types\n");
    if let Some(definitions) = schema["$defs"].as_object() {
        for (name, definition) in definitions {
            if name != "NoParams" && name != "Nothing" {
                describe(&mut page, name, definition);
            }
        }
    }
    page
}

/// A schema in a few words: a link to its type, or its JSON type.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix("#/$defs/"))
    {
        return match name {
            "NoParams" | "Nothing" => "nothing".to_owned(),
            _ => format!("[{name}](#{})", name.to_lowercase()),
        };
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let known = options.iter().filter(|option| option["type"] != "null");
        return known.map(shape).collect::<Vec<_>>().join(" or ");
    }
    if let Some(constant) = schema.get("const") {
        return format!("`{constant}`");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("array of {}", shape(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let known = kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null");
            known.collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn describe(page: &mut String, name: &str, definition: &Value) {
    let _ = write!(page, "\n### {name}\n\n");
    if let Some(description) = definition["description"].as_str() {
        let _ = writeln!(page, "{}\n", one_line(description));
    }
    if let Some(options) = definition["oneOf"].as_array() {
        for option in options {
            describe_option(page, option);
        }
    } else if let Some(values) = definition["enum"].as_array() {
        for value in values {
            let _ = writeln!(page, "- `{value}`");
        }
    } else {
        members(page, definition);
    }
}

fn describe_option(page: &mut String, option: &Value) {
    let words = option["description"]
        .as_str()
        .map(one_line)
        .unwrap_or_default();
    if let Some(constant) = option.get("const") {
        let _ = writeln!(page, "- `{constant}`: {words}");
        return;
    }
    let tag = &option["properties"]["type"]["const"];
    let _ = write!(page, "\n`\"type\": {tag}`: {words}\n\n");
    members(page, option);
}

fn members(page: &mut String, definition: &Value) {
    let Some(properties) = definition["properties"].as_object() else {
        return;
    };
    let required = definition["required"].as_array();
    let required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    page.push_str("| member | type | |\n|---|---|---|\n");
    for (member, schema) in properties
        .iter()
        .filter(|(_, schema)| schema.get("const").is_none())
    {
        let optional = if required(member) { "" } else { "?" };
        let words = schema["description"]
            .as_str()
            .map(one_line)
            .unwrap_or_default();
        let _ = writeln!(
            page,
            "| `{member}`{optional} | {} | {words} |",
            shape(schema)
        );
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
