//! Real images with one value changed, and what real hypervisors of three releases did with each.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use xenstream::{Options, Policy, Report, Target};

/// The answers that `restore` does not give, or need not give, and why. With a release, only of that one.
const NOT_COMPARED: [(&str, Option<&str>, &str); 9] = [
    ("hvm-ctx-header-end", None, "a guest without registers never runs"),
    ("hvm-ctx-no-cpu", None, "a guest without registers never runs"),
    ("hvm-cpu-none", None, "a guest without registers never runs"),
    ("hvm-no-params", None, "a guest without its parameters finds no xenstore"),
    ("hvm-params-no-store", None, "a guest without this parameter finds no xenstore"),
    (
        "hvm-no-emulator",
        Some("4.17.7"),
        "the hypervisor was asked alone; QEMU does not start without its state",
    ),
    ("hvm-qevm-zero", Some("4.17.7"), "the hypervisor was asked alone; QEMU does not start from zeros"),
    (
        "hvm-qevm-half",
        None,
        "QEMU's state has no lengths: one that is cut after a zero byte seems to end there",
    ),
    ("pv-no-shinfo", None, "a guest without its shared info has lost its event channels"),
];

/// An image of the table: a real one with an edit.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    what: String,
    base: String,
    /// Offset in the base, bytes removed there, and bytes put in.
    edits: Vec<(usize, usize, String)>,
    depends_on: Option<DependsOn>,
}

/// What one release did with an image.
#[derive(Debug, Deserialize)]
struct Answer {
    image: String,
    /// The release in full, as the hypervisor calls itself.
    xen: String,
    verdict: Verdict,
    #[serde(default)]
    log: String,
    #[serde(default)]
    console: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
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

impl Answer {
    /// The release as we know it. A build of what is to become a point release counts as the one before it.
    fn target(&self) -> Target {
        let numbers = self.xen.split('-').next().unwrap();
        let mut numbers = numbers.split('.').skip(1).map(|number| number.parse().unwrap());
        let (minor, point) = (numbers.next().unwrap(), numbers.next().unwrap());
        Target::of_host(minor, point).unwrap().target
    }

    fn is_compared(&self) -> bool {
        let is_meant =
            |name: &str, xen: Option<&str>| name == self.image && xen.is_none_or(|xen| xen == self.xen);
        !NOT_COMPARED.iter().any(|(name, xen, _)| is_meant(name, *xen))
    }

    /// Whether `restore` for exactly this release says so too.
    fn agrees(&self, bytes: &[u8]) -> bool {
        let restore = Policy::restore().with_target(Some(self.target()));
        match self.verdict {
            Verdict::Taken => verify(bytes, restore).is_valid(),
            Verdict::Refused => !verify(bytes, restore).is_valid(),
            // It was taken first, and what happens then is for `hardened`.
            Verdict::HostCrash => !verify(bytes, Policy::hardened()).is_valid(),
        }
    }
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/hypervisor").join(name)
}

fn rows<T: DeserializeOwned>(table: &str) -> Vec<T> {
    let text = fs::read_to_string(corpus(table)).unwrap();
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
fn restore_says_what_each_hypervisor_says() {
    let bases = bases();
    let mut answers: HashMap<String, Vec<Answer>> = HashMap::new();
    for answer in rows::<Answer>("answers.jsonl") {
        answers.entry(answer.image.clone()).or_default().push(answer);
    }
    let (mut compared, mut wrong) = (HashMap::new(), Vec::new());
    for row in rows::<Row>("edits.jsonl") {
        let mut answers = answers.remove(&row.name).unwrap_or_default();
        answers.retain(Answer::is_compared);
        if row.depends_on == Some(DependsOn::Host) || answers.is_empty() {
            continue;
        }
        let bytes = edited(&row, &bases);
        for answer in answers {
            if !answer.agrees(&bytes) {
                let ours = verify(&bytes, Policy::restore().with_target(Some(answer.target())));
                let Answer { image, xen, verdict, log, console, .. } = &answer;
                let ours = ours.violation();
                wrong.push(format!(
                    "{image}, {}: Xen {xen} {verdict:?}, {log} {console}; ours {ours:?}",
                    row.what
                ));
            }
            *compared.entry(answer.xen).or_insert(0) += 1;
        }
    }
    assert!(compared["4.17.7"] > 180, "too few images are on record: {compared:?}");
    assert!(wrong.is_empty(), "of {compared:?} differ {}:\n{}", wrong.len(), wrong.join("\n"));
}
