//! Streams, described: any value of [`Plan`] builds a valid stream and tells what a verifier should say of it.
//!
//! A plan is made to be made up, by [`arbitrary`] out of a fuzzer's bytes, by proptest, or by hand. There are no
//! values that it must not have: a number that is out of range is folded into it, a list that must not be empty is
//! filled, two records that must not be alike become different. So every change of a plan is another valid stream.
//!
//! ```
//! use arbitrary::{Arbitrary, Unstructured};
//! use xenstream_core::Profile;
//! use xenstream_synth::plan::{Container, Plan};
//! use xenstream_synth::valid::Machine;
//!
//! let made_up = Plan::arbitrary(&mut Unstructured::new(b"a fuzzer's bytes")).unwrap().build();
//! assert_eq!(made_up.expected.bytes, made_up.bytes().len() as u64);
//!
//! let plan = Plan { around: Container::Libxl.into(), machine: Machine::Hvm, ..Plan::default() };
//! let built = plan.build();
//! assert_eq!(built.expected.outcome(Profile::Hardened).refused, None);
//! ```
//!
//! What such streams are good for besides: Xen's own restore code reads them, and its bugs are found by handing it
//! thousands. The example `write_stream` writes one to a file.

mod around;
mod checkpoints;
mod expected;
mod memory;
mod registers;

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::{domain_at, types};
use xenstream_core::{Checkpointing, Guest};

pub use around::{Around, DeviceModel, Pair, XenopsdBlobs, XlConfig, XlHeader};
pub use checkpoints::{Checkpoint, Checkpoints};

pub use expected::{Exception, Expected};
pub use memory::{Batch, PageKind, Round, Run, Space};
pub use registers::{HvmEntry, Leaf, Msr, Param, Policies, Registers, State, Tsc, Vcpu};

use crate::body::{Body, Field};
pub use crate::container::Container;
use crate::item::Item;
use crate::libxc;
use crate::minimal::Kind;
use crate::pages::Page;
use crate::stream::Stream;
use crate::valid::Machine;

/// A valid stream, described. [`Plan::default`] is a small bare stream of a 64-bit PV guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Plan {
    /// What is around the libxc stream.
    pub around: Around,
    /// The guest.
    pub machine: Machine,
    /// The version of the libxc stream.
    pub version: Version,
    /// Which layers are big-endian, against what restorers take.
    pub big_endian: BigEndian,
    /// Major and minor version of the Xen that claims to have written it.
    pub xen: (u8, u8),
    /// What a version 3 stream sends ahead.
    pub policies: Policies,
    /// The guest's address space.
    pub space: Space,
    /// A PV guest's page tables, start info, GDT and p2m are sent first, as the types that the registers need. Without
    /// them the stream is valid, but Xen misses them when it completes the domain.
    pub anchored: bool,
    /// The memory, as a live migration sends it: all of it, then what has changed since, and so on.
    #[arbitrary(with = few::<3, Round>)]
    pub rounds: Vec<Round>,
    /// VERIFY, and the last round once more. Plain streams only.
    pub verify: bool,
    /// Registers and parameters.
    pub state: State,
    /// It goes on after a first checkpoint.
    #[arbitrary(with = rarely)]
    pub checkpoints: Option<Checkpoints>,
    /// The records of an HVM guest's device model, in a libxl stream.
    pub device_model: Option<DeviceModel>,
    /// Records of types that readers may skip.
    #[arbitrary(with = few_rarely::<3, Unknown>)]
    pub optional: Vec<Unknown>,
}

/// The version of the libxc stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub enum Version {
    /// Since Xen 4.14, with static data.
    #[default]
    Three,
    /// From 4.6 to 4.13.
    Two,
}

/// Layers that are big-endian. The specifications define it, no release writes it, and no restorer takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BigEndian {
    /// The header of xl or libvirt.
    pub container: bool,
    /// The libxl records.
    pub libxl: bool,
    /// The libxc records.
    pub libxc: bool,
}

impl<'a> Arbitrary<'a> for BigEndian {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<BigEndian> {
        let bits = u8::arbitrary(u)?;
        // Seldom: such a stream says nothing about what restorers take.
        let set = |bit| bits >= 0xE0 && bits & bit != 0;
        Ok(BigEndian { container: set(1), libxl: set(2), libxc: set(4) })
    }
}

/// A libxc record of a type that no specification defines and that readers may skip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub struct Unknown {
    /// The type; the bit that makes it optional is set.
    pub kind: u32,
    /// Bytes in the body.
    pub length: u8,
    /// Where it comes.
    pub place: Place,
}

/// Where in the libxc stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
pub enum Place {
    /// Ahead of all records.
    #[default]
    First,
    /// Ahead of the memory.
    Memory,
    /// Last but END; ahead of the memory in a checkpointed stream, where the restorer would choke on it.
    Last,
}

/// A stream and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The stream.
    pub stream: Stream,
    /// What a verifier should say.
    pub expected: Expected,
}

impl Built {
    /// The stream's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.stream.bytes()
    }
}

impl Plan {
    /// Builds the stream.
    #[must_use]
    pub fn build(&self) -> Built {
        let stream = libxc::stream(self.guest(), self.records());
        let [major, minor] = [self.xen.0, self.xen.1].map(u32::from);
        let stream = stream.edited(crate::Part::Domain, domain_at::XEN_MAJOR, Field::U32(major)).edited(
            crate::Part::Domain,
            domain_at::XEN_MINOR,
            Field::U32(minor),
        );
        let stream = match self.version {
            Version::Three => stream,
            Version::Two => stream.as_version_2(),
        };
        let mut stream =
            self.around.wrap(stream, self.device_model().map(|device_model| device_model.records()));
        let big = |layer| if layer { Order::Big } else { Order::Little };
        stream = stream.with_container_order(big(self.big_endian.container));
        if stream.has(crate::Part::Libxl) {
            stream = stream.with_libxl_order(big(self.big_endian.libxl));
        }
        stream = stream.with_libxc_order(big(self.big_endian.libxc));
        if let Some(checkpoints) = &self.checkpoints {
            stream = checkpoints.ended(stream);
        }
        Built { expected: self.expect(&stream), stream }
    }

    /// The kind of guest.
    #[must_use]
    pub fn guest(&self) -> Guest {
        self.machine.guest()
    }

    /// What a caller has to say of the stream for it to be judged as what it is.
    #[must_use]
    pub fn checkpointing(&self) -> Checkpointing {
        match &self.checkpoints {
            // Only libxl's records show what kind it is.
            Some(checkpoints) if checkpoints.reported || !self.around.container.has_libxl() => {
                match checkpoints.kind(self.guest()) {
                    Kind::Remus => Checkpointing::Remus,
                    Kind::Colo => Checkpointing::Colo,
                }
            }
            _ => Checkpointing::Auto,
        }
    }

    /// The records of the libxc stream, with those of libxl between its checkpoints.
    fn records(&self) -> Vec<Item> {
        let mut records: Vec<Item> = self.unknown(Place::First).collect();
        records.extend(self.policies.records(self.machine));
        records.extend(self.space.p2m(self.machine));
        records.extend(self.unknown(Place::Memory));
        records.extend(self.memory());
        if self.verify && self.checkpoints.is_none() {
            records.push(libxc::verify());
            let last = self.rounds.last().map(Round::batches).unwrap_or_default();
            records.extend(last.iter().map(|batch| self.space.batch(self.machine, batch)));
        }
        records.extend(self.registers());
        if let Some(checkpoints) = &self.checkpoints {
            records.extend(checkpoints.records(self));
        }
        records.extend(self.unknown(Place::Last));
        records.push(libxc::end());
        records
    }

    /// At least one PAGE_DATA record: no domain goes without.
    fn memory(&self) -> Vec<Item> {
        let mut first: Vec<Vec<Page>> = Vec::new();
        if self.anchored && self.guest() == Guest::Pv {
            first.push(self.space.anchors(self.machine));
        }
        let (round, later) =
            self.rounds.split_first().map_or((&[][..], &[][..]), |(round, later)| (round.batches(), later));
        first.extend(round.iter().map(|batch| self.space.pages(self.machine, batch)));
        let later: Vec<Item> = later
            .iter()
            .flat_map(Round::batches)
            .map(|batch| self.space.batch(self.machine, batch))
            .collect();
        if first.is_empty() && later.is_empty() {
            first.push(self.space.pages(self.machine, &Batch::default()));
        }
        let mut records = self.space.first_pass(self.machine, first);
        records.extend(later);
        records
    }

    fn registers(&self) -> Vec<Item> {
        self.state.records(self.machine, &self.space, self.anchored)
    }

    fn device_model(&self) -> Option<DeviceModel> {
        self.device_model_or(self.device_model.as_ref())
    }

    /// This device model if the guest may have one; some device model where its chain has devices.
    fn device_model_or(&self, device_model: Option<&DeviceModel>) -> Option<DeviceModel> {
        if self.guest() == Guest::Pv {
            return None;
        }
        device_model.cloned().or_else(|| self.state.has_devices().then(DeviceModel::default))
    }

    fn unknown(&self, place: Place) -> impl Iterator<Item = Item> + '_ {
        let checkpointed = self.checkpoints.is_some();
        let here = move |wanted| match wanted {
            Place::Last if checkpointed => Place::Memory,
            wanted => wanted,
        };
        self.optional.iter().filter(move |record| here(record.place) == place).map(|record| {
            let body = Body::new().zeros(u64::from(record.length));
            libxc::record(record.kind | types::OPTIONAL, body)
        })
    }
}

/// A few of them, at most `MAX`: a page has 4096 bytes, and a stream should stay small.
fn few<'a, const MAX: usize, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> arbitrary::Result<Vec<T>> {
    (0..u.int_in_range(0..=MAX)?).map(|_| T::arbitrary(u)).collect()
}

/// One in eight times.
fn rarely<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> arbitrary::Result<Option<T>> {
    if u.int_in_range(0..=7)? == 7 { T::arbitrary(u).map(Some) } else { Ok(None) }
}

/// A few of them, one in eight times.
fn few_rarely<'a, const MAX: usize, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> arbitrary::Result<Vec<T>> {
    if u.int_in_range(0..=7)? == 7 { few::<MAX, T>(u) } else { Ok(Vec::new()) }
}
