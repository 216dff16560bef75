//! How strict to be: profiles, levels, limits. A [`Policy`] is plain data and can be built at compile time.

use core::fmt;
use core::str::FromStr;

use crate::catalogue::ENTRIES;
use crate::rule::{Entry, Rule, UnknownRule};
use crate::targets::Target;
use crate::violation::Layer;

/// What happens when a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides what each level means; there is no fourth")]
pub enum Level {
    /// The rule is ignored.
    Allow,
    /// A warning is reported, and verification continues.
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

/// A set of levels and limits for one purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that depends on the profile must handle a new one: the compiler shows each place"
)]
pub enum Profile {
    /// The written specification, as strictly as Xen's own verifier intends to check it.
    Spec,
    /// What `xl restore` of a released Xen (4.14 and later) accepts, and a guest can run from.
    #[default]
    Restore,
    /// A gate before a restorer, for images from people you do not trust.
    Hardened,
}

impl Profile {
    pub(crate) const ALL: &'static [Profile] = &[Profile::Spec, Profile::Restore, Profile::Hardened];

    /// Returns every profile, in the order of the catalogue's columns.
    pub fn all() -> impl DoubleEndedIterator<Item = Profile> + ExactSizeIterator + Clone {
        Profile::ALL.iter().copied()
    }

    /// Returns the profile's name, as on a command line.
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

/// The kind of stream, according to the caller. The stream itself does not always say; Xen's restorer also learns it from
/// its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "closed: the kinds of stream that Xen's restorer knows")]
pub enum Checkpointing {
    /// Plain for a bare libxc stream and a xenopsd image; inside libxl, whatever the stream shows.
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
    /// The longest body of a libxl record, in bytes.
    LibxlRecord,
    /// The longest body of a libxc record, in bytes.
    LibxcRecord,
    /// The longest optional data of an xl header, in bytes.
    OptionalData,
    /// The longest XML of a libvirt header, in bytes.
    Xml,
    /// The longest device-model state in one EMULATOR_CONTEXT, in bytes.
    EmulatorContext,
    /// The longest blob of a xenopsd image, in bytes.
    XenopsdBlob,
    /// The lowest pfn that an HVM guest may not have.
    HvmPfn,
    /// The lowest pfn that a PV guest's p2m may not have.
    P2mPfn,
    /// The lowest vcpu id that a guest may not have.
    Vcpus,
    /// The most records, in all layers together.
    Records,
    /// The most checkpoints.
    Checkpoints,
    /// The most bytes of libxc records between two checkpoints, including headers and padding.
    CheckpointSize,
    /// The most frames of a PV guest's p2m that repeat the previous one.
    P2mHoles,
    /// The most bytes of xenstore data in one EMULATOR_XENSTORE_DATA.
    XenstoreBytes,
    /// The most xenstore pairs in a stream, or since its last checkpoint.
    XenstorePairs,
    /// The most levels of nesting in a configuration.
    ConfigDepth,
    /// The most values in a configuration, including keys.
    ConfigValues,
    /// The lowest number that an array in a configuration may not hold.
    ConfigNumber,
}

impl Limit {
    pub(crate) const ALL: &'static [Limit] = &[
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

    /// Returns every limit.
    pub fn all() -> impl DoubleEndedIterator<Item = Limit> + ExactSizeIterator + Clone {
        Limit::ALL.iter().copied()
    }

    /// Returns the limit's name, as on a command line.
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

    /// Returns the value under a profile. `u64::MAX` means no limit.
    #[must_use]
    pub const fn default_for(self, profile: Profile) -> u64 {
        self.defaults()[profile as usize]
    }

    /// Returns the values under [`Profile::Spec`], [`Profile::Restore`] and [`Profile::Hardened`].
    const fn defaults(self) -> [u64; 3] {
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

/// The error for a name that is not a limit's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no limit has this name")]
#[non_exhaustive]
pub struct UnknownLimit;

impl FromStr for Limit {
    type Err = UnknownLimit;

    fn from_str(name: &str) -> Result<Limit, UnknownLimit> {
        Limit::all().find(|limit| limit.name() == name).ok_or(UnknownLimit)
    }
}

/// The error for a level that cannot be set: a structural rule stays at deny, because nothing after such a violation can be
/// parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule} is structural and cannot be lowered")]
#[non_exhaustive]
pub struct LevelError {
    /// The structural rule.
    pub rule: Rule,
}

/// The rules whose level [`Policy::with_level`] sets. `Display` and `FromStr` use the notation of the command line: a rule's
/// name, or `libxl::*` for a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rules {
    /// One rule.
    One(Rule),
    /// Every rule of a layer except its structural rules.
    Layer(Layer),
}

impl From<Rule> for Rules {
    fn from(rule: Rule) -> Rules {
        Rules::One(rule)
    }
}

impl From<Layer> for Rules {
    fn from(layer: Layer) -> Rules {
        Rules::Layer(layer)
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rules::One(rule) => rule.fmt(f),
            Rules::Layer(layer) => write!(f, "{layer}::*"),
        }
    }
}

impl FromStr for Rules {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Rules, UnknownRule> {
        let Some(layer) = name.strip_suffix("::*") else { return name.parse().map(Rules::One) };
        let layer = Layer::all().find(|known| known.name() == layer);
        layer.map(Rules::Layer).ok_or(UnknownRule)
    }
}

/// Levels and limits for one verification.
///
/// ```
/// use xenstream_core::{Layer, Level, Limit, Policy, Rule, Rules};
///
/// const GATE: Policy = Policy::hardened().with_limit(Limit::HvmPfn, 1 << 20);
/// let lenient = Policy::spec().with_level(Rule::LibxcPadding, Level::Warn).unwrap();
/// assert_eq!(lenient.level(Rule::LibxcPadding), Level::Warn);
/// assert!(lenient.clone().with_level(Rule::StreamTruncated, Level::Warn).is_err());
/// let layer: Rules = "libxl::*".parse().unwrap();
/// assert_eq!(lenient.clone().with_level(layer, Level::Warn), lenient.with_level(Layer::Libxl, Level::Warn));
/// # let _ = GATE;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    profile: Profile,
    levels: [Level; Rule::COUNT],
    /// Rules whose level was set individually; a profile's special cases no longer apply to them.
    explicit: [u64; Rule::COUNT.div_ceil(64)],
    limits: [u64; Limit::ALL.len()],
    /// Limits that were set individually, as bits.
    limited: u32,
    checkpointing: Checkpointing,
    keep_going: bool,
    target: Option<Target>,
}

impl Default for Policy {
    /// Returns the policy of the default profile, [`Profile::Restore`].
    fn default() -> Policy {
        Policy::new(Profile::default())
    }
}

impl Policy {
    /// Creates the policy of a profile.
    #[must_use]
    pub const fn new(profile: Profile) -> Policy {
        let mut levels = [Level::Deny; Rule::COUNT];
        let mut i = 0;
        while i < Rule::COUNT {
            levels[i] = ENTRIES[i].grades[profile as usize].level();
            i += 1;
        }
        let mut limits = [u64::MAX; Limit::ALL.len()];
        let mut i = 0;
        while i < Limit::ALL.len() {
            limits[i] = Limit::ALL[i].default_for(profile);
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

    /// Creates the policy of [`Profile::Spec`].
    #[must_use]
    pub const fn spec() -> Policy {
        Policy::new(Profile::Spec)
    }

    /// Creates the policy of [`Profile::Restore`].
    #[must_use]
    pub const fn restore() -> Policy {
        Policy::new(Profile::Restore)
    }

    /// Creates the policy of [`Profile::Hardened`].
    #[must_use]
    pub const fn hardened() -> Policy {
        Policy::new(Profile::Hardened)
    }

    /// Returns the policy with another level for one rule, or for every rule of a layer except its structural rules.
    ///
    /// # Errors
    /// If a single rule is structural, it cannot be lowered.
    pub fn with_level(mut self, rules: impl Into<Rules>, level: Level) -> Result<Policy, LevelError> {
        match rules.into() {
            // That a rule has an entry is lost on the compiler where it comes out of an enum or a loop, and an index would
            // be a panic to it.
            Rules::One(rule)
                if level != Level::Deny && ENTRIES.get(rule as usize).is_some_and(Entry::is_structural) =>
            {
                return Err(LevelError { rule });
            }
            Rules::One(rule) => self.set(rule, level),
            Rules::Layer(layer) => Rule::all()
                .zip(&ENTRIES)
                .filter(|(_, entry)| entry.layer == layer && (level == Level::Deny || !entry.is_structural()))
                .for_each(|(rule, _)| self.set(rule, level)),
        }
        Ok(self)
    }

    fn set(&mut self, rule: Rule, level: Level) {
        if let Some(slot) = self.levels.get_mut(rule as usize) {
            *slot = level;
        }
        if let Some(bits) = self.explicit.get_mut(rule as usize / 64) {
            *bits |= 1 << (rule as usize % 64);
        }
    }

    /// Returns the policy with another value for one limit.
    #[must_use]
    pub const fn with_limit(mut self, limit: Limit, value: u64) -> Policy {
        self.limits[limit as usize] = value;
        self.limited |= 1 << limit as u32;
        self
    }

    /// Returns the policy for a stream of a kind that the caller knows.
    #[must_use]
    pub const fn with_checkpointing(mut self, checkpointing: Checkpointing) -> Policy {
        self.checkpointing = checkpointing;
        self
    }

    /// Returns the policy that reports every finding, and not only the first, as long as the framing is intact. Findings go
    /// to [`Observer::on_finding`](crate::Observer::on_finding). The first one is the verdict, which `finish` returns.
    #[must_use]
    pub const fn with_keep_going(mut self, keep_going: bool) -> Policy {
        self.keep_going = keep_going;
        self
    }

    /// Returns the policy for the release on which the stream will be restored, or `None` for any release.
    ///
    /// Whatever this release refuses is a finding at level deny of the respective rule, unless that rule's level was set
    /// by hand.
    #[must_use]
    pub const fn with_target(mut self, target: Option<Target>) -> Policy {
        self.target = target;
        self
    }

    /// Returns the release on which the stream will be restored.
    #[must_use]
    pub const fn target(&self) -> Option<Target> {
        self.target
    }

    /// Returns the profile that the policy is based on.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the kind of stream, according to the caller.
    #[must_use]
    pub const fn checkpointing(&self) -> Checkpointing {
        self.checkpointing
    }

    /// Returns whether every finding is reported.
    #[must_use]
    pub const fn keeps_going(&self) -> bool {
        self.keep_going
    }

    /// Returns the level of a rule.
    #[inline]
    #[must_use]
    pub fn level(&self, rule: Rule) -> Level {
        // `get` rather than an index keeps the panic path out of the core.
        self.levels.get(rule as usize).copied().unwrap_or(Level::Deny)
    }

    /// Returns the value of a limit.
    #[inline]
    #[must_use]
    pub fn limit(&self, limit: Limit) -> u64 {
        self.limits.get(limit as usize).copied().unwrap_or(u64::MAX)
    }

    /// Returns whether this limit was set by hand, even to the profile's own value.
    #[must_use]
    pub const fn is_limited(&self, limit: Limit) -> bool {
        self.limited & (1 << limit as u32) != 0
    }

    pub(crate) fn set_limit(&mut self, limit: Limit, value: u64) {
        if let Some(slot) = self.limits.get_mut(limit as usize) {
            *slot = value;
        }
    }

    /// Returns the level of a rule for which the profile has a special case. A level set by hand takes precedence.
    #[must_use]
    pub fn level_or(&self, rule: Rule, special: Level) -> Level {
        let explicit =
            self.explicit.get(rule as usize / 64).is_some_and(|bits| bits >> (rule as usize % 64) & 1 != 0);
        if explicit { self.level(rule) } else { special }
    }
}
