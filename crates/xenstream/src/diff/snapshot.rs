//! What is in an image at its end or last checkpoint: a record of each kind, and where pages lie.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use xenstream_core::wire::{headers, types};
use xenstream_core::{Header, Layer, Observer, PageBatch, Pfns, Record, Violation};

use crate::extract::collect::{Collector, Place};
use crate::extract::extents::Extents;
use crate::inspect::{Content, Datum, Head, Inspector, Kind, Row, Sink};
use crate::session::{Session, Stop};
use crate::source::file::{self, ReadAt};
use crate::{Error, Options, Report};

/// Most records that are compared: more than any guest has, and bounded whatever a stream holds.
const MOST: usize = 1 << 16;

/// Records that are not compared as such: the framing, and what is compared in another way.
const PASSED_OVER: [&str; 12] = [
    "PAGE_DATA",
    "END",
    "VERIFY",
    "CHECKPOINT",
    "STATIC_DATA_END",
    "HVM_CONTEXT",
    "LIBXC_CONTEXT",
    "CHECKPOINT_END",
    "CHECKPOINT_STATE",
    "signature",
    "Libxc",
    "End_of_image",
];

/// By what a record of one image is found in the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    rank: usize,
    pub(super) name: String,
    /// The vcpu, device or instance that it is about.
    about: Option<(&'static str, u64)>,
    pub(super) layer: LayerOf,
}

/// A layer, ordered by nothing else than its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LayerOf(pub(super) Layer);

impl PartialOrd for LayerOf {
    fn partial_cmp(&self, other: &LayerOf) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LayerOf {
    fn cmp(&self, other: &LayerOf) -> std::cmp::Ordering {
        self.0.name().cmp(other.0.name())
    }
}

impl Key {
    fn of(row: &Row) -> Key {
        let about =
            ["vcpu_id", "instance", "index"].into_iter().find_map(|name| match row.content.value(name) {
                Some(Datum::Number(number, _)) => Some((name, *number)),
                _ => None,
            });
        let about = about.map(|(name, number)| (if name == "vcpu_id" { "vcpu" } else { name }, number));
        Key {
            rank: Layer::formats()
                .position(|layer| layer == row.head.layer)
                .unwrap_or(Layer::formats().len()),
            name: row.head.kind.to_string(),
            about,
            layer: LayerOf(row.head.layer),
        }
    }

    /// The record, for people.
    pub(super) fn place(&self) -> String {
        match self.about {
            Some((what, number)) => format!("{} of {what} {number}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What is in a record.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) content: Content,
    /// Offsets of its body, as far as it is there; empty for a header.
    pub(super) body: Range<u64>,
    /// Bytes that the body claims.
    pub(super) length: u64,
}

impl Found {
    fn of(row: Row) -> Found {
        let Head { layer, offset, body_length, kind, .. } = row.head;
        let header = match types::end(layer) {
            Some(_) => headers::of_layer(layer).iter().map(|layout| layout.size()).sum(),
            None => row.head.bytes.saturating_sub(body_length),
        };
        let start = offset.saturating_add(header);
        let has_body = kind == Kind::Header("configuration") || matches!(kind, Kind::Record(_));
        let end = if has_body { start.saturating_add(body_length) } else { start };
        Found { content: row.content, body: start..end, length: body_length }
    }
}

/// An image, taken apart.
pub(super) struct Snapshot {
    pub(super) report: Report,
    records: BTreeMap<Key, Found>,
    pub(super) pages: Extents,
    pub(super) is_cut: bool,
}

impl Snapshot {
    /// Walks through an image, as far as it goes.
    pub(super) fn of(file: &dyn ReadAt, options: &Options) -> Result<Snapshot, Error> {
        let options = Options { policy: options.policy.clone().with_keep_going(true), ..options.clone() };
        let options = options.with_decompression(false);
        let size = file.size().map_err(Error::Inspect)?;
        let mut both = Both {
            inspector: Inspector::new(Rows::default()),
            collector: Collector::new(Place::Input { size }, None),
        };
        let mut session = Session::new(&options, Some(&mut both));
        let outcome: Result<(), Stop> = file::drive(file, &mut session);
        let position = session.position();
        let report = session.into_report(outcome)?;
        let Both { inspector, collector } = both;
        let Rows { mut records, is_cut, .. } = inspector.finish(position);
        let collected = collector.finish();
        for found in records.values_mut() {
            found.body.end = found.body.end.min(size).max(found.body.start);
        }
        Ok(Snapshot { report, records, pages: collected.state.pages, is_cut })
    }

    /// Every key that one of the two has, in order.
    pub(super) fn keys_with<'k>(&'k self, other: &'k Snapshot) -> BTreeSet<&'k Key> {
        self.records.keys().chain(other.records.keys()).collect()
    }

    pub(super) fn record(&self, key: &Key) -> Option<&Found> {
        self.records.get(key)
    }
}

/// Keeps the last row of each kind that counts.
#[derive(Default)]
struct Rows {
    records: BTreeMap<Key, Found>,
    /// What came after a checkpoint. It counts once the next one comes.
    pending: Option<BTreeMap<Key, Found>>,
    is_cut: bool,
}

impl Rows {
    /// What came after the last checkpoint counts, of these layers.
    fn commit(&mut self, counts: fn(Layer) -> bool) {
        let Some(pending) = &mut self.pending else { return };
        let (committed, left) = std::mem::take(pending).into_iter().partition(|(key, _)| counts(key.layer.0));
        *pending = left;
        let mut committed: BTreeMap<Key, Found> = committed;
        self.records.append(&mut committed);
    }
}

impl Sink for Rows {
    fn row(&mut self, row: Row) {
        let name = row.head.kind.to_string();
        match (row.head.layer, name.as_str()) {
            (Layer::Libxc, "CHECKPOINT") => {
                self.commit(|layer| layer != Layer::Libxl);
                self.pending.get_or_insert_default();
            }
            (Layer::Libxl, "CHECKPOINT_END") => self.commit(|layer| layer == Layer::Libxl),
            _ => {}
        }
        if PASSED_OVER.contains(&name.as_str()) {
            return;
        }
        let known = self.records.len() + self.pending.as_ref().map_or(0, BTreeMap::len);
        let records = self.pending.as_mut().unwrap_or(&mut self.records);
        let key = Key::of(&row);
        if known < MOST || records.contains_key(&key) {
            records.insert(key, Found::of(row));
        } else {
            self.is_cut = true;
        }
    }
}

/// Hears for an inspector and for what collects pages.
struct Both {
    inspector: Inspector<Rows>,
    collector: Collector<'static>,
}

impl Observer for Both {
    fn wants_body(&mut self, record: &Record) -> bool {
        let inspector = self.inspector.wants_body(record);
        self.collector.wants_body(record) || inspector
    }

    fn on_header(&mut self, header: &Header) {
        self.inspector.on_header(header);
        self.collector.on_header(header);
    }

    fn on_record(&mut self, record: &Record) {
        self.inspector.on_record(record);
        self.collector.on_record(record);
    }

    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        self.inspector.on_body(offset, bytes);
        self.collector.on_body(offset, bytes);
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        self.inspector.on_pfns(entries);
        self.collector.on_pfns(entries);
    }

    fn on_page_batch(&mut self, batch: &PageBatch) {
        self.inspector.on_page_batch(batch);
        self.collector.on_page_batch(batch);
    }

    fn on_finding(&mut self, finding: &Violation) {
        self.collector.on_finding(finding);
    }
}
