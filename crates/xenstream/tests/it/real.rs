//! Images that a real Xen wrote, through every source: one verdict, one summary, whatever way the bytes come.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use xenstream::{Compression, Format, Limit, Options, Policy, Report, Summary};

/// The images of `corpus/real` and whether they are Remus captures, whose stream stops at a checkpoint.
fn images() -> Vec<(PathBuf, bool)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real");
    let mut images: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xz"))
        .map(|path| (path.clone(), path.to_string_lossy().contains("remus")))
        .collect();
    images.sort();
    assert!(!images.is_empty());
    images
}

fn decompressed(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    liblzma::read::XzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn summary(report: &Report, what: &str) -> Summary {
    assert!(report.is_valid(), "{what}: {:?}", report.violation());
    report.summary
}

#[test]
fn every_source_gives_the_same_result() {
    for (path, is_remus) in images() {
        let name = path.display();
        let bytes = decompressed(&path);
        let plain = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(plain.path(), &bytes).unwrap();
        let options = Options::new(Policy::spec());
        let compressed = xenstream::verify_path(&path, &options).unwrap();
        assert_eq!((compressed.format, compressed.compression), (Format::Xl, Some(Compression::Xz)));
        let expected = summary(&compressed, &format!("{name}, compressed"));
        assert_eq!(expected.bytes, bytes.len() as u64);
        assert_eq!(expected.restorable_to_checkpoint.is_some(), is_remus, "{name}");

        let file = xenstream::verify_path(plain.path(), &options).unwrap();
        assert_eq!(summary(&file, &format!("{name}, file")), expected);
        let contents = expected.pages.bytes() - expected.pages.tables() * 4096;
        let judged = bytes.len() as u64 - contents;
        assert!(file.bytes_read < judged + judged / 20, "{name}: {} bytes read", file.bytes_read);

        let slice = xenstream::verify_slice(&bytes, &options).unwrap();
        assert_eq!(summary(&slice, &format!("{name}, slice")), expected);
        let reader = xenstream::verify_reader(&bytes[..], &options).unwrap();
        assert_eq!(summary(&reader, &format!("{name}, reader")), expected);
        let restore = xenstream::verify_path(plain.path(), &Options::new(Policy::restore())).unwrap();
        assert_eq!(summary(&restore, &format!("{name}, restore")), expected);
        assert_hardened(
            &xenstream::verify_slice(&bytes, &Options::new(Policy::hardened())).unwrap(),
            is_remus,
        );
    }
}

/// A gate takes a limit from the configuration, and does not let through a stream that fails over.
fn assert_hardened(report: &Report, is_remus: bool) {
    let violation = report.violation().map(|violation| violation.rule.name());
    assert_eq!(violation, is_remus.then_some("stream::failover"));
    let [derived, vcpus] = &report.derived_limits[..] else { panic!("{:?}", report.derived_limits) };
    assert_eq!(derived.value, (1 << 20) + derived.memory_kib.unwrap() / 4);
    assert_eq!((vcpus.limit, Some(vcpus.value)), (Limit::Vcpus, report.guest.vcpus));
}
