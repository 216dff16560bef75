//! `cargo xtask web --test`: the page in Chromium.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use walkdir::WalkDir;
use xenstream::{Options, verify_path};
use xenstream_synth::image::{Contents, Shape};
use xenstream_synth::valid::Machine;

use super::SINGLE;
use super::chromedriver::Browser;
use crate::root;

/// Files that are chosen at a time.
const BATCH: usize = 100;

/// Answers on the page, by the file's name.
const ANSWERS: &str = "return Array.from(document.querySelectorAll('article'), (article) => ({
    name: article.querySelector('h2').textContent,
    description: article.querySelector('.description').textContent,
    ...article.dataset }))";

pub(super) fn run(out: &Path, is_optional: bool) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let Some(browser) = Browser::start(&directory.path().join("profile"), false)? else {
        if is_optional {
            println!("web: not tested, there is no chromedriver");
            return Ok(());
        }
        bail!("there is no chromedriver: install chromium-driver");
    };
    let page = Page { browser, url: format!("file://{}", fs::canonicalize(out.join(SINGLE))?.display()) };
    page.corpus()?;
    page.large(directory.path())?;
    page.changed(directory.path())?;
    page.cancelled(directory.path())?;
    page.injected(directory.path())?;
    page.parts()?;
    page.is_silent()?;
    page.photographed(out)
}

struct Page {
    browser: Browser,
    url: String,
}

impl Page {
    /// Opens the page anew, and has it judge files. Returns the answers.
    fn judge(&self, files: &[impl AsRef<Path>]) -> Result<Vec<Value>> {
        self.open()?;
        self.browser.choose(files)?;
        self.answers(files.len())
    }

    fn open(&self) -> Result<()> {
        self.browser.open(&self.url)?;
        self.browser.wait("document.body && document.body.dataset.ready")
    }

    /// Waits until there are so many answers.
    fn answers(&self, count: usize) -> Result<Vec<Value>> {
        let done = format!("document.querySelectorAll('article[data-verdict]').length === {count}");
        self.browser.wait(&done)?;
        let answers = self.browser.run(ANSWERS)?;
        Ok(answers.as_array().context("there are no answers")?.clone())
    }

    /// Verdict, rule and offset are the program's for every stream of the corpus.
    fn corpus(&self) -> Result<()> {
        let mut files: Vec<PathBuf> = Vec::new();
        for directory in ["rules", "valid", "crashes"] {
            let entries = WalkDir::new(root().join("corpus").join(directory)).sort_by_file_name();
            let entries = entries.into_iter().filter_map(Result::ok);
            files.extend(
                entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path),
            );
        }
        for batch in files.chunks(BATCH) {
            let answers = self.judge(batch)?;
            // The newest is on top, and they may come in any order: names may repeat, so all of one name are compared.
            let mut expected: Vec<[String; 4]> =
                batch.iter().map(|file| program(file)).collect::<Result<_>>()?;
            let mut found: Vec<[String; 4]> = answers.iter().map(browser_answer).collect();
            expected.sort();
            found.sort();
            for (expected, found) in expected.iter().zip(&found) {
                ensure!(expected == found, "the program says {expected:?}, the page {found:?}");
            }
        }
        println!("web: the verdicts on {} streams of the corpus are the program's", files.len());
        Ok(())
    }

    /// Large images are judged from a small part of them, by few calls of the browser: time goes by these.
    fn large(&self, directory: &Path) -> Result<()> {
        for (name, memory, most) in [("large", 64u64 << 30, 200.0), ("small", 4 << 30, 50.0)] {
            let path = directory.join(format!("{name}.save"));
            let shape = Shape { contents: Contents::Sparse, ..Shape::new(Machine::Hvm, memory) };
            let size = shape.write_sparse(File::create(&path)?)?;
            let answers = self.judge(&[&path])?;
            let answer = &answers[0];
            let took = number(answer, "milliseconds")? / 1000.0;
            let read = number(answer, "bytesRead")?;
            let part = read / size as f64;
            let calls = number(answer, "reads")?;
            println!(
                "web: {memory} bytes of memory in {took:.2} s, by {calls} calls, {:.3} % of the file",
                100.0 * part
            );
            ensure!(answer["verdict"] == "valid", "{answer}");
            ensure!(part < 0.003, "{part} of {name} was read");
            ensure!(calls <= most, "{name} took {calls} calls");
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// A file that changes after it was chosen is an error, and no verdict.
    fn changed(&self, directory: &Path) -> Result<()> {
        let path = directory.join("shrinks.save");
        fs::copy(root().join("corpus/valid/hvm-v3.xl.bin"), &path)?;
        self.open()?;
        // The file is kept back from the page until it has shrunk.
        self.browser.run(
            "document.addEventListener('change', (event) => { if (event.target.id === 'files' && !window.kept) { \
             window.kept = event.target.files[0]; event.stopImmediatePropagation(); } }, { capture: true })",
        )?;
        self.browser.choose(&[&path])?;
        File::options().write(true).open(&path)?.set_len(100)?;
        self.browser.run(
            "const transfer = new DataTransfer(); transfer.items.add(window.kept); \
             document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }))",
        )?;
        let answers = self.answers(1)?;
        ensure!(answers[0]["verdict"] == "error", "{}", answers[0]);
        Ok(())
    }

    /// What is under way can be cancelled, and the page goes on.
    fn cancelled(&self, directory: &Path) -> Result<()> {
        let path = directory.join("long.save");
        let shape = Shape { contents: Contents::Sparse, ..Shape::new(Machine::Hvm, 64 << 30) };
        shape.write_sparse(File::create(&path)?)?;
        self.open()?;
        self.browser.choose(&[&path])?;
        self.browser.wait("document.querySelector('.cancel')")?;
        self.browser.run("document.querySelector('.cancel').click()")?;
        let answers = self.answers(1)?;
        ensure!(answers[0]["verdict"] == "error", "{}", answers[0]);
        self.browser.choose(&[root().join("corpus/valid/hvm-v3.xl.bin")])?;
        let answers = self.answers(2)?;
        ensure!(answers[0]["verdict"] == "valid", "{}", answers[0]);
        fs::remove_file(path)?;
        Ok(())
    }

    /// Markup in a name, or in a file, stays text.
    fn injected(&self, directory: &Path) -> Result<()> {
        let path = directory.join("<img src=x onerror=alert(1)>.save");
        fs::write(&path, "<script>alert(1)</script>")?;
        let answers = self.judge(&[&path])?;
        ensure!(answers[0]["verdict"] == "invalid", "{}", answers[0]);
        let count =
            self.browser.run("return document.querySelectorAll('#results img, #results script').length")?;
        ensure!(count == 0, "markup was injected");
        Ok(())
    }

    /// Records, pictures, explanations and gzip.
    fn parts(&self) -> Result<()> {
        let broken = root().join("corpus/rules/libxc/page-data-type.bin");
        self.judge(&[&broken])?;
        self.browser.run("document.querySelector('.records').open = true")?;
        self.browser.wait("document.querySelectorAll('.row').length > 3")?;
        self.browser.run("document.querySelector('.findings details').open = true")?;
        self.browser
            .wait("document.querySelector('.explanation')?.textContent.includes('libxc::page-data-type')")?;
        self.browser.run("document.querySelector('.pictures').open = true")?;
        self.browser.wait("document.querySelector('iframe')?.srcdoc.includes('<svg')")?;
        let marked = self.browser.run("return document.querySelector('.view .mark').textContent")?;
        ensure!(marked.as_str().is_some_and(|marks| marks.contains("^^ ^^ ^^ ^^ ^^ ^^ ^^ ^^")), "{marked}");
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("guest.save.gz");
        let mut encoder = flate2::write::GzEncoder::new(File::create(&path)?, flate2::Compression::fast());
        std::io::copy(&mut File::open(root().join("corpus/valid/hvm-v3.xl.bin"))?, &mut encoder)?;
        encoder.finish()?;
        let answers = self.judge(&[&path])?;
        ensure!(answers[0]["verdict"] == "valid", "{}", answers[0]);
        let description = answers[0]["description"].as_str().unwrap_or_default();
        ensure!(description.contains("xl in gzip"), "{description}");
        Ok(())
    }

    /// Nothing was asked of the network, and nothing complained of.
    fn is_silent(&self) -> Result<()> {
        for line in self.browser.log("performance")? {
            let entry: Value = serde_json::from_str(&line)?;
            let message = &entry["message"];
            let document = message["params"]["documentURL"].as_str().unwrap_or_default();
            // The browser's own first page is none of ours.
            if message["method"] == "Network.requestWillBeSent" && !document.starts_with("chrome:") {
                let url = message["params"]["request"]["url"].as_str().unwrap_or_default();
                ensure!(
                    ["file:", "blob:", "data:", "about:"].iter().any(|scheme| url.starts_with(scheme)),
                    "the page asked for {url}"
                );
            }
        }
        let complaints = self.browser.log("browser")?;
        ensure!(complaints.is_empty(), "on the console: {complaints:?}");
        println!("web: no request, no complaint");
        Ok(())
    }

    /// Pictures of the page: wide and narrow, light and dark.
    fn photographed(&self, out: &Path) -> Result<()> {
        let broken = root().join("corpus/rules/libxc/page-data-type.bin");
        let image = root().join("corpus/valid/hvm-v3.xl.bin");
        self.judge(&[&broken, &image])?;
        for (name, width, scheme) in
            [("light", 1000, "light"), ("dark", 1000, "dark"), ("narrow", 360, "light")]
        {
            let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            self.browser.devtools("Emulation.setEmulatedMedia", &feature)?;
            let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
            self.browser.devtools("Emulation.setDeviceMetricsOverride", &size)?;
            let overflow = self.browser.run("return document.documentElement.scrollWidth - innerWidth")?;
            ensure!(
                overflow.as_f64().is_some_and(|pixels| pixels <= 0.0),
                "{name}: {overflow} pixels too wide"
            );
            let picture =
                self.browser.devtools("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }))?;
            let picture = picture["data"].as_str().context("there is no picture")?;
            let picture = base64::Engine::decode(&super::BASE64, picture)?;
            fs::write(out.join(format!("{name}.png")), picture)?;
        }
        Ok(())
    }
}

/// What the program says of a file: its name, the verdict, and the rule and offset of the first finding.
fn program(file: &Path) -> Result<[String; 4]> {
    let report = verify_path(file, &Options::default())?;
    let first = report.violation().or_else(|| report.warnings.listed().first());
    Ok([
        file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        report.verdict.name().to_owned(),
        first.map_or_else(String::new, |violation| violation.rule.name().to_owned()),
        first.map_or_else(String::new, |violation| violation.offset.to_string()),
    ])
}

/// The same of the page.
fn browser_answer(answer: &Value) -> [String; 4] {
    ["name", "verdict", "rule", "offset"].map(|key| answer[key].as_str().unwrap_or_default().to_owned())
}

fn number(answer: &Value, key: &str) -> Result<f64> {
    Ok(answer[key].as_str().with_context(|| format!("{key} is missing: {answer}"))?.parse()?)
}
