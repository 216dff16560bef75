//! Streams that go on after a checkpoint.

use arbitrary::Arbitrary;
use xenstream_core::Guest;
use xenstream_core::wire::libxc::types::{CHECKPOINT, END};
use xenstream_core::wire::libxl::CHECKPOINT_STATE_NEW;
use xenstream_core::wire::libxl::types::{CHECKPOINT_END, CHECKPOINT_STATE};

use super::around::DeviceModel;
use super::memory::Round;
use super::{Plan, few};
use crate::item::{Item, Part};
use crate::minimal::Kind;
use crate::stream::Stream;
use crate::{libxc, libxl};

/// The checkpoints of a stream, one at least.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Checkpoints {
    /// Remus or COLO. COLO is for HVM guests; others have Remus.
    pub kind: Kind,
    /// Whether the kind is given to the verifier. Outside of libxl it always is: there nothing in the stream shows it.
    pub reported: bool,
    /// The first checkpoint.
    pub first: Checkpoint,
    /// Those that follow.
    #[arbitrary(with = few::<2, Checkpoint>)]
    pub more: Vec<Checkpoint>,
    /// The primary dies after the last one: the stream ends somewhere in what libxc sends for the next.
    pub fails_over: Option<u32>,
}

/// What comes with a checkpoint, and what was sent since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Checkpoint {
    /// The records of an HVM guest's device model.
    pub device_model: Option<DeviceModel>,
    /// The memory that is sent after it, for the next.
    pub memory: Round,
}

impl Checkpoints {
    /// What it is for such a guest.
    #[must_use]
    pub fn kind(&self, guest: Guest) -> Kind {
        match guest {
            Guest::Pv => Kind::Remus,
            Guest::Hvm => self.kind,
        }
    }

    /// Every checkpoint with what is sent after it.
    pub(super) fn records(&self, plan: &Plan) -> Vec<Item> {
        let mut records = Vec::new();
        for checkpoint in [&self.first].into_iter().chain(&self.more) {
            records.push(libxc::checkpoint());
            if plan.around.container.has_libxl() {
                let device_model = plan.device_model_or(checkpoint.device_model.as_ref());
                records.extend(device_model.into_iter().flat_map(|device_model| device_model.records()));
                records.push(libxl::checkpoint_end());
                if self.kind(plan.guest()) == Kind::Colo {
                    records.push(libxl::checkpoint_state(CHECKPOINT_STATE_NEW));
                }
            }
            let batches = checkpoint.memory.batches().iter();
            records.extend(batches.map(|batch| plan.space.batch(plan.machine, batch)));
            records.extend(plan.registers());
        }
        records
    }

    /// The stream, cut where the primary dies.
    pub(super) fn ended(&self, stream: Stream) -> Stream {
        let Some(n) = self.fails_over else { return stream };
        // Only where libxc's records are read does the restorer fall back to a checkpoint.
        let ends = [CHECKPOINT_STATE, CHECKPOINT_END].map(Part::libxl);
        let last = |part| stream.items().iter().rposition(|item| item.part() == part);
        let checkpoint = ends.into_iter().chain([Part::libxc(CHECKPOINT)]).find_map(last);
        let start = checkpoint.map_or(0, |index| stream.offset(index + 1));
        let end = stream.offset(stream.find(Part::libxc(END)) + 1);
        stream.cut(start + u64::from(n) % (end - start))
    }
}
