//! The X displays and monitors of this machine, for people who look for one.

use crate::backends::SourceListing;
use crate::x11::display::Display;
use crate::x11::source::NAME;
use std::fs;

/// Where every local X server has its socket, named after its display's number.
const SOCKETS: &str = "/tmp/.X11-unix";

/// The user's own display, then every display with a socket, each followed by its monitors.
pub(crate) fn list() -> Vec<SourceListing> {
    let mut listings = display(None);
    for number in display_numbers() {
        listings.extend(display(Some(&format!(":{number}"))));
    }
    listings
}

fn display_numbers() -> Vec<u32> {
    let entries = fs::read_dir(SOCKETS).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<u32> = names
        .filter_map(|name| name.strip_prefix('X')?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn display(name: Option<&str>) -> Vec<SourceListing> {
    let spec = name.map_or_else(|| NAME.to_owned(), |name| format!("{NAME}:{name}"));
    let opened = Display::open(name).and_then(|display| {
        let lost = |error| display.lost(error);
        let whole = display.whole().map_err(lost)?;
        let monitors = display.monitors().map_err(lost)?;
        Ok((display, whole, monitors))
    });
    let (display, whole, monitors) = match opened {
        Ok(parts) => parts,
        Err(error) => {
            return vec![SourceListing {
                spec,
                detail: error.to_string(),
                size: None,
                available: false,
            }];
        }
    };
    let called = format!("X display {}", display.name);
    // Monitors are told once, with the display's own name.
    let monitors = if name.is_some() { monitors } else { Vec::new() };
    let monitors = monitors.into_iter().map(|monitor| SourceListing {
        spec: format!("{spec}/{}", monitor.name),
        detail: format!("{called}, monitor {}", monitor.name),
        size: Some(monitor.area.size),
        available: true,
    });
    let whole = SourceListing {
        spec: spec.clone(),
        detail: called.clone(),
        size: Some(whole.size),
        available: true,
    };
    std::iter::once(whole).chain(monitors).collect()
}
