//! Encryption: each `sslmode` against servers that offer it, do not, or are not who they say.

use std::path::Path;
use std::process::Command;

use pipeline::audit::AuditStore;
use pipeline::error::{Error, ErrorKind};
use tempfile::TempDir;

use crate::common::Project;
use crate::common::postgres::{Server, announced, query};
use crate::fixture::server_url;

const MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/// The test server's URL with another host, which it is reached by all the same.
fn by_name(host: &str, parameters: &str) -> String {
    let url = server_url().replace("@127.0.0.1:", &format!("@{host}:"));
    assert!(url.contains(host));
    format!("{url}?hostaddr=127.0.0.1&application_name=tls&{parameters}")
}

fn authority() -> String {
    announced("PIPELINE_TEST_POSTGRES_CA")
}

async fn refusal(url: &str) -> Error {
    let error = AuditStore::open_postgres_to_read(url).await.unwrap_err();
    assert!(!error.report().contains("secret"), "{}", error.report());
    error
}

/// Whether the connection of the store at `url` is encrypted, as the server sees it.
async fn encrypted(url: &str) -> bool {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("tls-{}-{number}", std::process::id());
    let url = url.replace("application_name=tls", &format!("application_name={name}"));
    let opened = AuditStore::open_postgres_to_read(&url).await;
    let _store = opened.unwrap_or_else(|error| panic!("{url}: {}", error.report()));
    let sql = format!(
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = '{name}'"
    );
    let (server, _) = url.split_once('?').unwrap();
    let rows = query(&format!("{server}?hostaddr=127.0.0.1&sslmode=prefer"), &sql);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0] == "t"
}

#[tokio::test]
async fn a_server_with_tls_is_used_as_the_mode_says() {
    let ca = authority();
    for host in ["127.0.0.1", "localhost"] {
        assert!(!encrypted(&by_name(host, "sslmode=disable")).await);
        assert!(encrypted(&by_name(host, "")).await, "prefer is the default");
        for mode in ["prefer", "require"] {
            assert!(encrypted(&by_name(host, &format!("sslmode={mode}"))).await, "{mode}");
        }
        for mode in ["require", "verify-ca", "verify-full"] {
            let parameters = format!("sslmode={mode}&sslrootcert={ca}");
            assert!(encrypted(&by_name(host, &parameters)).await, "{mode}");
        }
    }
}

#[tokio::test]
async fn an_address_alone_is_the_name_to_verify() {
    let (credentials, rest) =
        server_url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (user, password) = credentials.trim_start_matches("postgresql://").split_once(':').unwrap();
    let port = rest.trim_start_matches("127.0.0.1:").trim_end_matches("/postgres");
    let url = format!(
        "hostaddr=127.0.0.1 port={port} user={user} password='{password}' dbname=postgres \
         sslmode=verify-full sslrootcert='{}'",
        authority()
    );
    AuditStore::open_postgres_to_read(&url).await.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_used_only_where_the_mode_allows() {
    let server = tokio::task::spawn_blocking(|| Server::start(&["ssl=off"])).await.unwrap();
    let ca = authority();
    for mode in MODES {
        let root =
            if mode.starts_with("verify") { format!("&sslrootcert={ca}") } else { String::new() };
        let url = format!("{}?application_name=tls&sslmode={mode}{root}", server.url());
        if mode == "disable" || mode == "prefer" {
            assert!(!encrypted(&url).await, "{mode}");
        } else {
            let error = refusal(&url).await;
            assert_eq!(error.kind(), ErrorKind::Configuration, "{mode}: {}", error.report());
            assert!(error.message().contains("does not offer TLS"), "{}", error.report());
        }
    }
}

/// A password in plain text over a network is worth a word; over this machine's own is not.
#[tokio::test]
async fn plain_text_to_another_machine_is_told() {
    let server = tokio::task::spawn_blocking(|| Server::start(&["ssl=off"])).await.unwrap();
    let project = Project::new();
    let says = |host: &str, mode: &str| {
        let address = format!("{host}:{}", server.port());
        let url = format!("postgresql://pipeline@{address}/postgres?hostaddr=127.0.0.1{mode}");
        let seen = project.run(&["sql", "SELECT 1", "--audit", &url]);
        assert_eq!(seen.code, 0, "{}", seen.stderr);
        seen.stderr.contains("is not encrypted")
    };
    assert!(says("db.example", ""));
    assert!(!says("db.example", "&sslmode=disable"));
    assert!(!says("localhost", ""));
    assert!(!says("127.0.0.1", ""));
}

#[tokio::test]
async fn a_foreign_authority_is_refused_where_it_matters() {
    let folder = TempDir::new().unwrap();
    let foreign = folder.path().join("foreign.pem");
    openssl(
        folder.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=foreign -keyout foreign.key -out foreign.pem",
    );
    for mode in ["require", "verify-ca", "verify-full"] {
        let parameters = format!("sslmode={mode}&sslrootcert={}", foreign.display());
        let error = refusal(&by_name("localhost", &parameters)).await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{mode}: {}", error.report());
        assert!(error.message().contains("certificate of PostgreSQL"), "{}", error.report());
        assert!(error.hint().unwrap().contains("sslrootcert"), "{}", error.report());
    }
    // Nor do the system's roots know the one of the tests.
    for mode in ["verify-ca", "verify-full"] {
        for root in ["", "&sslrootcert=system"] {
            let error = refusal(&by_name("localhost", &format!("sslmode={mode}{root}"))).await;
            assert_eq!(error.kind(), ErrorKind::Configuration, "{mode}: {}", error.report());
        }
    }
}

#[tokio::test]
async fn a_name_that_is_not_in_the_certificate_is_refused_by_verify_full_alone() {
    let ca = authority();
    for mode in ["require", "verify-ca"] {
        let parameters = format!("sslmode={mode}&sslrootcert={ca}");
        assert!(encrypted(&by_name("db.example", &parameters)).await, "{mode}");
    }
    let url = by_name("db.example", &format!("sslmode=verify-full&sslrootcert={ca}"));
    let error = refusal(&url).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    assert!(error.report().contains("db.example"), "{}", error.report());
    assert!(error.hint().unwrap().contains("verify-ca"), "{}", error.report());
}

#[tokio::test]
async fn a_user_may_be_known_by_a_certificate() {
    let prepare = |folder: &Path| {
        openssl(
            folder,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        );
        std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1").unwrap();
        for (name, subject) in [("server", "localhost"), ("client", "pipeline"), ("other", "other")]
        {
            openssl(
                folder,
                &format!(
                    "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={subject} -keyout {name}.key -out {name}.csr"
                ),
            );
            openssl(
                folder,
                &format!(
                    "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out {name}.pem"
                ),
            );
        }
    };
    let server = tokio::task::spawn_blocking(move || {
        let server = Server::start_with(&[], prepare);
        let path = |name: &str| server.folder().join(name);
        server.own(&path("server.key"));
        let settings = format!(
            "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\nssl_ca_file = '{}'\n",
            path("server.pem").display(),
            path("server.key").display(),
            path("ca.pem").display()
        );
        std::fs::write(server.data().join("postgresql.auto.conf"), settings).unwrap();
        std::fs::write(server.data().join("pg_hba.conf"), "hostssl all all all cert\n").unwrap();
        server.stop("fast");
        server.start_again();
        server
    });
    let server = server.await.unwrap();
    let path = |name: &str| server.folder().join(name).display().to_string();
    let url = |name: &str| {
        format!(
            "{}?sslmode=verify-full&sslrootcert={}&sslcert={}&sslkey={}",
            server.url(),
            path("ca.pem"),
            path(&format!("{name}.pem")),
            path(&format!("{name}.key")),
        )
    };
    AuditStore::open_postgres_to_read(&url("client")).await.unwrap();
    let error = refusal(&url("other")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    assert!(error.message().contains("refuses the user"), "{}", error.report());
    let unencrypted = format!("{}?sslmode=disable", server.url());
    assert_eq!(refusal(&unencrypted).await.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let ca = authority();
    for (parameters, says) in [
        ("sslmode=allow".to_owned(), "sslmode"),
        ("sslmode=verify_full".to_owned(), "sslmode"),
        (format!("sslrootcert={ca}"), "sslrootcert would have no effect"),
        (format!("sslmode=prefer&sslrootcert={ca}"), "sslrootcert would have no effect"),
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem".to_owned(), "/nowhere/ca.pem"),
        (format!("sslmode=require&sslcert={ca}"), "sslkey"),
        ("sslmode=require&sslcert=/dev/null&sslkey=/dev/null".to_owned(), "sslkey=/dev/null"),
        ("sslmode=verify-ca&sslrootcert=/dev/null".to_owned(), "sslrootcert=/dev/null"),
    ] {
        let url = format!("postgresql://me:secret@127.0.0.1:1/audit?{parameters}");
        let error = refusal(&url).await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{parameters}: {}", error.report());
        assert!(error.message().contains(says), "{parameters}: {}", error.report());
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
