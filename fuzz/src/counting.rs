//! An allocator that counts: what a decoder takes at most, beside its input.
//!
//! Never refuses and never hands out other memory than the system's. Invariant: what is counted is what was
//! asked for, so that the same input counts the same on every machine. It counts every thread's: one
//! measurement at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// What is live when the bound is reached.
static BOUND: AtomicUsize = AtomicUsize::new(usize::MAX);
static TRACE: AtomicBool = AtomicBool::new(false);
/// What was live before the work, and what a trace has kept since.
static BEFORE: AtomicUsize = AtomicUsize::new(0);
/// What the work had taken when it was traced.
static TRACED: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed).saturating_add(bytes);
    PEAK.fetch_max(live, Relaxed);
    if live > BOUND.load(Relaxed) && TRACE.swap(false, Relaxed) {
        TRACED.store(live.saturating_sub(BEFORE.load(Relaxed)), Relaxed);
        eprintln!(
            "{bytes} bytes cross the bound:\n{}",
            Backtrace::force_capture()
        );
        // Names of functions are kept for the next trace: no decoder took that.
        let kept = LIVE.load(Relaxed).saturating_sub(live);
        BEFORE.fetch_add(kept, Relaxed);
        PEAK.store(live.saturating_add(kept), Relaxed);
    }
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe to implement; this one only counts"
)]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What `work` takes at most, in bytes, beyond what was live before it.
///
/// Where more than `bound` is taken, the place that asks for it is printed.
pub fn peak(bound: usize, work: impl FnOnce()) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    BEFORE.store(before, Relaxed);
    TRACED.store(0, Relaxed);
    BOUND.store(before.saturating_add(bound), Relaxed);
    TRACE.store(true, Relaxed);
    work();
    TRACE.store(false, Relaxed);
    let peak = PEAK.load(Relaxed).saturating_sub(BEFORE.load(Relaxed));
    peak.max(TRACED.load(Relaxed))
}
