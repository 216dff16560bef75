//! The loop of a restore helper: verifies a stream that arrives on a socket, and takes no byte after its end.
//!
//! ```text
//! cargo run -p xenstream-core --example restore_helper -- SOCKET
//! ```

use std::error::Error;
use std::io::Read;
use std::os::unix::net::UnixStream;

use xenstream_core::{Format, Policy, Summary, Verifier};

fn main() -> Result<(), Box<dyn Error>> {
    let socket = std::env::args_os().nth(1).ok_or("usage: restore_helper SOCKET")?;
    let summary = receive(UnixStream::connect(socket)?, |bytes| println!("{} bytes", bytes.len()))?;
    println!("complete: {} pages", summary.pages.with_data());
    Ok(())
}

/// Receives a stream. `restore` gets its bytes once they are verified.
fn receive(mut socket: impl Read, mut restore: impl FnMut(&[u8])) -> Result<Summary, Box<dyn Error>> {
    let mut verifier = Verifier::new(Format::Libxc, &Policy::hardened());
    let mut buffer = vec![0; 1 << 16];
    while !verifier.is_ended() {
        // Whatever follows the stream in the socket belongs to the next reader.
        let certain = usize::try_from(verifier.need().certain)?.min(buffer.len());
        let length = socket.read(&mut buffer[..certain])?;
        if length == 0 {
            break;
        }
        verifier.push(&buffer[..length], &mut ())?;
        restore(&buffer[..length]);
    }
    Ok(verifier.finish(&mut ())?)
}
