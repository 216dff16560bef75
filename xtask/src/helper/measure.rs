//! How much longer a restore takes with our helper in front of the real one.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xenstream_synth::{Page, Stream, libxc, valid};

use super::{RESTORE, build, call};
use crate::scratch;

/// Pages of the large guest: 4 GiB.
const PAGES: u64 = 1 << 20;

/// Prints a table for docs/restore-helper.md.
pub(super) fn run() -> Result<()> {
    let directory = scratch("helper");
    fs::create_dir_all(&directory)?;
    let ours = build("xenstream-save-helper", "release")?;
    // What a real helper does with the stream is the same in both cases, so these do nothing or only read.
    let idle = script(&directory, "idle", "exit 0")?;
    let reading = script(&directory, "reading", "exec cat </dev/fd/11 >/dev/null")?;
    let small = image(&directory, "small", 0)?;
    let large = image(&directory, "large", PAGES)?;

    println!("| stream | real helper alone | with xenstream-save-helper | added | ratio |");
    println!("|---|--:|--:|--:|--:|");
    for (name, image, real, piped, runs) in [
        ("file, a few KiB", &small, &idle, false, 201),
        ("file, 4 GiB", &large, &idle, false, 51),
        ("pipe, a few KiB", &small, &reading, true, 201),
        ("pipe, 4 GiB", &large, &reading, true, 7),
    ] {
        let restore = |program: &Path| restore(program, real, image, piped);
        // In turns, so that both meet the same weather.
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..runs {
            times[0].push(restore(real)?);
            times[1].push(restore(&ours)?);
        }
        let [alone, with_us] = times.map(|times| fastest(&times).as_secs_f64() * 1e3);
        let (added, ratio) = (with_us - alone, with_us / alone);
        println!("| {name} | {alone:.1} ms | {with_us:.1} ms | {added:+.1} ms | {ratio:.2} |");
    }
    fs::remove_dir_all(&directory)?;
    Ok(())
}

fn script(directory: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok(path)
}

/// A guest with this many pages of zeros, which a file has as holes.
fn image(directory: &Path, name: &str, pages: u64) -> io::Result<PathBuf> {
    let batches = libxc::batches(0x10_0000..0x10_0000 + pages, Page::normal);
    let template = valid::hvm();
    let at = template.find(libxc::CLOCK);
    let (before, behind) = template.items().split_at(at);
    let items = before.iter().cloned().chain(batches).chain(behind.iter().cloned());
    let path = directory.join(name);
    let file = File::create(&path)?;
    Stream::new(template.format(), items).write_sparse(&file)?;
    Ok(path)
}

/// Starts a helper and waits for its end.
fn restore(program: &Path, real: &Path, image: &Path, piped: bool) -> Result<Duration> {
    let mut file = File::open(image)?;
    let started = Instant::now();
    let (stream, feeding) = if piped {
        let (reader, mut writer) = io::pipe()?;
        let feeding = thread::spawn(move || io::copy(&mut file, &mut writer).map(|_| ()));
        (OwnedFd::from(reader), Some(feeding))
    } else {
        (file.into(), None)
    };
    let mut command = call(program, RESTORE, stream)?;
    command
        .env("XENSTREAM_SAVE_HELPER_REAL", real)
        .env("XENSTREAM_CONFIG", "/dev/null")
        .stdout(Stdio::null());
    let mut child = command.spawn()?;
    drop(command);
    let status = child.wait()?;
    let elapsed = started.elapsed();
    ensure!(status.success(), "{} ended with {status}", program.display());
    if let Some(feeding) = feeding {
        feeding.join().map_err(|_| anyhow::anyhow!("feeding the pipe failed"))??;
    }
    Ok(elapsed)
}

/// The run that other programs disturbed least.
fn fastest(times: &[Duration]) -> Duration {
    times.iter().copied().min().unwrap_or_default()
}
