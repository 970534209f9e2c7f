//! Encrypted connections: the server must be who it says it is, by an authority that is known.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::common::Project;
use super::common::s3::{Server, minio, prefix};
use super::common::s3_proxy::{answer, header};

/// A certificate for 127.0.0.1 that speaks for itself, and its key.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", "key.pem", "-out", "ca.pem"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"])
        .current_dir(folder)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Speaks TLS on a free port for a server that does not; its lifetime is that of the tests.
fn encrypted(behind: &Server, folder: &Path) -> Server {
    let chain = CertificateDer::pem_file_iter(folder.join("ca.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = behind.endpoint.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (config, upstream) = (Arc::clone(&config), upstream.clone());
            std::thread::spawn(move || drop(talk(client, config, &upstream)));
        }
    });
    Server { endpoint: format!("https://127.0.0.1:{port}"), ..behind.clone() }
}

fn talk(client: TcpStream, config: Arc<ServerConfig>, upstream: &str) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut client = StreamOwned::new(connection, client);
    let mut server = TcpStream::connect(upstream)?;
    loop {
        let mut request = vec![];
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            request.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&request).into_owned();
        let length = header(&head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        client.read_exact(&mut body)?;
        server.write_all(&request)?;
        server.write_all(&body)?;
        let (head, body) = answer(&mut server, head.starts_with("HEAD "))?;
        client.write_all(&head)?;
        client.write_all(&body)?;
        client.flush()?;
    }
}

#[test]
fn a_server_is_trusted_by_the_authority_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let server = encrypted(&minio(), folder.path());
    let warehouse = format!("s3://warehouse/{}", prefix());
    let script = "CREATE OR REPLACE TABLE raw.t AS SELECT 1 AS a;\n";
    let project = |more: &str| {
        let project = Project::new().on(&server, &warehouse, more);
        let config = std::fs::read_to_string(project.path("sql/pipeline.toml")).unwrap();
        project.file("sql/pipeline.toml", config.replace("allow_http = true\n", ""));
        project.file("sql/1.sql", script);
        project
    };
    let unknown = project("");
    let clock = Instant::now();
    let refused = unknown.run(&["exec", "sql"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("invalid peer certificate"), "{}", refused.stderr);
    assert!(refused.stderr.contains("as `ca_certificate` in [s3]"), "{}", refused.stderr);
    assert!(clock.elapsed() < Duration::from_secs(20), "what is certain is not tried again");

    let authority = folder.path().join("ca.pem");
    let known = project(&format!("ca_certificate = \"{}\"", authority.display()));
    known.ok(&["exec", "sql"]);
    assert_eq!(known.value("SELECT a FROM raw.t"), "1");

    for (file, content, part) in
        [("none.pem", "", "holds no certificate"), ("missing.pem", "-", "cannot be read")]
    {
        let wrong = project(&format!("ca_certificate = \"../{file}\""));
        if content.is_empty() {
            wrong.file(file, content);
        }
        let refused = wrong.run(&["exec", "sql"]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
}
