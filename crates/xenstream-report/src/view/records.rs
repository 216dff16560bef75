//! The records, runs of one type as one, and where things lie among them.

use xenstream::Layer;

use crate::collect::{Collector, Run};
use crate::kinds::{Group, Lane};
use crate::numbers::{bytes, counted, grouped};

/// A run of records as the table shows it.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) offset: u64,
    pub(crate) lane: Lane,
    pub(crate) group: Group,
    pub(crate) label: String,
    /// Numbers of the records.
    pub(crate) numbers: String,
    pub(crate) bytes: u64,
    pub(crate) pages: String,
}

impl Row {
    pub(crate) fn size(&self) -> String {
        bytes(self.bytes)
    }

    pub(crate) fn place(&self) -> String {
        grouped(self.offset)
    }
}

/// A run, and how it is called in links.
pub(crate) struct Place<'c> {
    pub(crate) run: &'c Run,
    /// Offset after its last byte that was read.
    pub(crate) end: u64,
    pub(crate) id: String,
}

impl Place<'_> {
    /// What is in it and how much, in a line.
    pub(crate) fn title(&self) -> String {
        let Run { records, start, bytes: length, pages, .. } = *self.run;
        let mut title = self.run.label();
        if records > 1 {
            title += &format!(", {}", counted(records, "record"));
        }
        if pages > 0 {
            title += &format!(", {}", counted(pages, "page"));
        }
        title + &format!(", {} at {}", bytes(length), grouped(start))
    }
}

/// Every run, and where it lies.
pub(crate) struct Places<'c> {
    /// In stream order in each lane.
    pub(crate) lanes: [Vec<Place<'c>>; 4],
    /// Bytes of the stream.
    pub(crate) bytes: u64,
}

impl<'c> Places<'c> {
    /// The runs of a stream of which this many bytes were read.
    pub(crate) fn new(collector: &'c Collector, bytes: u64) -> Places<'c> {
        let lanes = Lane::ALL.map(|lane| {
            let place = |(index, run): (usize, &'c Run)| Place {
                run,
                end: run.end.min(bytes),
                id: format!("{}-{index}", lane.name()),
            };
            collector.runs.lane(lane).iter().enumerate().map(place).collect()
        });
        Places { lanes, bytes }
    }

    /// Returns whether the group has any record.
    pub(crate) fn has(&self, group: Group) -> bool {
        self.lanes.iter().flatten().any(|place| place.run.group() == group)
    }

    /// The run in which something was found: in the layer of its record if there is one, else in the innermost that
    /// reaches there.
    pub(crate) fn find(&self, offset: u64, layer: Option<Layer>) -> Option<&Place<'c>> {
        // What was found at a record's end lies after it.
        let holds = |place: &&Place<'_>| place.run.start <= offset && offset <= place.run.end;
        let among = |lane: Lane| self.lanes[lane as usize].iter().rev().find(holds);
        layer.and_then(Lane::of).and_then(among).or_else(|| Lane::ALL.into_iter().rev().find_map(among))
    }

    /// The table.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut places: Vec<_> = self.lanes.iter().flatten().collect();
        places.sort_by_key(|place| (place.run.start, place.run.lane));
        places.into_iter().map(row).collect()
    }
}

fn row(place: &Place<'_>) -> Row {
    let run = place.run;
    let last = run.first.saturating_add(run.records.saturating_sub(1));
    let numbers = match run.records {
        0 => String::new(),
        1 => grouped(run.first),
        // Entries of several chains count from 0 in each.
        n if run.lane == Lane::Hvm => counted(n, "entry"),
        _ => format!("{}–{}", grouped(run.first), grouped(last)),
    };
    let pages = match (run.entries, run.pages) {
        (0, _) => String::new(),
        (entries, pages) if entries == pages => grouped(pages),
        (entries, pages) => format!("{} of {}", grouped(pages), counted(entries, "entry")),
    };
    Row {
        id: place.id.clone(),
        offset: run.start,
        lane: run.lane,
        group: run.group(),
        label: run.label(),
        numbers,
        bytes: run.bytes.saturating_sub(run.end - place.end.max(run.start).min(run.end)),
        pages,
    }
}
