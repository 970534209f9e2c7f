//! Encryption as libpq names it, by rustls.
//!
//! | `sslmode` | encrypted | certificate |
//! |---|---|---|
//! | `disable` | no | |
//! | `prefer` (default) | where the server can | not checked |
//! | `require` | yes | as `verify-ca` where `sslrootcert` is given, else not checked |
//! | `verify-ca` | yes | signed by a root |
//! | `verify-full` | yes | signed by a root, for the host that the URL names |
//!
//! The roots are those of `sslrootcert` (a PEM file), else the system's.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::parameters::{Parameters, invalid};
use crate::error::{Error, Result};

/// Makes the TLS part of connections. A clone tells the same story of the last one.
#[derive(Clone)]
pub(super) struct Connector {
    rustls: MakeRustlsConnect,
    encrypted: Arc<AtomicBool>,
}

impl Connector {
    /// What our parameters ask for. Sets the mode of the library's configuration.
    pub(super) fn new(config: &mut Config, ours: &Parameters) -> Result<Self> {
        let mode = ours.get("sslmode").unwrap_or("prefer");
        let root = ours.get("sslrootcert");
        let (library, name_matters, chain_matters) = match mode {
            "disable" => (SslMode::Disable, false, false),
            "prefer" => (SslMode::Prefer, false, false),
            "require" => (SslMode::Require, false, root.is_some()),
            "verify-ca" => (SslMode::Require, false, true),
            "verify-full" => (SslMode::Require, true, true),
            other => {
                return Err(invalid("sslmode", other)
                    .with_hint("use disable, prefer, require, verify-ca or verify-full"));
            }
        };
        if root.is_some() && !chain_matters {
            return Err(Error::configuration(format!(
                "sslmode={mode} does not check certificates: sslrootcert would have no effect"
            ))
            .with_hint("use sslmode=verify-full"));
        }
        // A socket of this machine is never encrypted, whatever the mode, as libpq has it.
        let local = |host: &Host| matches!(host, Host::Unix(_));
        let sockets = config.get_hosts().iter().all(local) && !config.get_hosts().is_empty();
        config.ssl_mode(if sockets { SslMode::Disable } else { library });

        let provider = Arc::new(ring::default_provider());
        let chain = match chain_matters {
            true => Some(verifier(root, &provider)?),
            false => None,
        };
        let verifier: Arc<dyn ServerCertVerifier> = match chain {
            Some(chain) if name_matters => chain,
            chain => Arc::new(Lenient { chain, provider: Arc::clone(&provider) }),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::internal("TLS cannot be set up").with_source(e))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut rustls = match (ours.get("sslcert"), ours.get("sslkey")) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let pem = read("sslkey", key)?;
                let parsed = PrivateKeyDer::from_pem_slice(&pem)
                    .map_err(|e| unusable("sslkey", key).with_source(e))?;
                builder
                    .with_client_auth_cert(certificates("sslcert", certificate)?, parsed)
                    .map_err(|e| unusable("sslcert", certificate).with_source(e))?
            }
            _ => {
                return Err(Error::configuration(
                    "sslcert and sslkey of the audit store belong together: one is missing",
                ));
            }
        };
        rustls.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self { rustls: MakeRustlsConnect::new(rustls), encrypted: Arc::default() })
    }

    /// Whether the last connection was encrypted, or at least began to be.
    pub(super) fn was_encrypted(&self) -> bool {
        self.encrypted.load(Ordering::Relaxed)
    }
}

fn verifier(
    root: Option<&str>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    match root {
        Some(path) if path != "system" => {
            for certificate in certificates("sslrootcert", path)? {
                let added = roots.add(certificate);
                added.map_err(|e| unusable("sslrootcert", path).with_source(e))?;
            }
        }
        _ => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let built =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    built.map_err(|e| {
        Error::configuration("this system has no certificates of authorities to trust")
            .with_source(e)
            .with_hint("install ca-certificates, or name a PEM file with sslrootcert=PATH")
    })
}

/// All certificates of a PEM file: at least one.
fn certificates(parameter: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(parameter, path)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let parsed = parsed.map_err(|e| unusable(parameter, path).with_source(e))?;
    if parsed.is_empty() {
        return Err(unusable(parameter, path).with_source("it holds no certificate"));
    }
    Ok(parsed)
}

fn read(parameter: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(Path::new(path)).map_err(|e| unusable(parameter, path).with_source(e))
}

fn unusable(parameter: &str, path: &str) -> Error {
    Error::configuration(format!("{parameter}={path} of the audit store cannot be used"))
        .with_hint("name a PEM file that this user may read")
}

/// Accepts more certificates than rustls does by itself, for the modes that say so.
#[derive(Debug)]
struct Lenient {
    /// Checks the chain but not the name; where None, neither.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // The name is compared last: what fails there has passed everything else.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

type Rustls = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

impl MakeTlsConnect<Socket> for Connector {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = Handshake;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Self::Error> {
        self.encrypted.store(false, Ordering::Relaxed);
        let rustls = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.rustls, host)?;
        Ok(Handshake { rustls, encrypted: Arc::clone(&self.encrypted) })
    }
}

/// Is begun only where the server can encrypt.
pub(super) struct Handshake {
    rustls: Rustls,
    encrypted: Arc<AtomicBool>,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = <Rustls as TlsConnect<Socket>>::Stream;
    type Error = <Rustls as TlsConnect<Socket>>::Error;
    type Future = <Rustls as TlsConnect<Socket>>::Future;

    fn connect(self, stream: Socket) -> Self::Future {
        self.encrypted.store(true, Ordering::Relaxed);
        self.rustls.connect(stream)
    }
}
