//! `cargo xtask web`: the page for browsers, as a folder to host and as one file.

mod browser;
mod chromedriver;
mod compiler;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::{root, scratch};
use compiler::Compiler;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the folder and the file are put [default: target/web]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Tries the page in Chromium
    #[arg(long)]
    test: bool,

    /// Says so and succeeds where the tools are missing
    #[arg(long)]
    optional: bool,
}

/// Bytes that the module may have, and how many when it is compressed.
const SIZES: [usize; 2] = [700 << 10, 280 << 10];

/// The name of the page that needs no other file.
const SINGLE: &str = "xenstream.html";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let compiler = match Compiler::find() {
        Err(missing) if arguments.optional => {
            println!("web: not built, {missing}");
            return Ok(());
        }
        found => found?,
    };
    let out = arguments.out.clone().unwrap_or_else(|| scratch("web"));
    fs::create_dir_all(&out)?;
    let page = Page::build(&compiler)?;
    page.write_folder(&out.join("xenstream"))?;
    page.write_single(&out.join(SINGLE))?;
    println!("web: {} and {}", out.join("xenstream").display(), out.join(SINGLE).display());
    if arguments.test {
        return browser::run(&out, arguments.optional);
    }
    Ok(())
}

/// What the page is made of.
struct Page {
    module: Vec<u8>,
    worker: String,
}

impl Page {
    fn build(compiler: &Compiler) -> Result<Page> {
        let module = compiler.build()?;
        let mut bindgen = Bindgen::new();
        bindgen.input_path(module).no_modules(true)?.typescript(false);
        bindgen.remove_name_section(true).remove_producers_section(true);
        let mut output = bindgen.generate_output()?;
        let module = output.wasm_mut().emit_wasm();
        let sizes = [module.len(), compressed(&module)?];
        println!("web: the module has {} bytes, {} compressed", sizes[0], sizes[1]);
        ensure!(sizes[0] <= SIZES[0] && sizes[1] <= SIZES[1], "that is more than {SIZES:?}");
        Ok(Page { module, worker: format!("{}\n{}", output.js(), part("worker.js")?) })
    }

    /// Files to put on a server, of whatever path.
    fn write_folder(&self, out: &Path) -> Result<()> {
        fs::create_dir_all(out)?;
        let policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      worker-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";
        let script = "<script src=\"page.js\"></script>";
        let page = html(policy, "<link rel=\"stylesheet\" href=\"style.css\">", script)?;
        let load = "const XENSTREAM = {\n  wasm: async () => (await fetch(\"xenstream.wasm\")).arrayBuffer(),\n  \
                    worker: () => \"worker.js\",\n};\n";
        fs::write(out.join("index.html"), page)?;
        fs::write(out.join("style.css"), part("style.css")?)?;
        fs::write(out.join("page.js"), format!("{load}\n{}", part("page.js")?))?;
        fs::write(out.join("worker.js"), &self.worker)?;
        fs::write(out.join("xenstream.wasm"), &self.module)?;
        Ok(())
    }

    /// One file that needs no other. Only the script with this hash runs in it.
    fn write_single(&self, out: &Path) -> Result<()> {
        let load = "const XENSTREAM = {\n  wasm: async () => Uint8Array.from(atob(document.getElementById(\"wasm\").textContent), \
                    (byte) => byte.charCodeAt(0)),\n  worker: () => URL.createObjectURL(new Blob([document.getElementById(\
                    \"worker\").textContent], { type: \"text/javascript\" })),\n};\n";
        let script = format!("{load}\n{}", part("page.js")?);
        let hash = BASE64.encode(Sha256::digest(&script));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{hash}' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; worker-src blob:; \
             img-src data:; base-uri 'none'; form-action 'none'"
        );
        // A worker from a blob has the page's policy, and its own script is no script of the page.
        for text in [&script, &self.worker] {
            ensure!(!text.contains("</script"), "a script would end inside of another");
        }
        let scripts = format!(
            "<script type=\"text/plain\" id=\"worker\">{}</script>\n<script type=\"text/plain\" id=\"wasm\">{}</script>\n\
             <script>{script}</script>",
            self.worker,
            BASE64.encode(&self.module)
        );
        let page = html(&policy, &format!("<style>\n{}</style>", part("style.css")?), &scripts)?;
        fs::write(out, page).with_context(|| format!("{} cannot be written", out.display()))
    }
}

/// A part of the page as it lies in the repository.
fn part(name: &str) -> Result<String> {
    let path = root().join("crates/xenstream-web/page").join(name);
    fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
}

fn html(policy: &str, style: &str, script: &str) -> Result<String> {
    let page = part("index.html")?;
    let filled =
        [("policy", policy), ("style", style), ("version", env!("CARGO_PKG_VERSION")), ("script", script)];
    Ok(filled.into_iter().fold(page, |page, (name, text)| page.replace(&format!("{{{{{name}}}}}"), text)))
}

/// How many bytes a server sends for these.
fn compressed(bytes: &[u8]) -> Result<usize> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
