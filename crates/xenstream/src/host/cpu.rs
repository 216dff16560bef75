//! CPU policies of the hypervisor, as `xen-cpuid -p` prints them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use xenstream_core::{CpuVendor, Guest};

/// `subleaf` of a leaf that has none.
pub(super) const NO_SUBLEAF: u32 = u32::MAX;

/// The policies that the hypervisor reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Policies {
    /// What the processor says.
    pub raw: Option<CpuPolicy>,
    /// What Xen uses of that.
    pub host: Option<CpuPolicy>,
    /// The most that a PV guest can be given.
    pub pv_max: Option<CpuPolicy>,
    /// The most that an HVM guest can be given.
    pub hvm_max: Option<CpuPolicy>,
    /// What a PV guest is given unless it is configured otherwise.
    pub pv_default: Option<CpuPolicy>,
    /// What an HVM guest is given unless it is configured otherwise.
    pub hvm_default: Option<CpuPolicy>,
}

/// A CPU policy: leaves of CPUID and MSRs. What is absent is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Text", into = "Text")]
pub struct CpuPolicy {
    /// EAX, EBX, ECX and EDX, by leaf and subleaf. The subleaf is all ones if the leaf has none.
    pub leaves: BTreeMap<(u32, u32), [u32; 4]>,
    /// MSRs by number.
    pub msrs: BTreeMap<u32, u64>,
}

/// A policy in JSON: numbers in hex, in the forms of `xen-cpuid -p`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Text {
    /// `leaf:subleaf`, and `eax:ebx:ecx:edx`.
    leaves: BTreeMap<String, String>,
    msrs: BTreeMap<String, String>,
}

/// The error for a policy that is not in the forms of `xen-cpuid -p`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a part of a CPU policy")]
pub struct UnknownPolicy(String);

impl TryFrom<Text> for CpuPolicy {
    type Error = UnknownPolicy;

    fn try_from(Text { leaves, msrs }: Text) -> Result<CpuPolicy, UnknownPolicy> {
        let mut policy = CpuPolicy::default();
        for (place, registers) in leaves {
            let entry = words(&place).zip(words(&registers));
            let ([leaf, subleaf], registers) = entry.ok_or(UnknownPolicy(place))?;
            policy.leaves.insert((leaf, subleaf), registers);
        }
        for (index, value) in msrs {
            let entry = hex(&index).and_then(|n| u32::try_from(n).ok()).zip(hex(&value));
            let (index, value) = entry.ok_or(UnknownPolicy(index))?;
            policy.msrs.insert(index, value);
        }
        Ok(policy)
    }
}

impl From<CpuPolicy> for Text {
    fn from(policy: CpuPolicy) -> Text {
        let joined = |words: &[u32]| {
            words.iter().enumerate().fold(String::new(), |mut text, (n, word)| {
                // Writing to a string does not fail.
                let _ = write!(text, "{}{word:08x}", if n == 0 { "" } else { ":" });
                text
            })
        };
        let leaves = policy.leaves.iter();
        let leaves =
            leaves.map(|((leaf, subleaf), registers)| (joined(&[*leaf, *subleaf]), joined(registers)));
        let msrs = policy.msrs.iter().map(|(index, value)| (format!("{index:08x}"), format!("{value:016x}")));
        Text { leaves: leaves.collect(), msrs: msrs.collect() }
    }
}

/// Numbers in hex with colons between them.
fn words<const N: usize>(text: &str) -> Option<[u32; N]> {
    let words: Option<Vec<u32>> = text.split(':').map(|word| u32::try_from(hex(word)?).ok()).collect();
    words?.try_into().ok()
}

fn hex(text: &str) -> Option<u64> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

impl CpuPolicy {
    /// Returns a register of a leaf by its number, from 0 for EAX to 3 for EDX. The subleaf of a leaf without subleaves is 0.
    #[must_use]
    pub fn register(&self, leaf: u32, subleaf: u32, number: usize) -> u32 {
        let without = || self.leaves.get(&(leaf, NO_SUBLEAF)).filter(|_| subleaf == 0);
        let registers = self.leaves.get(&(leaf, subleaf)).or_else(without);
        registers.and_then(|registers| registers.get(number)).copied().unwrap_or(0)
    }

    /// Returns the vendor of the processor.
    #[must_use]
    pub fn vendor(&self) -> CpuVendor {
        let register = |number| self.register(0, 0, number);
        CpuVendor::of_registers(register(1), register(2), register(3))
    }

    /// Returns the XSAVE components that a guest can have, as in XCR0.
    pub(super) fn xsave_features(&self) -> u64 {
        u64::from(self.register(0xD, 0, 3)) << 32 | u64::from(self.register(0xD, 0, 0))
    }

    /// Returns the bytes of an XSAVE area with these components, if the processor says where each is.
    pub(super) fn xsave_size(&self, features: u64) -> Option<u64> {
        /// The legacy area and the header, which components 0 and 1 are in.
        const LEGACY: u64 = 576;
        (2..63).filter(|component| features >> component & 1 != 0).try_fold(LEGACY, |size, component| {
            let [length, offset] = [0, 1].map(|number| u64::from(self.register(0xD, component, number)));
            (length > 0).then(|| size.max(length + offset))
        })
    }
}

impl Policies {
    /// Returns the most that such a guest can be given.
    pub(super) fn max(&self, guest: Guest) -> Option<&CpuPolicy> {
        match guest {
            Guest::Hvm => self.hvm_max.as_ref(),
            Guest::Pv => self.pv_max.as_ref(),
        }
    }

    /// Reads what `xen-cpuid -p` prints. `None` if there is no policy in it.
    pub(super) fn parse(text: &str) -> Option<Policies> {
        let mut policies = Policies::default();
        let mut current: Option<&mut CpuPolicy> = None;
        for line in text.lines() {
            if let Some((name, _)) = line.split_once(" policy: ") {
                let slot = match name {
                    "Raw" => &mut policies.raw,
                    "Host" => &mut policies.host,
                    "PV Max" => &mut policies.pv_max,
                    "HVM Max" => &mut policies.hvm_max,
                    "PV Default" => &mut policies.pv_default,
                    "HVM Default" => &mut policies.hvm_default,
                    _ => {
                        current = None;
                        continue;
                    }
                };
                current = Some(slot.insert(CpuPolicy::default()));
                continue;
            }
            let (Some(policy), Some((place, value))) = (&mut current, line.split_once(" -> ")) else {
                continue;
            };
            let (place, value) = (place.trim(), value.trim());
            if let Some(([leaf, subleaf], registers)) = words(place).zip(words(value)) {
                policy.leaves.insert((leaf, subleaf), registers);
            } else if let Some((index, value)) =
                hex(place).and_then(|n| u32::try_from(n).ok()).zip(hex(value))
            {
                policy.msrs.insert(index, value);
            }
        }
        (policies != Policies::default()).then_some(policies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
Xen reports there are maximum 120 leaves and 2 MSRs
Raw policy: 46 leaves, 2 MSRs
 CPUID:
  leaf     subleaf  -> eax      ebx      ecx      edx     
  00000000:ffffffff -> 0000000d:68747541:444d4163:69746e65
  0000000d:00000002 -> 00000100:00000240:00000000:00000000
 MSRs:
  index    -> value           
  000000ce -> 0000000080000000
PV Max policy not supported by Xen
HVM Max policy: 1 leaves, 0 MSRs
 CPUID:
  00000007:00000000 -> 00000002:00000001:00000000:00000000
";

    #[test]
    fn printed_policies_are_read() {
        let policies = Policies::parse(PRINTED).unwrap();
        let raw = policies.raw.as_ref().unwrap();
        assert_eq!((raw.leaves.len(), raw.msrs.len()), (2, 1));
        assert_eq!(raw.vendor(), CpuVendor::AMD);
        assert_eq!(raw.msrs[&0xCE], 0x8000_0000);
        assert_eq!(
            (raw.xsave_size(7), raw.xsave_size(3), raw.xsave_size(0x200)),
            (Some(832), Some(576), None)
        );
        assert_eq!(policies.max(Guest::Hvm).unwrap().register(7, 0, 1), 1);
        assert_eq!((policies.max(Guest::Pv), &policies.host), (None, &None));
        assert_eq!(Policies::parse("command not found"), None);
    }

    #[test]
    fn json_has_the_same_forms() {
        let policies = Policies::parse(PRINTED).unwrap();
        let json = serde_json::to_string(&policies).unwrap();
        assert!(json.contains(r#""0000000d:00000002":"00000100:00000240:00000000:00000000""#), "{json}");
        assert_eq!(serde_json::from_str::<Policies>(&json).unwrap(), policies);
        for wrong in [
            r#"{"leaves": {"0": "0:0:0:0"}, "msrs": {}}"#,
            r#"{"leaves": {"0:0": "0:0:0"}, "msrs": {}}"#,
            r#"{"leaves": {}, "msrs": {"+1": "0"}}"#,
            r#"{"leaves": {}, "msrs": {"100000000": "0"}}"#,
        ] {
            assert!(serde_json::from_str::<CpuPolicy>(wrong).is_err(), "{wrong}");
        }
    }
}
