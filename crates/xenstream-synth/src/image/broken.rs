//! Small streams of a shape that break a rule.

use xenstream_core::Rule;

use super::{Container, Shape};
use crate::broken::Broken;
use crate::minimal::Kind;
use crate::plan::{
    Around, Batch, Checkpoint, Checkpoints, DeviceModel, HvmEntry, Leaf, Msr, PageKind, Pair, Param, Plan,
    Policies, Round, Run, State, Tsc, Vcpu, Version, XenopsdBlobs, XlConfig, XlHeader,
};
use crate::valid::Machine;

impl Shape {
    /// A small stream of this guest in this container that breaks a rule, and what it is a stream of: where such a
    /// guest has nothing to break the rule with, the next one that has. The memory is that of a small guest always.
    #[must_use]
    pub fn broken(&self, rule: Rule) -> Option<(Shape, Broken)> {
        let others = Container::all().flat_map(|container| {
            Machine::all().flat_map(move |machine| {
                [3, 2].into_iter().flat_map(move |version| {
                    [0, 2].map(|checkpoints| Shape { machine, container, checkpoints, version, ..*self })
                })
            })
        });
        // What differs least from what was asked for comes first.
        let mut shapes: Vec<Shape> = others.filter(|shape| shape.check().is_ok()).collect();
        shapes.sort_by_key(|shape| {
            [
                shape.version != self.version,
                (shape.checkpoints > 0) != (self.checkpoints > 0),
                shape.machine != self.machine,
                shape.container != self.container,
            ]
            .map(u8::from)
            .iter()
            .sum::<u8>()
        });
        [*self].into_iter().chain(shapes).find_map(|shape| {
            let kinds = [Kind::Remus, Kind::Colo];
            let broken = kinds.into_iter().find_map(|kind| Broken::of(&shape.plan(kind), rule, self.seed))?;
            Some((shape, broken))
        })
    }

    /// A plan with something of all that such a guest has.
    fn plan(&self, kind: Kind) -> Plan {
        let device_model = (self.machine == Machine::Hvm).then(device_model);
        Plan {
            around: self.around(),
            machine: self.machine,
            version: if self.version == 2 { Version::Two } else { Version::Three },
            xen: (4, 17),
            policies: policies(),
            anchored: true,
            rounds: vec![round()],
            state: state(self.machine),
            checkpoints: (self.checkpoints > 0)
                .then(|| checkpoints(kind, self.checkpoints, device_model.clone())),
            device_model,
            ..Plan::default()
        }
    }

    fn around(&self) -> Around {
        /// Letters in the guest's name.
        const NAME: u8 = 5;
        let qemu = (self.machine == Machine::Hvm).then_some(u8::MAX);
        Around {
            container: self.container,
            xl: XlHeader { config: XlConfig::Json(NAME), tail: 0 },
            libvirt: NAME,
            xenopsd: XenopsdBlobs { qemu, ..XenopsdBlobs::default() },
        }
    }
}

fn device_model() -> DeviceModel {
    let pair = Pair { key: b"physmap".to_vec(), value: b"f0000000".to_vec() };
    DeviceModel { xenstore: vec![pair], state: 25, emulator_id: 2 }
}

fn policies() -> Policies {
    let leaf = |leaf| Leaf { leaf, ..Leaf::default() };
    Policies {
        leaves: [0, 1].map(leaf).to_vec(),
        msrs: vec![Msr { index: 0xCE, value: 0x8000_0000 }],
        reversed: false,
    }
}

fn round() -> Round {
    let run = |kind, start| Run { kind, start, ..Run::default() };
    let table = PageKind::Table { level: 0, pinned: false };
    Round::new([Batch { runs: vec![run(PageKind::Normal, 16), run(table, 17), run(PageKind::Absent, 18)] }])
}

fn state(machine: Machine) -> State {
    let msrs = vec![Msr { index: 0xC000_0103, value: 0 }];
    // Lengths that ask for padding.
    let first = Vcpu { extended: Some(32), xsave: Some(true), msrs, ..Vcpu::default() };
    // CPU, a byte short, LAPIC and MSRs of a vcpu, and a PIC where there are devices, by their typecodes less 2.
    let pic = (machine == Machine::Hvm).then_some((1, 0));
    let entries = [(0, 1), (3, 0), (18, 0)].into_iter().chain(pic);
    let entries = entries.map(|(typecode, size)| HvmEntry { typecode, size, ..HvmEntry::default() });
    State {
        tsc: Some(Tsc { mode: 2, incarnation: 1, ..Tsc::default() }),
        first,
        entries: entries.collect(),
        params: vec![Param { index: 0, value: 0xF_EFFC }],
        ..State::default()
    }
}

fn checkpoints(kind: Kind, count: u32, device_model: Option<DeviceModel>) -> Checkpoints {
    let checkpoint = Checkpoint { device_model, memory: round() };
    let more = vec![checkpoint.clone(); count.saturating_sub(1).min(4) as usize];
    Checkpoints { kind, reported: kind == Kind::Colo, first: checkpoint, more, fails_over: None }
}
