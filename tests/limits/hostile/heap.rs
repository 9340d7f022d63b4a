//! What a piece of work takes from the heap at most. The counters belong to the thread, so neither
//! the peers' threads nor other tests disturb them.
// A global allocator cannot be written without `unsafe`; the library itself has none.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
    static PEAK_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends may free after its counters are gone: that is not counted.
    let live = LIVE_BYTES.try_with(|live| {
        live.set(live.get() + bytes);
        live.get()
    });
    if let Ok(live) = live {
        let _ = PEAK_BYTES.try_with(|peak| peak.set(peak.get().max(live)));
    }
}

fn signed(size: usize) -> isize {
    isize::try_from(size).unwrap_or(isize::MAX)
}

// SAFETY: each method hands its arguments to `System`, which upholds the contract of
// `GlobalAlloc`, and gives back what `System` gave. Counting neither allocates (the counters are
// `const` and have no destructor) nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old block may live until the new one is filled.
        count(signed(size));
        count(-signed(layout.size()));
        // SAFETY: `old` came from `System` with this layout, for all of ours do.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: `old` came from `System` with this layout, for all of ours do.
        unsafe { System.dealloc(old, layout) }
    }
}

/// The most that `act` had at once of this thread's heap, beyond what was there before.
pub(super) fn peak<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE_BYTES.get();
    PEAK_BYTES.set(before);
    let result = act();
    (result, usize::try_from(PEAK_BYTES.get() - before).expect("the peak is not below its beginning"))
}

#[test]
fn the_peak_is_what_was_held_at_once() {
    let (_, bytes) = peak(|| {
        for _ in 0..10 {
            drop(std::hint::black_box(vec![1_u8; 100_000]));
        }
    });
    assert!((100_000..200_000).contains(&bytes), "{bytes}");
}
