//! From the events of a stream to its guest's memory and vcpus.

use std::cell::RefCell;
use std::ops::Range;

use xenstream_core::wire::hvm::types::CPU;
use xenstream_core::wire::libxc::{types, vcpu};
use xenstream_core::wire::{Order, PAGE_SIZE, hvm::cpu};
use xenstream_core::{Header, Layer, Observer, PageBatch, PfnEntry, Pfns, Record, Rule, Violation};

use crate::Error;
use crate::extract::Step;
use crate::extract::extents::Extent;
use crate::extract::registers::Saved;
use crate::extract::spool::Spool;
use crate::extract::state::State;
use crate::inspect::tap::Tap;

/// Where the contents of pages are read from later.
pub(crate) enum Place<'a> {
    /// From the input, of this size.
    Input {
        /// Bytes of the input.
        size: u64,
    },
    /// From a copy, for the input passes once.
    Copy {
        /// The copy.
        spool: &'a mut Spool,
        /// Ends the session when the copy cannot be written.
        tap: &'a RefCell<Tap>,
    },
}

/// Hears of pages and vcpus. Its memory is bounded by the number of page runs, and of vcpus.
pub(crate) struct Collector<'a> {
    place: Place<'a>,
    /// The checkpoint that is asked for; the last complete one otherwise.
    wanted: Option<u64>,
    order: Order,
    /// What counts so far.
    state: State,
    /// What came after a checkpoint. It counts once the next one comes.
    pending: Option<State>,
    /// Complete checkpoints.
    checkpoints: u64,
    /// Nothing more is to be taken: the wanted checkpoint has passed.
    closed: bool,
    /// Memory is repeated for comparison, and no longer taken.
    compares: bool,
    batch: Batch,
    /// What of a vcpu, or of the list of frames, passes.
    passing: Option<Passing>,
    /// Whether X86_PV_P2M_FRAMES is asked for, and its body.
    wants_p2m: bool,
    p2m: Vec<u8>,
    /// Hears how far it has come.
    watch: &'a dyn Fn(Step),
    failed: Option<Error>,
}

/// The PAGE_DATA record that passes.
#[derive(Default)]
struct Batch {
    /// Pfns of the entries with data so far.
    pfns: Vec<u64>,
    /// Most of these that the record has room for.
    most: u64,
    /// The first pfn that is out of range, once one was found.
    limit: Option<u64>,
    /// Offsets of the contents, once they are known, and how many bytes of them have come.
    contents: Option<Range<u64>>,
    come: u64,
    /// Where the copy of the contents begins.
    copied_to: u64,
}

/// A body that passes, and is kept until it is whole.
struct Passing {
    body: Range<u64>,
    of: Of,
    bytes: Vec<u8>,
}

/// What a body is.
#[derive(Clone, Copy)]
enum Of {
    /// The entry CPU of this vcpu.
    HvmVcpu(u32),
    /// X86_PV_VCPU_BASIC.
    PvVcpu,
    /// X86_PV_P2M_FRAMES.
    P2m,
}

/// What a stream held.
pub(crate) struct Collected {
    pub(crate) state: State,
    /// The body of X86_PV_P2M_FRAMES, if it was asked for.
    pub(super) p2m: Vec<u8>,
    pub(super) order: Order,
    /// Pages that came after the last complete checkpoint, which do not count.
    pub(crate) uncounted: u64,
    pub(crate) checkpoints: u64,
    pub(crate) failed: Option<Error>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(place: Place<'a>, wanted: Option<u64>) -> Collector<'a> {
        Collector {
            place,
            wanted,
            order: Order::Little,
            state: State::default(),
            pending: None,
            checkpoints: 0,
            closed: false,
            compares: false,
            batch: Batch::default(),
            passing: None,
            wants_p2m: false,
            p2m: Vec::new(),
            watch: &|_| {},
            failed: None,
        }
    }

    /// The same, with X86_PV_P2M_FRAMES.
    pub(super) fn with_p2m(self, wants_p2m: bool) -> Collector<'a> {
        Collector { wants_p2m, ..self }
    }

    /// The same, saying how far it has come.
    pub(super) fn with_watch(self, watch: &'a dyn Fn(Step)) -> Collector<'a> {
        Collector { watch, ..self }
    }

    /// The stream has ended, or is read no further.
    pub(crate) fn finish(mut self) -> Collected {
        self.end_record();
        Collected {
            uncounted: self.pending.as_ref().map_or(0, |pending| pending.pages.pages(0..u64::MAX)),
            state: self.state,
            p2m: self.p2m,
            order: self.order,
            checkpoints: self.checkpoints,
            failed: self.failed,
        }
    }

    /// A record is over.
    fn end_record(&mut self) {
        self.end_body();
        let batch = std::mem::take(&mut self.batch);
        let delivered = batch.contents.as_ref().map_or(0, |contents| match &self.place {
            Place::Input { size } => size.min(&contents.end).saturating_sub(contents.start),
            Place::Copy { .. } => batch.come,
        });
        let at = match (&self.place, &batch.contents) {
            (Place::Input { .. }, Some(contents)) => contents.start,
            _ => batch.copied_to,
        };
        let whole = usize::try_from(delivered / PAGE_SIZE).unwrap_or(usize::MAX).min(batch.pfns.len());
        let (come, lost) = batch.pfns.split_at(whole);
        let Collector { state, pending, place, .. } = self;
        let target = pending.as_mut().unwrap_or(state);
        let mut replaced = |extent: Extent| {
            if let Place::Copy { spool, .. } = place {
                spool.forget(extent);
            }
        };
        let mut at = at;
        for run in come.chunk_by(|pfn, after| pfn.checked_add(1) == Some(*after)) {
            let [first, ..] = *run else { continue };
            let extent = Extent { pfn: first, pages: run.len() as u64, at };
            at = at.saturating_add(extent.bytes());
            match batch.limit {
                // What is out of range is no memory of any guest.
                Some(limit) if limit < extent.end() => {
                    target.insert(extent.within(&(0..limit)), &mut replaced);
                }
                _ => target.insert(extent, &mut replaced),
            }
        }
        for pfn in lost.iter().filter(|pfn| batch.limit.is_none_or(|limit| **pfn < limit)) {
            target.lose(*pfn);
        }
    }

    fn end_body(&mut self) {
        let Some(Passing { body, of, bytes }) = self.passing.take() else { return };
        if (bytes.len() as u64) < body.end - body.start {
            return;
        }
        let (id, saved) = match of {
            Of::P2m => {
                self.p2m = bytes;
                return;
            }
            Of::PvVcpu => {
                let Some((header, blob)) = bytes.split_first_chunk::<8>() else { return };
                (self.order.pair(*header).0, Saved::Pv(blob.to_vec()))
            }
            Of::HvmVcpu(id) => (id, Saved::Hvm(bytes)),
        };
        self.pending.as_mut().unwrap_or(&mut self.state).vcpus.insert(id, saved);
    }

    /// Keeps a body that comes now.
    fn pass(&mut self, body: Range<u64>, of: Of) {
        self.passing = Some(Passing { body, of, bytes: Vec::new() });
    }

    fn checkpoint(&mut self) {
        self.checkpoints = self.checkpoints.saturating_add(1);
        if let Some(newer) = self.pending.replace(State::default()) {
            let Collector { state, place, .. } = self;
            state.commit(newer, |extent| {
                if let Place::Copy { spool, .. } = place {
                    spool.forget(extent);
                }
            });
        }
        self.closed |= self.wanted == Some(self.checkpoints);
    }

    fn copy(&mut self, offset: u64, bytes: &[u8]) {
        let Place::Copy { spool, tap } = &mut self.place else { return };
        let Some(contents) = &self.batch.contents else { return };
        let Some((start, bytes)) = part(contents, offset, bytes) else { return };
        let to = self.batch.copied_to.saturating_add(start - contents.start);
        match spool.write(to, bytes) {
            Ok(()) => self.batch.come = start - contents.start + bytes.len() as u64,
            Err(error) => {
                self.failed = Some(error);
                self.closed = true;
                tap.borrow_mut().abandoned = true;
            }
        }
    }
}

/// The part of these bytes that lies in a range, and where it begins.
fn part<'b>(range: &Range<u64>, offset: u64, bytes: &'b [u8]) -> Option<(u64, &'b [u8])> {
    let start = range.start.max(offset);
    let end = range.end.min(offset.saturating_add(bytes.len() as u64));
    let place = |at: u64| usize::try_from(at.checked_sub(offset)?).ok();
    bytes.get(place(start)?..place(end)?).filter(|part| !part.is_empty()).map(|part| (start, part))
}

impl Observer for Collector<'_> {
    fn wants_body(&mut self, record: &Record) -> bool {
        if record.layer != Layer::Libxc || self.closed {
            return false;
        }
        match u32::try_from(record.kind) {
            Ok(types::PAGE_DATA) => !self.compares && matches!(self.place, Place::Copy { .. }),
            Ok(types::HVM_CONTEXT) => true,
            Ok(types::X86_PV_VCPU_BASIC | types::X86_PV_P2M_FRAMES) => self.passing.is_some(),
            _ => false,
        }
    }

    fn on_header(&mut self, header: &Header) {
        if let Header::LibxcImage { order, .. } = header {
            self.order = *order;
        }
    }

    fn on_record(&mut self, record: &Record) {
        (self.watch)(Step::Read(record.offset));
        if record.layer == Layer::Hvm {
            self.end_body();
        } else {
            self.end_record();
        }
        if self.closed {
            return;
        }
        let body = record.body_offset..record.body_offset.saturating_add(record.body_length);
        match (record.layer, u32::try_from(record.kind)) {
            (Layer::Libxc, Ok(types::PAGE_DATA)) => self.batch.most = record.body_length / PAGE_SIZE,
            (Layer::Libxc, Ok(types::VERIFY)) => self.compares = true,
            (Layer::Libxc, Ok(types::CHECKPOINT)) => self.checkpoint(),
            (Layer::Libxc, Ok(types::X86_PV_VCPU_BASIC))
                if [vcpu::BASIC_32, vcpu::BASIC_64]
                    .contains(&record.body_length.saturating_sub(vcpu::HEADER)) =>
            {
                self.pass(body, Of::PvVcpu);
            }
            (Layer::Libxc, Ok(types::X86_PV_P2M_FRAMES)) if self.wants_p2m => self.pass(body, Of::P2m),
            (Layer::Hvm, Ok(kind)) if kind == u32::from(CPU) => {
                let body = body.start..body.end.min(body.start.saturating_add(cpu::LENGTH));
                self.pass(body, Of::HvmVcpu(record.instance.into()));
            }
            _ => {}
        }
    }

    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        if self.closed {
            return;
        }
        if let Some(passing) = &mut self.passing
            && let Some((_, bytes)) = part(&passing.body, offset, bytes)
        {
            passing.bytes.extend_from_slice(bytes);
        }
        self.copy(offset, bytes);
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        if self.closed || self.compares {
            return;
        }
        // More have no room in the record, which is refused at its last entry.
        let room = self.batch.most.saturating_sub(self.batch.pfns.len() as u64);
        let with_data = entries.iter().filter(|entry| entry.has_data());
        self.batch
            .pfns
            .extend(with_data.take(usize::try_from(room).unwrap_or(usize::MAX)).map(PfnEntry::pfn));
    }

    fn on_page_batch(&mut self, batch: &PageBatch) {
        if self.closed || self.compares {
            return;
        }
        let bytes = batch.pages.saturating_mul(PAGE_SIZE);
        self.batch.contents = Some(batch.offset..batch.offset.saturating_add(bytes));
        if let Place::Copy { spool, .. } = &mut self.place {
            self.batch.copied_to = spool.make_room(bytes);
        }
    }

    fn on_finding(&mut self, finding: &Violation) {
        if matches!(finding.rule, Rule::LibxcPageDataPfnRange | Rule::LibxcPageDataPfnLimit) {
            self.batch.limit = finding.expected.number();
        }
    }
}
