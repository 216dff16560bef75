//! Guests that move from one container to another.

use xenstream::rewrite::{Container, Convert, Loss};
use xenstream::wire::hvm::types::LAPIC;
use xenstream::wire::libxc::types::HVM_CONTEXT;
use xenstream::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream::wire::xl;
use xenstream::{Format, Layer, Options, Policy};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::minimal::Kind;
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Body, Part, libxc, libxl};

use super::common::{converted, for_target, records};
use crate::scrub::common::corpus;

const XML: &[u8] = b"<domain type='xen'><name>guest</name></domain>";
const METADATA: &[u8] = b"((time 1.5)(word_size 64))";

fn to(container: Container) -> Convert {
    let config = match container {
        Container::Xl => Some(b"{}".to_vec()),
        Container::Libvirt => Some(XML.to_vec()),
        Container::Xenopsd => Some(METADATA.to_vec()),
        _ => None,
    };
    Convert::default().with_container(Some(container)).with_config(config)
}

fn options() -> Options {
    Options::new(Policy::restore())
}

/// The configuration of an xl image, without its final NUL.
fn config_of(bytes: &[u8]) -> Vec<u8> {
    let length = u32::from_le_bytes(*bytes[xl::at::CONFIG_LEN as usize..].first_chunk().unwrap());
    bytes[xl::at::CONFIG as usize..][..length as usize - 1].to_vec()
}

#[test]
fn real_images_come_back_from_every_container() {
    for (path, bytes) in corpus("real") {
        let path = path.display();
        let back =
            Convert::default().with_container(Some(Container::Xl)).with_config(Some(config_of(&bytes)));
        let (_, records_before) = records(&bytes);
        let has_checkpoints = path.to_string().contains("remus");
        for container in [Container::Libvirt, Container::Libxl] {
            let (there, out) = converted(&bytes, &options(), &to(container));
            assert_eq!(there.obstacles, [], "{path}");
            assert_eq!(there.output.unwrap().format.name(), container.name());
            let (_, again) = converted(&out, &options(), &back);
            assert!(again == bytes, "{path}: not the same after {}", container.name());
        }
        let libxc = to(Container::Libxc).with_lossy(&[Loss::DeviceModel, Loss::Xenstore]);
        let (bare, out) = converted(&bytes, &options(), &libxc);
        if has_checkpoints {
            assert!(bare.obstacles[0].reason.contains("--plain"), "{path}: {:?}", bare.obstacles);
            continue;
        }
        assert_eq!(bare.obstacles, [], "{path}");
        let of_libxc = |(layer, ..): &&(Layer, u64, Vec<u8>)| *layer == Layer::Libxc;
        let (_, after) = records(&out);
        assert!(after.iter().eq(records_before.iter().filter(of_libxc)), "{path}");
        let has_model = records_before
            .iter()
            .any(|(layer, kind, _)| *layer == Layer::Libxl && *kind == u64::from(EMULATOR_CONTEXT));
        if has_model {
            // Without leave the device model stays, and without one an HVM guest does not run.
            let (refused, _) = converted(&bytes, &options(), &to(Container::Libxc));
            assert!(refused.obstacles.iter().any(|obstacle| obstacle.loss == Some(Loss::DeviceModel)));
            let (refused, _) = converted(&out, &options(), &back);
            assert!(refused.obstacles[0].reason.starts_with("libxl::emulator-missing"), "{refused:?}");
        } else {
            assert!(converted(&out, &options(), &back).1 == bytes, "{path}");
        }
        let (suspended, out) =
            converted(&bytes, &options(), &to(Container::Xenopsd).with_lossy(&[Loss::Xenstore]));
        assert_eq!(suspended.obstacles, [], "{path}");
        // Back again, all is there but what the device model keeps in xenstore.
        let (woken, out) = converted(&out, &options(), &back);
        assert_eq!(woken.obstacles, [], "{path}");
        let (_, after) = records(&out);
        let is_kept = |(layer, kind, _): &&(Layer, u64, Vec<u8>)| *layer != Layer::Libxl || *kind != 2;
        assert!(after.iter().eq(records_before.iter().filter(is_kept)), "{path}");
    }
}

#[test]
fn checkpointed_streams_change_the_outer_header_only() {
    let bytes = valid::checkpointed(Machine::Hvm, Kind::Remus, 2).bytes();
    let (moved, out) = converted(&bytes, &options(), &to(Container::Libvirt));
    assert_eq!(moved.obstacles, []);
    assert!(out.ends_with(&bytes));
    let plain = to(Container::Xenopsd).with_plain(true).with_lossy(&[Loss::Xenstore]);
    assert_eq!(converted(&bytes, &options(), &plain).0.obstacles, []);
}

#[test]
fn a_container_gets_the_configuration_that_it_needs() {
    let bytes = Machine::Hvm.libxl().in_xl().bytes();
    for (container, config) in [
        (Container::Xl, None),
        (Container::Libvirt, None),
        (Container::Xenopsd, None),
        (Container::Libxl, Some(b"{}".to_vec())),
        (Container::Libxc, Some(b"{}".to_vec())),
    ] {
        let bare = Machine::Pv64.libxc().bytes();
        let what = Convert::default().with_container(Some(container)).with_config(config);
        let (refused, _) = converted(&bare, &options(), &what);
        let reason = &refused.obstacles[0].reason;
        assert!(reason.contains("--config") || reason.contains("no room for a configuration"), "{reason}");
    }
    // A configuration in the wrong language does not pass the verifier.
    let what =
        Convert::default().with_container(Some(Container::Xl)).with_config(Some(b"{ nonsense".to_vec()));
    let (refused, _) = converted(&bytes, &options(), &what);
    assert!(refused.obstacles[0].reason.starts_with("xl::config-json"), "{:?}", refused.obstacles);
    // The same container gets another configuration.
    let what = to(Container::Xl);
    let (changed, out) = converted(&bytes, &options(), &what);
    assert_eq!((changed.changes.len(), config_of(&out)), (1, b"{}".to_vec()));
    let start = |bytes: &[u8]| bytes.windows(8).position(|window| window == b"LibxlFmt").unwrap();
    assert!(out[start(&out)..] == bytes[start(&bytes)..]);
}

#[test]
fn losses_of_a_container_are_named() {
    let uefi = Machine::Hvm;
    let bytes = uefi.libxl().in_xl().bytes();
    let (refused, _) = converted(&bytes, &options(), &to(Container::Xenopsd));
    assert_eq!(
        refused.obstacles.iter().filter_map(|obstacle| obstacle.loss).collect::<Vec<_>>(),
        [Loss::Xenstore]
    );
    // A device model that is another program has no place.
    let other = uefi
        .libxc()
        .in_libxl()
        .before(Part::libxl(0), libxl::emulator(EMULATOR_CONTEXT, 1, Body::new().zeros(64)))
        .bytes();
    let (refused, _) = converted(&other, &options(), &to(Container::Xenopsd));
    assert!(refused.obstacles[0].reason.starts_with("the device model is not upstream QEMU"), "{refused:?}");
    assert_eq!(refused.report.format, Format::Libxl);
}

#[test]
fn two_libxc_streams_are_not_converted() {
    let twice = Machine::Pvh.libxl();
    let context = twice.find(Part::libxl(1));
    let guest = twice.items()[context..twice.items().len() - 1].to_vec();
    let bytes = guest.into_iter().fold(twice, |stream, item| stream.before(Part::libxl(0), item)).bytes();
    let (refused, _) = converted(&bytes, &options(), &to(Container::Libxc));
    assert!(refused.obstacles[0].reason.starts_with("it holds more than one libxc stream"), "{refused:?}");
}

#[test]
fn target_findings_are_repaired_during_conversion() {
    let lapic = Entry::new(LAPIC, 0, vec![0; 32]);
    let chain = Chain::around([lapic]);
    let stream = valid::pvh().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&chain));
    let bytes = [stream.in_libxl().bytes(), b"tail".to_vec()].concat();
    let (moved, out) = converted(&bytes, &for_target("4.17"), &to(Container::Libvirt));
    assert_eq!(moved.obstacles, []);
    let fields: Vec<&str> = moved.changes.iter().map(|change| &*change.field).collect();
    assert_eq!(fields, ["length", "container", "bytes"]);
    let (bare, _) = converted(&out, &for_target("4.17"), &to(Container::Libxc));
    assert_eq!(bare.obstacles, []);
    let (bare, _) = converted(&bytes, &for_target("4.17"), &to(Container::Libxc));
    assert_eq!(bare.obstacles, []);
}
