//! A global allocator that counts, by thread: a program that includes this file is measured with it.
// A global allocator cannot be written without `unsafe`; the library itself has none.
#![allow(unsafe_code)]
#![allow(dead_code, unreachable_pub)] // each test file uses a part of it

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// What this thread holds.
    pub static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(allocations: u64, bytes: i64) {
    // A thread that ends may free after its counters are gone: that is not counted.
    let _ = ALLOCATIONS.try_with(|counter| counter.set(counter.get() + allocations));
    let _ = LIVE_BYTES.try_with(|counter| counter.set(counter.get() + bytes));
}

fn bytes(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

// SAFETY: each method hands its arguments to `System`, which upholds the contract of
// `GlobalAlloc`, and gives back what `System` gave. Counting neither allocates (the counters are
// `const` and have no destructor) nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, bytes(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, bytes(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, bytes(size) - bytes(layout.size()));
        // SAFETY: `old` came from `System` with this layout, for all of ours do.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        count(0, -bytes(layout.size()));
        // SAFETY: `old` came from `System` with this layout, for all of ours do.
        unsafe { System.dealloc(old, layout) }
    }
}

/// How many allocations of this thread `act` makes, a growing one counted at each step.
pub fn allocations<T>(act: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.get();
    let result = act();
    (result, ALLOCATIONS.get() - before)
}
