//! libxl's records in checkpointed streams.

use xenstream_core::wire::libxc::types::{PAGE_DATA, X86_PV_VCPU_EXTENDED};
use xenstream_core::wire::libxl::CHECKPOINT_STATE_MAX;
use xenstream_core::wire::libxl::types::{CHECKPOINT_END, CHECKPOINT_STATE, END};
use xenstream_core::{Checkpointing, Profile, RecordRef, Rule};

use super::{BODY, Case, LENGTH, extra, field, other};
use crate::body::{Body, Field};
use crate::item::{Item, Part};
use crate::libxc;
use crate::libxl::{self, record};
use crate::minimal::{self, Kind};
use crate::stream::Stream;

const DONE: Part = Part::libxl(CHECKPOINT_END);
const STATE: Part = Part::libxl(CHECKPOINT_STATE);

pub(super) fn cases() -> Vec<Case> {
    [checkpoint_end(), inside(), state()].concat()
}

fn remus() -> Stream {
    minimal::checkpointed(Kind::Remus, 1)
}

fn colo() -> Stream {
    minimal::checkpointed(Kind::Colo, 1)
}

fn checkpoint_end() -> Vec<Case> {
    let plain = minimal::hvm().in_libxl();
    vec![
        extra(Rule::LibxlCheckpointEndUnexpected, "", &plain, Part::libxl(END), libxl::checkpoint_end()),
        other(
            Rule::LibxlCheckpointEndLength,
            "",
            &remus(),
            DONE,
            record(CHECKPOINT_END, Body::new().zeros(8)),
            LENGTH,
        ),
    ]
}

/// Records that do not belong between CHECKPOINT and CHECKPOINT_END: the restorer aborts on them.
fn inside() -> Vec<Case> {
    let case = |rule, item: Item| extra(rule, "", &remus(), DONE, item);
    vec![
        case(Rule::LibxlEndInCheckpoint, libxl::end()),
        case(Rule::LibxlLibxcContextInCheckpoint, libxl::libxc_context()),
    ]
}

fn state() -> Vec<Case> {
    let plain = minimal::hvm().in_libxl();
    let as_colo = |case: Case| case.checkpointing(Checkpointing::Colo);
    let id = |variant, n| field(Rule::LibxlCheckpointStateId, variant, &colo(), STATE, BODY, Field::U32(n));
    let again = colo().without(STATE).after(DONE, libxl::checkpoint_end());
    vec![
        as_colo(other(
            Rule::LibxlCheckpointStateLength,
            "",
            &colo(),
            STATE,
            record(CHECKPOINT_STATE, Body::new()),
            LENGTH,
        ))
        .note("the restorer crashes on it"),
        other(
            Rule::LibxlCheckpointStateLength,
            "recognised",
            &colo(),
            STATE,
            record(CHECKPOINT_STATE, Body::new().zeros(3)),
            LENGTH,
        )
        .note("without being told, a type 5 behind CHECKPOINT_END says that the stream is COLO's"),
        extra(Rule::LibxlCheckpointStateUnexpected, "", &plain, Part::libxl(END), libxl::checkpoint_state(0)),
        extra(Rule::LibxlCheckpointStateUnexpected, "early", &remus(), DONE, libxl::checkpoint_state(0)),
        as_colo(id("", CHECKPOINT_STATE_MAX + 1)),
        as_colo(id("not-new", 1))
            .silent(Profile::Spec)
            .note("1 to 3 are in the specification, but a primary sends nothing but 0"),
        as_colo(Case::of(Rule::LibxlCheckpointStateMissing, "", &again, &colo()).in_item(
            &again,
            again.nth(DONE, 1),
            0,
        )),
        without_second_state(),
        without_first_state(),
    ]
}

/// No CHECKPOINT_STATE came after the first CHECKPOINT_END, so the stream is Remus's, and a type 5 after the second
/// one is libxc's: a record of a PV guest.
fn without_first_state() -> Case {
    let two = minimal::checkpointed(Kind::Remus, 2);
    let index = two.nth(DONE, 1) + 1;
    let body = Body::new().zeros(4);
    let broken = two.clone().inserted(index, libxc::record(X86_PV_VCPU_EXTENDED, body));
    Case::of(Rule::LibxcRecordGuest, "late-colo", &broken, &two).in_item(&broken, index, 0)
}

/// The first CHECKPOINT_STATE says that the stream is COLO's; where the second one should be, libxc goes on. Its
/// PAGE_DATA is read as a record of libxl, among which type 1 is LIBXC_CONTEXT.
fn without_second_state() -> Case {
    let two = minimal::checkpointed(Kind::Colo, 2);
    let second = two.nth(STATE, 1);
    let record = two.record(second).map(|record| RecordRef { kind: Some(u64::from(PAGE_DATA)), ..record });
    let items = two.items().iter().enumerate().filter(|(index, _)| *index != second);
    let broken = Stream::new(two.format(), items.map(|(_, item)| item.clone()));
    Case::of(Rule::LibxlCheckpointStateMissing, "recognised", &broken, &two)
        .at(broken.offset(second))
        .record(record)
}
