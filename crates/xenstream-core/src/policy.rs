//! How strict to be: profiles, levels, limits. A [`Policy`] is plain data, built at compile time if need be.

use core::fmt;
use core::str::FromStr;

use crate::rule::{Rule, UnknownRule};
use crate::targets::Target;

/// What happens when a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing.
    Allow,
    /// It is reported and the stream goes on.
    Warn,
    /// The stream is refused.
    Deny,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Allow => "allow",
            Level::Warn => "warn",
            Level::Deny => "deny",
        })
    }
}

/// A set of levels and limits with a purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The written specification, as strictly as Xen's own verifier means to check it.
    Spec,
    /// What `xl restore` of a released Xen (4.14 and later) takes, and a guest can run from.
    #[default]
    Restore,
    /// A gate in front of a restorer, for images from people you do not trust.
    Hardened,
}

impl Profile {
    /// Every profile, in the order of the catalogue's columns.
    pub const ALL: [Profile; 3] = [Profile::Spec, Profile::Restore, Profile::Hardened];

    /// The profile's name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Spec => "spec",
            Profile::Restore => "restore",
            Profile::Hardened => "hardened",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What kind of stream the caller says this is. Xen's own restorer is told out of band.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Checkpointing {
    /// Plain for a bare libxc stream and a xenopsd image, as it comes inside libxl.
    #[default]
    Auto,
    /// No checkpoints.
    Plain,
    /// Remus.
    Remus,
    /// COLO: one CHECKPOINT_STATE follows each CHECKPOINT_END.
    Colo,
}

/// A bound that the policy sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Limit {
    /// Longest body of a libxl record, in bytes.
    LibxlRecord,
    /// Longest body of a libxc record, in bytes.
    LibxcRecord,
    /// Longest optional data of an xl header, in bytes.
    OptionalData,
    /// Longest XML of a libvirt header, in bytes.
    Xml,
    /// Longest device-model state in one EMULATOR_CONTEXT, in bytes.
    EmulatorContext,
    /// Longest blob of a xenopsd image, in bytes.
    XenopsdBlob,
    /// First pfn that an HVM guest may not have.
    HvmPfn,
    /// First pfn that a PV guest's p2m may not have.
    P2mPfn,
    /// First vcpu id that a guest may not have.
    Vcpus,
    /// Most records, over all layers.
    Records,
    /// Most checkpoints.
    Checkpoints,
    /// Most bytes of libxc records between two checkpoints, headers and padding included.
    CheckpointSize,
    /// Most frames of a PV guest's p2m that are the same as the one before.
    P2mHoles,
    /// Most bytes of xenstore data in one EMULATOR_XENSTORE_DATA.
    XenstoreBytes,
    /// Most pairs of xenstore data in a stream, or since its last checkpoint.
    XenstorePairs,
    /// Most levels of nesting in a configuration.
    ConfigDepth,
    /// Most values in a configuration, keys included.
    ConfigValues,
    /// First number that an array of a configuration may not hold.
    ConfigNumber,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Limit; 18] = [
        Limit::LibxlRecord,
        Limit::LibxcRecord,
        Limit::OptionalData,
        Limit::Xml,
        Limit::EmulatorContext,
        Limit::XenopsdBlob,
        Limit::HvmPfn,
        Limit::P2mPfn,
        Limit::Vcpus,
        Limit::Records,
        Limit::Checkpoints,
        Limit::CheckpointSize,
        Limit::P2mHoles,
        Limit::XenstoreBytes,
        Limit::XenstorePairs,
        Limit::ConfigDepth,
        Limit::ConfigValues,
        Limit::ConfigNumber,
    ];

    /// The limit's name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Limit::LibxlRecord => "libxl-record",
            Limit::LibxcRecord => "libxc-record",
            Limit::OptionalData => "optional-data",
            Limit::Xml => "xml",
            Limit::EmulatorContext => "emulator-context",
            Limit::XenopsdBlob => "xenopsd-blob",
            Limit::HvmPfn => "hvm-pfn",
            Limit::P2mPfn => "p2m-pfn",
            Limit::Vcpus => "vcpus",
            Limit::Records => "records",
            Limit::Checkpoints => "checkpoints",
            Limit::CheckpointSize => "checkpoint-size",
            Limit::P2mHoles => "p2m-holes",
            Limit::XenstoreBytes => "xenstore-bytes",
            Limit::XenstorePairs => "xenstore-pairs",
            Limit::ConfigDepth => "config-depth",
            Limit::ConfigValues => "config-values",
            Limit::ConfigNumber => "config-number",
        }
    }

    /// The values under [`Profile::Spec`], [`Profile::Restore`] and [`Profile::Hardened`].
    /// `u64::MAX` bounds nothing.
    #[must_use]
    pub const fn defaults(self) -> [u64; 3] {
        const NONE: u64 = u64::MAX;
        const MIB: u64 = 1 << 20;
        match self {
            // libxl allocates whatever body_length says: 4 GiB - 1 is all that the field can hold.
            Limit::LibxlRecord => [u32::MAX as u64, u32::MAX as u64, 16 * MIB],
            Limit::LibxcRecord => [crate::wire::libxc::RECORD_LENGTH_MAX; 3],
            Limit::OptionalData | Limit::Xml => [16 * MIB; 3],
            Limit::EmulatorContext => [NONE, NONE, 4 * MIB],
            Limit::XenopsdBlob => [64 * MIB; 3],
            // The restorer grows a bitmap to the highest pfn: 2^34 makes it touch 4 GiB. 2^28 is a guest of 1 TiB.
            Limit::HvmPfn => [1 << 36, 1 << 34, 1 << 28],
            Limit::P2mPfn => [NONE, NONE, 1 << 28],
            Limit::Vcpus => [8192, 8192, 512],
            Limit::Records => [NONE, NONE, 1 << 32],
            Limit::Checkpoints => [NONE, NONE, 1 << 20],
            // The restorer keeps them all in memory. Remus checkpoints many times a second.
            Limit::CheckpointSize => [NONE, NONE, 1 << 30],
            // 16 GiB of holes: a guest has them for the devices below 4 GiB, 1 GiB at most.
            Limit::P2mHoles => [NONE, NONE, 1 << 13],
            // libxl's time is quadratic in the pairs. QEMU has three for each of a few regions of memory.
            Limit::XenstorePairs => [NONE, NONE, 1 << 10],
            // libxl's time is quadratic in the values, and its bitmaps are as large as the last number in them says.
            // A guest of 512 vcpus, 64 disks and 64 nics has six levels and some 5000 values; no Xen has 16384 cpus.
            Limit::ConfigDepth => [NONE, NONE, 64],
            Limit::ConfigValues | Limit::XenstoreBytes => [NONE, NONE, 1 << 16],
            Limit::ConfigNumber => [NONE, NONE, 1 << 14],
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No limit has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no limit has this name")]
pub struct UnknownLimit;

impl FromStr for Limit {
    type Err = UnknownLimit;

    fn from_str(name: &str) -> Result<Limit, UnknownLimit> {
        Limit::ALL.into_iter().find(|limit| limit.name() == name).ok_or(UnknownLimit)
    }
}

/// Why a level cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// Past a structural rule nothing can be framed, so it stays at deny.
    #[error("{0} is structural and cannot be lowered")]
    Structural(Rule),
    /// No rule, and no layer with `::*`, has this name.
    #[error("no rule has this name")]
    Unknown,
}

impl From<UnknownRule> for LevelError {
    fn from(_: UnknownRule) -> LevelError {
        LevelError::Unknown
    }
}

/// Levels and limits for one verification.
///
/// ```
/// use xenstream_core::{Level, Limit, Policy, Rule};
///
/// const GATE: Policy = Policy::hardened().with_limit(Limit::HvmPfn, 1 << 20);
/// let lenient = Policy::spec().with_level(Rule::LibxcPadding, Level::Warn).unwrap();
/// assert_eq!(lenient.level(Rule::LibxcPadding), Level::Warn);
/// assert!(lenient.with_level(Rule::StreamTruncated, Level::Warn).is_err());
/// # let _ = GATE;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    profile: Profile,
    levels: [Level; Rule::COUNT],
    /// Rules whose level was set one by one: there a profile's special cases no longer apply.
    explicit: [u64; Rule::COUNT.div_ceil(64)],
    limits: [u64; Limit::ALL.len()],
    /// Limits that were set one by one, as bits.
    limited: u32,
    checkpointing: Checkpointing,
    keep_going: bool,
    target: Option<Target>,
}

impl Default for Policy {
    /// The policy of the default profile, [`Profile::Restore`].
    fn default() -> Policy {
        Policy::new(Profile::default())
    }
}

impl Policy {
    /// The policy of a profile.
    #[must_use]
    pub const fn new(profile: Profile) -> Policy {
        let mut levels = [Level::Deny; Rule::COUNT];
        let mut i = 0;
        while i < Rule::COUNT {
            levels[i] = crate::catalogue::ENTRIES[i].grades[profile as usize].level();
            i += 1;
        }
        let mut limits = [u64::MAX; Limit::ALL.len()];
        let mut i = 0;
        while i < Limit::ALL.len() {
            limits[i] = Limit::ALL[i].defaults()[profile as usize];
            i += 1;
        }
        Policy {
            profile,
            levels,
            explicit: [0; Rule::COUNT.div_ceil(64)],
            limits,
            limited: 0,
            checkpointing: Checkpointing::Auto,
            keep_going: false,
            target: None,
        }
    }

    /// [`Profile::Spec`] with nothing changed.
    #[must_use]
    pub const fn spec() -> Policy {
        Policy::new(Profile::Spec)
    }

    /// [`Profile::Restore`] with nothing changed.
    #[must_use]
    pub const fn restore() -> Policy {
        Policy::new(Profile::Restore)
    }

    /// [`Profile::Hardened`] with nothing changed.
    #[must_use]
    pub const fn hardened() -> Policy {
        Policy::new(Profile::Hardened)
    }

    /// The same policy with another level for one rule.
    ///
    /// # Errors
    /// A structural rule cannot be lowered.
    pub const fn with_level(mut self, rule: Rule, level: Level) -> Result<Policy, LevelError> {
        if rule.is_structural() && !matches!(level, Level::Deny) {
            return Err(LevelError::Structural(rule));
        }
        self.levels[rule as usize] = level;
        self.explicit[rule as usize / 64] |= 1 << (rule as usize % 64);
        Ok(self)
    }

    /// Sets the level of a rule by name, or of every rule of a layer (`libxl::*`). With a layer, structural rules
    /// stay as they are.
    ///
    /// # Errors
    /// No rule or layer has this name; or it is one structural rule, which cannot be lowered.
    pub fn set_level(&mut self, name: &str, level: Level) -> Result<(), LevelError> {
        let Some(layer) = name.strip_suffix("::*") else {
            let rule = name.parse()?;
            *self = self.clone().with_level(rule, level)?;
            return Ok(());
        };
        let mut known = false;
        for rule in Rule::all().filter(|rule| rule.layer().name() == layer) {
            known = true;
            if let Ok(changed) = self.clone().with_level(rule, level) {
                *self = changed;
            }
        }
        if known { Ok(()) } else { Err(LevelError::Unknown) }
    }

    /// The same policy with another value for one limit.
    #[must_use]
    pub const fn with_limit(mut self, limit: Limit, value: u64) -> Policy {
        self.limits[limit as usize] = value;
        self.limited |= 1 << limit as u32;
        self
    }

    /// The same policy for a stream of which the caller knows the kind.
    #[must_use]
    pub const fn with_checkpointing(mut self, checkpointing: Checkpointing) -> Policy {
        self.checkpointing = checkpointing;
        self
    }

    /// The same policy, reporting every finding of a stream whose framing is intact and not only the first.
    /// Findings go to [`Observer::finding`](crate::Observer::finding); the first one is the verdict, told by `finish`.
    #[must_use]
    pub const fn with_keep_going(mut self, keep_going: bool) -> Policy {
        self.keep_going = keep_going;
        self
    }

    /// The same policy for a release that the stream is to be restored on; `None` for any.
    ///
    /// What this release refuses is a finding at deny under its own rule, unless the rule's level was set by hand.
    #[must_use]
    pub const fn with_target(mut self, target: Option<Target>) -> Policy {
        self.target = target;
        self
    }

    /// The release that the stream is to be restored on.
    #[must_use]
    pub const fn target(&self) -> Option<Target> {
        self.target
    }

    /// The profile that the policy started from.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// What the caller said of the stream.
    #[must_use]
    pub const fn checkpointing(&self) -> Checkpointing {
        self.checkpointing
    }

    /// Is every finding reported?
    #[must_use]
    pub const fn keeps_going(&self) -> bool {
        self.keep_going
    }

    /// The level of a rule.
    #[inline]
    #[must_use]
    pub fn level(&self, rule: Rule) -> Level {
        // `get` rather than an index keeps the panic path out of the core.
        self.levels.get(rule as usize).copied().unwrap_or(Level::Deny)
    }

    /// The value of a limit.
    #[inline]
    #[must_use]
    pub fn limit(&self, limit: Limit) -> u64 {
        self.limits.get(limit as usize).copied().unwrap_or(u64::MAX)
    }

    /// Was this limit set by hand, be it to the profile's own value?
    #[must_use]
    pub const fn is_limited(&self, limit: Limit) -> bool {
        self.limited & (1 << limit as u32) != 0
    }

    pub(crate) fn set_limit(&mut self, limit: Limit, value: u64) {
        if let Some(slot) = self.limits.get_mut(limit as usize) {
            *slot = value;
        }
    }

    /// The level of a rule where the profile has a special case for it, which a level set by hand overrides.
    pub(crate) fn level_or(&self, rule: Rule, special: Level) -> Level {
        let explicit =
            self.explicit.get(rule as usize / 64).is_some_and(|bits| bits >> (rule as usize % 64) & 1 != 0);
        if explicit { self.level(rule) } else { special }
    }
}
