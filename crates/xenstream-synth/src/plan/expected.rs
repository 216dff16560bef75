//! What a verifier should say of a stream.

use xenstream_core::wire::libxc::page;
use xenstream_core::wire::libxc::params;
use xenstream_core::wire::libxc::types::{CHECKPOINT, END, HVM_CONTEXT, HVM_PARAMS, PAGE_DATA};
use xenstream_core::wire::{Order, RECORD_HEADER, libvirt, libxc, libxl, xl};
use xenstream_core::{Checkpointing, Format, Guest, Layer, Level, Profile, RecordRef, Rule};

use super::around::XlConfig;
use super::{Plan, Version};
use crate::cases::Outcome;
use crate::container::Container;
use crate::item::Part;
use crate::libxc::AFTER_MEMORY;
use crate::stream::Stream;

/// What a verifier should say of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its format.
    pub format: Format,
    /// The kind of stream to verify it as.
    pub checkpointing: Checkpointing,
    /// The guest.
    pub guest: Guest,
    /// The Xen that claims to have written it.
    pub xen: (u32, u32),
    /// The version of the libxc stream.
    pub libxc_version: u32,
    /// The byte order of the libxc records.
    pub order: Order,
    /// Width of a PV guest in bytes.
    pub guest_width: Option<u8>,
    /// Largest pfn of a PV guest.
    pub max_pfn: Option<u64>,
    /// Layer and type of every record whose header is whole, in stream order.
    pub records: Vec<(Layer, u64)>,
    /// Entries by page type.
    pub pages: [u64; 16],
    /// Complete checkpoints.
    pub checkpoints: u64,
    /// The primary died after the last of them.
    pub fails_over: bool,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Rules that it breaks all the same, in the order in which they are found. A plan that asks for nothing unusual has
    /// none but `libxc::hvm-params-order`, which every released Xen breaks and no profile reports.
    pub exceptions: Vec<Exception>,
}

/// A rule that a valid stream breaks because the plan asks for it. Profiles differ about such streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The rule.
    pub rule: Rule,
    /// Where it is broken.
    pub offset: u64,
    /// In which record.
    pub record: Option<RecordRef>,
    /// In such a stream it is a warning, under all profiles but `hardened`.
    pub warns: bool,
}

impl Expected {
    /// What a profile makes of the stream.
    #[must_use]
    pub fn outcome(&self, profile: Profile) -> Outcome {
        let mut outcome = Outcome::default();
        for Exception { rule, offset, warns, .. } in &self.exceptions {
            let excused = *warns && profile != Profile::Hardened;
            match if excused { Level::Warn } else { rule.grade(profile).level() } {
                Level::Deny => {
                    outcome.refused = Some((*rule, *offset));
                    break;
                }
                Level::Warn => outcome.warnings.push(*rule),
                Level::Allow => {}
            }
        }
        outcome
    }

    /// How many records of this layer and type there are.
    #[must_use]
    pub fn count(&self, layer: Layer, kind: u32) -> u64 {
        self.records.iter().filter(|record| **record == (layer, u64::from(kind))).count() as u64
    }

    /// How many libxc records of unknown types there are.
    #[must_use]
    pub fn optional(&self) -> u64 {
        let unknown = |kind: u64| kind >= u64::from(libxc::types::KNOWN);
        self.records.iter().filter(|(layer, kind)| *layer == Layer::Libxc && unknown(*kind)).count() as u64
    }
}

impl Plan {
    pub(super) fn expect(&self, stream: &Stream) -> Expected {
        let pv = self.guest() == Guest::Pv;
        let records = stream.records();
        let layers = [Layer::Xenopsd, Layer::Libxl, Layer::Libxc];
        let checkpoints = self.checkpoints.as_ref();
        Expected {
            format: stream.format(),
            checkpointing: self.checkpointing(),
            guest: self.guest(),
            xen: (u32::from(self.xen.0), u32::from(self.xen.1)),
            libxc_version: match self.version {
                Version::Three => 3,
                Version::Two => 2,
            },
            order: stream.order(Part::Domain),
            guest_width: self.machine.width(),
            max_pfn: pv.then(|| self.space.max_pfn(self.machine)),
            records: records
                .iter()
                .filter(|record| layers.contains(&record.layer))
                .map(|record| (record.layer, record.kind))
                .collect(),
            pages: pages(stream),
            checkpoints: checkpoints.map_or(0, |checkpoints| 1 + checkpoints.more.len() as u64),
            fails_over: checkpoints.is_some_and(|checkpoints| checkpoints.fails_over.is_some()),
            bytes: stream.size(),
            exceptions: self.exceptions(stream),
        }
    }

    fn exceptions(&self, stream: &Stream) -> Vec<Exception> {
        let mut exceptions = Vec::new();
        let mut header = |rule, part, at| {
            let offset = stream.offset(stream.find(part)) + at;
            exceptions.push(Exception { rule, offset, record: None, warns: false });
        };
        let container = self.around.container;
        if container == Container::Xl {
            if self.big_endian.container {
                header(Rule::XlBigEndian, Part::Xl, xl::at::BYTEORDER);
            }
            match self.around.xl.config {
                XlConfig::Json(_) => {}
                XlConfig::Text => header(Rule::XlConfigFormat, Part::Xl, xl::at::MANDATORY_FLAGS),
                XlConfig::Missing => header(Rule::XlConfigMissing, Part::Xl, xl::at::OPTIONAL_DATA_LEN),
            }
        }
        if container == Container::Libvirt && self.big_endian.container {
            header(Rule::LibvirtBigEndian, Part::Libvirt, libvirt::at::VERSION);
        }
        if container.has_libxl() && self.big_endian.libxl {
            header(Rule::LibxlBigEndian, Part::Libxl, libxl::at::OPTIONS);
        }
        if self.big_endian.libxc {
            header(Rule::LibxcBigEndian, Part::Image, libxc::image_at::OPTIONS);
        }

        let mut context_seen = false;
        let size = stream.size();
        let mut memory = Extent::of(self, size);
        let mut next = 0;
        for (index, item) in stream.items().iter().enumerate() {
            let offset = next;
            next += item.size();
            let Some((Layer::Libxc, kind)) = item.part().record() else { continue };
            context_seen |= item.part() == Part::libxc(HVM_CONTEXT);
            let rule = if kind >= u64::from(libxc::types::KNOWN) {
                Some(Rule::LibxcRecordOptional)
            } else if item.part() == Part::libxc(HVM_PARAMS) && context_seen {
                Some(Rule::LibxcHvmParamsOrder)
            } else {
                None
            };
            if let Some(rule) = rule
                && offset + RECORD_HEADER <= size
            {
                exceptions.push(Exception { rule, offset, record: stream.record(index), warns: false });
            }
            exceptions.extend(memory.exceptions(stream, index, offset));
        }
        if self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.fails_over.is_some()) {
            let record = stream.torn_record();
            exceptions.push(Exception { rule: Rule::StreamFailover, offset: size, record, warns: false });
        }
        exceptions
    }
}

/// How far the guest's memory has been named, as the records pass.
struct Extent {
    pv_end: Option<u64>,
    special_end: u64,
    named: u64,
    short_told: bool,
    converted: bool,
    /// Bytes of the stream.
    size: u64,
}

impl Extent {
    fn of(plan: &Plan, size: u64) -> Extent {
        let pv = plan.guest() == Guest::Pv;
        Extent {
            pv_end: pv.then(|| plan.space.max_pfn(plan.machine) + 1),
            special_end: 0,
            named: 0,
            short_told: false,
            converted: plan.xen.0 == 0,
            size,
        }
    }

    /// What is missing where this record comes, which starts at this offset.
    fn exceptions(&mut self, stream: &Stream, index: usize, start: u64) -> Vec<Exception> {
        let item = &stream.items()[index];
        let mut found = Vec::new();
        let ends = (start + RECORD_HEADER + page::HEADER + page::ENTRY..).step_by(page::ENTRY as usize);
        let Some((_, kind)) = item.part().record() else { return Vec::new() };
        match kind as u32 {
            PAGE_DATA => {
                for (entry, end) in item.entries64().iter().zip(ends) {
                    let pfn = entry & page::PFN;
                    if pfn > self.named && end <= self.size {
                        found.push((Rule::LibxcMemoryGap, end - page::ENTRY));
                    }
                    self.named = self.named.max(pfn + 1);
                }
            }
            HVM_PARAMS => {
                let (pairs, _) = item.entries64().as_chunks::<2>();
                for ([index, value], n) in pairs.iter().zip(1..) {
                    let end = start + RECORD_HEADER + params::HEADER + params::ENTRY * n;
                    if params::is_pfn(*index) && *value < params::PFN_LIMIT && end <= self.size {
                        self.special_end = self.special_end.max(value + 1);
                        found.extend(self.short(value + 1, end - 8));
                    }
                }
            }
            _ if AFTER_MEMORY.contains(&item.part()) && start + RECORD_HEADER <= self.size => {
                let end = match self.pv_end {
                    Some(end) => end,
                    None if matches!(kind as u32, CHECKPOINT | END) => self.special_end,
                    None => 0,
                };
                found.extend(self.short(end, start));
            }
            _ => {}
        }
        let record = stream.record(index);
        found
            .into_iter()
            .map(|(rule, offset)| Exception { rule, offset, record, warns: self.converted })
            .collect()
    }

    fn short(&mut self, end: u64, offset: u64) -> Option<(Rule, u64)> {
        let told = self.named >= end || std::mem::replace(&mut self.short_told, true);
        (!told).then_some((Rule::LibxcMemoryShort, offset))
    }
}

/// Entries of PAGE_DATA records by type, as far as the stream goes.
fn pages(stream: &Stream) -> [u64; 16] {
    let mut by_type = [0; 16];
    let size = stream.size();
    let mut offset = 0;
    for item in stream.items() {
        if item.part() == Part::libxc(PAGE_DATA) {
            let ends = (offset + RECORD_HEADER + page::HEADER + page::ENTRY..).step_by(page::ENTRY as usize);
            for (entry, end) in item.entries64().iter().zip(ends) {
                if end <= size {
                    by_type[page::kind(*entry) as usize] += 1;
                }
            }
        }
        offset += item.size();
    }
    by_type
}
