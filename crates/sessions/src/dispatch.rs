//! Which call runs when: the pure part of a connection's lanes. It holds jobs and runs none.

use std::collections::VecDeque;

/// Ordered jobs that may wait.
pub(crate) const ORDERED_DEPTH: usize = 1024;
/// Bytes of the messages that brought them.
pub(crate) const ORDERED_BYTES: usize = 1024 * 1024;
/// Concurrent jobs that may run.
pub(crate) const CONCURRENT: usize = 32;

/// What the dispatcher has to know of a job.
pub(crate) trait Weigh: Sized {
    /// Bytes of the message that brought it.
    fn bytes(&self) -> usize;

    /// Lets the waiting job `self` stand for `newer` as well, where only the last of the two matters.
    /// Otherwise `newer` comes back.
    fn merge(&mut self, newer: Self) -> Result<(), Self>;
}

/// What becomes of a job that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival<J> {
    /// Run it now.
    Run(J),
    /// It runs in its turn.
    Waits,
    /// There are too many.
    Busy(J),
    /// No more are taken.
    Closed(J),
}

/// The state of a connection's two lanes.
#[derive(Debug)]
pub(crate) struct Dispatch<J> {
    waiting: VecDeque<J>,
    waiting_bytes: usize,
    /// An ordered job runs.
    busy: bool,
    concurrent: usize,
    open: bool,
}

impl<J: Weigh> Dispatch<J> {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            busy: false,
            concurrent: 0,
            open: true,
        }
    }

    /// An ordered job arrives. After [`Arrival::Run`], [`Self::ordered_done`] is due.
    pub(crate) fn ordered(&mut self, job: J) -> Arrival<J> {
        if !self.open {
            return Arrival::Closed(job);
        }
        if !self.busy {
            self.busy = true;
            return Arrival::Run(job);
        }
        let job = match self.waiting.back_mut() {
            None => job,
            Some(last) => match last.merge(job) {
                Ok(()) => return Arrival::Waits,
                Err(job) => job,
            },
        };
        let bytes = self.waiting_bytes + job.bytes();
        if self.waiting.len() >= ORDERED_DEPTH || bytes > ORDERED_BYTES {
            return Arrival::Busy(job);
        }
        self.waiting_bytes = bytes;
        self.waiting.push_back(job);
        Arrival::Waits
    }

    /// The ordered job that ran is done: the next one, which is to be run now.
    pub(crate) fn ordered_done(&mut self) -> Option<J> {
        let next = self.waiting.pop_front();
        match &next {
            Some(job) => self.waiting_bytes = self.waiting_bytes.saturating_sub(job.bytes()),
            None => self.busy = false,
        }
        next
    }

    /// A concurrent job arrives. After [`Arrival::Run`], [`Self::concurrent_done`] is due.
    pub(crate) fn concurrent(&mut self, job: J) -> Arrival<J> {
        if !self.open {
            Arrival::Closed(job)
        } else if self.concurrent >= CONCURRENT {
            Arrival::Busy(job)
        } else {
            self.concurrent += 1;
            Arrival::Run(job)
        }
    }

    /// A concurrent job is done.
    pub(crate) fn concurrent_done(&mut self) {
        self.concurrent -= 1;
    }

    /// Takes no more jobs; those that wait still run.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }

    /// No ordered job runs or waits.
    pub(crate) fn is_drained(&self) -> bool {
        !self.busy
    }

    /// Takes no more jobs, and gives up those that wait.
    pub(crate) fn abandon(&mut self) -> Vec<J> {
        self.open = false;
        self.waiting_bytes = 0;
        self.waiting.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A number, its size, and whether only the last in a row of such matters.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Job(u32, usize, bool);

    impl Weigh for Job {
        fn bytes(&self) -> usize {
            self.1
        }

        fn merge(&mut self, newer: Self) -> Result<(), Self> {
            if self.2 && newer.2 {
                *self = newer;
                Ok(())
            } else {
                Err(newer)
            }
        }
    }

    fn small(number: u32) -> Job {
        Job(number, 100, false)
    }

    #[test]
    fn one_ordered_job_runs_at_a_time_and_a_thousand_wait() {
        let mut dispatch = Dispatch::new();
        assert_eq!(dispatch.ordered(small(0)), Arrival::Run(small(0)));
        for number in 1..=ORDERED_DEPTH as u32 {
            assert_eq!(dispatch.ordered(small(number)), Arrival::Waits);
        }
        assert_eq!(dispatch.ordered(small(9)), Arrival::Busy(small(9)));
        assert_eq!(dispatch.ordered_done(), Some(small(1)));
        assert_eq!(dispatch.ordered(small(10)), Arrival::Waits);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let mut dispatch = Dispatch::new();
        dispatch.ordered(small(0));
        let large = || Job(1, ORDERED_BYTES, false);
        assert_eq!(dispatch.ordered(large()), Arrival::Waits);
        assert_eq!(dispatch.ordered(small(2)), Arrival::Busy(small(2)));
        dispatch.ordered_done();
        assert_eq!(dispatch.ordered(small(3)), Arrival::Waits);
    }

    #[test]
    fn concurrent_jobs_are_bounded_and_wait_for_nothing() {
        let mut dispatch = Dispatch::new();
        dispatch.ordered(small(0));
        for number in 0..CONCURRENT as u32 {
            assert_eq!(
                dispatch.concurrent(small(number)),
                Arrival::Run(small(number))
            );
        }
        assert_eq!(dispatch.concurrent(small(7)), Arrival::Busy(small(7)));
        dispatch.concurrent_done();
        assert_eq!(dispatch.concurrent(small(7)), Arrival::Run(small(7)));
    }

    #[test]
    fn after_the_end_nothing_new_runs() {
        let mut dispatch = Dispatch::new();
        dispatch.ordered(small(0));
        dispatch.ordered(small(1));
        dispatch.close();
        assert_eq!(dispatch.ordered(small(2)), Arrival::Closed(small(2)));
        assert_eq!(dispatch.concurrent(small(2)), Arrival::Closed(small(2)));
        assert!(!dispatch.is_drained());
        assert_eq!(dispatch.abandon(), [small(1)]);
        assert_eq!(dispatch.ordered_done(), None);
        assert!(dispatch.is_drained());
    }

    proptest! {
        /// Jobs run in the order of their arrival; one that stands for others in a row runs in the
        /// place of the first and carries the last word.
        #[test]
        fn order_holds_and_the_last_word_is_never_lost(
            steps in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..200),
        ) {
            let mut dispatch = Dispatch::new();
            let (mut running, mut ran, mut sent) = (None, Vec::new(), Vec::new());
            for (number, (arrives, mergeable)) in (0..).zip(steps) {
                if arrives {
                    let job = Job(number, 1, mergeable);
                    sent.push(job.clone());
                    match dispatch.ordered(job) {
                        Arrival::Run(job) => running = Some(job),
                        Arrival::Waits => {}
                        other => prop_assert!(false, "{:?}", other),
                    }
                } else if let Some(done) = running.take() {
                    ran.push(done);
                    running = dispatch.ordered_done();
                }
            }
            while let Some(done) = running.take() {
                ran.push(done);
                running = dispatch.ordered_done();
            }
            prop_assert!(ran.is_sorted_by_key(|job| job.0));
            prop_assert_eq!(ran.last(), sent.last());
            let plain = |jobs: &[Job]| jobs.iter().filter(|j| !j.2).cloned().collect::<Vec<_>>();
            prop_assert_eq!(plain(&ran), plain(&sent));
            // Of each row of mergeable ones, the last survives.
            for (this, next) in sent.iter().zip(sent.iter().skip(1)) {
                prop_assert!(!this.2 || next.2 || ran.contains(this));
            }
        }
    }
}
