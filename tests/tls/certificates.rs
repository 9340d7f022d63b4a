//! Certificates made for one test: an authority, what it signs, and configs that trust it.
#![allow(dead_code)] // each test file uses a part of it

use std::sync::Arc;

use longwire::rustls::crypto::{CryptoProvider, ring};
use longwire::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use longwire::rustls::server::WebPkiClientVerifier;
use longwire::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// The name that certificates are for, unless a test wants another.
pub(crate) const NAME: &str = "longwire.test";

/// Somebody who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, and those up to the root, which is not among them.
    chain: Vec<CertificateDer<'static>>,
    root: CertificateDer<'static>,
    root_pem: String,
}

/// A certificate with what belongs to it.
pub(crate) struct Identity {
    /// Its own certificate first, no root.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) pem: String,
    pub(crate) key_pem: String,
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("sound names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn authority_params(common_name: &str) -> CertificateParams {
    let mut params = params(common_name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    pub(crate) fn new(common_name: &str) -> Authority {
        let (params, key) = (authority_params(common_name), KeyPair::generate().expect("a key"));
        let root = params.self_signed(&key).expect("a root certificate");
        let root_pem = root.pem();
        Authority { issuer: Issuer::new(params, key), chain: Vec::new(), root: root.into(), root_pem }
    }

    /// An authority under this one.
    pub(crate) fn intermediate(&self, common_name: &str) -> Authority {
        let (params, key) = (authority_params(common_name), KeyPair::generate().expect("a key"));
        let own = params.signed_by(&key, &self.issuer).expect("an intermediate certificate");
        let mut chain = vec![own.into()];
        chain.extend(self.chain.iter().cloned());
        let (root, root_pem) = (self.root.clone(), self.root_pem.clone());
        Authority { issuer: Issuer::new(params, key), chain, root, root_pem }
    }

    /// A certificate for [`NAME`].
    pub(crate) fn identity(&self) -> Identity {
        self.issue(&[NAME], |_| {})
    }

    pub(crate) fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let (mut params, key) = (params("a test's server", names), KeyPair::generate().expect("a key"));
        change(&mut params);
        let own = params.signed_by(&key, &self.issuer).expect("a certificate");
        let pem = own.pem();
        let mut chain = vec![own.into()];
        chain.extend(self.chain.iter().cloned());
        Identity { chain, pem, key_pem: key.serialize_pem(), key: private(&key) }
    }

    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    fn roots(&self) -> Arc<RootCertStore> {
        roots(self.root.clone())
    }

    /// A client's config that trusts this authority and nobody else.
    pub(crate) fn client_config(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        trusting(self.root.clone(), versions)
    }

    /// The same, with a certificate of its own.
    pub(crate) fn client_config_with(&self, own: &Identity) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.expect("known versions").with_root_certificates(self.roots());
        builder.with_client_auth_cert(own.chain.clone(), own.key.clone_key()).expect("a certificate and its key")
    }

    /// A server's config that wants a certificate by this authority.
    pub(crate) fn demanding(&self, own: &Identity, version: &'static SupportedProtocolVersion) -> ServerConfig {
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), provider()).build();
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .expect("a known version")
            .with_client_cert_verifier(verifier.expect("roots"))
            .with_single_cert(own.chain.clone(), own.key.clone_key())
            .expect("a certificate and its key")
    }
}

/// A client's config that trusts this root and no other.
pub(crate) fn trusting(root: CertificateDer<'static>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions);
    builder.expect("known versions").with_root_certificates(roots(root)).with_no_client_auth()
}

fn roots(root: CertificateDer<'static>) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a sound root");
    Arc::new(roots)
}

/// A certificate that nobody else has signed.
pub(crate) fn self_signed(is_ca: bool) -> Identity {
    let (mut params, key) = (params("signed by itself", &[NAME]), KeyPair::generate().expect("a key"));
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let own = params.self_signed(&key).expect("a certificate");
    Identity { pem: own.pem(), chain: vec![own.into()], key_pem: key.serialize_pem(), key: private(&key) }
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Identity {
    /// A server's config with this certificate.
    pub(crate) fn server_config(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("known versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .expect("a certificate and its key")
    }
}
