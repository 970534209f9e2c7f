//! Who asks: keys in files that are rotated under a run, and web identities.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::common::Project;
use super::common::s3::{Server, Session, minio, prefix, servers};
use super::common::s3_proxy::S3Proxy;

/// A project whose keys come from a file beside it.
fn with_file(server: &Server) -> Project {
    let mut project = Project::new();
    let warehouse = format!("s3://warehouse/{}", prefix());
    project.configure(server, &warehouse, "credentials_file = \"../keys\"");
    project.file("keys", server.credentials());
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n");
    project
}

#[test]
fn keys_come_from_a_file_or_a_profile_of_it() {
    for server in servers() {
        let mut project = with_file(&server);
        project.ok(&["exec", "sql"]);
        let lab = server.credentials().replace("default", "lab");
        let no = "[default]\naws_access_key_id = no\naws_secret_access_key = no\n\n";
        project.file("keys", format!("{no}{lab}"));
        let refused = project.run(&["exec", "sql", "--force"]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: check AWS_ACCESS_KEY_ID"), "{}", refused.stderr);
        project.env("AWS_PROFILE", "lab");
        project.ok(&["exec", "sql", "--force"]);
        project.env("AWS_SHARED_CREDENTIALS_FILE", "nowhere");
        let missing = project.run(&["exec", "sql"]);
        assert_eq!(missing.code, 2, "{}", missing.stderr);
        assert!(missing.stderr.contains("the credentials file nowhere"), "{}", missing.stderr);
        // Keys in the environment stand above all files.
        project.env("AWS_ACCESS_KEY_ID", &server.key);
        project.env("AWS_SECRET_ACCESS_KEY", &server.secret);
        project.ok(&["exec", "sql", "--force"]);
    }
}

#[test]
fn the_file_in_the_home_folder_is_found() {
    let server = minio();
    let mut project = Project::new();
    project.configure(&server, &format!("s3://warehouse/{}", prefix()), "");
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n");
    project.file("home/.aws/credentials", server.credentials());
    let home = project.path("home");
    project.env("HOME", home.to_str().unwrap());
    project.ok(&["exec", "sql"]);
}

#[test]
fn session_tokens_come_from_the_environment() {
    let server = minio();
    let keys = server.session();
    let mut project = Project::new().on(&server, &format!("s3://warehouse/{}", prefix()), "");
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n");
    project.env("AWS_ACCESS_KEY_ID", &keys.key);
    project.env("AWS_SECRET_ACCESS_KEY", &keys.secret);
    let without = project.run(&["exec", "sql"]);
    assert_eq!(without.code, 2, "{}", without.stderr);
    // A line break at the end, as a secret made with `echo` has it.
    project.env("AWS_SESSION_TOKEN", &format!("{}\n", keys.token));
    project.ok(&["exec", "sql"]);
}

#[test]
fn keys_may_be_rotated_while_a_run_works() {
    let server = minio();
    let (first, second) = (server.session(), server.session());
    let proxy = S3Proxy::start(&server);
    let project = with_file(&proxy.server(&server));
    project.file("keys", first.as_file());
    let steps: String = (0..40)
        .map(|n| format!("CREATE OR REPLACE TABLE raw.t{n} AS SELECT {n} AS a;\n"))
        .collect();
    project.file("sql/1.sql", steps);
    let stderr = project.path("stderr");
    let mut run = project
        .command(&["exec", "sql"])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&stderr).unwrap())
        .spawn()
        .expect("the program starts");
    let clock = Instant::now();
    while !std::fs::read_to_string(&stderr).unwrap().contains("raw.t0: ran") {
        assert!(clock.elapsed() < Duration::from_secs(60), "the first step does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    // Replaced in one moment, as a mounted secret is.
    std::fs::write(project.path("new"), second.as_file()).unwrap();
    std::fs::rename(project.path("new"), project.path("keys")).unwrap();
    let code = run.wait().expect("it ends").code();
    assert_eq!(code, Some(0), "{}", std::fs::read_to_string(&stderr).unwrap());
    let keys: Vec<_> = proxy.asked().into_iter().map(|asked| asked.key).collect();
    assert_eq!(keys.first(), Some(&first.key));
    assert_eq!(keys.last(), Some(&second.key), "the new keys are in use");
    assert_eq!(project.value("SELECT count(*) FROM audit.current"), "40");
}

/// A server of tokens: it answers every request with keys, and counts.
struct TokenServer {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl TokenServer {
    fn start(keys: Session, token: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if client.read_exact(&mut byte).is_err() {
                        break;
                    }
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let asked = ["Action=AssumeRoleWithWebIdentity", "RoleArn=arn", token];
                let (status, xml) = match asked.iter().all(|part| head.contains(part)) {
                    true => ("200 OK", answer(&keys)),
                    false => {
                        ("403 Forbidden", String::from("<Error><Code>AccessDenied</Code></Error>"))
                    }
                };
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = write!(
                    client,
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{xml}",
                    xml.len()
                );
            }
        });
        Self { port, seen }
    }
}

fn answer(keys: &Session) -> String {
    let Session { key, secret, token } = keys;
    format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

#[test]
fn a_web_identity_is_exchanged_for_keys() {
    let server = minio();
    let tokens = TokenServer::start(server.session(), "WebIdentityToken=identity-token");
    let mut project = Project::new();
    project.configure(&server, &format!("s3://warehouse/{}", prefix()), "max_retries = 1");
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n");
    project.file("token", "identity-token");
    let file = project.path("token");
    project.env("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap());
    project.env("AWS_ROLE_ARN", "arn:minio:iam:::role/pipeline");
    project.env("AWS_ENDPOINT_URL_STS", &format!("http://127.0.0.1:{}", tokens.port));
    project.ok(&["exec", "sql"]);
    assert_eq!(
        tokens.seen.load(Ordering::SeqCst),
        1,
        "keys are used for as long as they are valid"
    );
    project.file("token", "another-token");
    let refused = project.run(&["exec", "sql", "--force"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("403 AccessDenied"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("another-token"), "{}", refused.stderr);
}
