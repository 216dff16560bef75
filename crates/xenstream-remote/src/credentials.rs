//! Credentials, from where AWS's own programs look for them: the environment, then files.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use configparser::ini::Ini;

use crate::Error;

/// How requests are authorised, and which store they go to.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The key of an object store; without one, requests are not signed.
    pub(crate) s3: Option<rusty_s3::Credentials>,
    pub(crate) region: Option<String>,
    /// The store, if it is not Amazon's.
    pub(crate) endpoint: Option<String>,
    /// The header `Authorization` of requests to web servers.
    pub(crate) authorization: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the environment and the files that it names.
    ///
    /// # Errors
    /// A file exists and cannot be read.
    pub fn load() -> Result<Credentials, Error> {
        Credentials::from(|name| env::var(name).ok(), env::home_dir().as_deref())
    }

    fn from(variable: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Result<Credentials, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let file = |name: &str, default: &str| -> Result<Ini, Error> {
            let named = variable(name).map(PathBuf::from);
            let path = named.clone().or_else(|| Some(home?.join(".aws").join(default)));
            let mut file = Ini::new_cs();
            let Some(path) = path.filter(|path| named.is_some() || path.exists()) else { return Ok(file) };
            let failed = |why: &str| Error::Credentials(format!("{}: {why}", path.display()));
            let text = fs::read_to_string(&path).map_err(|error| failed(&error.to_string()))?;
            // The parser's message may quote the line.
            file.read(text).map_err(|_| failed("it cannot be parsed"))?;
            Ok(file)
        };
        let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let key = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(key), Some(secret)) => Some((key, secret, variable("AWS_SESSION_TOKEN"))),
            _ => {
                let file = file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
                let value = |key: &str| file.get(&profile, key);
                value("aws_access_key_id")
                    .zip(value("aws_secret_access_key"))
                    .map(|(key, secret)| (key, secret, value("aws_session_token")))
            }
        };
        let region = match variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")) {
            Some(region) => Some(region),
            None => {
                let section = if profile == "default" { profile } else { format!("profile {profile}") };
                let file = file("AWS_CONFIG_FILE", "config")?;
                file.get(&section, "region")
            }
        };
        Ok(Credentials {
            s3: key.map(|(key, secret, token)| match token {
                Some(token) => rusty_s3::Credentials::new_with_token(key, secret, token),
                None => rusty_s3::Credentials::new(key, secret),
            }),
            region,
            endpoint: variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")),
            authorization: variable("XENSTREAM_AUTHORIZATION"),
        })
    }

    /// Returns these credentials for a store at this address, with this key and secret.
    #[must_use]
    pub fn for_store(endpoint: &str, key: &str, secret: &str) -> Credentials {
        Credentials {
            s3: Some(rusty_s3::Credentials::new(key, secret)),
            endpoint: Some(endpoint.to_owned()),
            ..Credentials::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)], home: &Path) -> Result<Credentials, Error> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Credentials::from(variable, Some(home))
    }

    #[test]
    fn the_environment_goes_before_files() {
        let home = tempfile::tempdir().unwrap();
        let none = load(&[], home.path()).unwrap();
        assert!(none.s3.is_none() && none.region.is_none() && none.endpoint.is_none());

        fs::create_dir(home.path().join(".aws")).unwrap();
        let credentials = "[default]\naws_access_key_id = A\naws_secret_access_key = B\n\
                           [other]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n";
        fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
        fs::write(home.path().join(".aws/config"), "[profile other]\nregion = eu-west-3\n").unwrap();
        let s3 = |variables: &[(&str, &str)]| load(variables, home.path()).unwrap().s3.unwrap();
        assert_eq!((s3(&[]).key(), s3(&[]).secret()), ("A", "B"));
        let other = load(&[("AWS_PROFILE", "other")], home.path()).unwrap();
        assert_eq!(other.region.as_deref(), Some("eu-west-3"));
        let other = other.s3.unwrap();
        assert_eq!((other.key(), other.secret(), other.token()), ("C", "D", Some("E")));
        let own = s3(&[("AWS_ACCESS_KEY_ID", "F"), ("AWS_SECRET_ACCESS_KEY", "G")]);
        assert_eq!((own.key(), own.token()), ("F", None));
    }

    #[test]
    fn errors_and_debug_output_have_no_secrets() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("credentials");
        fs::write(&file, "[default\naws_secret_access_key = without a sign\n").unwrap();
        let variables = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
        let error = load(&variables, home.path()).unwrap_err().to_string();
        assert!(!error.contains("sign"), "{error}");
        let missing = [("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/file")];
        assert!(load(&missing, home.path()).is_err());
        let debug = format!("{:?}", Credentials::for_store("http://store", "key", "secret"));
        assert!(!debug.contains("secret") && !debug.contains("\"key"), "{debug}");
    }
}
