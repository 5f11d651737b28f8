//! What follows `x11:` in `--source`: a display, a monitor of it, or both.

/// A display and a monitor, each optional: `DISPLAY`, `DISPLAY/MONITOR`, `/MONITOR` or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// Such as `:1`; absent means the user's own.
    pub(crate) display: Option<String>,
    /// Name of a RandR monitor, such as `HDMI-1`; absent means the whole screen.
    pub(crate) monitor: Option<String>,
}

impl Target {
    /// Splits at the first slash: display names of local servers have none.
    pub(crate) fn parse(target: Option<&str>) -> Self {
        let (display, monitor) = match target {
            None => ("", ""),
            Some(text) => text.split_once('/').unwrap_or((text, "")),
        };
        let given = |part: &str| (!part.is_empty()).then(|| part.to_owned());
        Self {
            display: given(display),
            monitor: given(monitor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_monitor_are_told_apart() {
        let parts = |text| {
            let target = Target::parse(text);
            (target.display, target.monitor)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts(None), (None, None));
        assert_eq!(parts(Some(":1")), (some(":1"), None));
        assert_eq!(parts(Some(":1/HDMI-1")), (some(":1"), some("HDMI-1")));
        assert_eq!(parts(Some("/DP-2")), (None, some("DP-2")));
        assert_eq!(parts(Some(":0.1/")), (some(":0.1"), None));
    }
}
