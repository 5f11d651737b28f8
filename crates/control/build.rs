//! Stops a build without the page early, and rebuilds when the page changed.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
    if !Path::new("../../web/dist/index.html").is_file() {
        println!("cargo::error=web/dist/index.html is missing: run `make web` first");
    }
}
