//! Certificates made for one test: an authority, what it signs, and configs that trust it.
#![allow(dead_code)] // each test file uses a part of it

use std::sync::Arc;

use longwire::rustls::crypto::{CryptoProvider, ring};
use longwire::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use longwire::rustls::server::WebPkiClientVerifier;
use longwire::rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use longwire::rustls::{
    ALL_VERSIONS, ClientConfig, Error, RootCertStore, ServerConfig, SignatureAlgorithm, SignatureScheme,
    SupportedProtocolVersion,
};
use longwire::{Roots, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};

/// The name that certificates are for, unless a test wants another.
pub(crate) const NAME: &str = "longwire.test";

/// A certificate authority, root or intermediate.
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
        self.limited(common_name, |_| {})
    }

    /// The same, with whatever limits its certificate has.
    pub(crate) fn limited(&self, common_name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
        let (mut params, key) = (authority_params(common_name), KeyPair::generate().expect("a key"));
        change(&mut params);
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

    /// A certificate for [`NAME`] with this key, of which there is no private part.
    pub(crate) fn certify(&self, key: &impl PublicKeyData) -> Vec<CertificateDer<'static>> {
        let own = params("a test's server", &[NAME]).signed_by(key, &self.issuer).expect("a certificate");
        let mut chain = vec![own.into()];
        chain.extend(self.chain.iter().cloned());
        chain
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// What trusts this authority and no other.
    pub(crate) fn tls(&self) -> Tls {
        Tls::new().roots(Roots::None).add_root(self.root_pem()).expect("a sound root")
    }

    fn roots(&self) -> Arc<RootCertStore> {
        store([self.root.clone()])
    }

    /// A client's config that trusts this authority alone.
    pub(crate) fn client_config(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        trusting([self.root.clone()], versions)
    }

    /// The same, with a client certificate.
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

/// Signs nothing: what a server with this key gives for a signature is none.
#[derive(Clone, Debug)]
pub(crate) struct Forger(pub(crate) SignatureScheme);

impl SigningKey for Forger {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.0).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            SignatureScheme::RSA_PSS_SHA256 => SignatureAlgorithm::RSA,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl Signer for Forger {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(vec![7; 128])
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}

/// A server's config with this chain and key, which need not match.
pub(crate) fn showing(chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey>) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(ALL_VERSIONS);
    let resolver = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    builder.expect("known versions").with_no_client_auth().with_cert_resolver(Arc::new(resolver))
}

/// A public RSA key with a modulus of a given size in bits (a multiple of eight), and no private key.
pub(crate) struct RsaKey(Vec<u8>);

impl RsaKey {
    pub(crate) fn of_bits(bits: usize) -> RsaKey {
        let modulus = [&[0][..], &vec![0xc5; bits / 8]].concat();
        RsaKey(der(0x30, &[&der(0x02, &[&modulus]), &der(0x02, &[&[1, 0, 1]])]))
    }
}

impl PublicKeyData for RsaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

/// A certificate of X.509 version 1 or 3, by an issuer of that common name, with this signature
/// algorithm (the content of an OBJECT IDENTIFIER) and bytes for a signature that prove nothing.
pub(crate) fn by_hand(version: u8, issuer: &str, algorithm: &[u8]) -> CertificateDer<'static> {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];

    let algorithm = der(0x30, &[&der(0x06, &[algorithm])]);
    let name = |name: &str| {
        let attribute = der(0x30, &[&der(0x06, &[COMMON_NAME]), &der(0x0c, &[name.as_bytes()])]);
        der(0x30, &[&der(0x31, &[&attribute])])
    };
    let validity = der(0x30, &[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[b"491231235959Z"])]);
    let version = if version == 1 { Vec::new() } else { der(0xa0, &[&der(0x02, &[&[version - 1]])]) };
    let key = KeyPair::generate().expect("a key").subject_public_key_info();
    let serial = der(0x02, &[&[1]]);
    let fields = [&version[..], &serial, &algorithm, &name(issuer), &validity, &name("by hand"), &key];
    let certificate = der(0x30, &[&der(0x30, &fields), &algorithm, &der(0x03, &[&[0; 65]])]);
    CertificateDer::from(certificate)
}

/// One element of DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).expect("a small element").to_be_bytes();
    let header = match content.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [header, content].concat()
}

/// A client's config that trusts these roots and no others.
pub(crate) fn trusting(
    roots: impl IntoIterator<Item = CertificateDer<'static>>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions);
    builder.expect("known versions").with_root_certificates(store(roots)).with_no_client_auth()
}

fn store(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    roots.into_iter().for_each(|root| store.add(root).expect("a sound root"));
    Arc::new(store)
}

/// A certificate for [`NAME`] that is signed with its own key.
pub(crate) fn self_signed(common_name: &str, is_ca: bool) -> Identity {
    self_signed_for(common_name, &[NAME], |params| {
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
    })
}

pub(crate) fn self_signed_for(
    common_name: &str,
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let (mut params, key) = (params(common_name, names), KeyPair::generate().expect("a key"));
    change(&mut params);
    let own = params.self_signed(&key).expect("a certificate");
    Identity { pem: own.pem(), chain: vec![own.into()], key_pem: key.serialize_pem(), key: private(&key) }
}

/// A certificate as RFC 7468 §5 has it.
pub(crate) fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine;

    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Identity {
    pub(crate) fn signing_key(&self) -> Arc<dyn SigningKey> {
        ring::sign::any_supported_type(&self.key).expect("a key of a known kind")
    }

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
