//! An object that is read by range requests.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rusty_s3::{Bucket, S3Action, UrlStyle};
use ureq::Agent;
use ureq::http::Response;
use ureq::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName,
    IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, RETRY_AFTER,
};
use url::{Host, Url};
use xenstream::ReadAt;

use crate::cache::Cache;
use crate::{Credentials, Error, Location};

/// Bytes of one request where fewer are asked for: headers and short records lie close together.
const LEAST: usize = 64 << 10;

/// Bytes from which on a request is for no more than is asked for: the walk reads that much at each record, and passes
/// over the pages between.
const ENOUGH: usize = 8 << 10;

/// Bytes of one request, at most. Requests grow up to that while an object is read from front to back, as a compressed one
/// is.
const MOST: usize = 4 << 20;

/// Connections that are kept open: as many as reads are under way.
const CONNECTIONS: usize = 32;

/// How long a signature is valid. Each request gets a new one.
const SIGNED_FOR: Duration = Duration::from_secs(900);

/// How long to put up with a server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Patience {
    /// How often a request is sent, at most.
    pub tries: u32,
    /// How long to wait before the second try. It doubles from try to try, and varies at random by up to a half.
    pub pause: Duration,
    /// How long one request may take.
    pub timeout: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { tries: 6, pause: Duration::from_millis(200), timeout: Duration::from_secs(60) }
    }
}

/// How long a server may ask to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// An object on a web server or in an object store. Several threads may read it at a time.
#[derive(Debug)]
pub struct Object {
    agent: Agent,
    requests: Requests,
    patience: Patience,
    version: Version,
    size: u64,
    cache: Cache,
    /// Where the last request ended, and how many before it began where another ended.
    sequence: AtomicU64,
    in_sequence: AtomicU64,
}

impl Object {
    /// Opens the object with this name.
    ///
    /// # Errors
    /// It cannot be read, or its server does not support what is needed: ranges, and versions.
    pub fn open(name: &str, credentials: &Credentials, patience: Patience) -> Result<Object, Error> {
        let requests = Requests::new(&Location::parse(name)?, credentials)?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirection must not give away what was encrypted.
            .https_only(requests.is_encrypted())
            .timeout_connect(Some(Duration::from_secs(10).min(patience.timeout)))
            .timeout_global(Some(patience.timeout))
            .max_idle_connections(CONNECTIONS)
            .max_idle_connections_per_host(CONNECTIONS)
            .user_agent(concat!("xenstream/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let start = patience.retry(|| request(&agent, &requests, 0, LEAST as u64, None))?;
        let object = Object {
            agent,
            requests,
            patience,
            version: start.version,
            size: start.size,
            cache: Cache::default(),
            sequence: AtomicU64::new(start.bytes.len() as u64),
            in_sequence: AtomicU64::new(0),
        };
        object.cache.keep(0, start.bytes);
        Ok(object)
    }

    fn fetch(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let length = length.min(self.size - offset);
        let answer = self
            .patience
            .retry(|| request(&self.agent, &self.requests, offset, length, Some(&self.version)))?;
        if answer.size != self.size || answer.version != self.version {
            return Err(Error::Changed);
        }
        Ok(answer.bytes)
    }

    /// Returns how many bytes to request where `asked` bytes are wanted.
    fn ahead(&self, offset: u64, asked: usize) -> usize {
        let least = if asked < ENOUGH { LEAST } else { asked };
        let is_next = self.sequence.load(Ordering::Relaxed) == offset;
        let run = if is_next { self.in_sequence.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        if !is_next {
            self.in_sequence.store(0, Ordering::Relaxed);
        }
        // The first may be by chance: a record follows the one before it.
        let doublings = u32::try_from(run.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let bytes = least.saturating_mul(1 << doublings).min(MOST).max(asked);
        self.sequence.store(offset.saturating_add(bytes as u64), Ordering::Relaxed);
        bytes
    }
}

impl ReadAt for Object {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        if bytes.is_empty() || offset >= self.size {
            return Ok(0);
        }
        let cached = self.cache.read(bytes, offset);
        if cached > 0 {
            return Ok(cached);
        }
        let fetched = self.fetch(offset, self.ahead(offset, bytes.len()) as u64).map_err(io::Error::other)?;
        let n = fetched.len().min(bytes.len());
        bytes[..n].copy_from_slice(&fetched[..n]);
        if fetched.len() > n {
            self.cache.keep(offset, fetched);
        }
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn concurrent(&self) -> Option<&(dyn ReadAt + Sync)> {
        Some(self)
    }
}

/// What is sent to read an object.
#[derive(Debug)]
enum Requests {
    Web { url: Url, authorization: Option<Secret> },
    S3 { bucket: Box<Bucket>, key: String, credentials: Option<rusty_s3::Credentials> },
}

/// A header that must not be printed.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Requests {
    fn new(location: &Location, credentials: &Credentials) -> Result<Requests, Error> {
        match location {
            Location::Web(url) => {
                let is_ours = match url.host() {
                    Some(Host::Ipv4(address)) => address.is_loopback(),
                    Some(Host::Ipv6(address)) => address.is_loopback(),
                    Some(Host::Domain(name)) => name == "localhost",
                    None => false,
                };
                let authorization = credentials.authorization.clone().map(Secret);
                if authorization.is_some() && url.scheme() != "https" && !is_ours {
                    let why = "XENSTREAM_AUTHORIZATION is set, and http:// would send it unencrypted";
                    return Err(Error::Credentials(why.to_owned()));
                }
                Ok(Requests::Web { url: url.clone(), authorization })
            }
            Location::S3 { bucket, key } => {
                let region = credentials.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
                let (endpoint, style) = match &credentials.endpoint {
                    Some(endpoint) => (endpoint.clone(), UrlStyle::Path),
                    // No certificate is for a bucket with a dot in its name.
                    None if bucket.contains('.') => {
                        (format!("https://s3.{region}.amazonaws.com"), UrlStyle::Path)
                    }
                    None => (format!("https://s3.{region}.amazonaws.com"), UrlStyle::VirtualHost),
                };
                let malformed =
                    |what: &str| Error::Location(format!("{what} of the object store is malformed"));
                let endpoint = Url::parse(&endpoint).map_err(|_| malformed("the address"))?;
                let bucket = Bucket::new(endpoint, style, bucket.clone(), region)
                    .map_err(|_| malformed("the address or the bucket"))?;
                let credentials = credentials.s3.clone();
                Ok(Requests::S3 { bucket: Box::new(bucket), key: key.clone(), credentials })
            }
        }
    }

    /// The address to request now. It may be signed.
    fn url(&self) -> Url {
        match self {
            Requests::Web { url, .. } => url.clone(),
            Requests::S3 { bucket, key, credentials } => {
                bucket.get_object(credentials.as_ref(), key).sign(SIGNED_FOR)
            }
        }
    }

    fn is_encrypted(&self) -> bool {
        self.url().scheme() == "https"
    }
}

/// What identifies a version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    etag: Option<String>,
    modified: Option<String>,
}

impl Version {
    /// The header by which a server is asked for this version and no other.
    fn condition(&self) -> Option<(HeaderName, &str)> {
        match (&self.etag, &self.modified) {
            // A weak one says that two versions mean the same, not that they are the same bytes.
            (Some(etag), _) if !etag.starts_with("W/") => Some((IF_MATCH, etag)),
            (_, Some(modified)) => Some((IF_UNMODIFIED_SINCE, modified)),
            _ => None,
        }
    }
}

/// An answer that has been checked.
struct Answer {
    bytes: Vec<u8>,
    /// Bytes of the whole object.
    size: u64,
    version: Version,
}

/// An error, and how long the server asks to wait.
struct Failure {
    error: Error,
    wait: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, wait: None }
    }
}

impl Patience {
    /// Repeats a request that fails for a while.
    fn retry(self, mut request: impl FnMut() -> Result<Answer, Failure>) -> Result<Answer, Error> {
        let mut pause = self.pause;
        let mut tries = 1;
        loop {
            match request() {
                Ok(answer) => return Ok(answer),
                Err(Failure { error, wait }) if error.is_temporary() && tries < self.tries => {
                    thread::sleep(wait.unwrap_or_else(|| pause.mul_f64(0.75 + fastrand::f64() / 2.0)));
                }
                Err(Failure { error, .. }) => return Err(error),
            }
            tries += 1;
            pause = pause.saturating_mul(2);
        }
    }
}

/// Requests a range, of this version if the object is open.
fn request(
    agent: &Agent,
    requests: &Requests,
    offset: u64,
    length: u64,
    version: Option<&Version>,
) -> Result<Answer, Failure> {
    let last = offset.saturating_add(length.max(1)) - 1;
    let mut request = agent
        .get(requests.url().as_str())
        .header(RANGE, format!("bytes={offset}-{last}"))
        .header(ACCEPT_ENCODING, "identity");
    if let Requests::Web { authorization: Some(Secret(value)), .. } = requests {
        request = request.header(AUTHORIZATION, value);
    }
    if let Some((header, value)) = version.and_then(Version::condition) {
        request = request.header(header, value);
    }
    let response = request.call().map_err(|error| transport(&error))?;
    let text = |header: HeaderName| {
        response.headers().get(header).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let found = Version { etag: text(ETAG), modified: text(LAST_MODIFIED) };
    if let Some(encoding) = text(CONTENT_ENCODING).filter(|encoding| encoding != "identity") {
        return Err(Error::Encoded(encoding).into());
    }
    let range = text(CONTENT_RANGE);
    match response.status().as_u16() {
        206 => {}
        // An object without contents has no range.
        200 if version.is_none() && text(CONTENT_LENGTH).as_deref() == Some("0") => return empty(found),
        416 if version.is_none() && range.as_deref() == Some("bytes */0") => return empty(found),
        200 => return Err(Error::NoRanges.into()),
        412 | 416 if version.is_some() => return Err(Error::Changed.into()),
        status => {
            let wait = text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
            let wait = wait.map(|wait| wait.min(RETRY_AFTER_MAX));
            return Err(Failure { error: Error::Status { status }, wait });
        }
    }
    if found.condition().is_none() {
        return Err(Error::NoVersion.into());
    }
    let range = range.ok_or(Error::Answer("it has a range, but no Content-Range"))?;
    let (first, end, size) = parse_range(&range).ok_or(Error::Answer("its Content-Range is malformed"))?;
    if first != offset || end > last.saturating_add(1) {
        return Err(Error::Answer("it has another range than the one requested").into());
    }
    let bytes = body(response, end - first)?;
    Ok(Answer { bytes, size, version: found })
}

fn empty(version: Version) -> Result<Answer, Failure> {
    Ok(Answer { bytes: Vec::new(), size: 0, version })
}

/// Reads exactly `length` bytes.
fn body(response: Response<ureq::Body>, length: u64) -> Result<Vec<u8>, Failure> {
    // One byte more, so that too many are noticed.
    let limit = length.saturating_add(1);
    let bytes = response.into_body().into_with_config().limit(limit).read_to_vec();
    match bytes {
        Ok(bytes) if bytes.len() as u64 == length => Ok(bytes),
        Ok(bytes) if (bytes.len() as u64) < length => {
            Err(Error::Transport("the connection was closed inside an answer".to_owned()).into())
        }
        Ok(_) | Err(ureq::Error::BodyExceedsLimit(_)) => {
            Err(Error::Answer("it is longer than its Content-Range").into())
        }
        Err(error) => Err(transport(&error).into()),
    }
}

/// Reads `bytes FIRST-LAST/SIZE`, and returns the first, the one after the last, and the size.
fn parse_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
    (first <= last && last < size).then_some((first, last + 1, size))
}

/// Words an error without the address, which may be signed.
fn transport(error: &ureq::Error) -> Error {
    match error {
        ureq::Error::Io(error) => Error::Transport(error.to_string()),
        ureq::Error::Timeout(_) => Error::Transport("the server did not answer in time".to_owned()),
        ureq::Error::ConnectionFailed => Error::Transport("cannot connect to the server".to_owned()),
        ureq::Error::Protocol(_) => Error::Transport("the answer is not HTTP, or was cut off".to_owned()),
        ureq::Error::HostNotFound => Error::Unreachable("there is no server of this name"),
        ureq::Error::RequireHttpsOnly(_) => {
            Error::Unreachable("the server redirects from https:// to http://")
        }
        ureq::Error::TooManyRedirects | ureq::Error::RedirectFailed => {
            Error::Unreachable("the server's redirections lead nowhere")
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => {
            Error::Unreachable("the server's certificate or its TLS is not accepted")
        }
        _ => Error::Unreachable("the request cannot be sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_strictly() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, 10, 10)));
        for text in [
            "bytes 5-10/10",
            "bytes 9-5/10",
            "bytes */10",
            "bytes 0-1/*",
            "items 0-1/2",
            "bytes 0-1",
            "0-1/2",
        ] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }

    #[test]
    fn weak_etags_are_no_condition() {
        let version = |etag: &str, modified: Option<&str>| Version {
            etag: Some(etag.to_owned()),
            modified: modified.map(str::to_owned),
        };
        assert_eq!(version("\"a\"", Some("now")).condition(), Some((IF_MATCH, "\"a\"")));
        assert_eq!(version("W/\"a\"", Some("now")).condition(), Some((IF_UNMODIFIED_SINCE, "now")));
        assert_eq!(version("W/\"a\"", None).condition(), None);
    }
}
