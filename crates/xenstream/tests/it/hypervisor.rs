//! Real images with one value changed, and what a real hypervisor did with each.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use xenstream::{Options, Policy, Report, Target};

/// What the hypervisor took and `restore` refuses all the same, or may refuse, and why.
const NOT_COMPARED: [(&str, &str); 8] = [
    ("hvm-ctx-header-end", "a guest without registers never runs"),
    ("hvm-ctx-no-cpu", "a guest without registers never runs"),
    ("hvm-cpu-none", "a guest without registers never runs"),
    ("hvm-no-params", "a guest without its parameters finds no xenstore"),
    ("hvm-params-no-store", "a guest without this parameter finds no xenstore"),
    ("hvm-no-emulator", "QEMU does not start without its state; here the hypervisor was asked alone"),
    ("hvm-qevm-zero", "QEMU does not start from zeros; here the hypervisor was asked alone"),
    ("pv-no-shinfo", "a guest without its shared info has lost its event channels"),
];

#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    what: String,
    base: String,
    /// Offset in the base, bytes removed there, and bytes put in.
    edits: Vec<(usize, usize, String)>,
    xen_4_17_7: Answer,
    #[serde(default)]
    log: String,
    depends_on: Option<DependsOn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Taken,
    Refused,
    HostCrash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DependsOn {
    Host,
    Release,
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/hypervisor").join(name)
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(corpus("edits.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bases() -> HashMap<String, Vec<u8>> {
    let read = |name: &str| {
        let mut bytes = Vec::new();
        let file = File::open(corpus(&format!("{name}.xz"))).unwrap();
        liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        (name.to_owned(), bytes)
    };
    ["hvm0.xl", "pv0.xl"].map(read).into()
}

/// The image with its edits.
fn edited(row: &Row, bases: &HashMap<String, Vec<u8>>) -> Vec<u8> {
    let mut bytes = bases[&row.base].clone();
    let mut edits: Vec<_> = row.edits.iter().collect();
    // From the end, so that the offsets stay those of the base.
    edits.sort();
    for (at, removed, hex) in edits.into_iter().rev() {
        let digits: Vec<u8> =
            hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
        let put = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
        bytes.splice(*at..at + removed, put);
    }
    bytes
}

fn verify(bytes: &[u8], policy: Policy) -> Report {
    xenstream::verify_slice(bytes, &Options::new(policy)).unwrap()
}

#[test]
fn restore_says_what_the_hypervisor_says() {
    let target: Target = "4.17.7".parse().unwrap();
    let bases = bases();
    let (mut compared, mut wrong) = (0, Vec::new());
    let is_compared = |row: &Row| {
        row.depends_on != Some(DependsOn::Host) && NOT_COMPARED.iter().all(|(name, _)| *name != row.name)
    };
    for row in rows().into_iter().filter(is_compared) {
        let bytes = edited(&row, &bases);
        let restore = verify(&bytes, Policy::restore().with_target(Some(target)));
        let agrees = match row.xen_4_17_7 {
            Answer::Taken => restore.is_valid(),
            Answer::Refused => !restore.is_valid(),
            // It was taken first, and what happens then is for `hardened`.
            Answer::HostCrash => !verify(&bytes, Policy::hardened()).is_valid(),
        };
        compared += 1;
        if !agrees {
            let Row { name, what, xen_4_17_7, log, .. } = row;
            wrong.push(format!("{name}, {what}: {xen_4_17_7:?} {log}; ours {:?}", restore.violation()));
        }
    }
    assert!(compared > 180, "only {compared} images are on record");
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}
