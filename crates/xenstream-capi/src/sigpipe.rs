//! Writing to a pipe without a reader raises SIGPIPE, which ends a program that neither ignores nor handles it. A
//! library cannot set the program's signal handlers, so the signal is blocked in the calling thread and then taken
//! away.

use std::mem::MaybeUninit;
use std::ptr;

/// SIGPIPE is held back in this thread until this is dropped.
pub(crate) struct Held {
    /// What was held back before.
    mask: libc::sigset_t,
    /// A SIGPIPE was waiting already: it is not ours to take.
    was_pending: bool,
}

impl Held {
    pub(crate) fn back() -> Held {
        let mut mask = MaybeUninit::uninit();
        let was_pending = is_pending();
        // SAFETY: both sets are there for the call.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &only_sigpipe(), mask.as_mut_ptr()) };
        // SAFETY: the call fails only for a first argument that is none, so the old mask was written.
        Held { mask: unsafe { mask.assume_init() }, was_pending }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.was_pending && is_pending() {
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: the set and the time are there for the call, and what it tells of the signal is not asked for.
            unsafe { libc::sigtimedwait(&only_sigpipe(), ptr::null_mut(), &raw const now) };
        }
        // SAFETY: the mask is one that the system gave us.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut()) };
    }
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is there for the calls, and the first one makes it a set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

/// Returns whether a blocked SIGPIPE is pending.
fn is_pending() -> bool {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is there for the calls, and the first one, which does not fail, makes it a set.
    unsafe {
        libc::sigpending(set.as_mut_ptr());
        libc::sigismember(set.as_ptr(), libc::SIGPIPE) == 1
    }
}
