//! Where records and the input end.

use crate::observer::Observer;
use crate::policy::Checkpointing;
use crate::rule::Rule;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::violation::{Layer, RecordRef};

impl Verifier {
    /// A record has passed, padding included: its layer says what comes next.
    #[inline]
    pub(crate) fn record_end(&mut self) {
        match self.record {
            Some(RecordRef { layer: Layer::Libxl, .. }) => self.libxl_record_end(),
            Some(RecordRef { layer: Layer::Xenopsd, .. }) => self.xenopsd_record_end(),
            _ => self.libxc_record_end(),
        }
    }

    /// The input ends here, inside the stream.
    pub(crate) fn end_of_input<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let end = self.position();
        if self.detect.is_open() {
            return self.unrecognised(0, o);
        }
        let checkpoints = self.libxc.complete;
        if checkpoints > 0 && self.fails_over() {
            let torn = self.record.is_some_and(|record| end > record.offset);
            self.summary.restorable_to_checkpoint = Some(checkpoints);
            return self.find(Rule::StreamFailover, end, checkpoints, u64::from(torn), o);
        }
        self.find(Rule::StreamTruncated, end, end, 0, o)
    }

    /// Does the restorer take the end of this input for the death of the primary, and fall back to the last
    /// checkpoint? It does so while it reads libxc records; among libxl's it hangs.
    fn fails_over(&self) -> bool {
        let on_libxc = matches!(self.record, Some(RecordRef { layer: Layer::Libxc, .. }));
        on_libxc && self.libxc.checkpointing != Checkpointing::Plain
    }
}
