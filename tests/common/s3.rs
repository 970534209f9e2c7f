//! The S3 servers that `tests/run` starts, and pipelines whose warehouse is there.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::object_store::ClientOptions;
use datafusion::object_store::aws::{AwsAuthorizer, AwsCredential};
use datafusion::object_store::client::{HttpConnector, HttpRequest, ReqwestConnector};

use super::Project;

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) name: String,
    /// `http://127.0.0.1:PORT`.
    pub(crate) endpoint: String,
    pub(crate) key: String,
    pub(crate) secret: String,
}

/// All of them; each has the buckets `warehouse`, `raw`, `models` and `sources`.
pub(crate) fn servers() -> Vec<Server> {
    const VARIABLE: &str = "PIPELINE_TEST_S3";
    let text = std::env::var(VARIABLE);
    let text = text.unwrap_or_else(|_| panic!("{VARIABLE} is not set: run tests/run"));
    let server = |pair: &str| -> Option<Server> {
        let (name, url) = pair.split_once('=')?;
        let (keys, host) = url.strip_prefix("http://")?.split_once('@')?;
        let (key, secret) = keys.split_once(':')?;
        let (name, endpoint) = (name.to_owned(), format!("http://{host}"));
        Some(Server { name, endpoint, key: key.to_owned(), secret: secret.to_owned() })
    };
    let found = text.split_whitespace().map(|pair| server(pair).expect("name=http://KEY:SECRET@…"));
    let found: Vec<_> = found.collect();
    assert!(found.len() >= 2, "{VARIABLE} names fewer than two servers");
    found
}

/// The MinIO among them.
pub(crate) fn minio() -> Server {
    servers().into_iter().find(|server| server.name == "minio").expect("a MinIO")
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_micros();
    format!("test-{now}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Keys of a session, which end by themselves.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

impl Session {
    /// The keys as a shared credentials file.
    pub(crate) fn as_file(&self) -> String {
        let Self { key, secret, token } = self;
        format!(
            "[default]\naws_access_key_id={key}\naws_secret_access_key={secret}\naws_session_token={token}\n"
        )
    }
}

impl Server {
    /// New keys with the rights of the server's own; MinIO gives them.
    pub(crate) fn session(&self) -> Session {
        let body = "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600";
        let mut request = HttpRequest::new(bytes::Bytes::from(body).into());
        *request.method_mut() = "POST".parse().expect("a method");
        *request.uri_mut() = self.endpoint.parse().expect("a URL");
        let form = "application/x-www-form-urlencoded".parse().expect("a header");
        request.headers_mut().insert("content-type", form);
        let keys = AwsCredential {
            key_id: self.key.clone(),
            secret_key: self.secret.clone(),
            token: None,
        };
        AwsAuthorizer::new(&keys, "sts", "us-east-1").authorize(&mut request, None);
        let text = tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let options = ClientOptions::new().with_allow_http(true);
            let client = ReqwestConnector::default().connect(&options).expect("a client");
            let answer = client.execute(request).await.expect("an answer");
            let body = answer.into_body().bytes().await.expect("all of it");
            String::from_utf8(body.to_vec()).expect("UTF-8")
        });
        let part = |name: &str| -> String {
            let rest = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{text}")).1;
            rest.split_once('<').expect("an end").0.to_owned()
        };
        Session {
            key: part("AccessKeyId"),
            secret: part("SecretAccessKey"),
            token: part("SessionToken"),
        }
    }

    /// The keys as a shared credentials file.
    pub(crate) fn credentials(&self) -> String {
        let (key, secret) = (&self.key, &self.secret);
        format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    }

    /// The `[s3]` table with these further lines.
    pub(crate) fn table(&self, more: &str) -> String {
        format!("[s3]\nendpoint = \"{}\"\nallow_http = true\n{more}\n", self.endpoint)
    }
}

impl Project {
    /// Moves the warehouse to a location on a server, with keys in the environment and an audit
    /// store beside the scripts. `more` are further lines of `[s3]`.
    pub(crate) fn on(mut self, server: &Server, warehouse: &str, more: &str) -> Self {
        self.configure(server, warehouse, more);
        self.env("AWS_ACCESS_KEY_ID", &server.key);
        self.env("AWS_SECRET_ACCESS_KEY", &server.secret);
        self
    }

    /// The same without keys.
    pub(crate) fn configure(&mut self, server: &Server, warehouse: &str, more: &str) {
        let config = self.path("sql/pipeline.toml");
        let text = std::fs::read_to_string(&config).expect("the configuration");
        let text = text.replace("warehouse = \"../warehouse\"\n", "");
        let here = format!("warehouse = \"{warehouse}\"\naudit = \"../audit.db\"\n");
        self.file("sql/pipeline.toml", here + &text + "\n" + &server.table(more));
    }
}
