//! Decides whether a server's certificate is trusted (RFC 5280, RFC 9525), and explains why not. Nothing
//! here touches a socket.
//!
//! There are two kinds of verifiers: those that look for a chain to a root, which are rustls's own and
//! the platform's, and [`LeafVerifier`], which knows the certificate itself. [`ExplainingVerifier`]
//! wraps either, and refuses what the inner one refuses: it only adds what the certificates tell
//! beyond that, since "unknown issuer" and "bad signature" are too little for the person who has to
//! correct the setup.

use std::iter;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::net::tls::certificate::Certificate;
use crate::net::tls::describe::{self, Explanation};

/// RSA keys below this are too short for every algorithm that ring has.
const RSA_BITS_MIN: usize = 2048;

const ADD_ROOT: &str = "a private root is added with Tls::add_root";

pub(crate) type Verifier = Arc<dyn ServerCertVerifier>;

/// Trusts chains to the platform's roots, and to these.
#[cfg(feature = "tls")]
pub(crate) fn platform(
    added: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> std::result::Result<Verifier, Error> {
    // On Android, where there are no others, `Tls::check` refuses added roots.
    #[cfg(not(target_os = "android"))]
    if !added.is_empty() {
        let added = added.iter().cloned();
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(added, provider.clone())?;
        return Ok(Arc::new(verifier));
    }
    #[cfg(target_os = "android")]
    debug_assert!(added.is_empty());
    Ok(Arc::new(rustls_platform_verifier::Verifier::new(provider.clone())?))
}

/// Trusts chains to the bundled roots, and to these.
#[cfg(feature = "tls-webpki-roots")]
pub(crate) fn bundled(added: &[CertificateDer<'static>], provider: &Arc<CryptoProvider>) -> Result<Verifier, Error> {
    chains_to(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, added, provider)
}

/// Trusts chains to these roots alone.
pub(crate) fn added_alone(
    added: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, Error> {
    chains_to(RootCertStore::empty(), added, provider)
}

fn chains_to(
    mut roots: RootCertStore,
    added: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, Error> {
    for root in added {
        roots.add(root.clone())?;
    }
    match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build() {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(Error::Other(OtherError(Arc::new(error)))),
    }
}

/// Which certificates [`LeafVerifier`] trusts.
#[derive(Debug)]
pub(crate) enum Leaf {
    /// Every one.
    Any,
    /// These, byte for byte.
    Pinned { certificates: Vec<CertificateDer<'static>>, names: Names },
}

/// The hosts for which a pinned certificate is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Names {
    /// Those that the certificate names.
    #[default]
    Checked,
    Any,
}

/// Trusts a server by its own certificate, whatever issued it. The server still has to prove that it
/// has the certificate's private key.
#[derive(Debug)]
pub(crate) struct LeafVerifier {
    pub(crate) trusts: Leaf,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for LeafVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Leaf::Pinned { certificates, names } = &self.trusts {
            if !certificates.iter().any(|pinned| pinned == end_entity) {
                let subject = Certificate::parse(end_entity).map(|certificate| certificate.subject());
                return Err(refused(describe::not_pinned(subject.as_deref())));
            }
            check_validity(end_entity, now)?;
            if *names == Names::Checked {
                check_name(end_entity, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// An error if `certificate` could never be used if it were pinned: rustls verifies no signature with
/// its key.
pub(crate) fn check_usable(certificate: &CertificateDer<'_>) -> Result<(), Error> {
    ParsedCertificate::try_from(certificate)?;
    let parsed = Certificate::parse(certificate);
    let (Some(parsed), Some(_)) = (parsed, parsed.and_then(|parsed| parsed.validity())) else {
        return Err(CertificateError::BadEncoding.into());
    };
    match parsed.rsa_bits() {
        Some(bits) if bits < RSA_BITS_MIN => Err(refused(describe::short_rsa_key(bits))),
        _ => Ok(()),
    }
}

fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let validity = Certificate::parse(certificate).and_then(|certificate| certificate.validity());
    let validity = validity.ok_or(CertificateError::BadEncoding)?;
    let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    if now.as_secs() < *validity.start() {
        return Err(CertificateError::NotValidYetContext { time: now, not_before: at(*validity.start()) }.into());
    }
    if now.as_secs() > *validity.end() {
        return Err(CertificateError::ExpiredContext { time: now, not_after: at(*validity.end()) }.into());
    }
    Ok(())
}

/// The name against the subject alternative names (RFC 9525 §6). A certificate without any is matched
/// by its common names, as RFC 2818 §3.1 did: that is no weaker here, where it is trusted already.
fn check_name(der: &CertificateDer<'_>, expected: &ServerName<'_>) -> Result<(), Error> {
    let names = match verify_server_name(&ParsedCertificate::try_from(der)?, expected) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => presented,
        verified => return verified,
    };
    let certificate = Certificate::parse(der).ok_or(CertificateError::BadEncoding)?;
    if certificate.has_subject_alt_name() {
        return Err(refused(describe::pinned_for_other_name(expected, describe::host_names(&names))));
    }
    if certificate.common_names().any(|name| common_name_matches(name, expected)) {
        return Ok(());
    }
    let names = certificate.common_names().next().map(|_| certificate.subject());
    Err(refused(describe::pinned_for_other_name(expected, names.into_iter().collect())))
}

/// Addresses are compared by value, names without regard to case; `*` stands for a whole first label
/// (RFC 2818 §3.1).
fn common_name_matches(common_name: &[u8], expected: &ServerName<'_>) -> bool {
    let Ok(common_name) = std::str::from_utf8(common_name) else { return false };
    match expected {
        ServerName::DnsName(name) => {
            let name = name.as_ref();
            let parents = (common_name.strip_prefix("*."), name.split_once('.'));
            let is_below = matches!(parents, (Some(parent), Some((_, other))) if parent.eq_ignore_ascii_case(other));
            is_below || common_name.eq_ignore_ascii_case(name)
        }
        ServerName::IpAddress(address) => common_name.parse() == Ok(IpAddr::from(*address)),
        _ => false,
    }
}

fn refused(why: String) -> Error {
    Explanation { why, cause: CertificateError::ApplicationVerificationFailure.into() }.into()
}

/// Refuses what the inner verifier refuses, and explains more about why.
#[derive(Debug)]
pub(crate) struct ExplainingVerifier {
    pub(crate) inner: Verifier,
}

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| explained(end_entity, intermediates, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.inner.verify_tls12_signature(message, certificate, signed);
        verified.map_err(|error| explained(certificate, &[], error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.inner.verify_tls13_signature(message, certificate, signed);
        verified.map_err(|error| explained(certificate, &[], error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.inner.root_hint_subjects()
    }
}

/// The verifier's error, with an explanation where there is one.
fn explained(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], error: Error) -> Error {
    let why = match &error {
        Error::InvalidCertificate(error) => explain(end_entity, intermediates, error),
        _ => None,
    };
    match why {
        Some(why) => Explanation { why, cause: error }.into(),
        None => error,
    }
}

/// Explains what is wrong as far as the certificates tell; `None` where the verifier's error is enough.
fn explain(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    error: &CertificateError,
) -> Option<String> {
    let own = Certificate::parse(end_entity)?;
    let sent: Vec<Certificate<'_>> = intermediates.iter().filter_map(|der| Certificate::parse(der)).collect();
    match error {
        CertificateError::UnknownIssuer => Some(unknown_issuer(own, &sent)),
        CertificateError::BadSignature => {
            let mut lengths = iter::once(&own).chain(&sent).filter_map(Certificate::rsa_bits);
            lengths.find(|bits| *bits < RSA_BITS_MIN).map(describe::short_rsa_key)
        }
        // webpki's, for whose errors rustls has no variants.
        CertificateError::Other(OtherError(other)) if other.to_string() == "CaUsedAsEndEntity" => {
            let what = if own.is_self_signed() { "the self-signed certificate" } else { "the certificate" };
            Some(describe::ca_as_server(&format!("{what} of a CA, {}", own.subject())))
        }
        _ => None,
    }
}

/// Where the chain of certificates ends that leads to no trusted root.
fn unknown_issuer(own: Certificate<'_>, sent: &[Certificate<'_>]) -> String {
    if own.is_self_signed() {
        return describe::self_signed(&own.subject());
    }
    let mut last = own;
    for _ in 0..sent.len() {
        match sent.iter().find(|next| last.is_issued_by(next)) {
            Some(next) if !last.is_self_signed() => last = *next,
            _ => break,
        }
    }
    match (last.is_self_signed(), sent.is_empty()) {
        (true, _) => format!("its root is not trusted here ({}); {ADD_ROOT}", last.subject()),
        (false, true) => {
            let issuer = last.issuer();
            let what = "and the server sent no intermediate certificate";
            format!("its issuer is not trusted here ({issuer}), {what}; {ADD_ROOT}")
        }
        (false, false) => format!("the chain that the server sent ends at an unknown issuer ({})", last.issuer()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "tls-webpki-roots")]
    #[test]
    fn the_bundled_roots_trust_no_stranger_and_say_why() {
        use rcgen::{CertificateParams, DnType, KeyPair};
        use rustls::crypto::ring;

        let verifier = ExplainingVerifier { inner: bundled(&[], &Arc::new(ring::default_provider())).unwrap() };
        let mut params = CertificateParams::new(vec!["longwire.test".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a stranger");
        let stranger = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let name = ServerName::try_from("longwire.test").unwrap();
        let refused = verifier.verify_server_cert(stranger.der(), &[], &name, &[], UnixTime::now()).unwrap_err();
        let error = describe::failure("TLS", refused);
        let what = "TLS: the server's certificate is refused: it is self-signed (a stranger); if it is the right one, \
                    trust it with Tls::pin";
        assert_eq!(error.to_string(), what);
    }

    #[test]
    fn a_common_name_stands_for_a_host_as_it_once_did() {
        let matches = |common_name: &str, host: &str| {
            common_name_matches(common_name.as_bytes(), &ServerName::try_from(host).unwrap())
        };
        for (common_name, host) in [
            ("a.test", "a.test"),
            ("A.Test", "a.TEST"),
            ("*.test", "a.test"),
            ("router", "router"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0::7", "2001:db8::7"),
        ] {
            assert!(matches(common_name, host), "{common_name} for {host}");
        }
        for (common_name, host) in [
            ("a.test", "b.test"),
            ("*.test", "a.b.test"),
            ("*.test", "test"),
            ("*", "router"),
            ("a*.test", "ab.test"),
            ("", "router"),
            ("192.0.2.7", "192.0.2.8"),
            ("*.0.2.7", "192.0.2.7"),
        ] {
            assert!(!matches(common_name, host), "{common_name} for {host}");
        }
        assert!(!common_name_matches(b"\xff", &ServerName::try_from("a.test").unwrap()));
    }
}
