//! The client of one bucket: object_store's, made as the settings say, and the two requests about
//! unfinished uploads that it lacks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::object_store::aws::{
    AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key, AwsAuthorizer,
};
use datafusion::object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody};
use datafusion::object_store::multipart::MultipartStore;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    BackoffConfig, ClientOptions, Error as StoreError, ObjectMeta, ObjectStoreExt, RetryConfig,
};
use serde::Deserialize;
use url::Url;

use super::credentials::FileCredentials;
use super::failure::is_transient;
use super::http::Connector;
use crate::config::{Credentials, S3Settings};
use crate::error::{Error, Result};

/// A bucket and who asks.
pub(super) struct Client {
    pub(super) s3: AmazonS3,
    name: String,
    http: HttpClient,
    url: Url,
    settings: Arc<S3Settings>,
    in_doubt: Arc<AtomicBool>,
}

/// An upload in parts that was begun, and neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its bucket.
    pub bucket: String,
    /// Its key in the bucket.
    pub key: String,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    pub(super) id: String,
}

/// Nothing of what knows the credentials.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.name).finish()
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)
    }
}

impl Client {
    /// A client of a bucket. That the bucket exists is found out by its first request.
    pub(super) fn new(settings: &Arc<S3Settings>, name: &str) -> Result<Self> {
        let in_bucket = |error: Error| error.with_context("for", format!("s3://{name}"));
        let unusable = |error: StoreError| {
            Error::configuration(format!("s3://{name} cannot be opened")).with_source(error)
        };
        let endpoint = settings.endpoint().map_err(in_bucket)?;
        // Only AWS has a name for each bucket, and its certificates none for those with a dot.
        let path_style = settings.path_style.unwrap_or(endpoint.is_some() || name.contains('.'));
        let url = bucket_url(endpoint, &settings.region, name, path_style).map_err(in_bucket)?;
        let connector = Connector::new(Arc::clone(settings)).map_err(in_bucket)?;
        let in_doubt = connector.in_doubt();
        let http = connector.connect(&ClientOptions::new()).map_err(unusable)?;
        let builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(&settings.region)
            // The URL names the bucket already.
            .with_virtual_hosted_style_request(true)
            .with_endpoint(url.as_str().trim_end_matches('/'))
            .with_http_connector(connector)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: settings.backoff_initial,
                    max_backoff: settings.backoff_max,
                    base: 2.0,
                },
                max_retries: settings.max_retries,
                retry_timeout: settings.retry_deadline,
            });
        let builder = with_credentials(builder, settings).map_err(in_bucket)?;
        Ok(Self {
            s3: builder.build().map_err(unusable)?,
            name: name.to_owned(),
            http,
            url,
            settings: Arc::clone(settings),
            in_doubt,
        })
    }

    /// Whether this is the bucket of that name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Size and tag of an object, where there is one.
    pub(super) async fn existing(&self, location: &Path) -> Result<Option<ObjectMeta>, StoreError> {
        match self.s3.head(location).await {
            Ok(meta) => Ok(Some(meta)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Unfinished uploads of one key, or of the whole bucket where `key` is empty: not all servers
    /// know them by a part of a key. One request for each thousand.
    pub(super) async fn unfinished(&self, key: &str) -> Result<Vec<Unfinished>, StoreError> {
        let mut found = vec![];
        let mut after: Option<(String, String)> = None;
        loop {
            let mut url = self.url.clone();
            url.query_pairs_mut().append_pair("uploads", "").append_pair("prefix", key);
            if let Some((key, id)) = &after {
                url.query_pairs_mut().append_pair("key-marker", key);
                url.query_pairs_mut().append_pair("upload-id-marker", id);
            }
            let page = self.ask(&url).await?;
            let before = found.len();
            found.extend(page.upload.into_iter().map(|upload| {
                let UploadAnswer { key, upload_id, initiated } = upload;
                Unfinished { bucket: self.name.clone(), key, begun: initiated, id: upload_id }
            }));
            after = match (page.next_key_marker, page.next_upload_id_marker) {
                (Some(key), Some(id)) if page.is_truncated && found.len() > before => {
                    Some((key, id))
                }
                _ => return Ok(found),
            };
        }
    }

    /// Asks for one page of uploads, again where that may help, as object_store does for requests of
    /// its own.
    async fn ask(&self, url: &Url) -> Result<UploadsAnswer, StoreError> {
        let S3Settings { max_retries, retry_deadline, backoff_initial, backoff_max, .. } =
            *self.settings;
        let (started, mut pause) = (Instant::now(), backoff_initial);
        for _ in 0..max_retries {
            match self.ask_once(url).await {
                Err(error)
                    if is_transient(&error) && started.elapsed() + pause < retry_deadline =>
                {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(backoff_max);
                }
                answered => return answered,
            }
        }
        self.ask_once(url).await
    }

    async fn ask_once(&self, url: &Url) -> Result<UploadsAnswer, StoreError> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.as_str().parse().map_err(generic)?;
        if self.settings.credentials != Credentials::Anonymous {
            let keys = self.s3.credentials().get_credential().await?;
            AwsAuthorizer::new(&keys, "s3", &self.settings.region).authorize(&mut request, None);
        }
        let answer = self.http.execute(request).await.map_err(generic)?;
        let answer = answer.into_body().bytes().await.map_err(generic)?;
        quick_xml::de::from_reader(&*answer).map_err(generic)
    }

    /// Aborts an unfinished upload; one that is gone meanwhile is fine.
    pub(super) async fn abort(&self, upload: &Unfinished) -> Result<(), StoreError> {
        let path = Path::parse(&upload.key)?;
        match self.s3.abort_multipart(&path, &upload.id).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Aborts what an answer that was lost may have begun under a key that no one else writes.
    pub(super) async fn abort_doubtful(&self, location: &Path) -> Result<(), StoreError> {
        if !self.in_doubt.load(Ordering::Relaxed) {
            return Ok(());
        }
        for upload in self.unfinished(location.as_ref()).await? {
            if upload.key == location.as_ref() {
                self.abort(&upload).await?;
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UploadsAnswer {
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    #[serde(default)]
    upload: Vec<UploadAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UploadAnswer {
    key: String,
    upload_id: String,
    initiated: DateTime<Utc>,
}

pub(super) fn generic(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Generic { store: "S3", source: error.into() }
}

fn with_credentials(builder: AmazonS3Builder, settings: &S3Settings) -> Result<AmazonS3Builder> {
    let builder = match &settings.sts_endpoint {
        Some(url) => builder.with_config(Key::StsEndpoint, url),
        None => builder,
    };
    Ok(match &settings.credentials {
        Credentials::Keys { id, secret, token } => {
            let builder =
                builder.with_access_key_id(id.expose()).with_secret_access_key(secret.expose());
            match token {
                Some(token) => builder.with_token(token.expose()),
                None => builder,
            }
        }
        Credentials::File { path, profile } => {
            let file = FileCredentials::new(path.clone(), profile.clone());
            // What is wrong with it now is told now.
            file.current()?;
            builder.with_credentials(Arc::new(file))
        }
        Credentials::WebIdentity { token_file, role, session } => {
            let session = session.as_deref().unwrap_or("pipeline");
            builder
                .with_config(Key::WebIdentityTokenFile, token_file)
                .with_config(Key::RoleArn, role)
                .with_config(Key::RoleSessionName, session)
        }
        Credentials::Container(path) => {
            builder.with_config(Key::ContainerCredentialsRelativeUri, path)
        }
        Credentials::Pod { url, token_file } => builder
            .with_config(Key::ContainerCredentialsFullUri, url)
            .with_config(Key::ContainerAuthorizationTokenFile, token_file),
        Credentials::Machine(Some(url)) => builder.with_metadata_endpoint(url),
        Credentials::Machine(None) => builder,
        Credentials::Anonymous => builder.with_skip_signature(true),
        Credentials::Missing => {
            return Err(Error::configuration("there are no credentials for S3").with_hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with keys as `credentials_file` in [s3] or AWS_SHARED_CREDENTIALS_FILE, or run with a web identity; AWS_SKIP_SIGNATURE=true reads public buckets"));
        }
    })
}

/// The URL of a bucket: its name is in the path or in the host.
fn bucket_url(endpoint: Option<Url>, region: &str, bucket: &str, path_style: bool) -> Result<Url> {
    let wrong = |error: url::ParseError| {
        Error::configuration(format!("`{region}` is not a region")).with_source(error)
    };
    let mut url = match endpoint {
        Some(url) => url,
        None => Url::parse(&format!("https://s3.{region}.amazonaws.com")).map_err(wrong)?,
    };
    match path_style {
        true => url.set_path(bucket),
        false => {
            let host = format!("{bucket}.{}", url.host_str().unwrap_or_default());
            url.set_host(Some(&host)).map_err(wrong)?;
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_host() {
        let url = |endpoint: Option<&str>, path_style| {
            let endpoint = endpoint.map(|text| Url::parse(text).unwrap());
            bucket_url(endpoint, "eu-west-1", "data", path_style).unwrap().to_string()
        };
        assert_eq!(url(Some("http://127.0.0.1:9000"), true), "http://127.0.0.1:9000/data");
        assert_eq!(url(Some("https://s3.example:9000"), false), "https://data.s3.example:9000/");
        assert_eq!(url(None, false), "https://data.s3.eu-west-1.amazonaws.com/");
        assert_eq!(url(None, true), "https://s3.eu-west-1.amazonaws.com/data");
        bucket_url(None, "eu west", "data", true).unwrap_err();
    }

    #[test]
    fn unfinished_uploads_are_read_from_their_listing() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?><ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><KeyMarker></KeyMarker><IsTruncated>false</IsTruncated><Upload><Key>a &amp; b</Key><UploadId>x</UploadId><Initiated>2026-01-31T23:59:59.000Z</Initiated></Upload><Upload><Key>c</Key><UploadId>y</UploadId><Initiated>2026-01-31T23:59:59.000Z</Initiated></Upload></ListMultipartUploadsResult>"#;
        let page: UploadsAnswer = quick_xml::de::from_reader(xml.as_bytes()).unwrap();
        let keys: Vec<_> = page.upload.iter().map(|upload| upload.key.as_str()).collect();
        assert_eq!(keys, ["a & b", "c"]);
    }
}
