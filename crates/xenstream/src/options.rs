//! Options of a verification.

#[cfg(feature = "host")]
use std::sync::Arc;

use xenstream_core::{Format, Policy};

#[cfg(feature = "host")]
use crate::host::Host;

/// Options of a verification: the format of the input, and how strict to be.
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
    /// The format. [`Format::Auto`] detects it from the input's magic.
    pub format: Format,
    /// Levels and limits.
    pub policy: Policy,
    /// Whether limits are taken from the image's own configuration, if that makes them stricter: the highest pfn, from the
    /// amount of memory, under [`Profile::Hardened`](crate::Profile::Hardened); and the number of vcpus, also under [`Profile::Restore`](crate::Profile::Restore), since every
    /// released Xen uses it. A limit that was [set by hand](Policy::is_limited) is not changed.
    pub derive_limits: bool,
    /// Whether compressed input is decompressed. If not, it is judged as it is, and is in no known format. Turn this off if the
    /// program that will read the input does not decompress it. A relay passes on zstd unchanged, and accepts no other
    /// compression.
    pub decompress: bool,
    /// The host on which the stream will be restored: the rules `host::*` are judged for it.
    #[cfg(feature = "host")]
    pub host: Option<Arc<Host>>,
}

impl Options {
    /// Creates options with this policy, for any format.
    #[must_use]
    pub const fn new(policy: Policy) -> Options {
        Options {
            format: Format::Auto,
            policy,
            derive_limits: true,
            decompress: true,
            #[cfg(feature = "host")]
            host: None,
        }
    }

    /// Returns the options for a stream that will be restored on this host. Its release becomes the policy's target, unless the
    /// policy has one.
    #[cfg(feature = "host")]
    #[must_use]
    pub fn with_host(mut self, host: impl Into<Arc<Host>>) -> Options {
        let host = host.into();
        let target = self.policy.target().or_else(|| host.target());
        self.policy = self.policy.with_target(target);
        self.host = Some(host);
        self
    }

    /// Returns the options for input in this format.
    #[must_use]
    pub const fn with_format(mut self, format: Format) -> Options {
        self.format = format;
        self
    }

    /// Returns the options with or without limits from the image's own configuration.
    #[must_use]
    pub const fn with_derived_limits(mut self, derive_limits: bool) -> Options {
        self.derive_limits = derive_limits;
        self
    }

    /// Returns the options with or without decompression.
    #[must_use]
    pub const fn with_decompression(mut self, decompress: bool) -> Options {
        self.decompress = decompress;
        self
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new(Policy::default())
    }
}
