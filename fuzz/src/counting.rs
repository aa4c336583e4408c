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

fn took(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed).saturating_add(bytes);
    PEAK.fetch_max(live, Relaxed);
    if live > BOUND.load(Relaxed) && TRACE.swap(false, Relaxed) {
        eprintln!(
            "{bytes} bytes cross the bound:\n{}",
            Backtrace::force_capture()
        );
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
    BOUND.store(before.saturating_add(bound), Relaxed);
    TRACE.store(true, Relaxed);
    work();
    TRACE.store(false, Relaxed);
    PEAK.load(Relaxed).saturating_sub(before)
}
