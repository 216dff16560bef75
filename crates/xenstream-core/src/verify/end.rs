//! The end of records and of the input.

use crate::observer::Observer;
use crate::policy::Checkpointing;
use crate::rule::Rule;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::violation::{Layer, RecordRef};
use crate::wire::PAGE_SIZE;
use crate::wire::libxc::{page, types};

impl Verifier {
    /// Ends the input inside the stream.
    pub(crate) fn end_of_input<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let end = self.position();
        if self.detect.is_open() {
            return self.unrecognised(0, o);
        }
        self.summary.pages.torn = self.torn_pages(end);
        let checkpoints = self.libxc.complete;
        if checkpoints > 0 && self.fails_over() {
            self.summary.restorable_to_checkpoint = Some(checkpoints);
            return self.flag(Rule::StreamFailover, end, checkpoints, Value::None, o);
        }
        // A record with an incomplete header has no length yet.
        let is_known = self.record.is_some_and(|record| record.kind.is_some());
        let record_end = self.body_end.saturating_add(self.body_padding);
        let missing = is_known.then(|| record_end.saturating_sub(end)).filter(|missing| *missing > 0);
        self.flag(Rule::StreamTruncated, end, end, missing.map_or(Value::None, Value::Number), o)
    }

    /// Returns the number of pages with data that the last record announces but that are missing.
    fn torn_pages(&self, end: u64) -> u64 {
        let in_pages = self.record.is_some_and(|record| {
            record.layer == Layer::Libxc && record.kind == Some(u64::from(types::PAGE_DATA))
        });
        let entries = self.body_end.saturating_sub(self.libxc.length).saturating_add(page::HEADER);
        if !in_pages || end <= entries {
            return 0;
        }
        // The pages come after the last entry. An incomplete one counts as missing.
        self.body_end.saturating_sub(end).div_ceil(PAGE_SIZE).min(self.pages.with_data)
    }

    /// Returns whether the restorer takes the end of this input for the death of the primary and falls back to the last
    /// checkpoint. It does so while it reads libxc records; while it reads libxl's, it hangs.
    fn fails_over(&self) -> bool {
        let on_libxc = matches!(self.record, Some(RecordRef { layer: Layer::Libxc, .. }));
        on_libxc && self.libxc.checkpointing != Checkpointing::Plain
    }
}
