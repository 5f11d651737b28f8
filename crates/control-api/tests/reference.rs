//! What is checked in under `docs/rpc` is what the types say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

fn checked_in(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/rpc")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_default()
}

#[test]
fn the_schema_is_up_to_date() {
    let made = serde_json::to_string_pretty(&control_api::schema()).unwrap() + "\n";
    assert!(
        checked_in("schema.json") == made,
        "docs/rpc/schema.json is not what the types say: run `cargo xtask rpc-docs`"
    );
}

#[test]
fn the_reference_is_up_to_date() {
    assert!(
        checked_in("reference.md") == control_api::reference(),
        "docs/rpc/reference.md is not what the types say: run `cargo xtask rpc-docs`"
    );
}

#[test]
fn names_are_unique_and_every_line_says_what_it_is_for() {
    let methods = control_api::method_table();
    let notifications = control_api::notification_table();
    let names = methods.iter().map(|m| (m.name, m.summary));
    let names = names.chain(notifications.iter().map(|n| (n.name, n.summary)));
    let mut seen = std::collections::HashSet::new();
    for (name, summary) in names {
        assert!(seen.insert(name), "{name} is there twice");
        assert!(summary.trim().len() > 10, "{name} lacks words");
    }
}
