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

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::{
    Error, Findings, Format, GuestDescription, GuestKind, Profile, RecordRef, Refusal, Releases, Report,
    Summary, TargetSet, Violation,
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
#[derive(Clone, Debug, Serialize)]
pub struct Line<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<&'a [u8]>,
    format: Option<&'static str>,
    compression: Option<&'static str>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_bytes: Option<u64>,
    profile: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<ViolationObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
    #[serde(flatten)]
    body: Option<Body>,
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
            path_bytes: path.to_str().is_none().then_some(bytes),
            format: report
                .map(|report| report.format)
                .filter(|format| *format != Format::Auto)
                .map(Format::name),
            compression: report.and_then(|report| report.compression).map(crate::Compression::name),
            verdict: report.map_or("error", |report| report.verdict.name()),
            verified_bytes: report.and_then(Report::verified_bytes),
            profile: profile.name(),
            target: report.and_then(|report| report.target).map(|target| target.to_string()),
            violation: report.and_then(Report::violation).map(ViolationObject::new),
            hint: report.and_then(Report::hint).map(|hint| hint.to_string()),
            error: result.err().map(ErrorObject::new),
            body: report.map(Body::new),
        }
    }
}

/// The fields that exist if there is a verdict.
#[derive(Clone, Debug, Serialize)]
struct Body {
    warnings: Vec<FindingObject>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingObject>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    derived_limits: Vec<LimitObject>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unchecked: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    releases: Option<ReleasesObject>,
    #[serde(skip_serializing_if = "GuestObject::is_empty")]
    guest: GuestObject,
    summary: SummaryObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    bytes_read: u64,
    seconds: f64,
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
                    limit: derived.limit.name(),
                    value: derived.value,
                    memory_kib: derived.memory_kib,
                })
                .collect(),
            unchecked: if report.is_valid() {
                report.unchecked.iter().map(|rule| rule.name()).collect()
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

#[derive(Clone, Debug, Serialize)]
struct GuestObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vcpus: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_model: Option<&'static str>,
}

impl GuestObject {
    fn new(report: &Report) -> GuestObject {
        let GuestDescription { kind, name, uuid, memory_kib, vcpus } = report.guest.clone();
        GuestObject {
            kind: kind.map(GuestKind::name),
            name,
            uuid,
            memory_kib,
            vcpus,
            device_model: report.has_qemu_traditional().then_some("qemu-traditional"),
        }
    }

    fn is_empty(&self) -> bool {
        self.kind.is_none() && self.name.is_none() && self.uuid.is_none() && self.memory_kib.is_none()
    }
}

#[derive(Clone, Debug, Serialize)]
struct ViolationObject {
    rule: &'static str,
    layer: &'static str,
    offset: u64,
    record: Option<RecordObject>,
    message: String,
}

impl ViolationObject {
    fn new(violation: &Violation) -> ViolationObject {
        ViolationObject {
            rule: violation.rule.name(),
            layer: violation.layer().name(),
            offset: violation.offset,
            record: violation.record.as_ref().map(RecordObject::new),
            message: violation.message().to_string(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct FindingObject {
    #[serde(flatten)]
    violation: ViolationObject,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_by: Option<&'static str>,
}

impl FindingObject {
    /// Creates the list of findings. `warned_by` is the profile that only warns about them.
    fn list(findings: &Findings, warned_by: Option<Profile>) -> Vec<FindingObject> {
        let object = |violation: &Violation| FindingObject {
            violation: ViolationObject::new(violation),
            count: findings.count(violation.rule),
            refused_by: warned_by
                .and_then(|profile| violation.rule.refused_beside(profile))
                .map(Profile::name),
        };
        findings.listed().iter().map(object).collect()
    }
}

#[derive(Clone, Debug, Serialize)]
struct RecordObject {
    layer: &'static str,
    index: u64,
    #[serde(rename = "type")]
    kind: Option<String>,
    offset: u64,
}

impl RecordObject {
    fn new(record: &RecordRef) -> RecordObject {
        RecordObject {
            layer: record.layer.name(),
            index: record.index,
            kind: record.type_label().map(|label| label.to_string()),
            offset: record.offset,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct ErrorObject {
    kind: &'static str,
    message: String,
}

impl ErrorObject {
    fn new(error: &Error) -> ErrorObject {
        ErrorObject { kind: error.kind(), message: error.to_string() }
    }
}

#[derive(Clone, Debug, Serialize)]
struct LimitObject {
    limit: &'static str,
    value: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_kib: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct ReleasesObject {
    accepted_by: Vec<String>,
    refused: Vec<RefusalObject>,
    depends_on_host: Vec<HostObject>,
}

#[derive(Clone, Debug, Serialize)]
struct RefusalObject {
    releases: Vec<String>,
    fact: &'static str,
    rule: &'static str,
    offset: u64,
    record: Option<RecordObject>,
}

#[derive(Clone, Debug, Serialize)]
struct HostObject {
    on: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    releases: Option<Vec<String>>,
}

impl ReleasesObject {
    fn new(releases: &Releases) -> ReleasesObject {
        ReleasesObject {
            accepted_by: names(releases.accepted_by()),
            refused: releases.refusals().map(|refusal| RefusalObject::new(&refusal)).collect(),
            depends_on_host: releases
                .depends_on_host()
                .map(|host| HostObject {
                    on: host.name(),
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
            fact: refusal.fact.name(),
            rule: refusal.rule.name(),
            offset: refusal.offset,
            record: refusal.record.as_ref().map(RecordObject::new),
        }
    }
}

fn names(releases: TargetSet) -> Vec<String> {
    releases.iter().map(|target| target.to_string()).collect()
}

#[derive(Clone, Debug, Serialize)]
struct SummaryObject {
    guest: Option<&'static str>,
    xen: Option<String>,
    libxc_version: Option<u32>,
    guest_width: Option<u8>,
    max_pfn: Option<u64>,
    records: BTreeMap<&'static str, u64>,
    optional_records: u64,
    pages: PagesObject,
    page_bytes: u64,
    checkpoints: u64,
    restorable_to_checkpoint: Option<u64>,
    bytes: u64,
}

impl SummaryObject {
    fn new(summary: &Summary) -> SummaryObject {
        let mut records = BTreeMap::new();
        for (_, name, count) in summary.records.iter() {
            let sum: &mut u64 = records.entry(name).or_default();
            *sum = sum.saturating_add(count);
        }
        SummaryObject {
            guest: summary.guest.map(crate::Guest::name),
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

#[derive(Clone, Debug, Serialize)]
struct PagesObject {
    normal: u64,
    table: u64,
    broken: u64,
    xalloc: u64,
    absent: u64,
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
