//! HTTP to the servers of buckets. An answer that says no becomes a typed [`Failure`], and one that
//! broke off before its end is asked for again like one that never came.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::object_store;
use datafusion::object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use datafusion::object_store::{ClientConfigKey, ClientOptions};

use super::failure::{Failure, Reason};
use crate::config::S3Settings;
use crate::error::{Error, Result};

/// Makes clients with the limits and the trust of the settings.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    settings: Arc<S3Settings>,
    authorities: Vec<reqwest::Certificate>,
    in_doubt: Arc<AtomicBool>,
}

impl Connector {
    pub(super) fn new(settings: Arc<S3Settings>) -> Result<Self> {
        let authorities = match &settings.ca_certificate {
            None => vec![],
            Some(path) => {
                let wrong = |what: &str| {
                    Error::configuration(format!("[s3] ca_certificate {}: {what}", path.display()))
                };
                let pem = std::fs::read(path)
                    .map_err(|error| wrong("cannot be read").with_source(error))?;
                let found = reqwest::Certificate::from_pem_bundle(&pem)
                    .map_err(|error| wrong("is not PEM").with_source(error))?;
                if found.is_empty() {
                    return Err(wrong("holds no certificate"));
                }
                found
            }
        };
        Ok(Self { settings, authorities, in_doubt: Arc::default() })
    }

    /// Set once the answer to the begin of an upload was lost: then there may be one more than
    /// anybody knows of.
    pub(super) fn in_doubt(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.in_doubt)
    }

    fn client(&self, plain: bool) -> reqwest::Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.settings.connect_timeout)
            // Not of the whole request: a large object is read for as long as something comes.
            .read_timeout(self.settings.timeout)
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .https_only(!plain);
        for authority in &self.authorities {
            builder = builder.add_root_certificate(authority.clone());
        }
        builder.build()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Metadata services are never encrypted; servers of tokens may be what buckets may be.
        let allowed = options.get_config_value(&ClientConfigKey::AllowHttp);
        let plain = self.settings.allow_http || allowed.as_deref() == Some("true");
        let client = self.client(plain).map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        })?;
        Ok(HttpClient::new(Service { client, in_doubt: self.in_doubt() }))
    }
}

#[derive(Debug)]
struct Service {
    client: reqwest::Client,
    in_doubt: Arc<AtomicBool>,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        // Only the content of objects is streamed, and resumed where it broke off.
        let streamed = request.method().as_str() == "GET" && !query.contains("list-type=");
        let begins_upload = request.method().as_str() == "POST" && query.starts_with("uploads");
        let asked = asked(&request);
        let lost = |error: HttpError, kind: HttpErrorKind| {
            self.in_doubt.fetch_or(begins_upload, Ordering::Relaxed);
            failed(Failure { request: asked.clone(), reason: Reason::of_broken(&error) }, kind)
        };
        let response = match self.client.call(request).await {
            Ok(response) => response,
            Err(error) => {
                let kind = error.kind();
                return Err(lost(error, kind));
            }
        };
        let status = response.status();
        if status.is_success() && streamed || status.as_u16() == 304 {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = match body.bytes().await {
            Ok(body) => body,
            // The status says enough.
            Err(_) if !status.is_success() => Bytes::new(),
            // Whatever was asked can be asked twice: a path is written by one run alone.
            Err(error) => return Err(lost(error, HttpErrorKind::Request)),
        };
        let text = String::from_utf8_lossy(&body);
        let code = element(&text, "Code");
        let about_the_object = match status.as_u16() {
            404 => ["", "NoSuchKey", "NoSuchUpload", "NoSuchVersion"].contains(&code.as_str()),
            status => matches!(status, 409 | 412),
        };
        if status.is_success() || about_the_object {
            return Ok(HttpResponse::from_parts(parts, body.into()));
        }
        let message = element(&text, "Message");
        let reason = Reason::Answer { status: status.as_u16(), code, message };
        Err(failed(Failure { request: asked, reason }, HttpErrorKind::Request))
    }
}

/// Method and URL of a request; what is in its query may be secret.
fn asked(request: &HttpRequest) -> String {
    let uri = request.uri();
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.authority().map(|host| host.as_str()).unwrap_or_default();
    format!("{} {scheme}://{host}{}", request.method(), uri.path())
}

/// The failure as object_store takes it: it retries what may help, with its waits and its deadline.
fn failed(failure: Failure, kind: HttpErrorKind) -> HttpError {
    let kind = match failure.is_transient() {
        true => kind,
        false => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, failure)
}

/// The text of the first element of that name, on one line and of bounded length.
fn element(xml: &str, name: &str) -> String {
    let inner = xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once("</"));
    let text = inner.map_or("", |(text, _)| text);
    let text = text.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}
