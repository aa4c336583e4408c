//! One memory budget for a process: what grows with input, state, clients or history is admitted
//! against it before it is reserved.
//!
//! Owns the accounting and who waits for whom. It never allocates for anybody and never measures:
//! whoever reserves says how many bytes, and gives them back by dropping the [`Reservation`].
//! Invariant: what is reserved through [`Share::try_reserve`] and [`Share::reserve`] never exceeds
//! the share's limit nor the budget's; only [`Reservation::grow`] and [`Reservation::hold`] may, for what
//! is there already. Nobody who waits is overtaken by another who waits for the same share.
//!
//! ```
//! use flinkspark_model::budget::Budget;
//!
//! let budget = Budget::new(1000);
//! let puts = budget.share("puts", 600);
//! let held = puts.try_reserve(500)?;
//! assert!(puts.try_reserve(500).is_err());
//! drop(held);
//! assert_eq!(budget.used(), 0);
//! # Ok::<(), flinkspark_model::Error>(())
//! ```

use crate::error::{Error, Kind, Result};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The memory of one process, in bytes. Clones are the same budget.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: u64,
    shares: Vec<ShareState>,
    tickets: u64,
}

struct ShareState {
    name: &'static str,
    limit: u64,
    /// What no other share may take.
    kept: u64,
    used: u64,
    /// Who waits for room, the longest first; only the first may have it.
    waiting: VecDeque<(u64, Waker)>,
}

impl State {
    /// What the other shares hold, or are kept.
    fn of_others(&self, index: usize) -> u64 {
        let others = self.shares.iter().enumerate();
        let others = others.filter(|(other, _)| *other != index);
        others.fold(0, |sum: u64, (_, share)| {
            sum.saturating_add(share.used.max(share.kept))
        })
    }

    /// Who is the first in line, for each share.
    fn first_in_line(&self) -> Vec<Waker> {
        let first = self.shares.iter().filter_map(|share| share.waiting.front());
        first.map(|(_, waker)| waker.clone()).collect()
    }
}

/// A part of the budget with a limit of its own: what one kind of work may hold at most.
#[derive(Clone)]
pub struct Share {
    budget: Budget,
    index: usize,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.budget.lock();
        let part = self.part(&state);
        write!(f, "{}: {} of {} bytes", part.name, part.used, part.limit)
    }
}

/// Bytes that are reserved; dropping it gives them back.
pub struct Reservation {
    share: Share,
    bytes: u64,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        Self(Arc::new(Inner {
            limit: limit_bytes,
            state: Mutex::default(),
        }))
    }

    /// A budget that admits everything: for tools and tests that are bounded otherwise.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// The part of it that `name` may hold; the same name is the same share, with its first limit.
    pub fn share(&self, name: &'static str, limit_bytes: u64) -> Share {
        self.kept_share(name, limit_bytes, 0)
    }

    /// Like [`Budget::share`]; `kept_bytes` of it are there for `name` alone, whatever others ask for.
    pub fn kept_share(&self, name: &'static str, limit_bytes: u64, kept_bytes: u64) -> Share {
        let mut state = self.lock();
        let known = state.shares.iter().position(|share| share.name == name);
        let index = known.unwrap_or_else(|| {
            let limit = limit_bytes.min(self.0.limit);
            state.shares.push(ShareState {
                name,
                limit,
                kept: kept_bytes.min(limit),
                used: 0,
                waiting: VecDeque::new(),
            });
            state.shares.len() - 1
        });
        Share {
            budget: self.clone(),
            index,
        }
    }

    /// The limit, in bytes.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// What is reserved now, in bytes.
    pub fn used(&self) -> u64 {
        self.lock().used
    }

    /// What each share holds now, in bytes.
    pub fn shares(&self) -> Vec<(&'static str, u64)> {
        let state = self.lock();
        let shares = state.shares.iter();
        shares.map(|share| (share.name, share.used)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counters are whole after each statement: a panic elsewhere cannot have torn them.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Reserves bytes, or says at once that there is no room.
    ///
    /// Errors: `Unavailable` (`FS0030`) where there may be room later, `Invalid` (`FS0031`) where
    /// there never is.
    pub fn try_reserve(&self, bytes: u64) -> Result<Reservation> {
        let mut state = self.budget.lock();
        self.admit(&mut state, bytes)?;
        drop(state);
        Ok(self.admitted(bytes))
    }

    /// Reserves bytes, waiting in line until there is room.
    ///
    /// Errors: `Invalid` (`FS0031`) where there never will be.
    pub fn reserve(&self, bytes: u64) -> impl Future<Output = Result<Reservation>> + Send + use<> {
        Waiting {
            share: self.clone(),
            bytes,
            ticket: None,
        }
    }

    /// A reservation of nothing yet, to grow.
    pub fn empty(&self) -> Reservation {
        self.admitted(0)
    }

    /// Reserves bytes whether there is room or not: for what is allocated already.
    pub fn holding(&self, bytes: u64) -> Reservation {
        let mut held = self.empty();
        held.grow(bytes);
        held
    }

    /// The most that can ever be reserved, in bytes.
    pub fn limit(&self) -> u64 {
        self.most(&self.budget.lock())
    }

    /// What is reserved now, in bytes.
    pub fn used(&self) -> u64 {
        self.part(&self.budget.lock()).used
    }

    /// Whether somebody waits for room in it.
    pub fn is_waited_for(&self) -> bool {
        !self.part(&self.budget.lock()).waiting.is_empty()
    }

    fn admitted(&self, bytes: u64) -> Reservation {
        Reservation {
            share: self.clone(),
            bytes,
        }
    }

    fn part<'a>(&self, state: &'a State) -> &'a ShareState {
        // Shares are only ever added, and this one was when it was made.
        &state.shares[self.index]
    }

    /// The limit, without what is kept for others.
    fn most(&self, state: &State) -> u64 {
        let others = state.shares.iter().enumerate();
        let others = others.filter(|(other, _)| *other != self.index);
        let kept = others.fold(0, |sum: u64, (_, share)| sum.saturating_add(share.kept));
        let limit = self.part(state).limit;
        limit.min(self.budget.0.limit.saturating_sub(kept))
    }

    fn admit(&self, state: &mut State, bytes: u64) -> Result<()> {
        let (share, total) = (self.part(state), self.budget.0.limit);
        let most = self.most(state);
        if bytes > most {
            return Err(never(share, bytes, most));
        }
        let free = most.saturating_sub(share.used);
        let left = total
            .saturating_sub(state.of_others(self.index))
            .saturating_sub(share.used);
        if bytes > free.min(left) {
            return Err(not_now(share, bytes, state.used, total));
        }
        self.take(state, bytes);
        Ok(())
    }

    fn take(&self, state: &mut State, bytes: u64) {
        state.used = state.used.saturating_add(bytes);
        let share = &mut state.shares[self.index];
        share.used = share.used.saturating_add(bytes);
    }

    fn give_back(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let mut state = self.budget.lock();
        state.used = state.used.saturating_sub(bytes);
        let share = &mut state.shares[self.index];
        share.used = share.used.saturating_sub(bytes);
        // One of each share: what one may not have yet may be enough for another.
        let woken = state.first_in_line();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Reservation {
    /// How many bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more, if there is room. Errors as for [`Share::try_reserve`].
    pub fn try_grow(&mut self, bytes: u64) -> Result<()> {
        let mut state = self.share.budget.lock();
        self.share.admit(&mut state, bytes)?;
        drop(state);
        self.bytes += bytes;
        Ok(())
    }

    /// Takes more, whether there is room or not: for bytes that are allocated already. Others wait
    /// the longer for it.
    pub fn grow(&mut self, bytes: u64) {
        let mut state = self.share.budget.lock();
        self.share.take(&mut state, bytes);
        drop(state);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Holds exactly so much, whether there is room or not: as [`Reservation::grow`].
    pub fn hold(&mut self, bytes: u64) {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.grow(more),
            None => self.shrink(self.bytes - bytes),
        }
    }

    /// Gives some of it back.
    pub fn shrink(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.share.give_back(bytes);
    }

    /// Holds exactly so much, if there is room. Errors as for [`Share::try_reserve`].
    pub fn try_resize(&mut self, bytes: u64) -> Result<()> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.try_grow(more),
            None => {
                self.shrink(self.bytes - bytes);
                Ok(())
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.share.give_back(self.bytes);
    }
}

/// Waits for room.
struct Waiting {
    share: Share,
    bytes: u64,
    ticket: Option<u64>,
}

impl Future for Waiting {
    type Output = Result<Reservation>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (share, bytes) = (self.share.clone(), self.bytes);
        let mut state = share.budget.lock();
        let line = &state.shares[share.index].waiting;
        let first = line.front().map(|(ticket, _)| *ticket);
        if first.is_none() || first == self.ticket {
            match share.admit(&mut state, bytes) {
                Ok(()) => {
                    self.leave(state);
                    return Poll::Ready(Ok(share.admitted(bytes)));
                }
                Err(error) if error.kind() == Kind::Unavailable => {}
                Err(error) => {
                    self.leave(state);
                    return Poll::Ready(Err(error));
                }
            }
        }
        let waker = context.waker();
        match self.ticket {
            Some(ticket) => {
                let line = &mut state.shares[share.index].waiting;
                // In order of tickets.
                if let Ok(at) = line.binary_search_by_key(&ticket, |(ticket, _)| *ticket) {
                    line[at].1.clone_from(waker);
                }
            }
            None => {
                state.tickets += 1;
                let ticket = state.tickets;
                let line = &mut state.shares[share.index].waiting;
                line.push_back((ticket, waker.clone()));
                self.ticket = Some(ticket);
            }
        }
        Poll::Pending
    }
}

impl Waiting {
    /// Leaves the line; the next may be the first now.
    fn leave(&mut self, mut state: MutexGuard<'_, State>) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let line = &mut state.shares[self.share.index].waiting;
        if let Ok(at) = line.binary_search_by_key(&ticket, |(ticket, _)| *ticket) {
            line.remove(at);
        }
        let next = line.front().map(|(_, waker)| waker.clone());
        drop(state);
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let budget = self.share.budget.clone();
            self.leave(budget.lock());
        }
    }
}

fn never(share: &ShareState, bytes: u64, most: u64) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0031",
        "this needs more memory than it may ever have",
    )
    .with_detail(format!(
        "it needs {bytes} bytes; {} may hold {most} bytes of the process's budget",
        share.name
    ))
    .with_hint("make it smaller, or give the process more with --memory")
}

fn not_now(share: &ShareState, bytes: u64, used: u64, total: u64) -> Error {
    Error::new(Kind::Unavailable, "FS0030", "the memory budget is spent")
        .with_detail(format!(
            "it needs {bytes} bytes; {} holds {} of {} bytes, the process {used} of {total}",
            share.name, share.used, share.limit
        ))
        .with_hint("try again when other work has ended, or give the process more with --memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_fit_now_is_told_apart_from_what_never_fits() {
        let budget = Budget::new(100);
        let share = budget.share("puts", 60);
        let _held = share.try_reserve(50).unwrap();
        let error = share.try_reserve(11).err().unwrap();
        assert_eq!((error.code(), error.kind()), ("FS0030", Kind::Unavailable));
        assert!(error.detail().unwrap().contains("puts holds 50 of 60"));
        let error = share.try_reserve(61).err().unwrap();
        assert_eq!((error.code(), error.kind()), ("FS0031", Kind::Invalid));
    }

    #[test]
    fn a_share_is_bounded_by_the_whole_as_well() {
        let budget = Budget::new(100);
        let (a, b) = (budget.share("a", 80), budget.share("b", 80));
        let _held = a.try_reserve(70).unwrap();
        assert!(b.try_reserve(40).is_err());
        assert!(b.try_reserve(30).is_ok());
        assert_eq!(budget.share("a", 1).limit(), 80);
    }

    #[test]
    fn who_waits_goes_on_when_there_is_room() {
        let budget = Budget::new(100);
        let share = budget.share("gets", 100);
        let held = share.try_reserve(80).unwrap();
        let mut waiting = Box::pin(share.reserve(50));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        let got = waiting.now_or_never().unwrap().unwrap();
        assert_eq!((got.bytes(), budget.used()), (50, 50));
    }

    #[test]
    fn who_gives_up_waiting_is_forgotten() {
        let budget = Budget::new(10);
        let share = budget.share("gets", 10);
        let _held = share.try_reserve(10).unwrap();
        let mut waiting = Box::pin(share.reserve(5));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(share.is_waited_for());
        drop(waiting);
        assert!(!share.is_waited_for());
    }

    #[test]
    fn nobody_overtakes_in_a_line_and_another_share_does_not_wait_for_it() {
        let budget = Budget::new(200);
        let (puts, gets) = (budget.share("puts", 100), budget.share("gets", 100));
        let held = puts.try_reserve(60).unwrap();
        let mut large = Box::pin(puts.reserve(90));
        let mut small = Box::pin(puts.reserve(10));
        assert!(large.as_mut().now_or_never().is_none());
        assert!(small.as_mut().now_or_never().is_none());
        assert!(gets.reserve(10).now_or_never().is_some());
        drop(held);
        assert!(small.as_mut().now_or_never().is_none());
        let large = large.now_or_never().unwrap().unwrap();
        assert_eq!(large.bytes(), 90);
        assert!(small.now_or_never().is_some());
    }

    #[test]
    fn who_leaves_the_line_lets_the_next_one_through() {
        use futures::task::noop_waker;
        let budget = Budget::new(100);
        let puts = budget.share("puts", 100);
        let _held = puts.try_reserve(60).unwrap();
        let (counter, waker) = {
            let woken = Arc::new(Woken::default());
            (Arc::clone(&woken), Waker::from(woken))
        };
        let mut large = Box::pin(puts.reserve(90));
        let mut small = Box::pin(puts.reserve(40));
        let noop = noop_waker();
        assert!(
            large
                .as_mut()
                .poll(&mut Context::from_waker(&noop))
                .is_pending()
        );
        assert!(
            small
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(large);
        assert_eq!(counter.0.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(
            small
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        );
    }

    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_kept_for_a_share_is_there_whatever_others_hold() {
        let budget = Budget::new(100);
        let gets = budget.kept_share("gets", 50, 20);
        let batch = budget.share("batch", 90);
        assert_eq!((batch.limit(), gets.limit()), (80, 50));
        assert_eq!(batch.try_reserve(81).err().unwrap().code(), "FS0031");
        let held = batch.try_reserve(80).unwrap();
        assert!(gets.try_reserve(21).is_err());
        let kept = gets.try_reserve(20).unwrap();
        drop(held);
        assert!(batch.try_reserve(81).is_err());
        assert!(batch.try_reserve(80).is_ok());
        drop(kept);
        let more = gets.try_reserve(50).unwrap();
        assert!(batch.try_reserve(51).is_err());
        assert!(batch.try_reserve(50).is_ok());
        drop(more);
    }

    #[test]
    fn what_is_allocated_already_is_counted_beyond_the_limit() {
        let budget = Budget::new(10);
        let mut held = budget.share("state", 10).empty();
        held.grow(25);
        assert_eq!(budget.used(), 25);
        held.shrink(100);
        assert_eq!((held.bytes(), budget.used()), (0, 0));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_limit_is_passed(
            steps in proptest::collection::vec((0usize..2, 0u64..60, any::<bool>()), 0..200),
        ) {
            let budget = Budget::new(100);
            let shares = [budget.share("a", 70), budget.share("b", 50)];
            let mut held: Vec<(usize, Reservation)> = Vec::new();
            for (at, bytes, release) in steps {
                if release && !held.is_empty() {
                    held.swap_remove(bytes as usize % held.len());
                } else if let Ok(reservation) = shares[at].try_reserve(bytes) {
                    held.push((at, reservation));
                }
                let of = |share| held.iter().filter(|(at, _)| *at == share)
                    .map(|(_, held)| held.bytes()).sum::<u64>();
                prop_assert_eq!(budget.shares(), vec![("a", of(0)), ("b", of(1))]);
                prop_assert!(of(0) <= 70 && of(1) <= 50 && of(0) + of(1) <= 100);
                prop_assert_eq!(budget.used(), of(0) + of(1));
            }
        }
    }
}
