//! What to verify against.

use xenstream_core::{Format, Limit, Policy, Profile};

/// What to verify against: the input's format, how strict to be.
///
/// ```
/// use xenstream::{Format, Options, Policy};
///
/// let options = Options::new(Policy::hardened()).with_format(Format::Xl);
/// assert_eq!(options.policy.profile().name(), "hardened");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The format; [`Format::Auto`] goes by the input's magic.
    pub format: Format,
    /// Levels and limits.
    pub policy: Policy,
    /// Whether limits are taken from the image's own configuration, where that makes them stricter: the highest pfn
    /// from the memory under [`Profile::Hardened`], and the number of vcpus under [`Profile::Restore`] too, since every
    /// released Xen goes by it. A limit that was [set by hand](Policy::is_limited) stays as it is.
    pub derive_limits: bool,
    /// Whether compressed input is decompressed. Otherwise it is judged as it is, and no format begins like that. A program
    /// that hands the input on to a reader that does not decompress it must not do so either. A relay passes on zstd as
    /// it is, and takes no other method.
    pub decompress: bool,
}

impl Options {
    /// Any format, this policy.
    #[must_use]
    pub const fn new(policy: Policy) -> Options {
        Options { format: Format::Auto, policy, derive_limits: true, decompress: true }
    }

    /// The same for input in this format.
    #[must_use]
    pub const fn with_format(mut self, format: Format) -> Options {
        self.format = format;
        self
    }

    /// The same, with or without limits from the image's own configuration.
    #[must_use]
    pub const fn with_derived_limits(mut self, derive_limits: bool) -> Options {
        self.derive_limits = derive_limits;
        self
    }

    /// The same, with or without decompression.
    #[must_use]
    pub const fn with_decompression(mut self, decompress: bool) -> Options {
        self.decompress = decompress;
        self
    }

    /// Returns whether this limit is derived from the configuration.
    pub(crate) fn derives(&self, limit: Limit) -> bool {
        let in_profile = match (limit, self.policy.profile()) {
            (_, Profile::Hardened) | (Limit::Vcpus, Profile::Restore) => true,
            (_, Profile::Spec | Profile::Restore) => false,
        };
        in_profile && self.derive_limits && !self.policy.is_limited(limit)
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new(Policy::default())
    }
}
