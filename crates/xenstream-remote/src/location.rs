//! Names of objects: `https://…`, `http://…`, `s3://BUCKET/KEY`.

use std::path::Path;

use url::Url;

use crate::Error;

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// On a web server.
    Web(Url),
    /// In an object store that speaks S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object in it.
        key: String,
    },
}

impl Location {
    /// Returns whether this is the name of an object. All other names are those of files.
    #[must_use]
    pub fn is_location(name: &Path) -> bool {
        name.to_str().is_some_and(|name| {
            let scheme = name.split_once("://").map(|(scheme, _)| scheme);
            scheme.is_some_and(|scheme| {
                ["http", "https", "s3"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
            })
        })
    }

    /// Reads the name of an object.
    ///
    /// # Errors
    /// The name is malformed, or has credentials in it, which every user of the system can see.
    pub fn parse(name: &str) -> Result<Location, Error> {
        let malformed = |why: &str| Error::Location(format!("the URL is malformed: {why}"));
        let url = Url::parse(name).map_err(|error| malformed(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            let why = "the URL has credentials in it, which others can see: put them into the environment";
            return Err(Error::Location(why.to_owned()));
        }
        if url.scheme() != "s3" {
            return Ok(Location::Web(url));
        }
        // Every character of an S3 key counts, and none is an escape.
        let rest = name.get("s3://".len()..).unwrap_or_default();
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || key.is_empty() {
            return Err(malformed("it must be s3://BUCKET/KEY"));
        }
        Ok(Location::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// Returns the name of an object as messages show it. The query of a web address is left out: it may be a signature.
#[must_use]
pub fn shown(name: &str) -> String {
    if name.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("s3://")) {
        return name.to_owned();
    }
    let end = name.find(['?', '#']).unwrap_or(name.len());
    let (start, rest) = name.split_at(end);
    // What stands before an @ in the host is a password, perhaps.
    let start = match start.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
        }
        None => start.to_owned(),
    };
    if rest.is_empty() { start } else { format!("{start}?…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_told_from_files() {
        for name in ["http://a/b", "HTTPS://a/b", "s3://bucket/key", "s3://"] {
            assert!(Location::is_location(Path::new(name)), "{name}");
        }
        for name in ["guest.save", "./http:/a", "https:", "ftp://a/b", "-", "a/s3://b"] {
            assert!(!Location::is_location(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn keys_are_taken_as_they_are() {
        let s3 = |bucket: &str, key: &str| Location::S3 { bucket: bucket.into(), key: key.into() };
        assert_eq!(Location::parse("s3://b/a%20b c/d?e").unwrap(), s3("b", "a%20b c/d?e"));
        for name in ["s3://b", "s3://b/", "s3:///k", "https://", "http://[", "s3://"] {
            assert!(matches!(Location::parse(name), Err(Error::Location(_))), "{name}");
        }
    }

    #[test]
    fn passwords_are_neither_taken_nor_shown() {
        let error = Location::parse("https://user:secret@host/path").unwrap_err().to_string();
        assert!(error.contains("credentials") && !error.contains("secret"), "{error}");
        for (name, expected) in [
            ("https://user:secret@host/path?signature=secret#x", "https://host/path?…"),
            ("https://host/a@b", "https://host/a@b"),
            ("http://host", "http://host"),
            ("s3://b/k?x", "s3://b/k?x"),
        ] {
            assert_eq!(shown(name), expected);
        }
    }
}
