//! Threads that compute, apart from those that answer.
//!
//! Whoever computes has a set of its own: what does not yield there keeps nobody else from a thread, and
//! where the system gives threads a priority, answering goes first. Invariant: nothing waits for these
//! threads; dropped, they are left behind, end when their last step does, and start nothing more.

use flinkspark_model::{Error, Kind, Result};
use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

/// The stack of each thread that binds, plans or computes, in bytes: the deepest statement that the front takes needs a
/// quarter of it to be lowered, unoptimised. It is reserved, and taken only as far as it is used.
pub(crate) const STACK_BYTES: usize = 32 << 20;

/// A set of threads.
pub(crate) struct Workers(Option<Runtime>);

impl Workers {
    /// Starts threads: at least one, at most one for each core.
    ///
    /// Errors: `Unavailable` where the system gives no more threads.
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.clamp(1, cores()))
            .thread_name("flinkspark-work")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(give_way)
            .enable_all()
            .build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(no_threads)
    }

    /// Runs work there; it is given up when what is returned is dropped.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Work<T> {
        Work(self.0.as_ref().map(|runtime| runtime.spawn(work)))
    }
}

/// The system gives the process no threads, or not what they wait with.
pub(crate) fn no_threads(cause: std::io::Error) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0013",
        "the process cannot start its threads",
    )
    .with_source(cause)
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Work on other threads. Dropping it gives the work up at its next yield, and waits for nothing.
pub(crate) struct Work<T>(Option<JoinHandle<Result<T>>>);

impl<T> Future for Work<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Some(handle) => Pin::new(handle)
                .poll(context)
                .map(|ended| ended.unwrap_or_else(|cause| Err(broken(cause)))),
            None => Poll::Ready(Err(left())),
        }
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }
}

/// How many threads can compute at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Leaves a core to whoever answers, at once and however many of these threads would run: they have what is left. Merely
/// nicer ones would have a third of it when there are forty, and let nobody in before their slice has ended.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no library that we know sets this policy")]
fn give_way() {
    let without = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the thread that calls, and the parameters outlive the call. Where it is not allowed the threads share as
    // equals.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const without) };
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

fn broken(cause: JoinError) -> Error {
    match cause.try_into_panic() {
        Ok(panic) => panicked(panic.as_ref()),
        Err(_) => left(),
    }
}

fn left() -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0018",
        "a service ended without an answer",
    )
    .with_detail("its threads were given up")
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Error::new(Kind::Internal, "FS0916", "the job's engine panicked")
        .with_detail(text.unwrap_or("the panic has no text").to_owned())
        .with_hint("report it, with the job's text and the server's log")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn a_panic_is_told_with_its_text() {
        let workers = Workers::start(1).unwrap();
        let row = 3;
        let work = workers.spawn(async move {
            if row == 3 {
                panic!("row {row} is odd");
            }
            Ok(())
        });
        assert_eq!(work.await.unwrap_err().detail(), Some("row 3 is odd"));
    }

    #[tokio::test]
    async fn work_that_never_yields_is_left_behind_at_once() {
        let workers = Workers::start(1).unwrap();
        let flag = || Arc::new(AtomicBool::new(false));
        let [begun, stop, stopped] = [flag(), flag(), flag()];
        let [began, seen, told] = [&begun, &stop, &stopped].map(Arc::clone);
        let work = workers.spawn(async move {
            began.store(true, Ordering::Relaxed);
            while !seen.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            told.store(true, Ordering::Relaxed);
            Ok(())
        });
        while !begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        // Whoever waited for it would wait for this.
        let late = Arc::clone(&stop);
        let releasing = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_secs(5));
            late.store(true, Ordering::Relaxed);
        });
        drop(work);
        drop(workers);
        assert!(!stopped.load(Ordering::Relaxed), "nobody waited for it");
        stop.store(true, Ordering::Relaxed);
        drop(releasing);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends_at_its_next_yield() {
        let workers = Workers::start(1).unwrap();
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        let work = workers.spawn::<()>(async move {
            let _kept = ended;
            loop {
                tokio::task::yield_now().await;
            }
        });
        drop(work);
        // What the work held is gone while its threads are still there.
        let ended = tokio::time::timeout(std::time::Duration::from_secs(10), end).await;
        assert!(ended.is_ok_and(|end| end.is_err()), "it goes on");
        drop(workers);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn every_thread_of_a_set_gives_way_and_no_other() {
        // The 41st of `man 5 proc_pid_stat`, of which two stand up to the name.
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let behind_name = stat.rsplit(") ").next().unwrap();
            let policy = behind_name.split(' ').nth(38).unwrap();
            policy.parse::<i32>().unwrap()
        };
        let own = policy();
        let workers = Workers::start(1).unwrap();
        let work = workers.spawn(async move {
            let blocking = tokio::task::spawn_blocking(policy).await.unwrap();
            Ok((policy(), blocking))
        });
        assert_eq!(work.await, Ok((libc::SCHED_IDLE, libc::SCHED_IDLE)));
        assert_eq!(policy(), own);
    }

    #[tokio::test]
    async fn sets_of_threads_do_not_wait_for_each_other() {
        let (busy, free) = (Workers::start(1).unwrap(), Workers::start(1).unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let _spinning = busy.spawn(async move {
            while !seen.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok(())
        });
        assert_eq!(free.spawn(async { Ok(7) }).await, Ok(7));
        stop.store(true, Ordering::Relaxed);
    }
}
