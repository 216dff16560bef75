//! Calls as C makes them, right and wrong: what is wrong gets an error, and nothing else happens.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "to call as C does, rightly or wrongly, is what is tested"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use xenstream_c::*;
use xenstream_core::wire::hvm::types::LAPIC;
use xenstream_core::wire::libxc::types::HVM_CONTEXT;
use xenstream_core::{Format, Layer, Limit, Policy, Rule, Verifier};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Part, libxc, minimal};

/// Memory for a verifier, with room to be misaligned in.
#[repr(C, align(16))]
struct Memory([u8; XS_VERIFIER_SIZE + 16]);

impl Memory {
    fn new() -> Box<Memory> {
        Box::new(Memory([0xA5; XS_VERIFIER_SIZE + 16]))
    }

    fn pointer(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    fn verifier(&mut self, format: xs_format, policy: *const xs_policy) -> *mut xs_verifier {
        let mut verifier = null_mut();
        let status = unsafe {
            xs_verifier_init(self.pointer(), xs_verifier_size(), format, policy, &raw mut verifier)
        };
        assert_eq!(status, xs_status::Ok);
        assert_eq!(verifier.cast(), self.pointer());
        verifier
    }
}

fn policy(profile: xs_profile) -> xs_policy {
    let mut policy = std::mem::MaybeUninit::uninit();
    assert_eq!(unsafe { xs_policy_init(policy.as_mut_ptr(), profile) }, xs_status::Ok);
    unsafe { policy.assume_init() }
}

fn push(verifier: *mut xs_verifier, bytes: &[u8]) -> (xs_status, usize) {
    let mut consumed = usize::MAX;
    let status = unsafe { xs_verifier_push(verifier, bytes.as_ptr().cast(), bytes.len(), &raw mut consumed) };
    (status, consumed)
}

fn need(verifier: *mut xs_verifier) -> (xs_status, xs_need) {
    let mut need = xs_need { certain: 77, skippable: 77 };
    let status = unsafe { xs_verifier_need(verifier, &raw mut need) };
    (status, need)
}

fn violation(verifier: *mut xs_verifier) -> Option<xs_violation> {
    let mut violation = std::mem::MaybeUninit::uninit();
    match unsafe { xs_verifier_violation(verifier, violation.as_mut_ptr()) } {
        xs_status::Ok => Some(unsafe { violation.assume_init() }),
        status => {
            assert_eq!(status, xs_status::ErrorState);
            None
        }
    }
}

fn text(violation: &xs_violation) -> String {
    let mut buffer = [0x55; 256];
    let length = unsafe { xs_violation_text(violation, buffer.as_mut_ptr(), buffer.len()) };
    let text = unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_str().unwrap().to_owned();
    assert_eq!(usize::try_from(length), Ok(text.len()));
    text
}

/// A pointer that is not aligned for anything.
fn odd<T>(pointer: *mut T) -> *mut T {
    pointer.wrapping_byte_add(1)
}

#[test]
fn a_stream_is_verified_in_any_pieces() {
    let stream = minimal::hvm().bytes();
    for piece in [1, 7, stream.len()] {
        let mut memory = Memory::new();
        let verifier = memory.verifier(XS_FORMAT_LIBXC, null());
        let mut rest = &stream[..];
        while let (xs_status::Ok, need) = need(verifier) {
            assert!(need.certain > 0 && need.skippable <= need.certain && need.certain <= rest.len() as u64);
            let (bytes, behind) = rest.split_at(piece.min(rest.len()));
            let (status, consumed) = push(verifier, bytes);
            assert!(matches!(status, xs_status::Ok | xs_status::Ended), "{status:?}");
            assert_eq!(consumed, bytes.len());
            rest = behind;
        }
        assert!(rest.is_empty());
        assert_eq!(need(verifier), (xs_status::Ended, xs_need::default()));
        assert_eq!(push(verifier, b"more"), (xs_status::Ended, 0));
        for _ in 0..2 {
            assert_eq!(unsafe { xs_verifier_finish(verifier) }, xs_status::Ok);
        }
        assert_eq!(push(verifier, b"more"), (xs_status::ErrorState, 0));
        assert_eq!(unsafe { xs_verifier_skip(verifier, 0) }, xs_status::ErrorState);
        assert!(violation(verifier).is_none());

        let mut summary = std::mem::MaybeUninit::uninit();
        assert_eq!(unsafe { xs_verifier_summary(verifier, summary.as_mut_ptr()) }, xs_status::Ok);
        let summary = unsafe { summary.assume_init() };
        assert_eq!((summary.format, summary.guest), (XS_FORMAT_LIBXC, XS_GUEST_HVM));
        assert_eq!(summary.bytes, stream.len() as u64);
        // Nothing lies after the memory that was asked for.
        assert!(memory.0[xs_verifier_size()..].iter().all(|byte| *byte == 0xA5));
    }
}

#[test]
fn a_refusal_is_final() {
    let mut memory = Memory::new();
    let verifier = memory.verifier(XS_FORMAT_LIBXC, null());
    assert!(violation(verifier).is_none());
    assert_eq!(push(verifier, b"no marker"), (xs_status::Invalid, 0));
    for _ in 0..2 {
        assert_eq!(push(verifier, &[0xFF; 8]), (xs_status::Invalid, 0));
        assert_eq!(push(verifier, &[]), (xs_status::Invalid, 0));
        assert_eq!(unsafe { xs_verifier_skip(verifier, 0) }, xs_status::Invalid);
        assert_eq!(unsafe { xs_verifier_trailing_data(verifier, null(), 0) }, xs_status::Invalid);
        assert_eq!(need(verifier), (xs_status::Invalid, xs_need::default()));
        assert_eq!(unsafe { xs_verifier_finish(verifier) }, xs_status::Invalid);
    }
    let violation = violation(verifier).unwrap();
    assert_eq!(unsafe { CStr::from_ptr(violation.rule) }, c"libxc::marker");
    assert_eq!((violation.has, violation.layer, violation.offset), (0, XS_LAYER_LIBXC, 0));
    assert!(violation.record_type_name.is_null());
}

#[test]
fn a_violation_is_the_cores() {
    for case in xenstream_synth::cases::all().iter().filter(|case| !case.is_for_std()) {
        let mut core = Verifier::new(case.format, &Policy::hardened());
        let verdict = core.push(&case.stream, &mut ()).and_then(|_| core.finish(&mut ()));
        let Err(expected) = verdict else { continue };

        let format = Format::all().position(|format| format == case.format).unwrap();
        let mut memory = Memory::new();
        let verifier = memory.verifier(c_int::try_from(format).unwrap(), null());
        push(verifier, &case.stream);
        let status = if expected.is_unjudged() { xs_status::Unjudged } else { xs_status::Invalid };
        assert_eq!(unsafe { xs_verifier_finish(verifier) }, status);
        let violation = violation(verifier).unwrap();
        assert_eq!(unsafe { CStr::from_ptr(violation.rule) }.to_str(), Ok(expected.rule.name()));
        assert_eq!(
            unsafe { CStr::from_ptr(xs_rule_name(violation.rule_number)) }.to_str(),
            Ok(expected.rule.name())
        );
        let layer = unsafe { CStr::from_ptr(xs_layer_name(violation.layer)) };
        assert_eq!(layer.to_str(), Ok(expected.layer().name()));
        assert_eq!(text(&violation), expected.to_string());

        let name = expected.record.and_then(|record| record.type_name());
        assert_eq!(violation.record_type_name.is_null(), name.is_none());
        if let Some(name) = name {
            assert_eq!(unsafe { CStr::from_ptr(violation.record_type_name) }.to_str(), Ok(name));
        }
        if let Some(record) = expected.record {
            assert_eq!((violation.record_index, violation.record_offset), (record.index, record.offset));
        }
    }
}

#[test]
fn a_text_is_cut_to_its_buffer() {
    let mut memory = Memory::new();
    let verifier = memory.verifier(XS_FORMAT_LIBXC, null());
    push(verifier, &[0; 8]);
    let violation = violation(verifier).unwrap();
    let whole = text(&violation);
    for size in 0..whole.len() + 3 {
        let mut buffer = vec![0x55 as c_char; size + 1];
        let length = unsafe { xs_violation_text(&raw const violation, buffer.as_mut_ptr(), size) };
        assert_eq!(usize::try_from(length), Ok(whole.len()));
        let kept: Vec<u8> = buffer.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect();
        let room = size.saturating_sub(1).min(whole.len());
        if size > 0 {
            assert_eq!(kept, whole.as_bytes()[..room]);
            assert_eq!(buffer[room], 0);
        }
        assert_eq!(buffer[size], 0x55, "behind the buffer");
    }
    unsafe {
        assert_eq!(usize::try_from(xs_violation_text(&raw const violation, null_mut(), 0)), Ok(whole.len()));
        let mut buffer = [0x55; 8];
        let error = xs_status::ErrorNull as c_int;
        assert_eq!(xs_violation_text(&raw const violation, null_mut(), 8), error);
        assert_eq!(xs_violation_text(null(), buffer.as_mut_ptr(), 8), error);
        for change in [
            |violation: &mut xs_violation| violation.rule_number = xs_rule_count(),
            |violation: &mut xs_violation| {
                (violation.has, violation.record_layer) = (XS_HAS_RECORD, Layer::all().len() as c_int);
            },
            |violation: &mut xs_violation| (violation.has, violation.record_layer) = (XS_HAS_RECORD, -1),
        ] {
            let mut changed = violation;
            change(&mut changed);
            let status = xs_violation_text(&raw const changed, buffer.as_mut_ptr(), 8);
            assert_eq!(status, xs_status::ErrorArgument as c_int);
        }
        assert_eq!(buffer, [0x55; 8]);
    }
}

#[test]
fn memory_has_to_be_right() {
    let mut memory = Memory::new();
    let size = xs_verifier_size();
    assert!(size <= XS_VERIFIER_SIZE && XS_VERIFIER_ALIGNMENT.is_multiple_of(xs_verifier_alignment()));
    let place = memory.pointer();
    let mut verifier = std::ptr::dangling_mut::<xs_verifier>();
    let mut init = |memory, size, format, policy| {
        let status = unsafe { xs_verifier_init(memory, size, format, policy, &raw mut verifier) };
        assert!(verifier.is_null());
        status
    };
    assert_eq!(init(null_mut(), size, XS_FORMAT_LIBXC, null()), xs_status::ErrorNull);
    assert_eq!(init(place, size - 1, XS_FORMAT_LIBXC, null()), xs_status::ErrorSize);
    assert_eq!(init(place, 0, XS_FORMAT_LIBXC, null()), xs_status::ErrorSize);
    assert_eq!(init(odd(place), size, XS_FORMAT_LIBXC, null()), xs_status::ErrorAlignment);
    assert_eq!(init(place, size, 6, null()), xs_status::ErrorArgument);
    assert_eq!(init(place, size, -1, null()), xs_status::ErrorArgument);
    let foreign = [0u64; 64];
    assert_eq!(init(place, size, XS_FORMAT_LIBXC, foreign.as_ptr().cast()), xs_status::ErrorUninitialised);
    let nowhere = unsafe { xs_verifier_init(place, size, XS_FORMAT_LIBXC, null(), null_mut()) };
    assert_eq!(nowhere, xs_status::ErrorNull);
    assert!(memory.0.iter().all(|byte| *byte == 0xA5), "nothing was touched");
}

/// Calls every function on a verifier that is none.
fn statuses(verifier: *mut xs_verifier) -> [xs_status; 9] {
    let mut violation = std::mem::MaybeUninit::uninit();
    let mut summary = std::mem::MaybeUninit::uninit();
    unsafe {
        [
            push(verifier, &[0xFF; 8]).0,
            xs_verifier_skip(verifier, 0),
            need(verifier).0,
            xs_verifier_finish(verifier),
            xs_verifier_trailing_data(verifier, null(), 0),
            xs_verifier_set_limit(verifier, c"vcpus".as_ptr(), 1),
            xs_verifier_on_warning(verifier, None, null_mut()),
            xs_verifier_violation(verifier, violation.as_mut_ptr()),
            xs_verifier_summary(verifier, summary.as_mut_ptr()),
        ]
    }
}

#[test]
fn uninitialised_verifiers_are_detected() {
    assert_eq!(statuses(null_mut()), [xs_status::ErrorNull; 9]);
    let mut memory = Memory::new();
    assert_eq!(statuses(memory.pointer().cast()), [xs_status::ErrorUninitialised; 9]);
    assert_eq!(statuses(odd(memory.pointer()).cast()), [xs_status::ErrorAlignment; 9]);
}

#[test]
fn arguments_have_to_be_right() {
    let mut memory = Memory::new();
    let verifier = memory.verifier(XS_FORMAT_LIBXC, null());
    let bytes = [0u8; 8];
    unsafe {
        assert_eq!(xs_verifier_push(verifier, null(), 8, null_mut()), xs_status::ErrorNull);
        assert_eq!(xs_verifier_push(verifier, null(), 0, null_mut()), xs_status::Ok);
        let mut consumed = [7usize; 2];
        for length in [usize::MAX, isize::MAX as usize + 1] {
            let status = xs_verifier_push(verifier, bytes.as_ptr().cast(), length, consumed.as_mut_ptr());
            assert_eq!((status, consumed[0]), (xs_status::ErrorSize, 0));
        }
        let status = xs_verifier_push(verifier, bytes.as_ptr().cast(), 8, odd(consumed.as_mut_ptr()));
        assert_eq!((status, consumed[1]), (xs_status::ErrorAlignment, 7));
        assert_eq!(xs_verifier_need(verifier, null_mut()), xs_status::ErrorNull);
        assert_eq!(xs_verifier_violation(verifier, null_mut()), xs_status::ErrorNull);
        assert_eq!(xs_verifier_summary(verifier, null_mut()), xs_status::ErrorNull);
        assert_eq!(xs_verifier_skip(verifier, 1), xs_status::ErrorSkip);
        assert_eq!(xs_verifier_trailing_data(verifier, null(), 0), xs_status::ErrorState);
        assert_eq!(xs_verifier_set_limit(verifier, c"vcpu".as_ptr(), 1), xs_status::ErrorName);
        assert_eq!(xs_verifier_set_limit(verifier, null(), 1), xs_status::ErrorNull);
    }
    // None of that has moved it.
    let stream = minimal::hvm().bytes();
    assert_eq!(push(verifier, &stream), (xs_status::Ended, stream.len()));
    assert_eq!(unsafe { xs_verifier_finish(verifier) }, xs_status::Ok);
}

#[test]
fn policies_are_set_by_name() {
    let mut policy = policy(XS_PROFILE_SPEC);
    let policy = &raw mut policy;
    let long = [b'x' as c_char; 80];
    unsafe {
        let level = |rule: &CStr, level| xs_policy_set_level(policy, rule.as_ptr(), level);
        assert_eq!(level(c"libxc::padding", XS_LEVEL_WARN), xs_status::Ok);
        assert_eq!(level(c"libxl::*", XS_LEVEL_ALLOW), xs_status::Ok);
        assert_eq!(level(c"stream::truncated", XS_LEVEL_WARN), xs_status::ErrorStructural);
        assert_eq!(level(c"stream::truncate", XS_LEVEL_WARN), xs_status::ErrorName);
        assert_eq!(level(c"", XS_LEVEL_WARN), xs_status::ErrorName);
        assert_eq!(level(c"libxc::\xFF", XS_LEVEL_WARN), xs_status::ErrorName);
        assert_eq!(level(c"libxc::padding", 3), xs_status::ErrorArgument);
        assert_eq!(xs_policy_set_level(policy, long.as_ptr(), XS_LEVEL_WARN), xs_status::ErrorName);
        assert_eq!(xs_policy_set_level(policy, null(), XS_LEVEL_WARN), xs_status::ErrorNull);
        assert_eq!(xs_policy_set_limit(policy, c"hvm-pfn".as_ptr(), 1 << 20), xs_status::Ok);
        assert_eq!(xs_policy_set_limit(policy, c"hvm_pfn".as_ptr(), 1), xs_status::ErrorName);
        assert_eq!(xs_policy_set_checkpointing(policy, XS_CHECKPOINTING_COLO), xs_status::Ok);
        assert_eq!(xs_policy_set_checkpointing(policy, 4), xs_status::ErrorArgument);
        assert_eq!(xs_policy_set_target(policy, c"4.20".as_ptr()), xs_status::Ok);
        assert_eq!(xs_policy_set_target(policy, c"4.23".as_ptr()), xs_status::ErrorName);
        assert_eq!(xs_policy_set_target(policy, null()), xs_status::Ok);
        assert_eq!(xs_policy_set_target(null_mut(), null()), xs_status::ErrorNull);

        assert_eq!(xs_policy_init(policy, 3), xs_status::ErrorArgument);
        assert_eq!(xs_policy_init(null_mut(), XS_PROFILE_SPEC), xs_status::ErrorNull);
        assert_eq!(xs_policy_set_limit(null_mut(), c"vcpus".as_ptr(), 1), xs_status::ErrorNull);
        assert_eq!(xs_policy_set_limit(odd(policy), c"vcpus".as_ptr(), 1), xs_status::ErrorAlignment);
        let mut foreign = [0u64; 64];
        let foreign = foreign.as_mut_ptr().cast();
        assert_eq!(xs_policy_set_limit(foreign, c"vcpus".as_ptr(), 1), xs_status::ErrorUninitialised);
    }
}

#[test]
fn takers_of_a_stream_are_named() {
    let bytes = lapic_of_32();
    let spec = policy(XS_PROFILE_SPEC);
    let mut memory = Memory::new();
    let verifier = memory.verifier(XS_FORMAT_LIBXC, &raw const spec);
    assert_eq!(push(verifier, &bytes).0, xs_status::Ended);
    let mut buffer = [0x55; 80];
    let releases = "Xen 4.18.5+, 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3";
    unsafe {
        let length = xs_verifier_accepting_releases(verifier, buffer.as_mut_ptr(), buffer.len());
        assert_eq!(usize::try_from(length), Ok(releases.len()));
        assert_eq!(CStr::from_ptr(buffer.as_ptr()).to_str(), Ok(releases));
        assert_eq!(xs_verifier_accepting_releases(verifier, null_mut(), 0), length);
        assert_eq!(xs_verifier_accepting_releases(verifier, null_mut(), 1), xs_status::ErrorNull as c_int);
    }
}

#[test]
fn a_target_refuses_and_the_text_names_takers() {
    let bytes = lapic_of_32();
    let mut policy = policy(XS_PROFILE_SPEC);
    assert_eq!(unsafe { xs_policy_set_target(&raw mut policy, c"4.17".as_ptr()) }, xs_status::Ok);
    let mut memory = Memory::new();
    let verifier = memory.verifier(XS_FORMAT_LIBXC, &raw const policy);
    assert_eq!(push(verifier, &bytes).0, xs_status::Invalid);
    let violation = violation(verifier).unwrap();
    assert_eq!(violation.has & XS_HAS_RELEASES, XS_HAS_RELEASES);
    let text = text(&violation);
    assert!(text.ends_with("; accepted by Xen 4.18.5+, 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3"), "{text}");
}

/// A stream with a LAPIC of the longer form.
fn lapic_of_32() -> Vec<u8> {
    let chain = Chain::around([Entry::new(LAPIC, 0, [0; 32])]);
    minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&chain)).bytes()
}

/// What a callback was told.
#[derive(Default)]
struct Heard {
    verifier: *mut xs_verifier,
    texts: Vec<String>,
    statuses: Vec<[xs_status; 9]>,
}

unsafe extern "C" fn hear(context: *mut c_void, warning: *const xs_violation) {
    let heard = unsafe { &mut *context.cast::<Heard>() };
    heard.texts.push(text(unsafe { &*warning }));
    heard.statuses.push(statuses(heard.verifier));
}

#[test]
fn verifier_is_busy_during_warning_callbacks() {
    let case =
        xenstream_synth::cases::all().into_iter().find(|case| case.rule == Rule::LibxcPadding).unwrap();
    let mut policy = policy(XS_PROFILE_HARDENED);
    unsafe {
        xs_policy_set_level(&raw mut policy, c"libxc::padding".as_ptr(), XS_LEVEL_WARN);
    }
    let mut memory = Memory::new();
    let verifier = memory.verifier(XS_FORMAT_LIBXC, &raw const policy);
    let mut heard = Heard { verifier, ..Heard::default() };
    let context = (&raw mut heard).cast();
    assert_eq!(unsafe { xs_verifier_on_warning(verifier, Some(hear), context) }, xs_status::Ok);
    assert_eq!(push(verifier, &case.stream), (xs_status::Ended, case.stream.len()));
    assert_eq!(unsafe { xs_verifier_finish(verifier) }, xs_status::Ok);
    assert_eq!(heard.texts.len(), 1);
    assert!(
        heard.texts[0].starts_with(&format!("libxc::padding at offset {}", case.offset)),
        "{:?}",
        heard.texts
    );
    assert_eq!(heard.statuses, [[xs_status::ErrorBusy; 9]]);
}

#[test]
fn pages_can_be_skipped_and_limits_changed() {
    let stream = xenstream_synth::valid::Machine::Hvm.libxc().bytes();
    let run = |limit: Option<u64>| {
        let mut memory = Memory::new();
        let verifier = memory.verifier(XS_FORMAT_LIBXC, null());
        if let Some(limit) = limit {
            let status = unsafe { xs_verifier_set_limit(verifier, c"hvm-pfn".as_ptr(), limit) };
            assert_eq!(status, xs_status::Ok);
        }
        let (mut at, mut skipped) = (0, 0);
        while let (xs_status::Ok, need) = need(verifier) {
            let status = if need.skippable > 0 {
                assert_eq!(unsafe { xs_verifier_skip(verifier, need.skippable + 1) }, xs_status::ErrorSkip);
                at += need.skippable as usize;
                skipped += need.skippable;
                unsafe { xs_verifier_skip(verifier, need.skippable) }
            } else {
                at += 1;
                push(verifier, &stream[at - 1..at]).0
            };
            assert!(matches!(status, xs_status::Ok | xs_status::Ended | xs_status::Invalid), "{status:?}");
        }
        (unsafe { xs_verifier_finish(verifier) }, at, skipped)
    };
    let (status, at, skipped) = run(None);
    assert_eq!((status, at), (xs_status::Ok, stream.len()));
    assert!(skipped >= 4096, "{skipped}");
    assert_eq!(run(Some(0)).0, xs_status::Invalid);
}

#[test]
fn trailing_data_is_for_the_policy_to_judge() {
    let stream = minimal::hvm().bytes();
    let (ok, invalid) = (xs_status::Ok, xs_status::Invalid);
    for (profile, follows, expected) in [
        (XS_PROFILE_HARDENED, &b"other data"[..], invalid),
        (XS_PROFILE_HARDENED, &stream[..], invalid),
        (XS_PROFILE_HARDENED, &[], invalid),
        (XS_PROFILE_HARDENED, &[0; 4096], ok),
        (XS_PROFILE_RESTORE, b"other data", ok),
    ] {
        let policy = policy(profile);
        let mut memory = Memory::new();
        let verifier = memory.verifier(XS_FORMAT_LIBXC, &raw const policy);
        assert_eq!(push(verifier, &stream).0, xs_status::Ended);
        let (bytes, length) = (follows.as_ptr().cast(), follows.len());
        assert_eq!(unsafe { xs_verifier_trailing_data(verifier, bytes, length) }, expected);
        assert_eq!(unsafe { xs_verifier_finish(verifier) }, expected);
    }
}

#[test]
fn texts_and_numbers() {
    let string = |pointer: *const c_char| unsafe { CStr::from_ptr(pointer) }.to_str().unwrap();
    assert_eq!(string(xs_version()), env!("CARGO_PKG_VERSION"));
    assert_eq!(xs_abi(), XS_ABI);
    assert_eq!(string(xs_status_text(xs_status::ErrorNull as c_int)), "a pointer is null");
    let mut texts: Vec<_> = (-15..=2).map(|status| string(xs_status_text(status))).collect();
    let unknown = string(xs_status_text(-16));
    assert_eq!(unknown, string(xs_status_text(c_int::MIN)));
    assert!(!texts.contains(&unknown));
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 18);
    assert!(
        xs_rule_name(xs_rule_count()).is_null()
            && xs_layer_name(Layer::all().len() as c_int).is_null()
            && xs_layer_name(-1).is_null()
    );
}

#[test]
fn header_names_every_limit() {
    let header = include_str!("../../include/xenstream.h");
    let start = header.find("Sets a limit by name").unwrap();
    let text = &header[start..start + header[start..].find("xs_policy_set_limit").unwrap()];
    let missing: Vec<_> = Limit::all().filter(|limit| !text.contains(&format!("\"{limit}\""))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
