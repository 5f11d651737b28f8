//! Typed configuration, wiring of all parts, start and shutdown.
