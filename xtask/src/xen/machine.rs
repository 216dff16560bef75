//! One boot of a release: QEMU with the hypervisor and dom0 in it, and the serial line on which dom0 is asked.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xenstream_peer::Release;

use super::initramfs;
use super::packages::Root;

const QEMU: &str = "qemu-system-x86_64";
const AGENT: &str = include_str!("../../xen/agent.sh");

/// Mitigations cost emulation dear, and the processor has nothing to leak. QEMU up to 7.2 looks at a PV kernel's stack
/// as the hypervisor's own when that kernel returns from an interrupt, which SMAP forbids: guests alone have it. The
/// console is synchronous so that a crash does not swallow what led to it.
const XEN: &str = "console=com1 com1=115200,8n1 sync_console loglvl=all guest_loglvl=all dom0_mem=1200M,max:1200M \
                   dom0_max_vcpus=1 spec-ctrl=no eager-fpu smap=hvm smep=hvm";
const DOM0: &str = "console=hvc0 rdinit=/init quiet loglevel=4 mitigations=off nokaslr";
/// An AMD processor. Emulated AVX was not stable, so only images that were saved with it have it.
const PROCESSOR: &str = "max,-avx,-avx2";
const PROCESSOR_AVX: &str = "max";

/// How long a boot may take on a machine that is busy with other things. It takes half a minute on one that is not.
const BOOT: Duration = Duration::from_secs(300);

/// What one release is booted from.
pub(super) struct Kit {
    pub(super) release: Release,
    directory: PathBuf,
    root: Root,
}

impl Kit {
    /// Fetches and builds what is not there yet, below this directory.
    pub(super) fn build(directory: &Path, release: Release) -> Result<Kit> {
        let version = Command::new(QEMU).arg("--version").stdin(Stdio::null()).output();
        ensure!(
            version.is_ok_and(|output| output.status.success()),
            "{QEMU} cannot be started: Debian has it in the package qemu-system-x86"
        );
        let directory = directory.join(release.to_string());
        let root = Root::fetch(&directory, release)?;
        let kit = Kit { release, directory, root };
        fs::create_dir_all(kit.shared("")).context("no directory to share with dom0")?;
        // Small, and so made anew each time, in case that a script has changed.
        initramfs::write(&kit.directory.join("initramfs"), &kit.root)?;
        fs::write(kit.shared("agent.sh"), AGENT).context("the agent cannot be written")?;
        kit.unpack_hypervisor()?;
        Ok(kit)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file in the directory that dom0 shares.
    pub(super) fn shared(&self, name: &str) -> PathBuf {
        self.directory.join("share").join(name)
    }

    /// The text of a file that dom0 wrote; empty if it did not.
    pub(super) fn reported(&self, name: &str) -> String {
        let bytes = fs::read(self.shared(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn hypervisor(&self) -> PathBuf {
        self.directory.join("xen")
    }

    /// QEMU's loader takes it uncompressed only.
    fn unpack_hypervisor(&self) -> Result<()> {
        let packed = self.root.hypervisor();
        let to = File::create(self.hypervisor()).with_context(|| self.hypervisor().display().to_string())?;
        let status = Command::new("gzip")
            .arg("-dc")
            .arg(&packed)
            .stdin(Stdio::null())
            .stdout(to)
            .status()
            .context("gzip does not start")?;
        ensure!(status.success(), "{} cannot be decompressed", packed.display());
        Ok(())
    }
}

/// A running machine, until it is dropped.
pub(super) struct Machine {
    qemu: Child,
    line: UnixStream,
    console: PathBuf,
    /// Whether its processor has AVX.
    pub(super) avx: bool,
}

/// What came over dom0's line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A line that starts with the word waited for: the rest of it.
    Answer(String),
    /// The end: the host went down.
    Gone,
    /// Nothing in time.
    Late,
}

impl Machine {
    /// Boots until dom0 is ready. Returns the machine and how long it took.
    pub(super) fn boot(kit: &Kit, avx: bool) -> Result<(Machine, Duration)> {
        let start = Instant::now();
        let socket = kit.directory.join("requests");
        remove(&socket)?;
        let listener = UnixListener::bind(&socket).with_context(|| socket.display().to_string())?;
        let errors = kit.directory.join("qemu.log");
        let console = kit.directory.join("console.log");
        let mut qemu = qemu(kit, avx, &socket, &console)?
            .stderr(File::create(&errors).with_context(|| errors.display().to_string())?)
            .spawn()
            .with_context(|| format!("{QEMU} does not start"))?;
        let line = match accept(&listener, &mut qemu)? {
            Ok(line) => line,
            Err(status) => {
                let complaints = fs::read_to_string(&errors).unwrap_or_default();
                bail!("{QEMU} ended with {status}: {}", complaints.trim());
            }
        };
        let mut machine = Machine { qemu, line, console, avx };
        let heard = machine.wait_for("ready", BOOT)?;
        let Heard::Answer(status) = heard else {
            bail!(
                "dom0 of Xen {} did not come up ({heard:?}); see {}",
                kit.release,
                machine.console.display()
            );
        };
        ensure!(
            status == "0",
            "`xl info` failed in dom0 of Xen {}: {}",
            kit.release,
            kit.reported("tools.log")
        );
        Ok((machine, start.elapsed()))
    }

    pub(super) fn ask(&mut self, request: &str) -> Result<()> {
        self.line.write_all(format!("{request}\n").as_bytes()).context("dom0 cannot be asked")
    }

    /// Waits for a line that starts with this word.
    pub(super) fn wait_for(&mut self, word: &str, limit: Duration) -> Result<Heard> {
        let deadline = Instant::now() + limit;
        let mut line = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Heard::Late);
            }
            self.line.set_read_timeout(Some(left))?;
            let mut byte = [0];
            match self.line.read(&mut byte) {
                Ok(0) => return Ok(Heard::Gone),
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.extend(byte),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return Ok(Heard::Late),
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::ConnectionReset => return Ok(Heard::Gone),
                    _ => return Err(error).context("dom0 is not heard"),
                },
            }
        }
        let line = String::from_utf8_lossy(&line);
        match line.trim().strip_prefix(word) {
            Some(rest) => Ok(Heard::Answer(rest.trim().to_owned())),
            None => bail!("dom0 says {line:?} where it should say {word}"),
        }
    }

    /// How long the console's log is.
    pub(super) fn console_length(&self) -> u64 {
        fs::metadata(&self.console).map_or(0, |metadata| metadata.len())
    }

    /// What came to the console after it was so long.
    pub(super) fn console_from(&self, start: u64) -> Result<String> {
        let mut bytes = Vec::new();
        File::open(&self.console)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(start))?;
                file.read_to_end(&mut bytes)
            })
            .with_context(|| self.console.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may be gone already, which is as well.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// The command line of the machine. It ends when the host goes down, and does not boot again.
fn qemu(kit: &Kit, avx: bool, socket: &Path, console: &Path) -> Result<Command> {
    let mut command = Command::new(QEMU);
    let initrd =
        format!("{} {DOM0},{}", kit.root.kernel()?.display(), kit.directory.join("initramfs").display());
    let shared = |tag: &str, path: &Path, mode: &str| {
        format!("local,path={},mount_tag={tag},security_model=none,multidevs=remap{mode}", path.display())
    };
    command
        .args([
            "-machine",
            "q35,accel=tcg",
            "-cpu",
            if avx { PROCESSOR_AVX } else { PROCESSOR },
            "-smp",
            "2",
            "-m",
            "2304",
        ])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none"])
        .arg("-kernel")
        .arg(kit.hypervisor())
        .args(["-append", XEN, "-initrd", &initrd])
        .args(["-serial", &format!("file:{}", console.display())])
        .args(["-chardev", &format!("socket,id=requests,path={}", socket.display())])
        .args(["-serial", "chardev:requests"])
        .args(["-virtfs", &shared("root", kit.root.path(), ",readonly=on")])
        .args(["-virtfs", &shared("share", &kit.shared(""), "")])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Ok(command)
}

/// Waits until QEMU connects, or ends.
fn accept(listener: &UnixListener, qemu: &mut Child) -> Result<Result<UnixStream, ExitStatus>> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((line, _)) => {
                line.set_nonblocking(false)?;
                return Ok(Ok(line));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("QEMU cannot be connected to"),
        }
        if let Some(status) = qemu.try_wait()? {
            return Ok(Err(status));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}
