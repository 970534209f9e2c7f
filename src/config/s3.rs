//! Access to S3: the `[s3]` table of the configuration below the variables that every S3 tool
//! knows. Keys come from the environment or from a file of their own, never from `pipeline.toml`.
//!
//! Nothing here is refused before a bucket is used: the same variables may be set for other tools.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::duration::parse_duration;
use super::env;
use super::secret::Secret;
use crate::error::{Error, Result};

/// What other tools take for "no region", and servers that have none accept.
const REGION: &str = "us-east-1";

/// The `[s3]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileS3 {
    endpoint: Option<String>,
    region: Option<String>,
    path_style: Option<bool>,
    allow_http: Option<bool>,
    credentials_file: Option<PathBuf>,
    profile: Option<String>,
    ca_certificate: Option<PathBuf>,
    connect_timeout: Option<String>,
    timeout: Option<String>,
    max_retries: Option<usize>,
    retry_deadline: Option<String>,
    backoff_initial: Option<String>,
    backoff_max: Option<String>,
}

/// How buckets are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The server; AWS where `None`.
    pub endpoint: Option<String>,
    /// The server that gives credentials for a web identity; that of AWS where `None`.
    pub sts_endpoint: Option<String>,
    /// Region that requests are signed for.
    pub region: String,
    /// Whether the bucket is in the path of a URL or in its host; by the server where `None`.
    pub path_style: Option<bool>,
    /// Whether unencrypted connections are allowed.
    pub allow_http: bool,
    /// Certificates in PEM to trust beside the system's.
    pub ca_certificate: Option<PathBuf>,
    /// Who asks.
    pub credentials: Credentials,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time without a sign of the server.
    pub timeout: Duration,
    /// Attempts after the first.
    pub max_retries: usize,
    /// Time after the first attempt in which another may begin.
    pub retry_deadline: Duration,
    /// Wait before the first retry; each further one waits longer, at random.
    pub backoff_initial: Duration,
    /// Longest wait between two attempts.
    pub backoff_max: Duration,
}

/// Where credentials come from. No secret is in `Debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Keys in the environment.
    Keys {
        /// Access key.
        id: Secret,
        /// Secret key.
        secret: Secret,
        /// Token of a session.
        token: Option<Secret>,
    },
    /// A profile of a shared credentials file, read again whenever the file changes.
    File {
        /// The file.
        path: PathBuf,
        /// Its section.
        profile: String,
    },
    /// A token that Kubernetes or an identity provider keeps in a file, exchanged for keys.
    WebIdentity {
        /// The file.
        token_file: String,
        /// Role to take.
        role: String,
        /// Name of the session in the provider's logs.
        session: Option<String>,
    },
    /// The agent of a container service: its path on the service's own address.
    Container(String),
    /// The agent of a pod: its URL, and the file with the token for it.
    Pod {
        /// URL.
        url: String,
        /// Token file.
        token_file: String,
    },
    /// The metadata service of an EC2 machine, at another address than the usual where one is set.
    Machine(Option<String>),
    /// Requests are not signed: public buckets.
    Anonymous,
    /// None was found.
    Missing,
}

impl S3Settings {
    /// The table below the environment. Paths are relative to `beside`.
    pub(super) fn resolve(
        file: FileS3,
        beside: &Path,
        variable: &dyn Fn(&'static str) -> Option<String>,
    ) -> Result<Self> {
        let truth = |name| variable(name).map(|text| truth(name, &text)).transpose();
        let virtual_hosted = truth(env::AWS_VIRTUAL_HOSTED_STYLE_REQUEST)?;
        let region = variable(env::AWS_REGION).or_else(|| variable(env::AWS_DEFAULT_REGION));
        let credentials_file = variable(env::AWS_SHARED_CREDENTIALS_FILE)
            .map(PathBuf::from)
            .or_else(|| file.credentials_file.map(|path| beside.join(path)));
        let profile = variable(env::AWS_PROFILE).or(file.profile);
        let anonymous = truth(env::AWS_SKIP_SIGNATURE)?.unwrap_or(false);
        let settings = Self {
            endpoint: variable(env::AWS_ENDPOINT_URL_S3)
                .or_else(|| variable(env::AWS_ENDPOINT_URL))
                .or(file.endpoint)
                .map(|url| url.trim_end_matches('/').to_owned()),
            sts_endpoint: variable(env::AWS_ENDPOINT_URL_STS),
            region: region.or(file.region).unwrap_or_else(|| REGION.into()),
            path_style: virtual_hosted.map(|hosted| !hosted).or(file.path_style),
            allow_http: truth(env::AWS_ALLOW_HTTP)?.or(file.allow_http).unwrap_or(false),
            ca_certificate: file.ca_certificate.map(|path| beside.join(path)),
            credentials: match anonymous {
                true => Credentials::Anonymous,
                false => Credentials::find(credentials_file, profile, variable)?,
            },
            connect_timeout: duration("connect_timeout", file.connect_timeout, 5_000)?,
            timeout: duration("timeout", file.timeout, 30_000)?,
            max_retries: file.max_retries.unwrap_or(10),
            retry_deadline: duration("retry_deadline", file.retry_deadline, 180_000)?,
            backoff_initial: duration("backoff_initial", file.backoff_initial, 100)?,
            backoff_max: duration("backoff_max", file.backoff_max, 15_000)?,
        };
        if settings.backoff_max < settings.backoff_initial {
            return Err(Error::configuration(
                "[s3]: `backoff_max` is shorter than `backoff_initial`",
            ));
        }
        Ok(settings)
    }

    /// The URL of the server, where one is set. An error where it cannot be used.
    pub fn endpoint(&self) -> Result<Option<Url>> {
        let Some(text) = &self.endpoint else { return Ok(None) };
        let wrong = |what: &str| {
            Error::configuration(format!("the S3 endpoint {what}")).with_hint(
                "set `endpoint` in [s3] or AWS_ENDPOINT_URL to a URL such as https://minio.example:9000",
            )
        };
        let url = Url::parse(text).map_err(|error| wrong("is not a URL").with_source(error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds credentials, which do not belong there"));
        }
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => {
                return Err(Error::configuration(format!("the S3 endpoint {text} is not encrypted"))
                    .with_hint("use https://; where the network is trusted, allow it with `allow_http = true` in [s3] or AWS_ALLOW_HTTP=true"));
            }
            other => return Err(wrong(&format!("has the scheme `{other}`"))),
        }
        match url.host_str() {
            Some(_) if url.path() == "/" && url.query().is_none() => Ok(Some(url)),
            _ => Err(wrong(&format!("{text} is more or less than a server"))),
        }
    }

    /// The settings for the record, without secrets.
    pub(super) fn shown(&self) -> serde_json::Value {
        serde_json::json!({
            "endpoint": self.endpoint().ok().flatten().map(|url| url.to_string()),
            "region": self.region,
            "credentials": self.credentials.kind(),
            "max_retries": self.max_retries,
            "retry_deadline": humantime::format_duration(self.retry_deadline).to_string(),
        })
    }
}

impl Credentials {
    /// The first that is set, in the order of AWS's own tools.
    fn find(
        file: Option<PathBuf>,
        profile: Option<String>,
        variable: &dyn Fn(&'static str) -> Option<String>,
    ) -> Result<Self> {
        match (variable(env::AWS_ACCESS_KEY_ID), variable(env::AWS_SECRET_ACCESS_KEY)) {
            (Some(id), Some(secret)) => {
                let token = variable(env::AWS_SESSION_TOKEN);
                return Ok(Self::Keys {
                    id: key(env::AWS_ACCESS_KEY_ID, &id)?,
                    secret: key(env::AWS_SECRET_ACCESS_KEY, &secret)?,
                    token: token.map(|token| key(env::AWS_SESSION_TOKEN, &token)).transpose()?,
                });
            }
            (None, None) => {}
            (id, _) => {
                let (there, missing) = match id {
                    Some(_) => (env::AWS_ACCESS_KEY_ID, env::AWS_SECRET_ACCESS_KEY),
                    None => (env::AWS_SECRET_ACCESS_KEY, env::AWS_ACCESS_KEY_ID),
                };
                return Err(Error::configuration(format!("{there} is set, {missing} is not"))
                    .with_hint("set both, or none to use a credentials file or a web identity"));
            }
        }
        let home = || Some(Path::new(&variable(env::HOME)?).join(".aws/credentials"));
        let name = || profile.clone().unwrap_or_else(|| "default".into());
        if let Some(path) = file {
            return Ok(Self::File { path, profile: name() });
        }
        if profile.is_some()
            && let Some(path) = home()
        {
            return Ok(Self::File { path, profile: name() });
        }
        if let Some(token_file) = variable(env::AWS_WEB_IDENTITY_TOKEN_FILE)
            && let Some(role) = variable(env::AWS_ROLE_ARN)
        {
            let session = variable(env::AWS_ROLE_SESSION_NAME);
            return Ok(Self::WebIdentity { token_file, role, session });
        }
        if let Some(path) = variable(env::AWS_CONTAINER_CREDENTIALS_RELATIVE_URI) {
            return Ok(Self::Container(path));
        }
        if let Some(url) = variable(env::AWS_CONTAINER_CREDENTIALS_FULL_URI)
            && let Some(token_file) = variable(env::AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)
        {
            return Ok(Self::Pod { url, token_file });
        }
        if let Some(path) = home().filter(|path| path.is_file()) {
            return Ok(Self::File { path, profile: name() });
        }
        let metadata = variable(env::AWS_EC2_METADATA_SERVICE_ENDPOINT);
        if metadata.is_some() || on_ec2() {
            return Ok(Self::Machine(metadata));
        }
        Ok(Self::Missing)
    }

    /// A word for the record.
    fn kind(&self) -> &'static str {
        match self {
            Self::Keys { .. } => "environment",
            Self::File { .. } => "file",
            Self::WebIdentity { .. } => "web identity",
            Self::Container(_) => "container",
            Self::Pod { .. } => "pod",
            Self::Machine(_) => "machine",
            Self::Anonymous => "anonymous",
            Self::Missing => "none",
        }
    }
}

/// Whether this is a machine of EC2, as its firmware says. Asking a metadata service that is not
/// there would take minutes to fail.
fn on_ec2() -> bool {
    std::fs::read_to_string("/sys/devices/virtual/dmi/id/sys_vendor")
        .is_ok_and(|vendor| vendor.trim() == "Amazon EC2")
}

/// A key, which is sent in a header. Line breaks around it come from files it was kept in.
fn key(name: &str, text: &str) -> Result<Secret> {
    let text = text.trim();
    match text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(Secret::new(text)),
        false => Err(Error::configuration(format!("{name} has a character that no key has"))),
    }
}

fn truth(name: &str, text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => Err(Error::configuration(format!("{name}: `{text}` is neither `true` nor `false`"))),
    }
}

fn duration(key: &str, text: Option<String>, default_ms: u64) -> Result<Duration> {
    let Some(text) = text else { return Ok(Duration::from_millis(default_ms)) };
    let wrong = |reason| Error::configuration(format!("`{key}` in [s3]: {reason}"));
    match parse_duration(&text).map_err(wrong)? {
        duration if duration.is_zero() && key.ends_with("timeout") => {
            Err(wrong(format!("`{text}` is no time to wait at all")))
        }
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(file: &str, variables: &[(&str, &str)]) -> Result<S3Settings> {
        let variable = |name: &'static str| {
            let set = variables.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        S3Settings::resolve(toml::from_str(file).unwrap(), Path::new("/srv/sql"), &variable)
    }

    #[test]
    fn the_environment_stands_above_the_file() {
        let file = "endpoint = \"https://file:9000/\"\nregion = \"eu-1\"\nallow_http = false";
        let settings = resolve(file, &[]).unwrap();
        assert_eq!(settings.endpoint.as_deref(), Some("https://file:9000"));
        assert_eq!((settings.region.as_str(), settings.path_style), ("eu-1", None));
        let variables = [
            (env::AWS_ENDPOINT_URL, "https://general"),
            (env::AWS_ENDPOINT_URL_S3, "http://only-s3:9000"),
            (env::AWS_DEFAULT_REGION, "eu-2"),
            (env::AWS_ALLOW_HTTP, "TRUE"),
            (env::AWS_VIRTUAL_HOSTED_STYLE_REQUEST, "true"),
        ];
        let settings = resolve(file, &variables).unwrap();
        let url = settings.endpoint().unwrap().unwrap();
        assert_eq!(url.as_str(), "http://only-s3:9000/");
        assert_eq!((settings.region.as_str(), settings.path_style), ("eu-2", Some(false)));
    }

    #[test]
    fn credentials_are_those_that_are_set_first() {
        let mut variables = vec![
            (env::AWS_EC2_METADATA_SERVICE_ENDPOINT, "http://metadata"),
            (env::AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, "/v2/x"),
            (env::AWS_WEB_IDENTITY_TOKEN_FILE, "/var/run/token"),
            (env::AWS_ROLE_ARN, "arn:role"),
            (env::AWS_SHARED_CREDENTIALS_FILE, "/etc/keys"),
            (env::AWS_ACCESS_KEY_ID, "id"),
            (env::AWS_SECRET_ACCESS_KEY, "hunter2"),
        ];
        let kind = |variables: &[_]| resolve("", variables).unwrap().credentials.kind();
        assert!(!format!("{:?}", resolve("", &variables).unwrap()).contains("hunter2"));
        assert_eq!(kind(&variables), "environment");
        variables.truncate(5);
        assert_eq!(kind(&variables), "file");
        variables.truncate(4);
        assert_eq!(kind(&variables), "web identity");
        variables.truncate(3);
        assert_eq!(kind(&variables), "container");
        variables.truncate(1);
        assert_eq!(kind(&variables), "machine");
        let settings = resolve("credentials_file = \"keys\"\nprofile = \"lab\"", &[]).unwrap();
        let file = Credentials::File { path: "/srv/sql/keys".into(), profile: "lab".into() };
        assert_eq!(settings.credentials, file);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        resolve("", &[(env::AWS_ACCESS_KEY_ID, "id")]).unwrap_err();
        let broken = [(env::AWS_ACCESS_KEY_ID, "id"), (env::AWS_SECRET_ACCESS_KEY, "hun\nter2")];
        assert!(!resolve("", &broken).unwrap_err().report().contains("ter2"));
        resolve("", &[(env::AWS_ALLOW_HTTP, "maybe")]).unwrap_err();
        resolve("timeout = \"soon\"", &[]).unwrap_err();
        resolve("timeout = \"0s\"", &[]).unwrap_err();
        resolve("backoff_initial = \"20s\"", &[]).unwrap_err();
        for endpoint in ["minio:9000", "http://minio:9000", "https://me:hunter2@minio", "https://"]
        {
            let settings = resolve(&format!("endpoint = \"{endpoint}\""), &[]).unwrap();
            let error = settings.endpoint().unwrap_err();
            assert!(!error.report().contains("hunter2"), "{}", error.report());
        }
    }
}
