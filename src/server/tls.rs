//! Certificates: read from PEM files, and read again when these change, without a restart.
//!
//! Contract: a pair that can't be read or does not fit is refused at the start, and later leaves the old one served. Knows no HTTP.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use crate::base::Digest;

/// How often the files are looked at; SIGHUP looks at once.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The certificate in force, and where it comes from.
#[derive(Debug)]
pub(super) struct Certificates {
    files: (PathBuf, PathBuf),
    current: RwLock<(Digest, Arc<CertifiedKey>)>,
}

fn wrong(path: &Path, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", path.display()))
}

pub(super) fn read(certificate: &Path, key: &Path) -> io::Result<(Digest, Arc<CertifiedKey>)> {
    let chain_pem = std::fs::read(certificate).map_err(|e| wrong(certificate, &e))?;
    let key_pem = std::fs::read(key).map_err(|e| wrong(key, &e))?;
    let digest = Digest::of(&[chain_pem.as_slice(), key_pem.as_slice()].concat());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain_pem).collect::<Result<_, _>>().map_err(|e| wrong(certificate, &e))?;
    if chain.is_empty() {
        return Err(wrong(certificate, &"holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|e| wrong(key, &e))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(chain, private, &provider).map_err(|e| wrong(key, &e))?;
    Ok((digest, Arc::new(pair)))
}

impl Certificates {
    /// Reads the pair.
    pub(super) fn load(certificate: &Path, key: &Path) -> io::Result<Arc<Self>> {
        let current = RwLock::new(read(certificate, key)?);
        Ok(Arc::new(Self { files: (certificate.to_owned(), key.to_owned()), current }))
    }

    /// Reads the pair again; says whether another one is served now.
    pub(super) fn reload(&self) -> io::Result<bool> {
        let new = read(&self.files.0, &self.files.1)?;
        let Ok(mut current) = self.current.write() else { return Ok(false) };
        let changed = current.0 != new.0;
        *current = new;
        Ok(changed)
    }

    /// What a listener needs.
    pub(super) fn acceptor(self: &Arc<Self>) -> io::Result<tokio_rustls::TlsAcceptor> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let resolver: Arc<dyn ResolvesServerCert> = self.clone();
        let mut config = versions.map_err(io::Error::other)?.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(tokio_rustls::TlsAcceptor::from(Arc::new(config)))
    }

    /// Looks at the files from time to time and at SIGHUP, until the server ends.
    pub(super) async fn watch(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let mut asked = Asked::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = asked.wait() => {}
                _ = shutdown.wait_for(|ended| *ended) => return,
            }
            let this = self.clone();
            match tokio::task::spawn_blocking(move || this.reload()).await {
                Ok(Ok(true)) => tracing::info!("another certificate is served from now on"),
                Ok(Err(_)) => tracing::error!("the certificate can't be read; the former one stays: see `countersign doctor`"),
                _ => {}
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.read().ok().map(|c| c.1.clone())
    }
}

/// SIGHUP, where there is such a thing.
struct Asked {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Asked {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal {
            signal.recv().await;
            return;
        }
        std::future::pending::<()>().await;
    }
}
