//! The page in a real browser: Chromium draws it, loads nothing and complains of nothing.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xenstream::wire::libxc::types;
use xenstream::{Input, Options, Policy, verify};
use xenstream_report::{Collector, write_page};
use xenstream_synth::{Field, Part, valid};

/// A browser, with a profile of its own for each page.
struct Browser {
    program: PathBuf,
}

/// What a browser makes of a page.
struct Rendered {
    /// The document, as it stands in the browser.
    document: String,
    /// What came up on its console.
    console: Vec<String>,
    /// Bytes of a picture of it.
    picture: u64,
}

impl Browser {
    /// Chromium, if there is one. A CI machine that could have it must: `.ci/run` installs it.
    fn find() -> Option<Browser> {
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(in_path);
        if program.is_none() {
            let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
            let could_have = env::var_os("CI").is_some() && is_root && in_path("apt-get").is_some();
            assert!(!could_have, "there is no chromium, and .ci/run should have installed it");
            println!("skipped: there is no chromium");
        }
        program.map(|program| Browser { program })
    }

    /// Opens a page at a place in it, which may be empty.
    fn render(&self, page: &str, name: &str, place: &str) -> Rendered {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(format!("{name}.html"));
        fs::write(&file, page).unwrap();
        let picture = directory.path().join("picture.png");
        let mut screenshot = OsString::from("--screenshot=");
        screenshot.push(&picture);
        self.run(directory.path(), &[screenshot], &file, place);
        let (document, console) = self.run(directory.path(), &["--dump-dom".into()], &file, place);
        let picture = fs::metadata(picture).map_or(0, |picture| picture.len());
        Rendered { document, console, picture }
    }

    /// Opens a file. Returns what is printed, and the lines of the console.
    fn run(
        &self,
        directory: &Path,
        arguments: &[OsString],
        file: &Path,
        place: &str,
    ) -> (String, Vec<String>) {
        let mut profile = OsString::from("--user-data-dir=");
        profile.push(tempfile::tempdir_in(directory).unwrap().keep());
        let mut url = OsString::from("file://");
        url.push(file);
        url.push(place);
        let output = Command::new(&self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1180,1600"])
            .args(["--enable-logging=stderr", "--v=0"])
            .arg(profile)
            .args(arguments)
            .arg(url)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
        (String::from_utf8(output.stdout).unwrap(), console)
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

fn page_of(name: &str, input: Input<'_>) -> String {
    let mut collector = Collector::new();
    let policy = Policy::spec().with_keep_going(true);
    let report = verify(input, &Options::new(policy), &mut collector).unwrap();
    let mut page = Vec::new();
    write_page(&mut page, name, &report, &collector).unwrap();
    String::from_utf8(page).unwrap()
}

fn real(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real").join(name);
    page_of(name, Input::Path(&path))
}

fn broken() -> String {
    let image = valid::hvm().in_libxl().with_device_model().in_xl();
    let bytes = image.edited(Part::libxc(types::PAGE_DATA), 12, Field::U32(7)).bytes();
    page_of("broken", Input::Slice(&bytes))
}

#[test]
fn a_browser_draws_every_picture() {
    let Some(browser) = Browser::find() else { return };
    for (name, page, pictures) in [
        ("pv", real("pv64-1v-migrate.xl.xz"), &["to-scale", "in-order", "kinds", "times", "rounds"][..]),
        ("hvm", real("hvm64-2v-physmap.xl.xz"), &["to-scale", "in-order", "kinds", "sizes"]),
        ("remus", real("pvh64-1v-remus.xl.xz"), &["to-scale", "in-order", "kinds", "times", "finding-1"]),
        ("broken", broken(), &["to-scale", "kinds", "finding-1", "marker-1"]),
    ] {
        let rendered = browser.render(&page, name, "");
        assert!(rendered.console.is_empty(), "{name}: {:?}", rendered.console);
        for picture in pictures {
            assert!(rendered.document.contains(&format!("id=\"{picture}\"")), "{name}: {picture}");
        }
        for element in ["<rect ", "<path ", "<tr", "<section "] {
            let count = |text: &str| text.matches(element).count();
            // The browser writes down what it holds: what its parser dropped or moved is not there, or twice.
            assert_eq!(count(&rendered.document), count(&page), "{name}: {element}");
        }
        assert!(rendered.picture > 40_000, "{name}: a picture of {} bytes", rendered.picture);
    }
}

#[test]
fn links_open_folded_parts() {
    let Some(browser) = Browser::find() else { return };
    let page = broken();
    assert!(page.contains("href=\"#libxc-5\"") && page.contains("id=\"libxc-5\""));
    let open = |place| browser.render(&page, "links", place).document.matches("<details open").count();
    assert_eq!((open(""), open("#libxc-5")), (0, 1));
}

/// What the first test looks for is seen if it is there.
#[test]
fn a_browser_complains_of_what_a_page_may_not_do() {
    let Some(browser) = Browser::find() else { return };
    for element in ["<img src=\"https://example.org/\"/>", "<script>1</script>"] {
        let page = broken().replace("</body>", &format!("{element}</body>"));
        let rendered = browser.render(&page, "forbidden", "");
        assert!(
            rendered.console.iter().any(|line| line.contains("Content Security Policy")),
            "{element}: {:?}",
            rendered.console
        );
    }
}
