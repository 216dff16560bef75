//! What the stream holds of the guest's vcpus and of what the hypervisor keeps for it.

use super::sizes::{self, Row};
use crate::collect::Collector;
use crate::kinds::{Group, Lane};
use crate::numbers::counted;

/// Registers and what else the hypervisor keeps.
pub(crate) struct Registers {
    /// How many vcpus, in a sentence.
    pub(crate) sentence: String,
    /// Types of records, those of the entries inside HVM_CONTEXT after it.
    pub(crate) rows: Vec<Row>,
}

impl Registers {
    /// None where the stream has nothing of the kind.
    pub(crate) fn new(collector: &Collector, bytes: u64, checkpoints: u64) -> Option<Registers> {
        let of = |lane| {
            let rows = sizes::rows(collector, lane, bytes).into_iter();
            rows.filter(|row| row.group == Group::Registers).collect::<Vec<_>>()
        };
        let mut rows = of(Lane::Libxc);
        let after = rows.iter().position(|row| row.label == "HVM_CONTEXT").map_or(rows.len(), |at| at + 1);
        rows.splice(after..after, of(Lane::Hvm));
        if rows.is_empty() {
            return None;
        }
        let mut sentence = match collector.vcpus.number() {
            0 => "There is no vcpu state.".to_owned(),
            n => format!("The state of {}.", counted(n, "vcpu")),
        };
        if checkpoints > 0 {
            sentence += " Each checkpoint has all of it again.";
        }
        Some(Registers { sentence, rows })
    }
}
