//! Emulated devices.

use xenstream_core::Rule;
use xenstream_core::wire::hvm::ENTRY_HEADER;
use xenstream_core::wire::hvm::types::{CPU, HEADER, PCI_LINK, PIC, PIT, RTC};

use super::{DraftChain, case, field};
use crate::body::Field;
use crate::broken::Break;
use crate::broken::needs::HVM;
use crate::cases::Case;
use crate::hvm::{Chain, Entry};

pub(super) fn cases() -> Vec<Case> {
    let header = |bad, good| {
        let [bad, good] = [bad, good].map(|khz| {
            let header = Entry::reset(HEADER, 0).with("gtsc_khz", khz);
            Chain::new([header, Entry::reset(CPU, 0), Entry::end()])
        });
        case(Rule::HvmHeaderTsc, "", &bad, &good, 0, ENTRY_HEADER + 20)
    };
    let [master, slave] = [0, 1].map(|instance| Entry::reset(PIC, instance));
    // A request that is not masked, and so is deliverable.
    let requesting = master.clone().with("irr", 1).with("int_output", 1);
    let cascading = master.clone().with("irr", 4).with("int_output", 1);
    let pics = |slave: Entry| Chain::around([cascading.clone(), slave]);
    let pit = Entry::reset(PIT, 0);
    let link = Entry::reset(PCI_LINK, 0);
    vec![
        header(0x2000_0000, 2_400_000),
        field(Rule::HvmPicState, "", &master, "modes", 0, 0x40),
        field(Rule::HvmPicState, "slave", &slave, "modes", 0x40, 0),
        field(Rule::HvmPicState, "elcr", &master, "elcr", 1, 4),
        field(Rule::HvmPicState, "output", &master, "int_output", 2, 0),
        field(Rule::HvmPicInit, "", &requesting.clone().with("init_state", 1), "int_output", 1, 0),
        field(Rule::HvmPicOutput, "", &master, "int_output", 1, 0),
        field(Rule::HvmPicOutput, "masked", &requesting.with("imr", 1), "int_output", 1, 0),
        case(
            Rule::HvmPicOutput,
            "cascade",
            &pics(slave.clone()),
            &pics(slave.with("irr", 1)),
            1,
            cascading.offset_of("int_output"),
        ),
        field(Rule::HvmPciLinkRoute, "", &link, "route", 16, 15),
        field(Rule::HvmPciLinkPad, "", &link, "pad", 1, 0),
        field(Rule::HvmPitState, "", &pit, "count", 65_537, 65_536),
        field(Rule::HvmPitState, "gate", &pit, "gate", 0, 1),
        field(Rule::HvmPitState, "speaker", &pit, "speaker_data_on", 2, 1),
        field(Rule::HvmRtcIndex, "", &Entry::reset(RTC, 0), "cmos_index", 128, 127),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::HvmHeaderTsc, HVM, |d| {
        let khz = d.one_of(&[1, 999, 20_000_001, 0x2000_0000, u32::MAX])?;
        DraftChain::any(d)?.edited(d, 0, ENTRY_HEADER + 20, Field::le32(khz))
    }),
    field!(HvmPicState, PIC, => "modes": [0, 0x3F]),
    field!(HvmPicState, PIC, => "elcr": [1, 2, 3]),
    field!(HvmPicState, PIC, => "int_output": [2, 0xFF]),
    field!(HvmPicInit, PIC, "irr": 1, "init_state": 3, => "int_output": [1]),
    field!(HvmPicOutput, PIC, => "int_output": [1]),
    field!(HvmPitState, PIT, => "count": [65_537, 0xFFFF_FFFF]),
    field!(HvmPitState, PIT, => "rw_mode": [4, 0xFF]),
    field!(HvmPitState, PIT, => "gate": [0, 2]),
    field!(HvmPitState, PIT, => "pad0": [1]),
];
