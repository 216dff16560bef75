//! What is kept of a stream while it passes.

mod condensed;
mod memory;
mod rounds;
mod runs;
mod vcpus;

use xenstream::wire::libxc;
use xenstream::{Header, Observer, PageBatch, Pfns, Record};

pub(crate) use memory::{Cell, Memory, halved};
pub(crate) use rounds::{Round, Rounds};
pub(crate) use runs::{Run, Runs, Sum, What, slot_label, slot_words};
use vcpus::Vcpus;

use crate::kinds::Lane;

/// Listens while an image is verified, and keeps what the page is made of: a few megabytes at most.
#[derive(Clone, Debug)]
pub struct Collector {
    pub(crate) runs: Runs,
    pub(crate) memory: Memory,
    pub(crate) rounds: Rounds,
    pub(crate) vcpus: Vcpus,
}

impl Collector {
    /// Creates a collector that has seen nothing.
    #[must_use]
    pub fn new() -> Collector {
        Collector {
            runs: Runs::new(),
            memory: Memory::default(),
            rounds: Rounds::new(),
            vcpus: Vcpus::default(),
        }
    }
}

impl Default for Collector {
    fn default() -> Collector {
        Collector::new()
    }
}

impl Observer for Collector {
    fn on_header(&mut self, header: &Header) {
        let Some(lane) = Lane::of(header.layer()) else { return };
        let configuration = match *header {
            Header::Xl { optional_data_len, .. } => optional_data_len,
            Header::Libvirt { xml_len, .. } => xml_len,
            _ => 0,
        };
        let bytes = header.length() + u64::from(configuration);
        let what = What::Header(header.layer(), header.name());
        self.runs.header(Run::header(lane, what, header.offset(), bytes));
    }

    fn on_record(&mut self, record: &Record) {
        let Some(lane) = Lane::of(record.layer) else { return };
        self.runs.record(lane, record);
        self.vcpus.record(lane, record.kind);
        if lane != Lane::Libxc {
            return;
        }
        match u32::try_from(record.kind) {
            Ok(libxc::types::PAGE_DATA) => {
                let bytes = record.body_offset.saturating_add(record.body_length) - record.offset;
                self.rounds.record(record.offset, bytes);
            }
            Ok(libxc::types::VERIFY) => self.rounds.verify(),
            Ok(libxc::types::CHECKPOINT) => self.rounds.checkpoint(),
            _ => {}
        }
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        let (mut pages, mut again) = (0, 0);
        for entry in entries.iter() {
            let round = self.rounds.entry(entry.pfn());
            if let Some(is_new) = self.memory.note(entry, round) {
                pages += 1;
                again += u64::from(!is_new);
            }
        }
        self.rounds.count(entries.iter().len() as u64, pages, again);
    }

    fn on_page_batch(&mut self, batch: &PageBatch) {
        self.runs.batch(u64::from(batch.count), batch.pages);
    }
}
