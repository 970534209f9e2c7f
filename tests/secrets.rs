//! Secrets are planted wherever they can be given, the program is run in all its ways, and then
//! everything that it has written is searched for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use std::process::Command;

use common::places::Place;
use common::postgres::{announced, program, query};
use common::s3::{Server, Session, minio, prefix};
use common::{Project, seen};
use futures::TryStreamExt;
use pipeline::config::{Overrides, Secret, Settings};
use pipeline::warehouse::{Store, Stores};

/// What must not be found, by name.
struct Planted(Vec<(&'static str, String)>);

impl Planted {
    /// Fails where a secret is in a text, as it is or percent-encoded.
    fn are_not_in(&self, place: &str, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        for (name, secret) in &self.0 {
            assert!(secret.len() >= 8, "{name} is too short to be searched for");
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for form in [secret, &encoded] {
                if let Some(at) = text.find(form.as_str()) {
                    let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
                    panic!("{name} is in {place}: {}", &text[start..at + form.len()]);
                }
            }
        }
    }

    /// Runs the program; its output is searched.
    fn run(&self, project: &Project, code: i32, arguments: &[&str]) -> String {
        let run = seen(&project.command(arguments).output().expect("the program starts"));
        assert_eq!(run.code, code, "{arguments:?}\n{}", run.stderr);
        self.are_not_in(&format!("stdout of {arguments:?}"), run.stdout.as_bytes());
        self.are_not_in(&format!("stderr of {arguments:?}"), run.stderr.as_bytes());
        run.stderr
    }
}

/// A database of its own, whose owner has a password that nothing else has.
struct Database {
    name: String,
    password: String,
}

impl Database {
    fn new() -> Self {
        let name = prefix().replace('-', "_");
        let password = format!("planted/{name}+password");
        let server = announced("PIPELINE_TEST_POSTGRES");
        query(&server, &format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"));
        query(&server, &format!("CREATE DATABASE {name} OWNER {name}"));
        Self { name, password }
    }

    fn url(&self, password: &str) -> String {
        let mut url = url::Url::parse(&announced("PIPELINE_TEST_POSTGRES")).unwrap();
        url.set_username(&self.name).unwrap();
        url.set_password(Some(password)).unwrap();
        url.set_path(&self.name);
        url.to_string()
    }

    /// Everything in it as SQL.
    fn content(&self) -> Vec<u8> {
        let dump = Command::new(program("pg_dump"))
            .args(["--inserts", "--dbname", &self.url(&self.password)])
            .output()
            .expect("pg_dump");
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        dump.stdout
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = announced("PIPELINE_TEST_POSTGRES");
        query(&server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        query(&server, &format!("DROP ROLE IF EXISTS {}", self.name));
    }
}

/// All ways to run it that succeed and that fail. Everything that it tells is searched.
fn run_all(planted: &Planted, project: &mut Project, server: &Server) {
    let good = "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM synthetic_flows(300, 1);\nCREATE OR REPLACE VIEW silver.v AS SELECT count(*) AS n FROM raw.t;\n";
    let asserts = format!("{good}ASSERT (SELECT n FROM silver.v) = 0 AS 'none';\n");
    let wrong = format!("{good}SELECT nothing FROM raw.t;\n");
    let missing = format!(
        "{good}CREATE EXTERNAL TABLE landing.x STORED AS CSV LOCATION 's3://no-such-bucket/x/';\n"
    );
    for log in
        [&["--log", "warn"][..], &["--log", "trace"], &["--log", "trace", "--log-format", "json"]]
    {
        let run = |script: &str, code: i32, arguments: &[&str]| {
            project.file("sql/1.sql", script);
            planted.run(project, code, &[arguments, log].concat())
        };
        let told = run(good, 0, &["exec", "sql", "--force"]);
        assert_eq!(told.contains("hyper_util"), log.contains(&"trace"), "the log tells enough");
        run(good, 0, &["exec", "sql"]);
        run(good, 0, &["exec", "sql", "--dry-run"]);
        run(&asserts, 1, &["exec", "sql"]);
        run(&wrong, 2, &["exec", "sql"]);
        run(&missing, 2, &["exec", "sql"]);
        run(good, 0, &["sql", "SELECT * FROM silver.v"]);
        run(good, 0, &["sql", "SELECT * FROM audit.runs", "--format", "json"]);
        run(good, 2, &["sql", "SELECT * FROM silver.w"]);
        let source = ["--source", "t=s3://no-such-bucket/x.csv"];
        run(good, 2, &[&["sql", "SELECT * FROM landing.t"][..], &source].concat());
        for help in [&["--help"][..], &["exec", "--help"], &["sql", "--help"], &["--version"]] {
            run(good, 0, help);
        }
    }
    // Servers that say no repeat what they were sent, or refuse to talk at all.
    let endpoint = server.endpoint.clone();
    project.env("AWS_REGION", "elsewhere");
    planted.run(project, 0, &["exec", "sql", "--force", "--log", "trace"]);
    project.env("AWS_ENDPOINT_URL", &endpoint.replace("http://", "https://"));
    project.file("sql/1.sql", good);
    planted.run(project, 3, &["exec", "sql", "--force", "--log", "trace"]);
    project.env("AWS_ENDPOINT_URL", &endpoint);
}

#[test]
fn nothing_that_is_written_holds_a_secret() {
    let server = minio();
    let (first, second) = (server.session(), server.session());
    let database = Database::new();
    let planted = Planted(vec![
        ("the access key", first.key.clone()),
        ("the secret key", first.secret.clone()),
        ("the session token", first.token.clone()),
        ("the access key of the file", second.key.clone()),
        ("the secret key of the file", second.secret.clone()),
        ("the session token of the file", second.token.clone()),
        ("the password", database.password.clone()),
        ("a wrong password", "planted-wrong-password".into()),
        ("a wrong secret", "planted-wrong-secret".into()),
        ("a wrong token", "planted-wrong-token".into()),
        ("keys in a location", "planted-in-location".into()),
        ("an identity", "planted-web-identity".into()),
    ]);
    let audit = database.url(&database.password);
    let retries =
        "max_retries = 2\nbackoff_initial = \"1ms\"\nbackoff_max = \"2ms\"\nprofile = \"default\"";
    let in_environment = |project: &mut Project, keys: &Session| {
        project.env("AWS_ACCESS_KEY_ID", &keys.key);
        project.env("AWS_SECRET_ACCESS_KEY", &keys.secret);
        project.env("AWS_SESSION_TOKEN", &keys.token);
    };

    // Keys in the environment, the record in PostgreSQL.
    let warehouse = format!("s3://warehouse/{}", prefix());
    let mut project = Project::new();
    project.configure(&server, &warehouse, retries);
    in_environment(&mut project, &first);
    project.env("PIPELINE_AUDIT", &audit);
    run_all(&planted, &mut project, &server);
    planted.run(&project, 0, &["exec", "sql", "--audit", &audit, "--force"]);
    planted.run(&project, 0, &["exec", "sql", &format!("--audit={audit}"), "--force"]);
    planted.run(&project, 0, &["audit", "migrate", "--log", "trace"]);
    let wrong = database.url("planted-wrong-password");
    planted.run(&project, 2, &["exec", "sql", "--audit", &wrong, "--log", "trace"]);
    let secret = "s3://KEY:planted-in-location@bucket/x";
    planted.run(&project, 2, &["exec", "sql", "--warehouse", secret]);
    planted.run(&project, 2, &["exec", "sql", "--source", &format!("t={secret}")]);
    project.env("PIPELINE_WAREHOUSE", secret);
    planted.run(&project, 0, &["exec", "--help"]);
    planted.run(&project, 2, &["exec", "sql"]);
    project.unset("PIPELINE_WAREHOUSE");

    // Keys and tokens that are wrong.
    let wrong = Session {
        key: first.key.clone(),
        secret: "planted-wrong-secret".into(),
        token: "planted-wrong-token".into(),
    };
    in_environment(&mut project, &wrong);
    planted.run(&project, 2, &["exec", "sql", "--force", "--log", "trace"]);
    let broken = Session { secret: "planted-wrong-secret\nx".into(), ..wrong };
    in_environment(&mut project, &broken);
    planted.run(&project, 2, &["exec", "sql", "--force"]);

    // A web identity that nobody takes.
    let mut project = Project::new();
    project.configure(&server, &warehouse, &retries.replace("profile = \"default\"", ""));
    project.env("PIPELINE_AUDIT", &audit);
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n");
    project.file("identity", "planted-web-identity");
    let identity = project.path("identity");
    project.env("AWS_WEB_IDENTITY_TOKEN_FILE", identity.to_str().unwrap());
    project.env("AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
    project.env("AWS_ENDPOINT_URL_STS", &server.endpoint);
    planted.run(&project, 2, &["exec", "sql", "--force", "--log", "trace"]);

    // Keys in a file, the record in SQLite.
    let other = format!("s3://warehouse/{}", prefix());
    let mut filed = Project::new();
    let more = format!("{retries}\ncredentials_file = \"../keys\"");
    filed.configure(&server, &other, &more);
    filed.file("keys", second.as_file());
    run_all(&planted, &mut filed, &server);
    filed.file("keys", second.as_file().replace(&second.secret, "planted-wrong-secret"));
    planted.run(&filed, 2, &["exec", "sql", "--force", "--log", "trace"]);
    filed.file("keys", format!("[default]\nplanted-wrong-secret\n{}", second.as_file()));
    planted.run(&filed, 2, &["exec", "sql", "--force"]);
    filed.file("keys", second.as_file());

    // What they have left.
    let record = database.content();
    assert!(String::from_utf8_lossy(&record).contains(&warehouse), "the record was read");
    planted.are_not_in("the record in PostgreSQL", &record);
    for file in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        if let Ok(content) = std::fs::read(filed.path(file)) {
            planted.are_not_in(file, &content);
        }
    }
    for location in [&warehouse, &other] {
        let objects = searched(&planted, &server, location);
        assert!(objects > 10, "{objects} objects in {location}");
    }

    // What this program shows to itself.
    let overrides = Overrides { audit: Some(Secret::new(audit)), ..Overrides::default() };
    let settings = Settings::load(&filed.path("sql"), &overrides).unwrap();
    let stores = Stores::new(&settings.s3);
    let store = Store::open(&settings, &stores).unwrap();
    let shown = format!("{settings:?} {overrides:?} {stores:?} {store:?} {}", settings.to_json());
    planted.are_not_in("Debug", shown.as_bytes());
}

/// Searches every object of a warehouse, manifests and tables alike; how many they are.
fn searched(planted: &Planted, server: &Server, location: &str) -> usize {
    let place = Place::at(server, location, "");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let objects: Vec<_> = place.store.list("").try_collect().await.unwrap();
        for (path, _) in &objects {
            planted.are_not_in(path, &place.store.read(path).await.unwrap());
        }
        objects.len()
    })
}
