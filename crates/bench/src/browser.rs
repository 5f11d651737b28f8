//! The viewer that is a browser: one that runs all the time, with the host's page in a tab while a
//! turn lasts.

use crate::BenchError;
use crate::cdp::Tab;
use crate::chromium::Chromium;
use crate::frames::Batch;
use crate::host_process::HostProcess;
use crate::page::{ClockBounds, MeasuredPage, navigate, wait_until_live};
use crate::presses::{Presser, RawPress};
use crate::processes::Whose;
use crate::viewer::{ReceiverCounters, Viewer};
use media::Size;
use std::path::Path;

/// A browser and what it has open.
pub(crate) struct Browser {
    chromium: Chromium,
    /// Size of the source.
    size: Size,
    page: Option<MeasuredPage>,
    presser: Option<Presser>,
    joined: Vec<Tab>,
}

impl Browser {
    pub(crate) fn start(
        program: Option<&Path>,
        folder: &Path,
        size: Size,
    ) -> Result<Self, BenchError> {
        Ok(Self {
            chromium: Chromium::start(program, folder)?,
            size,
            page: None,
            presser: None,
            joined: Vec::new(),
        })
    }

    fn page(&self) -> Result<MeasuredPage, BenchError> {
        let none = || BenchError::Page("is not open".to_owned());
        self.page.clone().ok_or_else(none)
    }
}

impl Viewer for Browser {
    fn version(&self) -> String {
        self.chromium.version.clone()
    }

    fn process(&self) -> (&'static str, Whose) {
        ("chromium", Whose::Group(self.chromium.group.id()))
    }

    fn show(&mut self, host: &HostProcess) -> Result<(f64, Batch), BenchError> {
        if self.page.is_none() {
            self.page = Some(MeasuredPage::open(&mut self.chromium.cdp, self.size)?);
        }
        // The same tab once more: the browser has the page in its cache.
        self.page()?.show(&mut self.chromium.cdp, &host.url)
    }

    fn take(&mut self) -> Result<Batch, BenchError> {
        self.page()?.take(&mut self.chromium.cdp)
    }

    fn compare_clocks(&mut self) -> Result<ClockBounds, BenchError> {
        self.page()?.compare_clocks(&mut self.chromium.cdp)
    }

    fn counters(&mut self) -> Result<ReceiverCounters, BenchError> {
        self.page()?.receiver(&mut self.chromium.cdp)
    }

    fn watch_presses(&mut self, since_ms: f64) -> Result<(), BenchError> {
        let page = self.page()?;
        let cdp = &mut self.chromium.cdp;
        let presser = match self.presser.take() {
            Some(presser) => presser,
            None => Presser::new(cdp, &page)?,
        };
        presser.watch(cdp, since_ms)?;
        self.presser = Some(presser);
        Ok(())
    }

    fn press(&mut self) -> Result<RawPress, BenchError> {
        let none = || BenchError::Page("is not watched for presses".to_owned());
        let presser = self.presser.as_mut().ok_or_else(none)?;
        presser.press(&mut self.chromium.cdp)
    }

    fn rest(&mut self) -> Result<(), BenchError> {
        match self.presser.take() {
            Some(presser) => presser.rest(&mut self.chromium.cdp),
            None => Ok(()),
        }
    }

    fn join(&mut self, host: &HostProcess) -> Result<(), BenchError> {
        let cdp = &mut self.chromium.cdp;
        let tab = cdp.open_tab()?;
        navigate(cdp, &tab, &host.url)?;
        wait_until_live(cdp, &tab)?;
        self.joined.push(tab);
        Ok(())
    }

    fn disperse(&mut self) -> Result<(), BenchError> {
        for tab in self.joined.drain(..) {
            self.chromium.cdp.close_tab(&tab)?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), BenchError> {
        self.presser = None;
        match self.page.take() {
            Some(page) => self.chromium.cdp.close_tab(&page.tab),
            None => Ok(()),
        }
    }
}
