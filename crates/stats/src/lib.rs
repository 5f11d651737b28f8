//! Telemetry on the reading side: windows, percentiles, counters, recordings.
