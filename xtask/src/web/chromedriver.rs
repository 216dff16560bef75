//! Chromium, driven through chromedriver (W3C WebDriver).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Milliseconds that a script may take.
const PATIENCE: u32 = 120_000;

/// A browser with one page.
pub(super) struct Browser {
    driver: Child,
    /// The session's address.
    session: String,
}

impl Browser {
    /// Starts a browser with a profile in this directory; `None` if there is no chromedriver.
    pub(super) fn start(directory: &Path, is_dark: bool) -> Result<Option<Browser>> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let Ok(mut driver) = driver else { return Ok(None) };
        let output = driver.stdout.take().context("chromedriver says nothing")?;
        let port = port(BufReader::new(output))?;
        let mut arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1100,1400",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", directory.display()));
        if is_dark {
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "timeouts": { "script": PATIENCE },
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let server = format!("http://127.0.0.1:{port}/session");
        let mut browser = Browser { driver, session: server.clone() };
        let session = browser.call("", &capabilities)?;
        let id = session["sessionId"].as_str().context("there is no session")?;
        browser.session = format!("{server}/{id}");
        Ok(Some(browser))
    }

    /// Opens a page.
    pub(super) fn open(&self, url: &str) -> Result<()> {
        self.call("/url", &json!({ "url": url })).map(|_| ())
    }

    /// Runs a function's body, and returns what it, or the promise that it returns, comes to.
    pub(super) fn run(&self, body: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1]; (async () => {{ {body} }})().then(done, (e) => done(String(e)))"
        );
        self.call("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression holds. The document is looked at whenever it changes.
    pub(super) fn wait(&self, condition: &str) -> Result<()> {
        let done = self.run(&format!(
            "return new Promise((resolve) => {{ const look = () => ({condition}) && resolve(true); \
             new MutationObserver(look).observe(document, {{ subtree: true, childList: true, attributes: true, \
             characterData: true }}); look(); }})"
        ))?;
        if done == true { Ok(()) } else { bail!("{condition}: {done}") }
    }

    /// Chooses files, as a user does.
    pub(super) fn choose(&self, files: &[impl AsRef<Path>]) -> Result<()> {
        let element = self.call("/element", &json!({ "using": "css selector", "value": "#files" }))?;
        let id = element[ELEMENT].as_str().context("there is no file picker")?;
        let names: Vec<String> = files.iter().map(|file| file.as_ref().display().to_string()).collect();
        self.call(&format!("/element/{id}/value"), &json!({ "text": names.join("\n") })).map(|_| ())
    }

    /// Lines of one of the browser's logs since the last call.
    pub(super) fn log(&self, kind: &str) -> Result<Vec<String>> {
        let entries = self.call("/se/log", &json!({ "type": kind }))?;
        let messages = entries.as_array().into_iter().flatten();
        Ok(messages.filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect())
    }

    /// A command of Chromium's own protocol.
    pub(super) fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.call("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn call(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.session);
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut answer = agent.post(&url).send_json(body)?;
        let mut answer: Value = answer.body_mut().with_config().limit(64 << 20).read_json()?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => bail!("{path}: {error}: {}", value["message"]),
            None => Ok(value),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that chromedriver listens on.
fn port(output: impl BufRead) -> Result<u16> {
    for line in output.lines() {
        let line = line?;
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Ok(port.trim_end_matches('.').parse()?);
        }
    }
    bail!("chromedriver does not start")
}
