//! Hosts: what decides whether a stream can be restored and is not in the stream.
//!
//! [`collect`] describes the host that it runs on, or one whose sources were recorded. A [`Host`] is written to and read from
//! JSON, whose keys are the fields below; `docs/host.md` describes them. Fields may be added, but are never renamed or given
//! another meaning. In [`Options`](crate::Options), a host makes a verification judge the rules `host::*`. What a description
//! does not know is not judged.

mod collect;
mod config;
mod cpu;
mod judge;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xenstream_core::{CpuVendor, Guest, Layer, Target};

pub use collect::{CollectError, Sources, collect, running_release};
pub use cpu::{CpuPolicy, Policies, UnknownPolicy};
pub(crate) use judge::Judge;

/// The version of the description's format.
pub const VERSION: u32 = 1;

/// A host on which streams are restored. `None` is what is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Host {
    /// Version of the format: [`VERSION`].
    pub xenstream_host: u32,
    /// When the host was described, in seconds since 1970.
    #[serde(default)]
    pub collected: Option<u64>,
    /// The host's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The kernel's id of this boot, by which the program recognises the host on which it runs.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// The release, by the name that `--target` takes.
    #[serde(default)]
    pub release: Option<String>,
    /// The hypervisor.
    #[serde(default)]
    pub xen: Xen,
    /// The processor.
    #[serde(default)]
    pub cpu: Cpu,
    /// The CPU policies of the hypervisor.
    #[serde(default)]
    pub policies: Policies,
    /// Memory.
    #[serde(default)]
    pub memory: Memory,
    /// The device model.
    #[serde(default)]
    pub device_model: Option<DeviceModel>,
    /// Names of the network interfaces of dom0, bridges among them.
    #[serde(default)]
    pub interfaces: Option<Vec<String>>,
    /// Files and devices for disks.
    #[serde(default)]
    pub disks: Disks,
    /// Where this was read: for each source `read`, `absent`, or why it could not be read.
    #[serde(default)]
    pub sources: BTreeMap<String, String>,
}

/// The hypervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Xen {
    /// Its version, as it calls itself: `4.17.5`.
    pub version: Option<String>,
    /// The changeset that it was built from.
    pub changeset: Option<String>,
    /// Its build id.
    pub build_id: Option<String>,
    /// When it was built.
    pub compiled: Option<String>,
    /// The kinds of domains that it creates (`xen_caps`): `xen-3.0-x86_64`, `hvm-3.0-x86_64`.
    pub capabilities: Option<Vec<String>>,
    /// What it virtualises with (`virt_caps`): `pv`, `hvm`, `hap`, `shadow`.
    pub virtualisation: Option<Vec<String>>,
}

/// The processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Cpu {
    /// The vendor, as CPUID names it: `GenuineIntel`.
    pub vendor: Option<String>,
    /// The family.
    pub family: Option<u64>,
    /// The model.
    pub model: Option<u64>,
    /// The stepping.
    pub stepping: Option<u64>,
    /// The marketing name.
    pub name: Option<String>,
}

/// Memory, in KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Memory {
    /// All of it.
    pub total_kib: Option<u64>,
    /// What no domain has and none has claimed.
    pub free_kib: Option<u64>,
}

/// The device model that the toolstack starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceModel {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
}

/// Files and devices for disks, as far as directories were listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Disks {
    /// Directories that were listed with everything below them. A path below one of these that is not in `paths` does not exist.
    pub directories: Vec<String>,
    /// What was in them.
    pub paths: Vec<String>,
}

/// The reason why a description is not one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// It is not JSON, or has a field of another type.
    #[error("not a description of a host: {0}")]
    Json(#[from] serde_json::Error),
    /// It has a newer format.
    #[error("version {0} of the format is not known; this program knows version {VERSION}")]
    Version(u32),
    /// It names a release that is not known.
    #[error("release {0} is not known")]
    Release(String),
}

impl Host {
    /// Reads a description.
    ///
    /// # Errors
    /// It is not one, or of a format or a release that is not known.
    pub fn from_json(text: &[u8]) -> Result<Host, HostError> {
        let host: Host = serde_json::from_slice(text)?;
        if host.xenstream_host != VERSION {
            return Err(HostError::Version(host.xenstream_host));
        }
        match &host.release {
            Some(release) if host.target().is_none() => Err(HostError::Release(release.clone())),
            _ => Ok(host),
        }
    }

    /// Returns the release that runs on the host.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        self.release.as_deref().and_then(|name| name.parse().ok())
    }

    /// Returns the vendor of the processor.
    #[must_use]
    pub fn vendor(&self) -> Option<CpuVendor> {
        self.cpu.vendor.as_deref().and_then(CpuVendor::named)
    }

    /// Returns whether this is the running host, since it was last booted.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let here = || std::fs::read_to_string(collect::BOOT_ID).ok();
        self.boot_id.is_some() && here().as_deref().map(str::trim) == self.boot_id.as_deref()
    }

    /// Returns the rules that a configuration breaks, in the order of its text. `layer` says of which header it is.
    pub(crate) fn unfit(&self, layer: Layer, text: &[u8]) -> Vec<config::Unfit> {
        config::unfit(self, layer, text)
    }

    /// Returns whether the host can run such guests, if that is known.
    fn runs(&self, guest: Guest) -> Option<bool> {
        let prefix = match guest {
            Guest::Hvm => "hvm-",
            Guest::Pv => "xen-",
        };
        // Older releases list no `pv` among what they virtualise with.
        let capabilities = self.xen.capabilities.as_ref()?;
        Some(capabilities.iter().any(|capability| capability.starts_with(prefix)))
    }

    /// Returns whether the file or device of a disk is there, if that is known.
    fn has_disk(&self, path: &str, is_here: bool) -> Option<bool> {
        if is_here {
            return Some(Path::new(path).exists());
        }
        let listed = |directory: &String| Path::new(path).starts_with(directory);
        let is_listed = self.disks.directories.iter().any(listed);
        is_listed.then(|| self.disks.paths.iter().any(|known| known == path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_known() {
        let host = Host::from_json(br#"{"xenstream_host": 1}"#).unwrap();
        assert_eq!(host, Host { xenstream_host: 1, ..Host::default() });
        assert_eq!((host.runs(Guest::Hvm), host.vendor(), host.target()), (None, None, None));
        assert_eq!(host.has_disk("/no/such/disk", false), None);
        assert!(!host.is_here());
    }

    #[test]
    fn other_descriptions_are_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"xenstream_host": 2}"#,
            r#"{"xenstream_host": 1, "release": "4.99"}"#,
            r#"{"xenstream_host": 1, "cpu": 1}"#,
        ] {
            assert!(Host::from_json(text.as_bytes()).is_err(), "{text}");
        }
        // A later program of the same format may say more.
        assert!(Host::from_json(br#"{"xenstream_host": 1, "colour": "red"}"#).is_ok());
    }

    #[test]
    fn only_listed_directories_lack_disks() {
        let disks = Disks { directories: vec!["/images".into()], paths: vec!["/images/a".into()] };
        let host = Host { disks, ..Host::default() };
        for (path, there) in
            [("/images/a", Some(true)), ("/images/b", Some(false)), ("/imagesb", None), ("/dev/x", None)]
        {
            assert_eq!(host.has_disk(path, false), there, "{path}");
        }
    }
}
