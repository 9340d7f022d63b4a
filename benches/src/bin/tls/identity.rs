//! Whom the clients believe, and how both sides are set up: TLS 1.3, one cipher suite, one group.

use std::path::PathBuf;
use std::sync::Arc;
use std::{env, fs, io};

use longwire::rustls::crypto::{CryptoProvider, ring};
use longwire::rustls::pki_types::pem::PemObject;
use longwire::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use longwire::rustls::server::NoServerSessionStorage;
use longwire::rustls::{ClientConfig, RootCertStore, ServerConfig, version};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// What all clients come to agree on, because the server knows nothing else.
pub const AGREED: &str = "TLS 1.3, TLS_AES_256_GCM_SHA384, X25519, ECDSA on P-256";

/// As longwire offers it by itself, and curl.
const ALPN: &[u8] = b"http/1.1";

/// The root certificate of the server at this port.
pub fn root_file(port: u16) -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(format!("root-{port}.pem")))
}

/// The config of a server with a certificate that a new root has signed, and the root.
pub fn new_server(tickets: usize) -> (ServerConfig, String) {
    let (mut params, key) = (CertificateParams::default(), KeyPair::generate().expect("a key"));
    params.distinguished_name.push(DnType::CommonName, "the benches' root"); // not the name of what it signs
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).expect("a root").pem();
    let (issuer, key) = (Issuer::new(params, key), KeyPair::generate().expect("a key"));
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
    let own = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(agreed()))
        .with_protocol_versions(&[&version::TLS13])
        .expect("a suite for it")
        .with_no_client_auth()
        .with_single_cert(vec![own.into()], key)
        .expect("a certificate and its key");
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = tickets;
    if tickets == 0 {
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    (config, root)
}

fn agreed() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    }
}

/// For whoever talks to the server at this port.
pub fn client_config(port: u16) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&root_pem(port)).expect("a certificate")).expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("suites for them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

pub fn root_pem(port: u16) -> Vec<u8> {
    root_file(port).and_then(fs::read).expect("the server's root")
}
