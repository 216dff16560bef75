//! Real images with one value changed, and what real hypervisors of three releases did with each.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use xenstream::{Options, Policy, Report, Target};

use crate::common::{corpus, recorded_host};

/// The answers that `restore` does not give, or need not give, and why.
const NOT_COMPARED: [(&str, &str); 11] = [
    ("hvm-cpuid-leaf7-max", "only Xen up to 4.14 takes such a limit, and no saver writes it"),
    ("hvm-ctx-header-end", "a guest without registers never runs"),
    ("hvm-ctx-no-cpu", "a guest without registers never runs"),
    ("hvm-cpu-none", "a guest without registers never runs"),
    ("hvm-no-params", "a guest without its parameters finds no xenstore"),
    ("hvm-params-no-store", "a guest without this parameter finds no xenstore"),
    ("hvm-qevm-end", "a state with something appended ends so too, and QEMU takes it: hvm-qevm-appended"),
    ("hvm-qevm-half", "QEMU's state has no lengths: one cut after a zero byte seems to end there"),
    ("hvm-qevm-name", "only QEMU itself knows which devices it has"),
    ("hvm64-2v-physmap", "QEMU finds keys of another QEMU's in xenstore, and does not start"),
    ("pv-no-shinfo", "a guest without its shared info has lost its event channels"),
];

/// An image of the table: a real one with an edit.
#[derive(Clone, Debug, Deserialize)]
struct Row {
    name: String,
    what: String,
    base: String,
    /// Offset in the base, bytes removed there, and bytes put in.
    edits: Vec<(usize, usize, String)>,
    /// The processor has AVX.
    #[serde(default)]
    avx: bool,
}

/// What one release did with an image.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    image: String,
    /// The release in full, as the hypervisor calls itself.
    pub(crate) xen: String,
    pub(crate) verdict: Verdict,
    #[serde(default)]
    log: String,
    #[serde(default)]
    console: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Taken,
    Refused,
    HostCrash,
    HostHang,
}

impl Answer {
    /// The release as we know it. A build of what is to become a point release counts as the one before it.
    pub(crate) fn target(&self) -> Target {
        let numbers = self.xen.split('-').next().unwrap();
        let mut numbers = numbers.split('.').skip(1).map(|number| number.parse().unwrap());
        let (minor, point) = (numbers.next().unwrap(), numbers.next().unwrap());
        Target::of_host(minor, point).unwrap().target
    }

    /// Whether `restore` for exactly this release says so too.
    fn agrees(&self, image: &Path, avx: bool) -> bool {
        let restore = || verify(image, &self.options(avx)).is_valid();
        match self.verdict {
            Verdict::Taken => restore(),
            Verdict::Refused => !restore(),
            // It was taken first, and what happens then is for `hardened`.
            Verdict::HostCrash | Verdict::HostHang => {
                !verify(image, &Options::new(Policy::hardened())).is_valid()
            }
        }
    }

    /// `restore` for this release, on its host. The hosts were described without AVX.
    fn options(&self, avx: bool) -> Options {
        let options = Options::new(Policy::restore().with_target(Some(self.target())));
        let branch = self.xen.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        if avx { options } else { options.with_host(recorded_host(&branch)) }
    }
}

fn rows<T: DeserializeOwned>(table: &str) -> Vec<T> {
    let text = fs::read_to_string(corpus(&format!("hypervisor/{table}"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What every image was put to, by image.
pub(crate) fn answers() -> HashMap<String, Vec<Answer>> {
    let mut answers: HashMap<String, Vec<Answer>> = HashMap::new();
    for answer in rows::<Answer>("answers.jsonl") {
        answers.entry(answer.image.clone()).or_default().push(answer);
    }
    answers
}

/// The images of the table, by name.
pub(crate) struct Images {
    rows: HashMap<String, Row>,
    /// The base that was read last, and its name.
    base: (String, Vec<u8>),
}

impl Images {
    pub(crate) fn new() -> Images {
        let rows = rows("edits.jsonl").into_iter().map(|row: Row| (row.name.clone(), row)).collect();
        Images { rows, base: Default::default() }
    }

    fn base(&mut self, name: &str) -> &[u8] {
        if self.base.0 != name {
            let file = ["hypervisor", "real"].map(|folder| corpus(&format!("{folder}/{name}.xz")));
            let file = File::open(file.iter().find(|file| file.exists()).unwrap()).unwrap();
            let mut bytes = Vec::new();
            liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
            self.base = (name.to_owned(), bytes);
        }
        &self.base.1
    }

    /// An image with its edits.
    pub(crate) fn bytes(&mut self, name: &str) -> Vec<u8> {
        let Row { base, mut edits, .. } = self.rows[name].clone();
        let mut bytes = self.base(&base).to_vec();
        // From the end, so that the offsets stay those of the base.
        edits.sort();
        for (at, removed, hex) in edits.into_iter().rev() {
            let digits: Vec<u8> =
                hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
            let put = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
            bytes.splice(at..at + removed, put);
        }
        bytes
    }
}

/// From a file, where every rule can be checked.
fn verify(image: &Path, options: &Options) -> Report {
    xenstream::verify_path(image, options).unwrap()
}

#[test]
fn restore_says_what_each_hypervisor_says() {
    let mut images = Images::new();
    let mut answers = answers();
    let (mut compared, mut wrong) = (HashMap::new(), Vec::new());
    let is_compared = |row: &Row| NOT_COMPARED.iter().all(|(name, _)| *name != row.name);
    let image = tempfile::NamedTempFile::new().unwrap();
    for row in rows::<Row>("edits.jsonl").iter().filter(|row| is_compared(row)) {
        fs::write(image.path(), images.bytes(&row.name)).unwrap();
        for answer in answers.remove(&row.name).unwrap_or_default() {
            if !answer.agrees(image.path(), row.avx) {
                let ours = verify(image.path(), &answer.options(row.avx));
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
    let is_on_record = |(xen, least): (&str, i32)| compared.get(xen).is_some_and(|count| *count > least);
    let least = [("4.14.6", 240), ("4.17.7", 230), ("4.20.5-pre", 240)];
    assert!(least.into_iter().all(is_on_record), "too few images are on record: {compared:?}");
    assert!(wrong.is_empty(), "of {compared:?} differ {}:\n{}", wrong.len(), wrong.join("\n"));
}
