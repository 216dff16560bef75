//! What a conversion changed, what it would lose, and what kept it from being made.

use std::fmt;
use std::str::FromStr;

/// Something that a conversion may cost the guest. Nothing of the kind is done unless it is allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The policies of version 3.
    CpuPolicy,
    /// Leaves of CPUID that the target does not know.
    CpuidLeaves,
    /// Bits or all of ARCH_CAPABILITIES.
    ArchCapabilities,
    /// An error of a local APIC.
    PendingEsr,
    /// The offset of the guest's clock.
    RtcOffset,
    /// Bits of SPEC_CTRL.
    SpecCtrl,
    /// VIRT_SPEC_CTRL.
    VirtSpecCtrl,
    /// The state of the device model.
    DeviceModel,
    /// What the device model keeps in xenstore.
    Xenstore,
    /// UEFI variables.
    UefiVariables,
    /// The state of a TPM.
    Tpm,
}

impl Loss {
    /// Returns every loss.
    pub fn all() -> impl DoubleEndedIterator<Item = Loss> + ExactSizeIterator + Clone {
        [
            Loss::CpuPolicy,
            Loss::CpuidLeaves,
            Loss::ArchCapabilities,
            Loss::PendingEsr,
            Loss::RtcOffset,
            Loss::SpecCtrl,
            Loss::VirtSpecCtrl,
            Loss::DeviceModel,
            Loss::Xenstore,
            Loss::UefiVariables,
            Loss::Tpm,
        ]
        .into_iter()
    }

    /// The name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Loss::CpuPolicy => "cpu-policy",
            Loss::CpuidLeaves => "cpuid-leaves",
            Loss::ArchCapabilities => "arch-capabilities",
            Loss::PendingEsr => "pending-esr",
            Loss::RtcOffset => "rtc-offset",
            Loss::SpecCtrl => "spec-ctrl",
            Loss::VirtSpecCtrl => "virt-spec-ctrl",
            Loss::DeviceModel => "device-model",
            Loss::Xenstore => "xenstore",
            Loss::UefiVariables => "uefi-variables",
            Loss::Tpm => "tpm",
        }
    }

    /// Returns what the guest loses, in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Loss::CpuPolicy => {
                "the target uses a CPU policy of its own: the guest may see other processor features, which is safe only on a processor of the same model"
            }
            Loss::CpuidLeaves => "CPUID leaves disappear while the guest runs",
            Loss::ArchCapabilities => {
                "the guest does not learn that its processor lacks some vulnerabilities, and may apply unnecessary mitigations"
            }
            Loss::PendingEsr => "an error of the local APIC that the guest has not read yet is lost",
            Loss::RtcOffset => {
                "the offset of the guest's clock is lost; the toolstack usually sets it from the configuration"
            }
            Loss::SpecCtrl => {
                "a speculation mitigation that the guest has enabled is off until the guest enables it again"
            }
            Loss::VirtSpecCtrl => {
                "the guest's protection against speculative store bypass is off until the guest enables it again"
            }
            Loss::DeviceModel => {
                "the state of the emulated devices is lost; an HVM guest cannot run without it, unless it comes from elsewhere"
            }
            Loss::Xenstore => {
                "the device model's data in xenstore is lost, such as where it has mapped video memory"
            }
            Loss::UefiVariables => {
                "the UEFI variables of the guest are lost, including boot entries and keys"
            }
            Loss::Tpm => "the state of the guest's TPM is lost, including the keys sealed to it",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No loss has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no loss has this name")]
#[non_exhaustive]
pub struct UnknownLoss;

impl FromStr for Loss {
    type Err = UnknownLoss;

    fn from_str(name: &str) -> Result<Loss, UnknownLoss> {
        Loss::all().find(|loss| loss.name() == name).ok_or(UnknownLoss)
    }
}

/// Something that a conversion changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Offset in the input.
    pub offset: u64,
    /// The record, and what of it: `HVM_CONTEXT, LAPIC of vcpu 0`.
    pub place: String,
    /// The field: `length`.
    pub field: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
    /// What the guest loses by it; `None` if it cannot tell.
    pub loss: Option<Loss>,
}

/// Why a conversion was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// Offset in the input, or in what would have come out where the verifier refuses that.
    pub offset: u64,
    /// The record, and what of it.
    pub place: String,
    /// What is in the way.
    pub reason: String,
    /// What would have to be allowed; `None` if nothing helps.
    pub loss: Option<Loss>,
}

/// Takes notes while a conversion is made.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) changes: Vec<Change>,
    pub(super) unlisted: u64,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) allowed: Vec<Loss>,
}

impl Log {
    /// Most changes, and obstacles, that are listed.
    const LISTED: usize = 256;

    /// A change was made.
    pub(super) fn change(
        &mut self,
        offset: u64,
        place: impl Into<String>,
        field: impl Into<String>,
        before: impl fmt::Display,
        after: impl fmt::Display,
    ) {
        self.note(offset, place.into(), field.into(), before.to_string(), after.to_string(), None);
    }

    /// A change that costs the guest something is to be made. Returns whether it may be.
    #[must_use]
    pub(super) fn lossy(
        &mut self,
        loss: Loss,
        offset: u64,
        place: impl Into<String>,
        field: impl Into<String>,
        before: impl fmt::Display,
        after: impl fmt::Display,
    ) -> bool {
        let (place, field) = (place.into(), field.into());
        if self.allowed.contains(&loss) {
            self.note(offset, place, field, before.to_string(), after.to_string(), Some(loss));
            return true;
        }
        self.obstacle(offset, place, format!("{field} {before} would become {after}"), Some(loss));
        false
    }

    /// Something is in the way.
    pub(super) fn obstacle(
        &mut self,
        offset: u64,
        place: impl Into<String>,
        reason: impl Into<String>,
        loss: Option<Loss>,
    ) {
        if self.obstacles.len() < Log::LISTED {
            self.obstacles.push(Obstacle { offset, place: place.into(), reason: reason.into(), loss });
        }
    }

    fn note(
        &mut self,
        offset: u64,
        place: String,
        field: String,
        before: String,
        after: String,
        loss: Option<Loss>,
    ) {
        if self.changes.len() < Log::LISTED {
            self.changes.push(Change { offset, place, field, before, after, loss });
        } else {
            self.unlisted += 1;
        }
    }
}

/// A number as registers are written.
pub(super) fn hex(value: u64) -> String {
    format!("{value:#x}")
}
