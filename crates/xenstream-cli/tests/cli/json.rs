//! `xenstream verify --json`: the whole object, since programs read it.

use crate::common::{directory, image, run_in};
use serde_json::{Value, json};
use xenstream::wire::{libxc, libxl};
use xenstream_synth::{Body, Field, Part, libxc as records, valid};

/// The objects of a run, without the time that it took.
fn objects(files: &tempfile::TempDir, arguments: &[&str], status: i32) -> Vec<Value> {
    let run = run_in(files.path(), [&["verify", "--json"], arguments].concat());
    assert_eq!((run.status, run.stderr.as_str()), (status, ""), "{run:?}");
    let lines = run.stdout.lines().map(|line| {
        let mut object: Value = serde_json::from_str(line).unwrap();
        if let Some(seconds) = object.as_object_mut().unwrap().remove("seconds") {
            assert!(seconds.as_f64().is_some_and(|seconds| seconds > 0.0));
        }
        object
    });
    lines.collect()
}

#[test]
fn of_a_valid_image() {
    let stream = image();
    let files = directory(&[("good.xl", &stream.bytes())]);
    let bytes = stream.size();
    let expected = json!({
        "path": "good.xl",
        "format": "xl",
        "compression": null,
        "verdict": "valid",
        "profile": "restore",
        "warnings": [],
        "guest": {"kind": "hvm", "name": "guest"},
        "size": bytes,
        "summary": {
            "guest": "hvm",
            "xen": "4.17",
            "libxc_version": 3,
            "guest_width": null,
            "max_pfn": null,
            "records": {
                "END": 2, "LIBXC_CONTEXT": 1, "EMULATOR_XENSTORE_DATA": 1, "EMULATOR_CONTEXT": 1,
                "X86_CPUID_POLICY": 1, "X86_MSR_POLICY": 1, "STATIC_DATA_END": 1, "PAGE_DATA": 3,
                "X86_TSC_INFO": 1, "HVM_CONTEXT": 1, "HVM_PARAMS": 1,
            },
            "optional_records": 0,
            "pages": {"normal": 1, "table": 0, "broken": 1, "xalloc": 6, "absent": 13},
            "page_bytes": 4096,
            "checkpoints": 0,
            "restorable_to_checkpoint": null,
            "bytes": bytes,
        },
    });
    let mut object = objects(&files, &["good.xl"], 0).remove(0);
    let fields = object.as_object_mut().unwrap();
    let read = fields.remove("bytes_read").unwrap();
    assert!(
        fields.remove("releases").unwrap()["accepted_by"].as_array().is_some_and(|taken| !taken.is_empty())
    );
    assert_eq!(object, expected);
    assert!(read.as_u64().is_some_and(|read| read < bytes), "the device model's state is not read: {read}");
}

#[test]
fn of_an_invalid_image_and_of_none() {
    let part = Part::libxc(libxc::types::PAGE_DATA);
    let stream = image().edited(part, 12, Field::U32(7));
    let record = stream.offset(stream.find(part));
    let packed = zstd::encode_all(&stream.bytes()[..], 1).unwrap();
    let files = directory(&[("bad.xl.zst", &packed), ("none", b"nothing")]);
    let objects = objects(&files, &["bad.xl.zst", "none", "absent", "--profile", "hardened"], 2);
    let [bad, none, absent] = &objects[..] else { panic!("{objects:?}") };

    assert_eq!((&bad["verdict"], &bad["profile"]), (&json!("invalid"), &json!("hardened")));
    assert_eq!((&bad["format"], &bad["compression"]), (&json!("xl"), &json!("zstd")));
    assert_eq!(bad["bytes_read"], packed.len());
    let mut violation = bad["violation"].clone();
    let message = violation.as_object_mut().unwrap().remove("message").unwrap();
    assert!(!message.as_str().unwrap().contains("offset"), "the sentence alone: {message}");
    let expected = json!({
        "rule": "libxc::page-data-reserved",
        "layer": "libxc",
        "offset": record + 12,
        "record": {"layer": "libxc", "index": 3, "type": "PAGE_DATA", "offset": record},
    });
    assert_eq!(violation, expected);
    assert_eq!(bad.get("error"), None);

    assert_eq!((&none["format"], &none["verdict"]), (&Value::Null, &json!("invalid")));
    assert_eq!(none["violation"]["record"], Value::Null);
    assert_eq!((&none["summary"]["guest"], &none["summary"]["xen"]), (&Value::Null, &Value::Null));

    let message = absent["error"]["message"].clone();
    assert!(message.as_str().unwrap().starts_with("cannot open absent: No such file"), "{message}");
    let expected = json!({
        "path": "absent",
        "format": null,
        "compression": null,
        "verdict": "error",
        "profile": "hardened",
        "error": {"kind": "io", "message": message},
    });
    assert_eq!(*absent, expected);
}

#[test]
fn of_warnings_and_findings() {
    // Twelve optional records that nobody knows.
    let part = Part::libxc(libxc::types::X86_TSC_INFO);
    let optional = || records::record(0x8000_0001, Body::new());
    let stream = (0..12).fold(image(), |stream, _| stream.before(part, optional()));
    let files = directory(&[("file", &stream.bytes())]);
    for (arguments, name, status) in [
        (&["--profile", "spec", "file"][..], "warnings", 0),
        (&["file", "--deny", "libxc::record-optional", "--keep-going"], "findings", 1),
    ] {
        let objects = objects(&files, arguments, status);
        let listed = objects[0][name].as_array().unwrap();
        assert_eq!(listed.len(), 8);
        for (n, finding) in listed.iter().enumerate() {
            assert_eq!((&finding["rule"], &finding["count"]), (&json!("libxc::record-optional"), &json!(12)));
            assert_eq!(finding["record"]["index"], 6 + n);
            assert_eq!(finding["record"]["type"], "0x80000001");
        }
        assert_eq!(objects[0]["summary"]["optional_records"], 12);
    }
}

#[test]
fn of_a_checkpointed_stream_and_of_a_derived_limit() {
    let streams = xenstream_synth::corpus::valid_streams();
    let (_, remus) = streams.iter().find(|(name, _)| name == "hvm-remus.libxl").unwrap();
    let config = b"{\"b_info\": {\"max_memkb\": 16384}}\0";
    let image = valid::hvm().in_libxl().with_device_model().in_xl_with(3, config);
    // The primary dies after its second checkpoint.
    let second = remus.nth(Part::libxl(libxl::types::CHECKPOINT_END), 1);
    let remus = &remus.bytes()[..remus.offset(second + 1) as usize];
    let files = directory(&[("remus", remus), ("hvm", &image.bytes())]);
    let objects =
        objects(&files, &["remus", "hvm", "--profile", "hardened", "--warn", "stream::failover"], 0);
    let summary = &objects[0]["summary"];
    assert_eq!((&summary["checkpoints"], &summary["restorable_to_checkpoint"]), (&json!(2), &json!(2)));
    let derived = json!([{"limit": "hvm-pfn", "value": (1 << 20) + 4096, "memory_kib": 16384}]);
    assert_eq!(objects[1]["derived_limits"], derived);
}

#[test]
fn of_a_name_that_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let files = directory(&[]);
    let name = std::ffi::OsStr::from_bytes(b"\xFFa");
    std::fs::write(files.path().join(name), b"").unwrap();
    let run = run_in(files.path(), [std::ffi::OsStr::new("verify"), std::ffi::OsStr::new("--json"), name]);
    let object: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&object["path"], &object["path_bytes"]), (&json!("\u{FFFD}a"), &json!([0xFF, 0x61])));
}
