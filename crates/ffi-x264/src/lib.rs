//! Safe wrapper around libx264: the only place that touches its C API.
