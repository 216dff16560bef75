//! Verifies a stream from an asynchronous reader. The verifier takes bytes and never waits, so any runtime can drive it.
//!
//! ```text
//! cargo run -p xenstream --example async_reader -- SOCKET
//! ```
//!
//! The reader is a non-blocking socket, and the runtime a loop around `poll()`.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rustix::event::{PollFd, PollFlags, poll};
use xenstream::{Format, Policy, Summary, Verifier};

/// Verifies the stream, and leaves what follows it to the next reader.
async fn verify(socket: &UnixStream) -> Result<Summary, Box<dyn Error>> {
    let mut verifier = Verifier::new(Format::Auto, &Policy::hardened());
    let mut buffer = vec![0; 1 << 16];
    while !verifier.is_ended() {
        let certain = usize::try_from(verifier.need().certain)?.min(buffer.len());
        let length = read(socket, &mut buffer[..certain]).await?;
        if length == 0 {
            break;
        }
        verifier.push(&buffer[..length], &mut ())?;
    }
    Ok(verifier.finish(&mut ())?)
}

async fn read(mut socket: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|_| match socket.read(buffer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    })
    .await
}

/// Runs a future that waits for one socket only.
fn block_on<T>(socket: &UnixStream, future: impl Future<Output = T>) -> io::Result<T> {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Ok(result);
        }
        poll(&mut [PollFd::new(socket, PollFlags::IN)], None)?;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: async_reader SOCKET")?;
    let socket = UnixStream::connect(path)?;
    socket.set_nonblocking(true)?;
    let summary = block_on(&socket, verify(&socket))??;
    println!("valid: {} bytes", summary.bytes);
    Ok(())
}
