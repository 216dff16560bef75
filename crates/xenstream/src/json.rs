//! The report as JSON: one object per image, each on its own line. Fields may be added, but are never renamed.
//!
//! | field | |
//! |---|---|
//! | `path` | the path as given, `-` for standard input; bytes that are not UTF-8 are replaced, and `path_bytes` then has the path's bytes |
//! | `format` | the format, as `--format` takes it; null if it could not be detected |
//! | `compression` | `zstd`, `gzip`, `xz`, `lz4` or null |
//! | `verdict` | `valid`, `invalid`, `unjudged`, or `error` if there is no verdict |
//! | `verified_bytes` | for an unjudged image: the number of bytes at its start that were verified; the rest cannot be judged |
//! | `profile` | `spec`, `restore`, `hardened` |
//! | `target` | the release on which the image will be restored; absent if none was named |
//! | `violation` | for an invalid image: the first violation; for an unjudged one: why it cannot be judged |
//! | `hint` | what the input seems to be, if it is not an image or not in the requested format; otherwise absent |
//! | `error` | instead of a verdict: `kind` and `message` |
//! | `warnings`, `findings` | violations at level warn, and with `--keep-going` those at level deny; at most 8 per rule are listed, and `count` has the total |
//! | `refused_by` | for a warning: another profile that refuses it |
//! | `unchecked` | for a valid image: rules that were not checked, because they need an uncompressed file; absent if all were checked |
//! | `derived_limits` | limits that were taken from the image's own configuration |
//! | `releases` | for a valid image: `accepted_by`, the releases that accept it, as far as the stream alone can tell; `refused`, with the releases, `fact`, `rule`, `offset` and `record` of each reason; `depends_on_host`, what else decides, with the releases where it matters, unless it matters on all |
//! | `guest` | `kind` (`hvm`, `pvh`, `pv32`, `pv64`), and from the configuration `name`, `uuid`, `memory_kib`, `vcpus`; `device_model` if it is `qemu-traditional` |
//! | `size` | length of the input in bytes, if it is known and the input is not compressed |
//! | `summary` | the contents of the stream, as far as it was read |
//! | `bytes_read` | number of bytes read from the stored input |
//! | `seconds` | time that the verification took |
//!
//! `summary.records` counts records by name, those of libxl and libxc together: END occurs in both layers, so a valid `xl`
//! image has two. Types without a name are counted in `summary.optional_records`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::{
    Error, Findings, Format, GuestDescription, Profile, RecordRef, Refusal, Releases, Report, Summary,
    TargetSet, Violation,
};

/// Writes an object as a line of JSON in ASCII: a string from an image or a path might otherwise control the terminal or
/// the log that shows it.
///
/// # Errors
/// The writer fails.
pub fn write_line(out: &mut (impl Write + ?Sized), object: &(impl Serialize + ?Sized)) -> io::Result<()> {
    object.serialize(&mut Serializer::with_formatter(&mut *out, Ascii))?;
    out.write_all(b"\n")
}

/// The object for one image. [`write_line`] prints it.
///
/// ```
/// use std::path::Path;
///
/// use xenstream::json;
///
/// let options = xenstream::Options::default();
/// let report = xenstream::verify_slice(b"", &options);
/// let mut text = Vec::new();
/// json::write_line(&mut text, &json::Line::new(Path::new("-"), &report, options.policy.profile())).unwrap();
/// let text = String::from_utf8(text).unwrap();
/// assert!(text.starts_with(r#"{"path":"-","format":null,"compression":null,"verdict":"invalid","profile":"restore","#));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Line<'a> {
    /// Path as given, `-` for standard input; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Bytes of a path that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<Cow<'a, [u8]>>,
    /// Format, as `--format` takes it; null if it could not be detected.
    pub format: Option<Cow<'static, str>>,
    /// `zstd`, `gzip`, `xz`, `lz4` or null.
    pub compression: Option<Cow<'static, str>>,
    /// `valid`, `invalid`, `unjudged`, or `error` if there is no verdict.
    pub verdict: Cow<'static, str>,
    /// For an unjudged image: the number of bytes at its start that were verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_bytes: Option<u64>,
    /// `spec`, `restore` or `hardened`.
    pub profile: Cow<'static, str>,
    /// Release on which the image will be restored, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The first violation of an invalid image, or why an image cannot be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation: Option<ViolationObject>,
    /// What the input seems to be, if it is not an image or not in the requested format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    /// What exists if there is a verdict.
    #[serde(flatten)]
    pub body: Option<Body>,
}

impl<'a> Line<'a> {
    /// Creates the object for the result of verifying the image with this name under this profile.
    #[must_use]
    pub fn new(path: &'a Path, result: &Result<Report, Error>, profile: Profile) -> Line<'a> {
        Line::of(path, result.as_ref(), profile)
    }

    /// The same, for a borrowed report or error.
    #[must_use]
    pub fn of(path: &'a Path, result: Result<&Report, &Error>, profile: Profile) -> Line<'a> {
        let bytes = path.as_os_str().as_encoded_bytes();
        let report = result.ok();
        Line {
            path: path.to_string_lossy().into_owned(),
            path_bytes: path.to_str().is_none().then_some(bytes.into()),
            format: report
                .map(|report| report.format)
                .filter(|format| *format != Format::Auto)
                .map(|format| format.name().into()),
            compression: report.and_then(|report| report.compression).map(|method| method.name().into()),
            verdict: report.map_or("error", |report| report.verdict.name()).into(),
            verified_bytes: report.and_then(Report::verified_bytes),
            profile: profile.name().into(),
            target: report.and_then(|report| report.target).map(|target| target.to_string()),
            violation: report.and_then(Report::violation).map(ViolationObject::new),
            hint: report.and_then(Report::hint).map(|hint| hint.to_string()),
            error: result.err().map(ErrorObject::new),
            body: report.map(Body::new),
        }
    }
}

/// The fields that exist if there is a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Body {
    /// Violations at level warn. At most 8 for each rule are listed.
    pub warnings: Vec<FindingObject>,
    /// Violations at level deny, with `--keep-going`. At most 8 for each rule are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingObject>,
    /// Limits that were taken from the image's own configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_limits: Vec<LimitObject>,
    /// For a valid image: rules that were not checked, because they need an uncompressed file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<Cow<'static, str>>,
    /// For a valid image: which releases accept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub releases: Option<ReleasesObject>,
    /// The guest, according to the image.
    #[serde(default, skip_serializing_if = "GuestObject::is_empty")]
    pub guest: GuestObject,
    /// The contents of the stream, as far as it was read.
    pub summary: SummaryObject,
    /// Length of the input in bytes, if it is known and the input is not compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Number of bytes read from the stored input.
    pub bytes_read: u64,
    /// Time that the verification took.
    pub seconds: f64,
}

impl Body {
    fn new(report: &Report) -> Body {
        Body {
            warnings: FindingObject::list(&report.warnings, Some(report.profile)),
            findings: FindingObject::list(&report.findings, None),
            derived_limits: report
                .derived_limits
                .iter()
                .map(|derived| LimitObject {
                    limit: derived.limit.name().into(),
                    value: derived.value,
                    memory_kib: derived.memory_kib,
                })
                .collect(),
            unchecked: if report.is_valid() {
                report.unchecked.iter().map(|rule| rule.name().into()).collect()
            } else {
                Vec::new()
            },
            releases: report.is_valid().then(|| ReleasesObject::new(&report.summary.releases)),
            guest: GuestObject::new(report),
            summary: SummaryObject::new(&report.summary),
            size: report.size,
            bytes_read: report.bytes_read,
            seconds: report.elapsed.as_secs_f64(),
        }
    }
}

/// A guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GuestObject {
    /// `hvm`, `pvh`, `pv32` or `pv64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'static, str>>,
    /// Name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// UUID in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Memory in the configuration, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<u64>,
    /// Number of vcpus in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u64>,
    /// `qemu-traditional`, if the device model is that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_model: Option<Cow<'static, str>>,
}

impl GuestObject {
    fn new(report: &Report) -> GuestObject {
        let GuestDescription { kind, name, uuid, memory_kib, vcpus } = report.guest.clone();
        GuestObject {
            kind: kind.map(|kind| kind.name().into()),
            name,
            uuid,
            memory_kib,
            vcpus,
            device_model: report.has_qemu_traditional().then(|| "qemu-traditional".into()),
        }
    }

    fn is_empty(&self) -> bool {
        self.kind.is_none() && self.name.is_none() && self.uuid.is_none() && self.memory_kib.is_none()
    }
}

/// A violation of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ViolationObject {
    /// Name of the rule.
    pub rule: Cow<'static, str>,
    /// Layer of the rule.
    pub layer: Cow<'static, str>,
    /// Absolute offset in bytes.
    pub offset: u64,
    /// The record that contains the offset.
    pub record: Option<RecordObject>,
    /// What was found and what was expected.
    pub message: String,
}

impl ViolationObject {
    fn new(violation: &Violation) -> ViolationObject {
        ViolationObject {
            rule: violation.rule.name().into(),
            layer: violation.layer().name().into(),
            offset: violation.offset,
            record: violation.record.as_ref().map(RecordObject::new),
            message: violation.message().to_string(),
        }
    }
}

/// A violation among those of its rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FindingObject {
    /// The violation.
    #[serde(flatten)]
    pub violation: ViolationObject,
    /// How often the rule was broken, listed or not.
    pub count: u64,
    /// For a warning: another profile that refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_by: Option<Cow<'static, str>>,
}

impl FindingObject {
    /// Creates the list of findings. `warned_by` is the profile that only warns about them.
    fn list(findings: &Findings, warned_by: Option<Profile>) -> Vec<FindingObject> {
        let object = |violation: &Violation| FindingObject {
            violation: ViolationObject::new(violation),
            count: findings.count(violation.rule),
            refused_by: warned_by
                .and_then(|profile| violation.rule.refused_beside(profile))
                .map(|profile| profile.name().into()),
        };
        findings.listed().iter().map(object).collect()
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RecordObject {
    /// Layer of the record.
    pub layer: Cow<'static, str>,
    /// Index within the layer, from 0.
    pub index: u64,
    /// Name of the type, or its number in hex.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Absolute offset of the record's first byte.
    pub offset: u64,
}

impl RecordObject {
    fn new(record: &RecordRef) -> RecordObject {
        RecordObject {
            layer: record.layer.name().into(),
            index: record.index,
            kind: record.type_label().map(|label| label.to_string()),
            offset: record.offset,
        }
    }
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ErrorObject {
    /// Kind of error in a word.
    pub kind: Cow<'static, str>,
    /// What went wrong.
    pub message: String,
}

impl ErrorObject {
    fn new(error: &Error) -> ErrorObject {
        ErrorObject { kind: error.kind().into(), message: error.to_string() }
    }
}

/// A limit that was taken from the image's own configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LimitObject {
    /// Name of the limit.
    pub limit: Cow<'static, str>,
    /// Value of the limit.
    pub value: u64,
    /// The memory of the guest in KiB, if the limit is derived from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<u64>,
}

/// Which releases accept a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ReleasesObject {
    /// Releases that accept the stream, as far as the stream alone can tell.
    pub accepted_by: Vec<String>,
    /// Why the other releases refuse it.
    pub refused: Vec<RefusalObject>,
    /// What else decides.
    pub depends_on_host: Vec<HostObject>,
}

/// Why some releases refuse a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RefusalObject {
    /// Releases that refuse the stream.
    pub releases: Vec<String>,
    /// Name of the change between releases that decides.
    pub fact: Cow<'static, str>,
    /// The rule that the stream breaks for these releases.
    pub rule: Cow<'static, str>,
    /// Absolute offset of the first symptom.
    pub offset: u64,
    /// The record of the first symptom.
    pub record: Option<RecordObject>,
}

/// What a restore depends on and that is not in the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HostObject {
    /// Name of the dependency.
    pub on: Cow<'static, str>,
    /// Releases on which it matters; absent if it matters on all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub releases: Option<Vec<String>>,
}

impl ReleasesObject {
    fn new(releases: &Releases) -> ReleasesObject {
        ReleasesObject {
            accepted_by: names(releases.accepted_by()),
            refused: releases.refusals().map(|refusal| RefusalObject::new(&refusal)).collect(),
            depends_on_host: releases
                .depends_on_host()
                .map(|host| HostObject {
                    on: host.name().into(),
                    releases: host.fact().map(|_| names(host.releases())),
                })
                .collect(),
        }
    }
}

impl RefusalObject {
    fn new(refusal: &Refusal) -> RefusalObject {
        RefusalObject {
            releases: names(refusal.releases),
            fact: refusal.fact.name().into(),
            rule: refusal.rule.name().into(),
            offset: refusal.offset,
            record: refusal.record.as_ref().map(RecordObject::new),
        }
    }
}

fn names(releases: TargetSet) -> Vec<String> {
    releases.iter().map(|target| target.to_string()).collect()
}

/// The contents of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SummaryObject {
    /// `hvm`, which includes PVH, or `pv`.
    pub guest: Option<Cow<'static, str>>,
    /// Version of the Xen that wrote the libxc stream.
    pub xen: Option<String>,
    /// Version of the libxc stream.
    pub libxc_version: Option<u32>,
    /// Width of a PV guest in bytes.
    pub guest_width: Option<u8>,
    /// Largest pfn of a PV guest's p2m.
    pub max_pfn: Option<u64>,
    /// Number of records by name.
    pub records: BTreeMap<Cow<'static, str>, u64>,
    /// Number of records of optional types without a name.
    pub optional_records: u64,
    /// Entries of PAGE_DATA records by type.
    pub pages: PagesObject,
    /// Bytes of page contents.
    pub page_bytes: u64,
    /// Number of complete checkpoints.
    pub checkpoints: u64,
    /// The checkpoint to which a stream that stops after it can be restored.
    pub restorable_to_checkpoint: Option<u64>,
    /// Length of the stream in bytes.
    pub bytes: u64,
}

impl SummaryObject {
    fn new(summary: &Summary) -> SummaryObject {
        let mut records = BTreeMap::new();
        for (_, name, count) in summary.records.iter() {
            let sum: &mut u64 = records.entry(name.into()).or_default();
            *sum = sum.saturating_add(count);
        }
        SummaryObject {
            guest: summary.guest.map(|guest| guest.name().into()),
            xen: summary.xen.map(|(major, minor)| format!("{major}.{minor}")),
            libxc_version: summary.libxc_version,
            guest_width: summary.guest_width,
            max_pfn: summary.max_pfn,
            records,
            optional_records: summary.records.optional(),
            pages: PagesObject {
                normal: summary.pages.normal(),
                table: summary.pages.tables(),
                broken: summary.pages.broken(),
                xalloc: summary.pages.allocated(),
                absent: summary.pages.absent(),
            },
            page_bytes: summary.pages.bytes(),
            checkpoints: summary.checkpoints,
            restorable_to_checkpoint: summary.restorable_to_checkpoint,
            bytes: summary.bytes,
        }
    }
}

/// Entries of PAGE_DATA records by type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PagesObject {
    /// Normal pages.
    pub normal: u64,
    /// Page tables.
    pub table: u64,
    /// Broken pages.
    pub broken: u64,
    /// Pages that are allocated, without data.
    pub xalloc: u64,
    /// Absent pages.
    pub absent: u64,
}

/// Compact JSON in ASCII.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return CompactFormatter.write_string_fragment(out, fragment);
        }
        let mut units = [0; 2];
        for character in fragment.chars() {
            match character {
                ' '..='~' => write!(out, "{character}")?,
                _ => {
                    for unit in character.encode_utf16(&mut units) {
                        write!(out, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written for each case is read back as the same.
    #[test]
    fn lines_are_read_back() {
        for case in xenstream_synth::cases::all() {
            for profile in Profile::all() {
                let options = crate::Options::new(case.policy(profile)).with_format(case.format);
                let result = crate::verify_slice(&case.stream, &options).map(|mut report| {
                    // A fraction of a second may be rounded.
                    report.elapsed = std::time::Duration::ZERO;
                    report
                });
                let line = Line::new(Path::new("case"), &result, profile);
                let mut text = Vec::new();
                write_line(&mut text, &line).unwrap();
                assert_eq!(serde_json::from_slice::<Line<'_>>(&text).unwrap(), line, "{}", case.name());
            }
        }
        let absent = Err(Error::NoImage);
        let line = Line::new(Path::new("absent"), &absent, Profile::Restore);
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Line<'_>>(&text).unwrap(), line);
    }

    #[test]
    fn strings_are_ascii_and_mean_the_same() {
        for text in ["plain", "\u{9b}31m", "\x7f\x1b\n\"\\", "\u{202e}", "\u{1F980} \u{fc}", ""] {
            let mut json = Vec::new();
            write_line(&mut json, &text).unwrap();
            assert_eq!(json.pop(), Some(b'\n'));
            assert!(json.iter().all(|byte| matches!(byte, b' '..=b'~')), "{text:?}");
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }
}
