//! A web server on loopback, which misbehaves as it is told.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Good,
    /// An answer with this status.
    Status(u16),
    /// The same, and it asks to wait for no time.
    Busy(u16),
    /// The connection is closed without an answer.
    Reset,
    /// The body ends early, and the connection with it.
    Short,
    /// There is one byte more than the range has.
    Long,
    /// Only half of the range, and correctly so.
    Half,
    /// The range begins one byte later.
    Shifted,
    /// The whole object, as if no range had been asked for.
    Whole,
    /// Another version of the object.
    NewVersion,
    /// Another version, which the server sends in spite of the condition.
    Ignorant,
    /// The object has another size.
    Grown,
    /// No header identifies the version.
    Nameless,
    /// An answer that is compressed on its way.
    Encoded,
    /// To another address.
    Redirect,
    NotHttp,
}

/// A server with one object under any path.
pub(crate) struct Server {
    pub(crate) address: String,
    state: Arc<State>,
}

struct State {
    object: Vec<u8>,
    /// Says what to do with the request of this number.
    fate: Box<dyn Fn(u64) -> Fate + Send + Sync>,
    requests: AtomicU64,
    bytes: AtomicU64,
    under_way: AtomicU64,
    most: AtomicU64,
    heads: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) fn new(object: Vec<u8>, fate: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            object,
            fate: Box::new(fate),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            most: AtomicU64::new(0),
            heads: Mutex::default(),
        });
        let server = Server { address, state: Arc::clone(&state) };
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, state) = (connection.unwrap(), Arc::clone(&state));
                // A client may leave at any time.
                thread::spawn(move || drop(state.serve(connection)));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/guest.save", self.address)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Bytes of bodies.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::Relaxed)
    }

    /// Requests that were under way at a time, at most.
    pub(crate) fn most(&self) -> u64 {
        self.state.most.load(Ordering::Relaxed)
    }

    /// The heads of all requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut text = Vec::new();
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            let length = match request.parse(&text).map_err(io::Error::other)? {
                httparse::Status::Complete(length) => length,
                httparse::Status::Partial => {
                    let mut bytes = [0; 4096];
                    let n = connection.read(&mut bytes)?;
                    if n == 0 {
                        return Ok(());
                    }
                    text.extend_from_slice(&bytes[..n]);
                    continue;
                }
            };
            let header = |name: &str| {
                let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                header.map(|header| String::from_utf8_lossy(header.value).into_owned())
            };
            let (range, condition) = (header("Range"), header("If-Match"));
            self.heads.lock().unwrap().push(String::from_utf8_lossy(&text[..length]).into_owned());
            text.drain(..length);
            let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            let fate = (self.fate)(number);
            let goes_on = self.answer(&mut connection, fate, range.as_deref(), condition.as_deref());
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            if !goes_on? {
                return connection.shutdown(Shutdown::Both);
            }
        }
    }

    /// Answers a request, and returns whether the connection stays open.
    fn answer(
        &self,
        connection: &mut TcpStream,
        fate: Fate,
        range: Option<&str>,
        condition: Option<&str>,
    ) -> io::Result<bool> {
        let version = if matches!(fate, Fate::NewVersion | Fate::Ignorant) { "\"two\"" } else { "\"one\"" };
        let bare =
            |status: u16, extra: &str| format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{extra}\r\n");
        let size = self.object.len();
        let head = match fate {
            Fate::Reset => return Ok(false),
            Fate::NotHttp => "nonsense\r\n\r\n".to_owned(),
            Fate::Status(status) => bare(status, ""),
            Fate::Busy(status) => bare(status, "Retry-After: 0\r\n"),
            Fate::Redirect => bare(302, "Location: /elsewhere/guest.save\r\n"),
            Fate::Whole => {
                let head = format!("HTTP/1.1 200 X\r\nETag: \"one\"\r\nContent-Length: {size}\r\n\r\n");
                connection.write_all(head.as_bytes())?;
                connection.write_all(&self.object)?;
                return Ok(true);
            }
            _ if fate != Fate::Ignorant && condition.is_some_and(|condition| condition != version) => {
                bare(412, "")
            }
            _ => {
                let (first, last) = range.unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
                if first < size {
                    return self.part(connection, fate, version, first, last.min(size - 1));
                }
                bare(416, &format!("Content-Range: bytes */{size}\r\n"))
            }
        };
        connection.write_all(head.as_bytes())?;
        Ok(fate != Fate::NotHttp)
    }

    fn part(
        &self,
        connection: &mut TcpStream,
        fate: Fate,
        version: &str,
        mut first: usize,
        mut last: usize,
    ) -> io::Result<bool> {
        match fate {
            Fate::Half => last = usize::midpoint(first, last),
            Fate::Shifted => first += 1,
            _ => {}
        }
        let size = self.object.len() + usize::from(fate == Fate::Grown);
        let length = last + 1 - first + usize::from(fate == Fate::Long);
        let mut head = format!(
            "HTTP/1.1 206 X\r\nContent-Length: {length}\r\nContent-Range: bytes {first}-{last}/{size}\r\n"
        );
        if fate != Fate::Nameless {
            head += &format!("ETag: {version}\r\n");
        }
        if fate == Fate::Encoded {
            head += "Content-Encoding: br\r\n";
        }
        connection.write_all(format!("{head}\r\n").as_bytes())?;
        let mut body = self.object[first..=last].to_vec();
        match fate {
            Fate::Short => body.truncate(body.len() / 2),
            Fate::Long => body.push(0),
            _ => {}
        }
        connection.write_all(&body)?;
        self.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        Ok(fate != Fate::Short)
    }
}
