//! Whom a client believes when nobody says otherwise (RFC 5280, RFC 6125), and in what words it
//! says that it does not. Nothing here touches a socket.
//!
//! The rules are those of rustls and of the platform; what is added is an explanation where a
//! chain of certificates leads nowhere, because "unknown issuer" says too little to whoever has to
//! mend it.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError,
    SignatureScheme,
};

use crate::error::{Error, ErrorKind, Result};

/// TLS 1.2 and 1.3, ring, the platform's trust store or the bundled roots, no client certificate.
pub(crate) fn default_config() -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |error| failure("TLS: no default configuration", error);
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

/// rustls's error as ours; `doing` says what was being done.
pub(crate) fn failure(doing: &str, error: rustls::Error) -> Error {
    let (what, error) = match (Explanation::of(&error), words(&error)) {
        (Some(Explanation { why, cause }), _) => (format!("{doing}: {REFUSED}: {why}"), cause.clone()),
        (None, "") => (doing.to_owned(), error),
        (None, words) => (format!("{doing}: {words}"), error),
    };
    Error::from_io(ErrorKind::Tls, what, io::Error::other(error))
}

/// What an error means to whoever has to mend it; nothing where rustls's own words will do.
fn words(error: &rustls::Error) -> &'static str {
    use rustls::Error::*;
    match error {
        InvalidCertificate(error) => words_for_certificate(error),
        AlertReceived(alert) => words_for_alert(*alert),
        InvalidMessage(_) | InappropriateMessage { .. } | InappropriateHandshakeMessage { .. } | PeerMisbehaved(_) => {
            "what the server sent is not sound TLS"
        }
        PeerIncompatible(_) => "the server speaks neither TLS 1.2 nor 1.3, or no cipher suite of ours",
        DecryptError => "what the server sent was damaged on its way",
        _ => "",
    }
}

const REFUSED: &str = "the server's certificate is refused";

fn words_for_certificate(error: &CertificateError) -> &'static str {
    use CertificateError::*;
    match error {
        Expired | ExpiredContext { .. } => "the server's certificate has expired",
        NotValidYet | NotValidYetContext { .. } => {
            "the server's certificate is not valid yet (is this machine's clock right?)"
        }
        NotValidForName | NotValidForNameContext { .. } => "the server's certificate is for another name",
        UnknownIssuer => {
            "the server's certificate leads to no trusted root: it is self-signed, its issuer is not known here, \
             or the server left out an intermediate certificate"
        }
        Revoked => "the server's certificate was revoked",
        _ => REFUSED,
    }
}

fn words_for_alert(alert: AlertDescription) -> &'static str {
    use AlertDescription::*;
    match alert {
        ProtocolVersion => "the server speaks neither TLS 1.2 nor 1.3",
        HandshakeFailure => "the server has no cipher suite in common with us, or wants a client certificate",
        CertificateRequired => "the server wants a client certificate (ClientBuilder::tls_config)",
        BadCertificate
        | UnsupportedCertificate
        | CertificateRevoked
        | CertificateExpired
        | CertificateUnknown
        | UnknownCA
        | AccessDenied => "the server refuses our client certificate",
        UnrecognisedName => "the server does not know this name",
        NoApplicationProtocol => "the server speaks none of the protocols that were offered (ALPN)",
        _ => "the server broke off",
    }
}

/// Refuses what the verifier inside refuses, and says more about chains that lead nowhere.
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
        verified.map_err(|error| match &error {
            // The second of these is what a root certificate gets that a server shows as its own.
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_)) => {
                explain(end_entity, intermediates, &error).unwrap_or(error)
            }
            _ => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
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

/// Why no trusted root was found, on its way through rustls.
#[derive(Debug)]
struct Explanation {
    why: String,
    /// What the verifier said.
    cause: rustls::Error,
}

impl Explanation {
    fn of(error: &rustls::Error) -> Option<&Explanation> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Explanation {}

/// Says where the chain of certificates breaks off, as far as their names tell.
fn explain(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    cause: &rustls::Error,
) -> Option<rustls::Error> {
    let mut last = Names::of(end_entity)?;
    let is_unknown = *cause == rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let why = if last.is_self_signed() {
        format!("it is self-signed ({})", last.subject())
    } else if !is_unknown {
        return None;
    } else {
        let sent: Vec<Names<'_>> = intermediates.iter().filter_map(|certificate| Names::of(certificate)).collect();
        for _ in 0..sent.len() {
            match sent.iter().find(|next| next.subject == last.issuer) {
                Some(next) if !last.is_self_signed() => last = *next,
                _ => break,
            }
        }
        match (last.is_self_signed(), sent.is_empty()) {
            (true, _) => format!("its root is not trusted here ({})", last.subject()),
            (false, true) => format!(
                "its issuer is not trusted here ({}), and the server sent no intermediate certificate",
                last.issuer()
            ),
            (false, false) => format!("the chain that the server sent ends at an unknown issuer ({})", last.issuer()),
        }
    };
    let explanation = Explanation { why, cause: cause.clone() };
    Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(explanation)))))
}

/// Who a certificate is about and who signed it (RFC 5280 §4.1.2.4, §4.1.2.6), in DER.
#[derive(Clone, Copy)]
struct Names<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
}

impl<'a> Names<'a> {
    fn of(certificate: &'a [u8]) -> Option<Names<'a>> {
        const VERSION: u8 = 0xa0;

        let (_, certificate, _) = element(certificate)?;
        let (_, fields, _) = element(certificate)?;
        let (tag, _, behind_first) = element(fields)?;
        let serial = if tag == VERSION { behind_first } else { fields };
        let (_, _, signature) = element(serial)?;
        let (_, _, issuer) = element(signature)?;
        let (_, issuer, validity) = element(issuer)?;
        let (_, _, subject) = element(validity)?;
        let (_, subject, _) = element(subject)?;
        Some(Names { issuer, subject })
    }

    fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }

    fn issuer(&self) -> String {
        common_name(self.issuer)
    }

    fn subject(&self) -> String {
        common_name(self.subject)
    }
}

/// The first element of `der`: its tag and its content; and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The common name in a distinguished name, or the first of its other parts; never raw bytes.
fn common_name(mut name: &[u8]) -> String {
    const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
    const SHOWN_BYTES_MAX: usize = 64; // RFC 5280's upper bound for it

    let mut found = None;
    while let Some((_, set, rest)) = element(name) {
        name = rest;
        let attribute = element(set).and_then(|(_, attribute, _)| {
            let (_, kind, value) = element(attribute)?;
            Some((kind, element(value)?.1))
        });
        match attribute {
            Some((kind, value)) if kind == COMMON_NAME => {
                found = Some(value);
                break;
            }
            Some((_, value)) => found = found.or(Some(value)),
            None => {}
        }
    }
    let found = found.unwrap_or(b"no name");
    let text = String::from_utf8_lossy(&found[..found.len().min(SHOWN_BYTES_MAX)]);
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(common_name: &str) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["longwire.test".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[cfg(feature = "tls-webpki-roots")]
    #[test]
    fn the_bundled_roots_trust_no_stranger_and_say_why() {
        let verifier = Explaining { inner: bundled(&Arc::new(ring::default_provider())).unwrap() };
        let stranger = CertificateDer::from(certificate("a stranger"));
        let name = ServerName::try_from("longwire.test").unwrap();
        let refused = verifier.verify_server_cert(&stranger, &[], &name, &[], UnixTime::now()).unwrap_err();
        let error = failure("TLS", refused).to_string();
        let words = "TLS: the server's certificate is refused: it is self-signed (a stranger): ";
        assert_eq!(error, format!("{words}invalid peer certificate: UnknownIssuer"));
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

    #[test]
    fn names_are_found_in_a_certificate() {
        let certificate = certificate("longwire's own");
        let names = Names::of(&certificate).unwrap();
        assert!(names.is_self_signed());
        assert_eq!((names.issuer(), names.subject()), ("longwire's own".to_owned(), "longwire's own".to_owned()));
    }

    #[test]
    fn a_damaged_certificate_is_no_panic_and_its_name_no_control_characters() {
        let whole = certificate("bell \u{7} and escape \u{1b}[2J");
        assert_eq!(Names::of(&whole).unwrap().subject(), "bell \u{fffd} and escape \u{fffd}[2J");
        for length in 0..whole.len() {
            assert!(Names::of(&whole[..length]).is_none(), "cut at {length}");
        }
        let mut damaged = whole.clone();
        for at in 0..whole.len() {
            for byte in [0, 0x30, 0x80, 0x81, 0x82, 0x84, 0xff] {
                damaged[at] = byte;
                if let Some(names) = Names::of(&damaged) {
                    assert!(!names.issuer().contains(char::is_control), "byte {at} is {byte}");
                }
            }
            damaged[at] = whole[at];
        }
    }
}
