//! Levels and limits.

use core::ffi::c_char;

use xenstream_core::{Limit, Policy, Profile, Rules, Target};

use crate::choice::{self, xs_checkpointing, xs_level, xs_profile};
use crate::pointer::{self, aligned};
use crate::status::{status_of, xs_status};

/// How strict to be. The caller owns the policy, may copy and discard it, and uses the functions below to change
/// it.
#[repr(C)]
pub struct xs_policy {
    opaque: [u64; 64],
}

/// What is in it.
struct Contents {
    magic: u64,
    policy: Policy,
}

const MAGIC: u64 = u64::from_le_bytes(*b"xspolicy");

const _: () = assert!(size_of::<Contents>() <= size_of::<xs_policy>());
const _: () = assert!(align_of::<Contents>() <= align_of::<xs_policy>());

/// Initialises `policy` with a profile.
///
/// Returns XS_STATUS_OK, or XS_STATUS_ERROR_ARGUMENT if `profile` is not a profile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_policy_init(policy: *mut xs_policy, profile: xs_profile) -> xs_status {
    status_of((|| {
        aligned(policy)?;
        let contents = Contents { magic: MAGIC, policy: Policy::new(choice::profile(profile)?) };
        // SAFETY: not null and aligned; the caller's structure has room for the contents, as asserted above.
        unsafe { policy.cast::<Contents>().write(contents) };
        Ok(xs_status::Ok)
    })())
}

/// Sets the level of a rule by name ("libxc::padding"), or of every rule of a layer ("libxl::*") except its
/// structural rules.
///
/// Returns XS_STATUS_OK; XS_STATUS_ERROR_NAME if no rule or layer has this name; XS_STATUS_ERROR_STRUCTURAL if it
/// is a structural rule, which cannot be lowered; XS_STATUS_ERROR_ARGUMENT if `level` is not a level. On failure,
/// the policy is not changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_policy_set_level(
    policy: *mut xs_policy,
    rule: *const c_char,
    level: xs_level,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a string.
    let (policy, rule) = unsafe { (open(policy), pointer::name(rule)) };
    status_of((|| {
        let policy = policy?;
        let rules: Rules = rule?.parse().map_err(|_| xs_status::ErrorName)?;
        let changed = policy.clone().with_level(rules, choice::level(level)?);
        *policy = changed.map_err(|_| xs_status::ErrorStructural)?;
        Ok(xs_status::Ok)
    })())
}

/// Sets a limit by name. In bytes: "libxl-record", "libxc-record", "optional-data", "xml", "emulator-context",
/// "xenopsd-blob", "checkpoint-size" and "xenstore-bytes". The lowest value that is not allowed: "hvm-pfn" and
/// "p2m-pfn" (page frame numbers), "vcpus" (vcpu ids) and "config-number" (numbers in arrays of a configuration).
/// The most that are allowed: "config-depth" (levels of nesting), "records", "checkpoints", "p2m-holes" (frames of
/// a p2m that repeat the previous one), "xenstore-pairs" and "config-values". UINT64_MAX means no limit.
///
/// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no limit has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_policy_set_limit(
    policy: *mut xs_policy,
    limit: *const c_char,
    value: u64,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a string.
    let (policy, limit) = unsafe { (open(policy), pointer::name(limit)) };
    status_of((|| {
        let policy = policy?;
        let limit: Limit = limit?.parse().map_err(|_| xs_status::ErrorName)?;
        *policy = policy.clone().with_limit(limit, value);
        Ok(xs_status::Ok)
    })())
}

/// Sets the kind of stream.
///
/// Returns XS_STATUS_OK, or XS_STATUS_ERROR_ARGUMENT if `checkpointing` is not a kind of stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_policy_set_checkpointing(
    policy: *mut xs_policy,
    checkpointing: xs_checkpointing,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy.
    let policy = unsafe { open(policy) };
    status_of((|| {
        let policy = policy?;
        *policy = policy.clone().with_checkpointing(choice::checkpointing(checkpointing)?);
        Ok(xs_status::Ok)
    })())
}

/// Sets the release of Xen on which the stream will be restored, such as "4.17.5", "4.20" (the newest known release
/// of that branch) or "xcp-ng-8.3". The stream is refused if this release refuses it. With null, the default, the
/// stream is refused only if every release refuses it.
///
/// Returns XS_STATUS_OK, or XS_STATUS_ERROR_NAME if no known release has this name. On failure, the policy is not
/// changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_policy_set_target(policy: *mut xs_policy, release: *const c_char) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a string.
    let (policy, release) = unsafe { (open(policy), (!release.is_null()).then(|| pointer::name(release))) };
    status_of((|| {
        let policy = policy?;
        let target = match release {
            None => None,
            Some(name) => Some(name?.parse::<Target>().map_err(|_| xs_status::ErrorName)?),
        };
        *policy = policy.clone().with_target(target);
        Ok(xs_status::Ok)
    })())
}

/// The policy in the caller's memory.
///
/// # Safety
/// The pointer is null or misaligned, or an `xs_policy` is there that nothing else uses while the reference lives.
unsafe fn open<'a>(policy: *mut xs_policy) -> Result<&'a mut Policy, xs_status> {
    let contents = aligned(policy)?.cast_mut().cast::<Contents>();
    // SAFETY: not null and aligned; an `xs_policy` is as large as its contents, and any number can be a magic word.
    if unsafe { (&raw const (*contents).magic).read() } != MAGIC {
        return Err(xs_status::ErrorUninitialised);
    }
    // SAFETY: the magic word says that `xs_policy_init` has been here.
    Ok(unsafe { &mut (*contents).policy })
}

/// The policy in the caller's memory, or without one the strictest profile.
///
/// # Safety
/// As for [`open`].
pub(crate) unsafe fn given(policy: *const xs_policy) -> Result<Policy, xs_status> {
    if policy.is_null() {
        return Ok(Policy::new(Profile::Hardened));
    }
    // SAFETY: as our caller promises.
    unsafe { open(policy.cast_mut()) }.map(|policy| policy.clone())
}
