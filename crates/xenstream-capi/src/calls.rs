//! Sequences of calls that a fuzzer chose, beside the same calls of the core: the fuzz target `calls`.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use std::boxed::Box;

use xenstream_core::{Follows, Limit, Policy, Verifier, Violation};

use crate::{choice, *};

/// Memory for a verifier, and what must stay as it is after it.
#[repr(C, align(16))]
struct Memory {
    verifier: [u8; XS_VERIFIER_SIZE],
    after: [u8; 64],
}

/// What is never written.
const UNTOUCHED: u8 = 0xA5;

/// Makes calls on one verifier: the last byte counts those that its predecessors choose, two bytes a call; the rest is the
/// stream.
///
/// # Panics
/// If a call does not return what the core's returns, if something that was final changes, or if memory is written that is
/// not the verifier's.
pub fn calls(data: &[u8]) {
    let Some((rest, &[profile, format, count])) = data.split_last_chunk::<3>() else { return };
    let (stream, script) = rest.split_at(rest.len().saturating_sub(2 * usize::from(count)));
    let (profile, format) = (profile % 3, format % 6);
    let mut memory = Box::new(Memory { verifier: [UNTOUCHED; XS_VERIFIER_SIZE], after: [UNTOUCHED; 64] });
    let policy = policy(profile.into());
    let mut verifier = null_mut();
    // SAFETY: the memory is a verifier's, and the policy was initialised.
    let status = unsafe {
        let memory = (&raw mut memory.verifier).cast();
        xs_verifier_init(memory, XS_VERIFIER_SIZE, format.into(), &raw const policy, &raw mut verifier)
    };
    assert_eq!(status, xs_status::Ok);
    let core = Verifier::new(
        choice::format(format.into()).expect("one of the formats"),
        &Policy::new(choice::profile(profile.into()).expect("one of the profiles")),
    );
    let mut both = Both { verifier, core, refused: None, finished: false };
    let mut rest = stream;
    for &[call, argument] in script.as_chunks::<2>().0 {
        rest = both.call(call, argument.into(), rest);
    }
    // What is left, as a reader would push it.
    while !rest.is_empty() && both.refused.is_none() && !both.finished && !both.core.is_ended() {
        rest = both.push(rest, rest.len());
    }
    both.finish();
    both.look();
    assert!(memory.after.iter().all(|byte| *byte == UNTOUCHED), "memory after the verifier was written");
}

fn policy(profile: xs_profile) -> xs_policy {
    let mut policy = MaybeUninit::uninit();
    // SAFETY: the pointer is that of a policy, which a success initialises.
    unsafe {
        assert_eq!(xs_policy_init(policy.as_mut_ptr(), profile), xs_status::Ok);
        policy.assume_init()
    }
}

/// The verifier in C's memory, and one of the core's that receives the same calls.
struct Both {
    verifier: *mut xs_verifier,
    core: Verifier,
    refused: Option<Violation>,
    finished: bool,
}

impl Both {
    /// Makes a call, and returns the bytes of the stream that are left.
    fn call<'s>(&mut self, call: u8, argument: u64, rest: &'s [u8]) -> &'s [u8] {
        match call % 8 {
            0..3 => return self.push(rest, argument as usize),
            3 => return self.skip(argument, rest),
            4 => self.look(),
            5 => self.set_limit(argument),
            6 if argument == 0 => self.finish(),
            6 if argument < 16 => self.trailing_data(&rest[..rest.len().min(argument as usize)]),
            _ => self.call_wrongly(argument),
        }
        rest
    }

    /// The status that every call returns once there is a verdict.
    fn verdict(&self) -> Option<xs_status> {
        let refused = |violation: &Violation| {
            if violation.is_unjudged() { xs_status::Unjudged } else { xs_status::Invalid }
        };
        self.refused.as_ref().map(refused)
    }

    fn push<'s>(&mut self, rest: &'s [u8], most: usize) -> &'s [u8] {
        let bytes = &rest[..rest.len().min(most)];
        let mut consumed = usize::MAX;
        // SAFETY: the verifier was initialised, and the bytes are there.
        let status =
            unsafe { xs_verifier_push(self.verifier, bytes.as_ptr().cast(), bytes.len(), &raw mut consumed) };
        let expected = match (self.verdict(), self.finished) {
            (Some(verdict), _) => (verdict, 0),
            (None, true) => (xs_status::ErrorState, 0),
            (None, false) => match self.core.push(bytes, &mut ()) {
                Ok(progress) if progress.ended => (xs_status::Ended, progress.consumed),
                Ok(progress) => (xs_status::Ok, progress.consumed),
                Err(violation) => {
                    self.refused = Some(violation);
                    (self.verdict().expect("it was refused"), 0)
                }
            },
        };
        assert_eq!((status, consumed), expected, "push of {} bytes", bytes.len());
        &rest[consumed..]
    }

    fn skip<'s>(&mut self, bytes: u64, rest: &'s [u8]) -> &'s [u8] {
        // As many more as the low bits say than can be skipped.
        let bytes =
            self.core.need().skippable.min(rest.len() as u64).saturating_add(bytes.saturating_sub(250));
        // SAFETY: the verifier was initialised.
        let status = unsafe { xs_verifier_skip(self.verifier, bytes) };
        if let Some(verdict) = self.verdict() {
            assert_eq!(status, verdict);
        } else if self.finished {
            assert_eq!(status, xs_status::ErrorState);
        } else if self.core.skip(bytes).is_err() {
            assert_eq!(status, xs_status::ErrorSkip);
        } else {
            // Its bytes may have been the last that a rule waited for.
            let expected = match self.core.push(&[], &mut ()) {
                Ok(progress) if progress.ended => xs_status::Ended,
                Ok(_) => xs_status::Ok,
                Err(violation) => {
                    self.refused = Some(violation);
                    self.verdict().expect("it was refused")
                }
            };
            assert_eq!(status, expected, "skip of {bytes} bytes");
            return &rest[rest.len().min(bytes as usize)..];
        }
        rest
    }

    fn finish(&mut self) {
        // SAFETY: the verifier was initialised.
        let status = unsafe { xs_verifier_finish(self.verifier) };
        if self.refused.is_none() && !self.finished {
            self.refused = self.core.finish(&mut ()).err();
        }
        self.finished = true;
        assert_eq!(status, self.verdict().unwrap_or(xs_status::Ok));
    }

    fn trailing_data(&mut self, bytes: &[u8]) {
        // SAFETY: the verifier was initialised, and the bytes are there.
        let status = unsafe { xs_verifier_trailing_data(self.verifier, bytes.as_ptr().cast(), bytes.len()) };
        let expected = if let Some(verdict) = self.verdict() {
            verdict
        } else if self.core.is_ended() {
            let follows = if bytes.is_empty() { Follows::Data } else { Follows::of(bytes) };
            self.refused = self.core.trailing_data(follows, &mut ()).err();
            self.verdict().unwrap_or(xs_status::Ok)
        } else {
            xs_status::ErrorState
        };
        assert_eq!(status, expected);
    }

    fn set_limit(&mut self, value: u64) {
        // SAFETY: the verifier was initialised, and the name ends with NUL.
        let status = unsafe { xs_verifier_set_limit(self.verifier, c"hvm-pfn".as_ptr(), value << 12) };
        if status == xs_status::Ok {
            self.core.set_limit(Limit::HvmPfn, value << 12);
        }
    }

    /// Asks for what changes nothing.
    fn look(&mut self) {
        let mut need = xs_need { certain: 77, skippable: 77 };
        let mut violation = MaybeUninit::uninit();
        let mut summary = MaybeUninit::uninit();
        let mut releases = [0; 32];
        // SAFETY: the verifier was initialised, and each result has the memory of its type.
        let (status, found, summed) = unsafe {
            let length = xs_verifier_accepting_releases(self.verifier, releases.as_mut_ptr(), releases.len());
            assert!(length >= 0);
            (
                xs_verifier_need(self.verifier, &raw mut need),
                xs_verifier_violation(self.verifier, violation.as_mut_ptr()),
                xs_verifier_summary(self.verifier, summary.as_mut_ptr()),
            )
        };
        assert_eq!(summed, xs_status::Ok);
        match (self.refused, self.finished || self.core.is_ended()) {
            (Some(expected), _) => {
                assert_eq!((Some(status), need), (self.verdict(), xs_need::default()));
                assert_eq!(found, xs_status::Ok);
                // SAFETY: the call was a success, and its names end with NUL.
                let (violation, rule) = unsafe {
                    let violation: xs_violation = violation.assume_init();
                    (violation, CStr::from_ptr(violation.rule))
                };
                assert_eq!((rule.to_str(), violation.offset), (Ok(expected.rule.name()), expected.offset));
            }
            (None, true) => assert_eq!((status, need), (xs_status::Ended, xs_need::default())),
            (None, false) => {
                let known = self.core.need();
                let known = xs_need { certain: known.certain, skippable: known.skippable };
                assert_eq!((status, need), (xs_status::Ok, known));
                assert!(need.certain > 0, "a stream that goes on needs bytes");
            }
        }
        assert_eq!(found == xs_status::Ok, self.refused.is_some());
        let text = CStr::from_bytes_until_nul(releases.map(|byte| byte as u8).as_slice())
            .map(CStr::to_bytes)
            .map(str::from_utf8)
            .is_ok_and(|text| text.is_ok());
        assert!(text, "a list of releases without an end");
    }

    /// Makes a call that C code may make by mistake. None changes anything.
    fn call_wrongly(&mut self, which: u64) {
        let verifier = self.verifier;
        // SAFETY: pointers are null, misaligned, or right.
        let (status, expected) = unsafe {
            match which % 6 {
                0 => (xs_verifier_push(null_mut(), null(), 0, null_mut()), xs_status::ErrorNull),
                1 => (xs_verifier_push(verifier, null(), 1, null_mut()), xs_status::ErrorNull),
                2 => (xs_verifier_need(verifier, null_mut()), xs_status::ErrorNull),
                3 => (xs_verifier_finish(verifier.wrapping_byte_add(1)), xs_status::ErrorAlignment),
                4 => (xs_verifier_set_limit(verifier, c"no-limit".as_ptr(), 1), xs_status::ErrorName),
                _ => (
                    xs_verifier_push(verifier, c"x".as_ptr().cast(), usize::MAX, null_mut()),
                    xs_status::ErrorSize,
                ),
            }
        };
        assert_eq!(status, expected, "wrong call {which}");
    }
}
