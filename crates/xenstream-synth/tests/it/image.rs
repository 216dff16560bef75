//! Whole images: every shape is accepted everywhere, and is what it says.

use std::io::{Cursor, Write};

use xenstream_core::wire::libxc::types;
use xenstream_core::{
    Follows, Format, Guest, Layer, Observer, Policy, Profile, Rule, Summary, Verifier, Violation,
};
use xenstream_synth::broken::breaks;
use xenstream_synth::image::{Container, Contents, Fill, MEMORY_MIN, Shape, ShapeError, Writer};
use xenstream_synth::valid::Machine;
use xenstream_synth::{Item, Page, Stream, libxc};

fn image(shape: &Shape) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = shape.write_to(&mut bytes).unwrap();
    assert_eq!(size, bytes.len() as u64);
    bytes
}

/// Hears warnings.
#[derive(Default)]
struct Warnings(Vec<Violation>);

impl Observer for Warnings {
    fn on_warning(&mut self, warning: &Violation) {
        self.0.push(*warning);
    }
}

#[track_caller]
fn accepted(bytes: &[u8], profile: Profile) -> Summary {
    let mut warnings = Warnings::default();
    let mut verifier = Verifier::new(Format::Auto, &Policy::new(profile));
    let taken = verifier.push(bytes, &mut warnings).unwrap();
    assert_eq!(taken.consumed, bytes.len());
    let summary = verifier.finish(&mut warnings).unwrap();
    assert_eq!(warnings.0, [], "{profile}");
    summary
}

#[test]
fn every_shape_is_valid_without_warnings() {
    for machine in Machine::all() {
        for container in Container::all() {
            for (version, contents, rounds, checkpoints) in [
                (3, Contents::Sparse, 0, 0),
                (2, Contents::Noise, 2, 0),
                (3, Contents::Mixed, 0, 2),
                (3, Contents::Noise, 1, 1),
                (2, Contents::Sparse, 3, 1),
            ] {
                let shape = Shape {
                    container,
                    vcpus: 2,
                    rounds,
                    checkpoints,
                    version,
                    seed: 7,
                    contents,
                    ..Shape::new(machine, MEMORY_MIN)
                };
                if checkpoints > 0 && !container.has_libxl() {
                    assert_eq!(shape.check(), Err(ShapeError::Checkpoints(container.name())));
                    continue;
                }
                check(&shape);
            }
        }
    }
}

fn check(shape: &Shape) {
    let bytes = image(shape);
    let mut sparse = Cursor::new(Vec::new());
    assert_eq!(shape.write_sparse(&mut sparse).unwrap(), bytes.len() as u64);
    assert!(sparse.into_inner() == bytes, "{shape:?}");
    for profile in Profile::all() {
        let summary = accepted(&bytes, profile);
        assert_eq!(summary.format.name(), shape.container.name());
        assert_eq!(summary.guest, Some(shape.machine.guest()));
        assert_eq!(summary.libxc_version, Some(shape.version));
        assert_eq!(summary.checkpoints, u64::from(shape.checkpoints));
        let basics = summary.records.get(Layer::Libxc, types::X86_PV_VCPU_BASIC);
        let vcpus = if shape.machine.guest() == Guest::Pv { u64::from(shape.vcpus) } else { 0 };
        assert_eq!(basics, vcpus * u64::from(shape.checkpoints + 1));
        // All of it once, and more in each further pass; HVM guests have a few pages besides their memory.
        let pages = summary.pages.with_data();
        let least = shape.memory / 4096;
        let passes = shape.rounds + shape.checkpoints;
        assert!(pages >= least + 16 * u64::from(passes), "{shape:?}: {pages}");
        assert!(pages <= least + 27 + u64::from(passes) * least, "{shape:?}: {pages}");
        assert!(passes > 0 || pages <= least + 27, "{shape:?}: {pages}");
        assert_eq!(summary.pages.tables() > 0, shape.machine.guest() == Guest::Pv);
    }
}

#[test]
fn memory_lies_where_such_a_guest_has_it() {
    // Above 4 GiB, and with more page tables than one of the next level names.
    for machine in Machine::all() {
        let shape = Shape::new(machine, 5 << 30);
        let mut verifier = Verifier::new(Format::Auto, &Policy::hardened());
        let mut sink = Feed(&mut verifier);
        shape.write_to(&mut sink).unwrap();
        let summary = verifier.finish(&mut ()).unwrap();
        let pages = (5 << 30) / 4096;
        match machine.guest() {
            Guest::Pv => {
                assert_eq!((summary.pages.with_data(), summary.max_pfn), (pages, Some(pages - 1)));
                assert!(summary.pages.tables() > 2048);
            }
            Guest::Hvm => {
                let special = if machine == Machine::Hvm { 16 + 11 } else { 16 };
                assert_eq!(summary.pages.with_data(), pages + special);
                // Every pfn up to 4 GiB is listed, and memory above.
                let hole = if machine == Machine::Hvm { 32 } else { 0 };
                let high = pages + hole - 0xF_0000;
                assert_eq!(summary.pages.entries(), 0x10_0000 + high);
            }
        }
    }
}

/// Verifies what is written to it.
struct Feed<'v>(&'v mut Verifier);

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let progress = self.0.push(bytes, &mut ()).map_err(std::io::Error::other)?;
        assert_eq!(progress.consumed, bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn same_seed_makes_the_same_image() {
    let shape = |seed| Shape { seed, contents: Contents::Noise, ..Shape::new(Machine::Pvh, MEMORY_MIN) };
    assert!(image(&shape(1)) == image(&shape(1)));
    let [one, two] = [1, 2].map(|seed| image(&shape(seed)));
    assert_eq!(one.len(), two.len());
    assert!(one != two);
}

#[test]
fn impossible_shapes_are_refused() {
    let shape = Shape::new(Machine::Pv32, MEMORY_MIN);
    for (shape, error) in [
        (Shape { memory: MEMORY_MIN - 4096, ..shape }, ShapeError::Little(MEMORY_MIN - 4096)),
        (Shape { memory: MEMORY_MIN + 1, ..shape }, ShapeError::Pages(MEMORY_MIN + 1)),
        (Shape { memory: 65 << 30, ..shape }, ShapeError::Much { most: 64 << 30, found: 65 << 30 }),
        (
            Shape { machine: Machine::Pvh, memory: u64::MAX, ..shape },
            ShapeError::Much { most: 16 << 40, found: u64::MAX },
        ),
        (Shape { vcpus: 0, ..shape }, ShapeError::Vcpus { most: 8192, found: 0 }),
        (Shape { machine: Machine::Hvm, vcpus: 129, ..shape }, ShapeError::Vcpus { most: 128, found: 129 }),
        (Shape { version: 4, ..shape }, ShapeError::Version(4)),
    ] {
        assert_eq!(shape.check(), Err(error));
        let kind = shape.write_to(Vec::new()).unwrap_err().kind();
        assert_eq!(kind, std::io::ErrorKind::InvalidInput);
    }
}

#[test]
fn every_rule_can_be_broken_in_a_shape() {
    // Whether a stream breaks a rule on the host is for the host to say.
    for rule in Rule::all().filter(|rule| rule.layer() != Layer::Host) {
        for machine in Machine::all() {
            for container in Container::all() {
                let shape = Shape { container, ..Shape::new(machine, MEMORY_MIN) };
                let (actual, broken) = shape.broken(rule).unwrap_or_else(|| panic!("{rule}"));
                assert_eq!(broken.rule, rule);
                let own = breaks().iter().any(|way| way.rule == rule && way.needs == "anything");
                assert!(!own || actual == shape, "{rule}, {shape:?}: {actual:?}");
                if broken.is_for_std() {
                    continue;
                }
                let mut verifier = Verifier::new(broken.format, &broken.policy(Profile::Spec));
                let bytes = broken.bytes();
                let verdict = verifier.push(&bytes, &mut ()).and_then(|progress| {
                    if progress.consumed < bytes.len() {
                        verifier.trailing_data(Follows::of(&bytes[progress.consumed..]), &mut ())?;
                    }
                    verifier.finish(&mut ())
                });
                let violation = verdict.unwrap_err();
                assert_eq!(
                    (violation.rule, violation.offset, violation.record),
                    (rule, broken.offset, broken.record),
                    "{shape:?}"
                );
            }
        }
    }
}

#[test]
fn a_writer_lays_out_memory_as_the_builder_does() {
    const PAGES: u64 = 1024 + 40;
    let contents = |pfn: u64| {
        let mut bytes = vec![0; 4096];
        Contents::Mixed.fill(0, pfn, &mut bytes);
        bytes
    };
    let built: Vec<Item> = libxc::batches(0..PAGES, |pfn| Page::normal(pfn).holding(contents(pfn))).collect();
    let expected = Stream::new(Format::Libxc, built.clone()).bytes();
    let fill = |pfn: u64, page: &mut [u8]| Contents::Mixed.fill(0, pfn, page);
    // Zeros at the end count, be they written or not.
    let zeros = 10_000;
    let size = expected.len() as u64 + built[1].size() + zeros;
    let check = |written: u64, bytes: &[u8]| {
        assert_eq!((written, bytes.len() as u64), (size, size));
        assert!(bytes.starts_with(&expected) && bytes.ends_with(&[0; 10_000]));
    };
    let (mut plain, mut sparse) = (Vec::new(), Cursor::new(Vec::new()));
    let written = write(Writer::plain(&mut plain), &fill, &built[1..], zeros, PAGES);
    check(written, &plain);
    let written = write(Writer::sparse(&mut sparse), &fill, &built[1..], zeros, PAGES);
    check(written, sparse.get_ref());
}

fn write(mut writer: Writer<impl Write>, fill: Fill<'_>, items: &[Item], zeros: u64, pages: u64) -> u64 {
    writer.memory(0..pages, Some(fill)).unwrap();
    writer.items(items).unwrap();
    writer.zeros(zeros).unwrap();
    writer.finish().unwrap()
}
