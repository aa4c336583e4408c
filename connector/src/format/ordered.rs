//! Many threads, one order: what comes of the pieces of a file comes out in the order in which they went in.
//!
//! Invariant: the number of threads changes when something comes out, never what, nor in which order; of each thread
//! [`PIECES_MAX`] pieces are there at most, and [`DONE_MAX`] of what came of them beside the one that it works on; no
//! thread outlives its pieces.

use flinkspark_model::{Error, Kind, Result};
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// The most threads that work on one file: each holds pieces in memory.
const THREADS_MAX: usize = 8;

/// Pieces of one thread: one is worked on, and one waits before it or behind it.
const PIECES_MAX: usize = 2;

/// Results of one thread that wait.
const DONE_MAX: usize = 2;

/// What is done with a piece, which needs nothing of the others: gives what comes of it, until nobody takes it.
type Work<P, O> = Arc<dyn Fn(P, &mut dyn FnMut(O) -> bool) + Send + Sync>;

/// Pieces that are worked on, and what came of them.
pub(super) struct Ordered<P, O> {
    work: Work<P, O>,
    threads: Vec<Worker<P, O>>,
    threads_max: usize,
    /// Pieces that were given.
    given: usize,
    /// Of those, from which all was taken.
    taken: usize,
}

struct Worker<P, O> {
    pieces: SyncSender<P>,
    /// What came of the pieces, with nothing behind each.
    done: Receiver<Option<O>>,
    thread: JoinHandle<()>,
}

impl<P: Send + 'static, O: Send + 'static> Ordered<P, O> {
    pub(super) fn new(work: impl Fn(P, &mut dyn FnMut(O) -> bool) + Send + Sync + 'static) -> Self {
        Self {
            work: Arc::new(work),
            threads: Vec::new(),
            threads_max: threads(),
            given: 0,
            taken: 0,
        }
    }

    /// Whether a piece can be given before something is taken.
    pub(super) fn has_room(&self) -> bool {
        self.given - self.taken < PIECES_MAX * self.threads_max
    }

    /// Gives the next piece; waits where there is no room.
    ///
    /// Errors: `Unavailable` where the system starts no thread at all.
    pub(super) fn give(&mut self, piece: P) -> Result<()> {
        if self.threads.len() < self.threads_max {
            // As many as there are pieces: a small file needs one.
            match worker(&self.work) {
                Ok(worker) => self.threads.push(worker),
                Err(_) if !self.threads.is_empty() => self.threads_max = self.threads.len(),
                Err(cause) => return Err(no_thread(cause)),
            }
        }
        let worker = self.threads.get(self.given % self.threads_max);
        let given = worker.and_then(|worker| worker.pieces.send(piece).ok());
        self.given += 1;
        given.ok_or_else(died)
    }

    /// What comes next of the first piece from which not all was taken yet; waits for it. `None` where all was taken.
    pub(super) fn take(&mut self) -> Result<Option<O>> {
        while self.taken < self.given {
            let worker = self.threads.get(self.taken % self.threads_max);
            let done = worker.and_then(|worker| worker.done.recv().ok());
            match done.ok_or_else(died)? {
                Some(done) => return Ok(Some(done)),
                None => self.taken += 1,
            }
        }
        Ok(None)
    }
}

impl<P, O> Drop for Ordered<P, O> {
    /// Nobody gives or takes any more: every thread ends with what it does now.
    fn drop(&mut self) {
        let threads = self.threads.drain(..).map(|worker| worker.thread);
        for thread in threads.collect::<Vec<_>>() {
            // Its panic was told when it was missed.
            let _panicked = thread.join();
        }
    }
}

/// How many threads work on one file: one for each core, within bounds.
pub(super) fn threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    cores.min(THREADS_MAX)
}

/// A thread that ends when nobody gives or takes any more.
fn worker<P: Send + 'static, O: Send + 'static>(work: &Work<P, O>) -> io::Result<Worker<P, O>> {
    let (pieces, given) = sync_channel::<P>(PIECES_MAX);
    let (finished, done) = sync_channel(DONE_MAX);
    let work = Arc::clone(work);
    let thread = thread::Builder::new().name("flinkspark-file".into());
    let thread = thread.spawn(move || {
        for piece in given {
            work(piece, &mut |done| finished.send(Some(done)).is_ok());
            if finished.send(None).is_err() {
                break;
            }
        }
    })?;
    Ok(Worker {
        pieces,
        done,
        thread,
    })
}

fn no_thread(cause: io::Error) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0013",
        "the process cannot start its threads",
    )
    .with_source(cause)
    .with_hint(
        "raise the number of processes and threads that it may have (ulimit -u), or end others",
    )
}

/// Only a thread that panicked says nothing of its end.
fn died() -> Error {
    Error::new(
        Kind::Internal,
        "FS0399",
        "a thread that read or wrote a file died",
    )
    .with_detail("its panic is on standard error")
    .with_hint("report it; what was written under a temporary name is removed")
}

/// What comes of the pieces into which something is cut, in their order.
pub(super) struct Pieces<P, O> {
    ordered: Ordered<P, Result<O>>,
    /// How cutting ended, once it has.
    over: Option<Result<()>>,
}

impl<P: Send + 'static, O: Send + 'static> Pieces<P, O> {
    /// `work` gives what comes of a piece, and ends early where its taker says that nobody takes more.
    pub(super) fn new(
        work: impl Fn(P, &mut dyn FnMut(O) -> bool) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ordered: fallible(work),
            over: None,
        }
    }

    /// What comes next of the pieces; none at the end. `cut` gives the pieces, none at the end.
    ///
    /// Errors: the first in the order of the pieces; after one there is nothing more.
    pub(super) fn next(&mut self, mut cut: impl FnMut() -> Result<Option<P>>) -> Result<Option<O>> {
        while self.over.is_none() && self.ordered.has_room() {
            match cut() {
                Ok(Some(piece)) => self.ordered.give(piece)?,
                Ok(None) => self.over = Some(Ok(())),
                Err(error) => self.over = Some(Err(error)),
            }
        }
        match self.ordered.take()? {
            Some(done) => done.map(Some),
            None => self.over.replace(Ok(())).unwrap_or(Ok(())).map(|()| None),
        }
    }
}

/// Work that may end with an error, which comes behind what it gave.
pub(super) fn fallible<P: Send + 'static, O: Send + 'static>(
    work: impl Fn(P, &mut dyn FnMut(O) -> bool) -> Result<()> + Send + Sync + 'static,
) -> Ordered<P, Result<O>> {
    Ordered::new(move |piece, give: &mut dyn FnMut(Result<O>) -> bool| {
        if let Err(error) = work(piece, &mut |done| give(Ok(done))) {
            give(Err(error));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// Numbers from 1 on, each twice; the even ones take a while.
    fn twice(count: u64, wrong: Option<u64>) -> Vec<Result<u64>> {
        let mut pieces = Pieces::new(move |number: u64, give| {
            if number.is_multiple_of(2) {
                thread::sleep(Duration::from_millis(1));
            }
            if Some(number) == wrong {
                return Err(Error::new(Kind::Data, "FS0305", number.to_string()));
            }
            let _taken = give(number) && give(number);
            Ok(())
        });
        let mut left = 1..=count;
        let mut next = || pieces.next(|| Ok(left.next())).transpose();
        let mut all = Vec::new();
        while let Some(one) = next() {
            let ended = one.is_err();
            all.push(one);
            if ended {
                break;
            }
        }
        all
    }

    #[test]
    fn what_comes_out_has_the_order_of_what_went_in() {
        for count in [0, 1, 2, 3, 100] {
            let all = twice(count, None).into_iter().collect::<Result<Vec<_>>>();
            let expected: Vec<u64> = (1..=count).flat_map(|number| [number, number]).collect();
            assert_eq!(all.unwrap(), expected);
        }
    }

    #[test]
    fn an_error_comes_where_its_piece_would() {
        for wrong in [1, 2, 7, 100] {
            let all = twice(100, Some(wrong));
            assert_eq!(all.len() as u64, 2 * wrong - 1);
            let error = all.into_iter().next_back().unwrap().unwrap_err();
            assert_eq!(error.message(), wrong.to_string());
        }
    }

    #[test]
    fn an_error_of_cutting_comes_after_the_pieces_before_it() {
        let mut pieces = Pieces::new(|number, give| {
            give(number);
            Ok(())
        });
        let mut left = 1..=5;
        let mut cut = || match left.next() {
            Some(number) => Ok(Some(number)),
            None => Err(died()),
        };
        for number in 1..=5 {
            assert_eq!(pieces.next(&mut cut).unwrap(), Some(number));
        }
        assert_eq!(pieces.next(&mut cut).unwrap_err().code(), "FS0399");
        assert_eq!(pieces.next(&mut cut).unwrap(), None);
    }

    #[test]
    fn little_is_done_before_it_is_taken() {
        static DONE: AtomicUsize = AtomicUsize::new(0);
        let mut pieces = Pieces::new(|_: u64, give| {
            while give(DONE.fetch_add(1, Ordering::SeqCst)) {}
            Ok(())
        });
        let mut cut = || Ok(Some(0));
        assert!(pieces.next(&mut cut).unwrap().is_some());
        thread::sleep(Duration::from_millis(20));
        let most = THREADS_MAX * (DONE_MAX + 1) + 1;
        let done = DONE.load(Ordering::SeqCst);
        assert!(done <= most, "{done} of {most}");
    }

    #[test]
    fn a_thread_that_dies_is_an_error() {
        let mut ordered = Ordered::new(|number: u64, give: &mut dyn FnMut(u64) -> bool| {
            assert!(number < 2, "it dies of {number}");
            give(number);
        });
        for number in 0..3 {
            ordered.give(number).unwrap();
        }
        assert_eq!(ordered.take().unwrap(), Some(0));
        assert_eq!(ordered.take().unwrap(), Some(1));
        assert_eq!(ordered.take().unwrap_err().code(), "FS0399");
    }
}
