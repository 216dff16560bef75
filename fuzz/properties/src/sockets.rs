//! The relay between descriptors of every kind, whose other ends misbehave: one byte at a time, urgent data, an end that
//! closes early or is reset. What [`relay`](crate::relay()) promises holds here too.

use std::fs::File;
use std::io::{self, Read, Seek, Write, pipe};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{SendFlags, send, sockopt};
use xenstream::{Error, Rule, Verdict};

use crate::relay;
use crate::script::Script;
use crate::setup::Setup;

/// Relays the bytes between two descriptors, whose other ends behave as `data` says.
///
/// # Panics
/// If more or other bytes come out than should, bytes after the stream's end are taken, or the verdict is not that of the
/// whole bytes in memory.
pub fn sockets(data: &[u8]) {
    survive_broken_pipes();
    let Some((&kinds, rest)) = data.split_last() else { return };
    let (setup, rest) = Setup::split(rest);
    let (script, stream) = Script::split(rest);
    let (to_feed, to_drain) = script.split_at(script.len() / 2);
    let options = relay::options(setup);

    let Ends { relays: mut source, other: feed } = Ends::open(kinds, true);
    let Ends { relays: sink, other: drain } = Ends::open(kinds >> 2, false);
    set_nonblocking(&source, kinds & 0x10 != 0);
    set_nonblocking(&sink, kinds & 0x20 != 0);
    if feed.is_none() {
        source.write_all(stream).and_then(|()| source.rewind()).expect("a file");
    }

    let (fed, drained, relayed, left) = thread::scope(|scope| {
        let feed = feed.map(|end| scope.spawn(|| end.feed(stream, to_feed)));
        let drain = drain.map(|end| scope.spawn(|| end.drain(to_drain)));
        let relayed = xenstream::relay(&source, &sink, &options);
        // The relay's end is closed for the other one to see; a file is read again.
        let file = drain.is_none().then(|| sink.try_clone().expect("a file"));
        drop(sink);
        let valid = matches!(&relayed.result, Ok(report) if report.is_valid());
        set_nonblocking(&source, false);
        let left = valid.then(|| read_to_end(&mut source));
        drop(source);
        let fed = feed.map_or(Fed::All, |thread| thread.join().expect("the producer"));
        let drained = match (drain, file) {
            (Some(thread), _) => thread.join().expect("the consumer"),
            (None, Some(mut file)) => {
                file.rewind().expect("a file");
                Drained { bytes: read_to_end(&mut file).expect("a file"), all: true }
            }
            (None, None) => unreachable!("an output without another end is a file"),
        };
        (fed, drained, relayed, left)
    });

    assert!(stream.starts_with(&drained.bytes), "what comes out is not the beginning of what went in");
    let passed = drained.bytes.len() as u64;
    assert!(passed <= relayed.bytes, "more comes out than was passed on");
    if drained.all {
        assert_eq!(passed, relayed.bytes, "what was passed on does not come out");
    }
    let report = match relayed.result {
        Ok(report) => report,
        Err(Error::Read { .. }) => return assert_eq!(fed, Fed::Reset, "the producer was not reset"),
        Err(Error::Write { .. } | Error::ConsumerGone { .. }) => {
            return assert!(!drained.all, "the consumer stayed");
        }
        Err(error) => panic!("{error:?}"),
    };
    let sent = match fed {
        Fed::All => stream,
        Fed::Cut(n) => &stream[..n],
        Fed::Reset => {
            let truncated =
                matches!(report.verdict, Verdict::Invalid(found) if found.rule == Rule::StreamTruncated);
            return assert!(!truncated, "a reset is taken for the end of the stream");
        }
    };
    relay::judge(setup, &options, sent, &report, relayed.bytes);
    if let Some(left) = left {
        let end = usize::try_from(report.summary.bytes).expect("a stream in memory");
        assert_eq!(left.expect("the input is open"), sent[end..], "bytes after the stream's end were taken");
    }
}

/// libFuzzer's `main` leaves SIGPIPE to end the process, as Rust's does not.
fn survive_broken_pipes() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::new(AtomicBool::new(false)))
            .expect("a signal that may be caught");
    });
}

fn set_nonblocking(end: &File, nonblocking: bool) {
    let flags = fcntl_getfl(end).expect("an open descriptor") & !OFlags::NONBLOCK;
    fcntl_setfl(end, if nonblocking { flags | OFlags::NONBLOCK } else { flags }).expect("an open descriptor");
}

fn read_to_end(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A connection of some kind.
struct Ends {
    /// What the relay reads or writes.
    relays: File,
    /// Its other end; a file has none.
    other: Option<End>,
}

/// The end of a connection that is not the relay's.
enum End {
    /// Either end of a pipe or of a Unix socket.
    Local(File),
    Tcp(TcpStream),
}

/// How the producer ended.
#[derive(Debug, PartialEq, Eq)]
enum Fed {
    /// All was sent, or all that the relay wanted.
    All,
    /// The end was closed after this many bytes.
    Cut(usize),
    /// The connection was reset.
    Reset,
}

/// What the consumer read.
struct Drained {
    bytes: Vec<u8>,
    /// It read to the end.
    all: bool,
}

impl Ends {
    /// Opens the kind that the lowest two bits choose.
    fn open(kind: u8, relay_reads: bool) -> Ends {
        let opened = match kind % 4 {
            0 => pipe().map(|(reader, writer)| {
                let (reader, writer) = (File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)));
                let (relays, other) = if relay_reads { (reader, writer) } else { (writer, reader) };
                Ends { relays, other: Some(End::Local(other)) }
            }),
            1 => UnixStream::pair().map(|(relays, other)| Ends {
                relays: OwnedFd::from(relays).into(),
                other: Some(End::Local(OwnedFd::from(other).into())),
            }),
            2 => tcp().map(|(relays, other)| Ends {
                relays: OwnedFd::from(relays).into(),
                other: Some(End::Tcp(other)),
            }),
            _ => tempfile::tempfile().map(|relays| Ends { relays, other: None }),
        };
        opened.expect("a connection")
    }
}

/// The two ends of a connection over the loopback device.
fn tcp() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    Ok((one, other))
}

impl End {
    /// Sends the stream, in pieces and with what the steps say between them. The rest is sent whole.
    fn feed(mut self, stream: &[u8], steps: &[u8]) -> Fed {
        let mut sent = 0;
        let mut urgent = false;
        for step in steps {
            match step {
                // A second one makes the first a byte of the stream.
                0 if !urgent => urgent = self.send_urgent(),
                0 | 1 => thread::yield_now(),
                2 => return Fed::Cut(sent),
                3 => return if self.reset() { Fed::Reset } else { Fed::Cut(sent) },
                n => {
                    let end = stream.len().min(sent + usize::from(*n));
                    // The relay has gone.
                    let Ok(()) = self.write_all(&stream[sent..end]) else { return Fed::All };
                    sent = end;
                }
            }
        }
        // Whether this fails is for the relay to say.
        let _ = self.write_all(&stream[sent..]);
        Fed::All
    }

    /// Reads pieces, with what the steps say between them, and then all that comes.
    fn drain(mut self, steps: &[u8]) -> Drained {
        let mut bytes = Vec::new();
        let mut piece = [0; u8::MAX as usize];
        for step in steps {
            match step {
                0 | 1 => thread::yield_now(),
                2 => return Drained { bytes, all: false },
                3 => {
                    self.reset();
                    return Drained { bytes, all: false };
                }
                n => {
                    let n = self.read(&mut piece[..usize::from(*n)]).expect("the relay's end");
                    bytes.extend(&piece[..n]);
                }
            }
        }
        self.read_to_end(&mut bytes).expect("the relay's end");
        Drained { bytes, all: true }
    }

    /// Sends a byte out of band, where there is such a thing.
    fn send_urgent(&self) -> bool {
        match self {
            End::Local(_) => false,
            End::Tcp(end) => send(end, b"!", SendFlags::OOB).is_ok(),
        }
    }

    /// Closes the connection in such a way that the relay sees an error, where that can be.
    fn reset(self) -> bool {
        match self {
            End::Local(_) => false,
            End::Tcp(end) => sockopt::set_socket_linger(end, Some(Duration::ZERO)).is_ok(),
        }
    }
}

impl Read for End {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            End::Local(end) => end.read(bytes),
            End::Tcp(end) => end.read(bytes),
        }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            End::Local(end) => end.write(bytes),
            End::Tcp(end) => end.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
