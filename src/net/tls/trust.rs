//! Whom a client believes when nobody says otherwise (RFC 5280, RFC 6125). Nothing here touches a
//! socket.
//!
//! The rules are those of rustls and of the platform; what is added is an explanation where the
//! certificates tell more than the verifier does: "unknown issuer" and "bad signature" say too little
//! to whoever has to mend it.

use std::iter;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};

use crate::error::Result;
use crate::net::tls::certificate::Certificate;
use crate::net::tls::describe::{self, Explanation};

/// TLS 1.2 and 1.3, ring, the platform's trust store or the bundled roots, no client certificate.
pub(crate) fn default_config() -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |error| describe::failure("TLS: no default configuration", error);
    let verifier = Explaining { inner: verifier(&provider).map_err(unusable)? };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous() // it refuses what the one inside refuses
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

type Verifier = Arc<dyn ServerCertVerifier>;

/// With both features the bundled roots stand in where the platform has no trust store.
fn verifier(provider: &Arc<CryptoProvider>) -> Result<Verifier, rustls::Error> {
    #[cfg(all(feature = "tls", feature = "tls-webpki-roots"))]
    return platform(provider).or_else(|_| bundled(provider));
    #[cfg(all(feature = "tls", not(feature = "tls-webpki-roots")))]
    return platform(provider);
    #[cfg(all(feature = "tls-webpki-roots", not(feature = "tls")))]
    return bundled(provider);
    #[cfg(not(any(feature = "tls", feature = "tls-webpki-roots")))]
    return Err(rustls::Error::General(format!("nobody is trusted: {provider:?}")));
}

#[cfg(feature = "tls")]
fn platform(provider: &Arc<CryptoProvider>) -> Result<Verifier, rustls::Error> {
    Ok(Arc::new(rustls_platform_verifier::Verifier::new(provider.clone())?))
}

#[cfg(feature = "tls-webpki-roots")]
fn bundled(provider: &Arc<CryptoProvider>) -> Result<Verifier, rustls::Error> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    match builder.build() {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(rustls::Error::Other(OtherError(Arc::new(error)))),
    }
}

/// Refuses what the verifier inside refuses, and says more about why.
#[derive(Debug)]
struct Explaining {
    inner: Verifier,
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| explained(end_entity, intermediates, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verified = self.inner.verify_tls12_signature(message, certificate, signed);
        verified.map_err(|error| explained(certificate, &[], error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
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
fn explained(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    error: rustls::Error,
) -> rustls::Error {
    let why = match &error {
        rustls::Error::InvalidCertificate(error) => explain(end_entity, intermediates, error),
        _ => None,
    };
    match why {
        Some(why) => Explanation { why, cause: error }.into(),
        None => error,
    }
}

/// RSA keys below are too short for every algorithm there is here.
const RSA_BITS_MIN: usize = 2048;

/// Says what is wrong as far as the certificates tell; `None` where the verifier has said it all.
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

/// Where the chain of certificates breaks off that leads to no trusted root.
fn unknown_issuer(own: Certificate<'_>, sent: &[Certificate<'_>]) -> String {
    if own.is_self_signed() {
        return format!("it is self-signed ({})", own.subject());
    }
    let mut last = own;
    for _ in 0..sent.len() {
        match sent.iter().find(|next| last.is_issued_by(next)) {
            Some(next) if !last.is_self_signed() => last = *next,
            _ => break,
        }
    }
    match (last.is_self_signed(), sent.is_empty()) {
        (true, _) => format!("its root is not trusted here ({})", last.subject()),
        (false, true) => {
            let issuer = last.issuer();
            format!("its issuer is not trusted here ({issuer}), and the server sent no intermediate certificate")
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

        let verifier = Explaining { inner: bundled(&Arc::new(ring::default_provider())).unwrap() };
        let mut params = CertificateParams::new(vec!["longwire.test".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a stranger");
        let stranger = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let name = ServerName::try_from("longwire.test").unwrap();
        let refused = verifier.verify_server_cert(stranger.der(), &[], &name, &[], UnixTime::now()).unwrap_err();
        let error = describe::failure("TLS", refused);
        assert_eq!(error.to_string(), "TLS: the server's certificate is refused: it is self-signed (a stranger)");
    }

    #[test]
    fn the_default_configuration_is_made_or_says_what_it_lacks() {
        // Where the platform has no trust store and none is bundled, that is what is said.
        match default_config() {
            Ok(config) => assert!(config.enable_sni && !config.enable_early_data),
            Err(_) if cfg!(feature = "tls-webpki-roots") => panic!("the bundled roots are always there"),
            Err(error) => assert!(error.to_string().starts_with("TLS: no default configuration: "), "{error}"),
        }
    }
}
