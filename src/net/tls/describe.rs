//! rustls's errors in words: what is wrong and, where that is not obvious, what to do about it. One line
//! each, without the names of Rust's types. What can only be found with the certificate at hand
//! is added by `verify`, inside an [`Explanation`].

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};

use crate::error::{Error, ErrorKind};
use crate::net::tls::certificate::{dotted, element, printable};

/// What every refusal of a certificate begins with.
const REFUSED: &str = "the server's certificate is refused";

/// How to make a certificate that can be used.
const ADVICE: &str = "make another with `openssl req -x509 -newkey rsa:2048 -addext subjectAltName=DNS:NAME \
                      -addext basicConstraints=critical,CA:FALSE`";

/// What the platform's verifier and webpki have different errors for.
const NOT_FOR_SERVERS: &str = "it is not for servers (extended key usage)";
const CRITICAL_EXTENSION: &str = "it has a critical extension that is not known here";

/// Names and purposes of a certificate that are shown.
const NAMES_MAX: usize = 4;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The text of the platform's verifier in place of `InvalidPurpose`.
const PLATFORMS_INVALID_PURPOSE: &str = "certificate had invalid extensions";

/// Why a TLS 1.2 server that has sent a HelloRequest closes the connection (RFC 5246 §7.4.1.1).
pub(crate) const RENEGOTIATION: &str = "the server requests a renegotiation, which is not supported (a client \
                                        certificate must be requested in the first handshake)";

/// Returns rustls's error as ours; `doing` names what was being done.
pub(crate) fn failure(doing: impl Into<Cow<'static, str>>, error: rustls::Error) -> Error {
    let words = describe(&error);
    let cause = match Explanation::of(&error) {
        Some(explanation) => explanation.cause.clone(),
        None => error,
    };
    described(doing, words, cause)
}

/// The same after the server has asked for a renegotiation: its alert alone would mislead.
pub(crate) fn failure_after_hello_request(doing: impl Into<Cow<'static, str>>, error: rustls::Error) -> Error {
    match error {
        rustls::Error::AlertReceived(alert) => {
            described(doing, format!("{RENEGOTIATION}, and aborted the connection ({})", alert_name(alert)), error)
        }
        _ => failure(doing, error),
    }
}

fn described(doing: impl Into<Cow<'static, str>>, words: String, cause: rustls::Error) -> Error {
    Error::from_io(ErrorKind::Tls, doing, io::Error::other(Described { words, cause }))
}

/// rustls's error, with our words as its `Display`.
#[derive(Debug)]
struct Described {
    words: String,
    cause: rustls::Error,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Described {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// Why a certificate was refused, on its way through rustls.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(crate) why: String,
    /// The verifier's error.
    pub(crate) cause: rustls::Error,
}

impl Explanation {
    fn of(error: &rustls::Error) -> Option<&Explanation> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.downcast_ref(),
            _ => None,
        }
    }
}

impl From<Explanation> for rustls::Error {
    fn from(explanation: Explanation) -> rustls::Error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(explanation))))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Explanation {}

/// Returns what the error says, on one line.
fn describe(error: &rustls::Error) -> String {
    use rustls::Error::*;
    const UNSOUND: &str = "what the server sent is not valid TLS";

    match error {
        InvalidCertificate(error) => certificate(error),
        AlertReceived(alert) => format!("{} ({})", alert_meaning(*alert), alert_name(*alert)),
        InvalidMessage(why) => format!("{UNSOUND}: {}", variant(why)),
        InappropriateMessage { got_type, .. } => {
            format!("{UNSOUND}: unexpected {}", variant(got_type))
        }
        InappropriateHandshakeMessage { got_type, .. } => {
            format!("{UNSOUND}: unexpected {}", variant(got_type))
        }
        PeerMisbehaved(rustls::PeerMisbehaved::TooManyRenegotiationRequests) => RENEGOTIATION.to_owned(),
        PeerMisbehaved(why) => format!("{UNSOUND}: {}", variant(why)),
        PeerSentOversizedRecord => format!("{UNSOUND}: oversized record"),
        PeerIncompatible(why) => incompatible(why),
        NoCertificatesPresented => "the server sent no certificate".to_owned(),
        DecryptError => "a record cannot be decrypted: it was damaged in transit".to_owned(),
        InconsistentKeys(why) => format!("a key and its certificate may not match: {}", variant(why)),
        InvalidCertRevocationList(why) => format!("the revocation list is unusable: {}", variant(why)),
        InvalidEncryptedClientHello(why) => format!("encrypted hello: {}", variant(why)),
        Other(other) => in_words(&other.to_string()),
        General(text) => printable(text),
        _ => in_words(&error.to_string()),
    }
}

fn incompatible(why: &PeerIncompatible) -> String {
    use PeerIncompatible::*;
    match why {
        ServerDoesNotSupportTls12Or13 => "the server supports neither TLS 1.2 nor 1.3".to_owned(),
        ServerTlsVersionIsDisabledByOurConfig => {
            "the server chose a version of TLS that is disabled here (Tls::min_version)".to_owned()
        }
        _ => format!("the server and this client have no TLS parameters in common: {}", variant(why)),
    }
}

/// What an alert of the server means.
fn alert_meaning(alert: AlertDescription) -> &'static str {
    use AlertDescription::*;
    match alert {
        ProtocolVersion => "the server supports neither TLS 1.2 nor 1.3, or none that Tls::min_version allows",
        HandshakeFailure => "the server supports none of the cipher suites offered, or requires a client certificate",
        InsufficientSecurity => "the server requires stronger cryptography than was offered",
        CertificateRequired => "the server requires a client certificate (Tls::identity)",
        BadCertificate
        | UnsupportedCertificate
        | CertificateRevoked
        | CertificateExpired
        | CertificateUnknown
        | UnknownCA
        | AccessDenied => "the server rejected the client certificate, or requires one (Tls::identity)",
        UnrecognisedName => "the server has no certificate for this name (SNI)",
        NoApplicationProtocol => "the server supports none of the protocols offered (ALPN)",
        _ => "the server aborted the connection",
    }
}

/// An alert by its number and name (RFC 8446 §6).
fn alert_name(alert: AlertDescription) -> String {
    let number = u8::from(alert);
    match alert.as_str() {
        Some(name) => format!("alert {number}: {}", in_words(name)),
        None => format!("alert {number}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError::*;
    match error {
        Expired => "the server's certificate has expired".to_owned(),
        ExpiredContext { time, not_after } => {
            let ago = days(time.as_secs().saturating_sub(not_after.as_secs()));
            format!("the server's certificate has expired, {ago} ago")
        }
        NotValidYet => "the server's certificate is not valid yet (is this machine's clock right?)".to_owned(),
        NotValidYetContext { time, not_before } => {
            let left = days(not_before.as_secs().saturating_sub(time.as_secs()));
            format!("the server's certificate is not valid yet, but in {left} (is this machine's clock right?)")
        }
        NotValidForName => "the server's certificate is for another name".to_owned(),
        NotValidForNameContext { expected, presented } => other_name(expected, presented),
        UnknownIssuer => "the server's certificate leads to no trusted root: it is self-signed, its issuer is not \
                          known here, or the server left out an intermediate certificate"
            .to_owned(),
        Revoked => "the server's certificate was revoked".to_owned(),
        _ => format!("{REFUSED}: {}", certificate_defect(error)),
    }
}

/// What is wrong with a certificate that is not a server's, but was given to a setting.
pub(crate) fn defect(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate_defect(error),
        _ => describe(error),
    }
}

/// What is wrong with a certificate, or with one in its chain.
fn certificate_defect(error: &CertificateError) -> String {
    use CertificateError::*;
    match error {
        Other(OtherError(inner)) => match inner.downcast_ref::<Explanation>() {
            Some(explanation) => explanation.why.clone(),
            None => webpki_error(&inner.to_string()),
        },
        BadSignature => "a signature in its chain, or one made with its key, is wrong: it was damaged, the trusted \
                         root of that name has another key, or an RSA key is shorter than 2048 bits"
            .to_owned(),
        UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            unsupported_signature(signature_algorithm_id)
        }
        UnsupportedSignatureAlgorithmForPublicKeyContext { signature_algorithm_id, public_key_algorithm_id } => {
            let (signature, key) = (oids(signature_algorithm_id), oids(public_key_algorithm_id));
            format!("a signature in its chain cannot be verified: algorithm {signature} with a key of {key}")
        }
        InvalidPurpose => NOT_FOR_SERVERS.to_owned(),
        InvalidPurposeContext { presented, .. } => {
            let purposes: Vec<String> = presented.iter().take(NAMES_MAX).map(ToString::to_string).collect();
            format!("{NOT_FOR_SERVERS}, but for {}", purposes.join(", "))
        }
        UnhandledCriticalExtension => CRITICAL_EXTENSION.to_owned(),
        BadEncoding => "it is malformed".to_owned(),
        _ => variant(error),
    }
}

/// webpki's errors without a variant in rustls are text, which is the name of an enum's variant; a
/// platform verifier's are prose.
fn webpki_error(text: &str) -> String {
    match text {
        "CaUsedAsEndEntity" => ca_as_server("the certificate of a CA"),
        "UnsupportedCertVersion" => format!("it is of X.509 version 1, which cannot be used: {ADVICE}"),
        "EndEntityUsedAsCa" => "its issuer is not a CA (CA:FALSE)".to_owned(),
        "PathLenConstraintViolated" => {
            "a CA in its chain allows fewer intermediate certificates below it (pathlen)".to_owned()
        }
        "MaximumPathDepthExceeded" => "its chain has too many intermediate certificates".to_owned(),
        "NameConstraintViolation" => "a CA in its chain may not issue for its names (name constraints)".to_owned(),
        "UnsupportedCriticalExtension" => CRITICAL_EXTENSION.to_owned(),
        PLATFORMS_INVALID_PURPOSE => NOT_FOR_SERVERS.to_owned(),
        _ => in_words(text),
    }
}

/// `what` it is: a certificate with CA:TRUE.
pub(crate) fn ca_as_server(what: &str) -> String {
    format!(
        "it is {what} (CA:TRUE), which cannot be used as a server's, even if it is a trusted root: if it is the right one, \
         trust it with Tls::pin, or {ADVICE}"
    )
}

pub(crate) fn self_signed(subject: &str) -> String {
    format!("it is self-signed ({subject}); if it is the right one, trust it with Tls::pin")
}

pub(crate) fn short_rsa_key(bits: usize) -> String {
    format!("an RSA key of {bits} bits is too short, 2048 are needed: {ADVICE}")
}

/// The certificate of that subject is none of the pinned ones.
pub(crate) fn not_pinned(subject: Option<&str>) -> String {
    let subject = subject.unwrap_or("malformed");
    format!("it is not a pinned one ({subject}); if the server has a new one, trust that with Tls::pin")
}

/// A pinned certificate is for these names, or for none.
pub(crate) fn pinned_for_other_name(expected: &ServerName<'_>, names: Vec<String>) -> String {
    let names = if names.is_empty() { "no name".to_owned() } else { listed(&names) };
    let expected = expected.to_str();
    format!("it is pinned, but for {names}, not for {expected} (Tls::any_name switches this check off)")
}

fn other_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    let expected = expected.to_str();
    let names = host_names(presented);
    if names.is_empty() {
        let kind = if expected.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
        return format!(
            "the server's certificate names no host (a common name is ignored): \
             make it with `openssl req -addext subjectAltName={kind}:{expected}`"
        );
    }
    format!("the server's certificate is for another name: for {}, not for {expected}", listed(&names))
}

/// The first of the names, and how many more there are.
fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_MAX)].join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        count => format!("{shown} and {count} more"),
    }
}

/// The hosts among a certificate's names as webpki shows them.
pub(crate) fn host_names(presented: &[String]) -> Vec<String> {
    presented.iter().filter_map(|name| host_name(name)).collect()
}

/// The host in a name as webpki shows it: `DnsName("a.test")` or `IpAddress(127.0.0.1)`; `None` for
/// names of other kinds.
fn host_name(shown: &str) -> Option<String> {
    const NAME_LENGTH_MAX: usize = 253; // RFC 1035 §2.3.4, without the outer dots

    let name = ["DnsName(", "IpAddress("].iter().find_map(|kind| shown.strip_prefix(kind))?;
    let name = name.strip_suffix(')')?.trim_matches('"');
    Some(printable(name).chars().take(NAME_LENGTH_MAX).collect())
}

fn days(seconds: u64) -> String {
    match seconds / SECONDS_PER_DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// `algorithm` is the content of an AlgorithmIdentifier (RFC 5280 §4.1.1.2).
fn unsupported_signature(algorithm: &[u8]) -> String {
    /// RFC 3279 §2.2.
    const WEAK: [(&str, &str); 5] = [
        ("1.2.840.113549.1.1.2", "MD2"),
        ("1.2.840.113549.1.1.4", "MD5"),
        ("1.2.840.113549.1.1.5", "SHA-1"),
        ("1.2.840.10040.4.3", "SHA-1"),
        ("1.2.840.10045.4.1", "SHA-1"),
    ];
    let oids = oids(algorithm);
    match WEAK.iter().find(|(weak, _)| *weak == oids) {
        Some((_, hash)) => format!("a signature in its chain uses {hash}, which is too weak"),
        None => format!("a signature in its chain uses an unknown algorithm ({oids})"),
    }
}

/// The object identifiers in the content of an AlgorithmIdentifier: `1.2.840.10045.4.3.2`.
fn oids(mut algorithm: &[u8]) -> String {
    const OBJECT_IDENTIFIER: u8 = 6;

    let mut found = Vec::new();
    while let Some((OBJECT_IDENTIFIER, content, rest)) = element(algorithm) {
        if found.len() == NAMES_MAX {
            break;
        }
        algorithm = rest;
        found.push(dotted(content));
    }
    found.join(" ")
}

fn variant(value: &impl fmt::Debug) -> String {
    in_words(&format!("{value:?}"))
}

/// The name of an enum's variant as words, without what the variant holds: "invalid content type" for
/// `InvalidContentType` and for `InvalidContentType(7)`. Prose stays as it is.
fn in_words(text: &str) -> String {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if !rest.is_empty() && !rest.starts_with('(') && !rest.starts_with(" {") {
        return printable(text);
    }
    let letters: Vec<char> = name.chars().collect();
    let mut words = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let is_capital = |at: usize| letters.get(at).is_some_and(char::is_ascii_uppercase);
        let is_small = |at: usize| letters.get(at).is_some_and(char::is_ascii_lowercase);
        let begins = is_capital(at) && (at == 0 || !is_capital(at - 1) || is_small(at + 1));
        if begins && at > 0 {
            words.push(' ');
        }
        // An acronym keeps its capitals.
        let is_in_acronym = is_capital(at) && !is_small(at + 1) && (is_capital(at + 1) || at > 0 && is_capital(at - 1));
        words.push(if is_in_acronym { *letter } else { letter.to_ascii_lowercase() });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;
    use rustls::{ContentType, HandshakeType, InconsistentKeys, InvalidMessage, PeerMisbehaved};
    use std::time::Duration;

    #[test]
    fn the_name_of_a_variant_is_told_in_words() {
        for (name, words) in [
            ("BadRecordMac", "bad record mac"),
            ("UnknownCA", "unknown CA"),
            ("UnknownPSKIdentity", "unknown PSK identity"),
            ("X509", "x509"),
            ("InvalidKeyShare(7)", "invalid key share"),
            ("CertExpired { time: UnixTime(1) }", "cert expired"),
            ("", ""),
            ("The chain is bad (0x800b0109)", "The chain is bad (0x800b0109)"),
            ("two\nlines", "two\u{fffd}lines"),
        ] {
            assert_eq!(in_words(name), words);
        }
    }

    #[test]
    fn no_error_shows_a_name_that_only_rust_knows() {
        let other = |text: &str| OtherError(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(text)));
        let certificates = [
            CertificateError::UnhandledCriticalExtension,
            CertificateError::UnknownRevocationStatus,
            CertificateError::ApplicationVerificationFailure,
            CertificateError::InvalidPurpose,
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02".to_vec(),
                public_key_algorithm_id: b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23".to_vec(),
            },
            CertificateError::Other(other("MaximumSignatureChecksExceeded")),
            CertificateError::Other(other("certificate had invalid extensions")),
        ];
        let mut errors = vec![
            rustls::Error::InvalidMessage(InvalidMessage::MissingData("ServerHello")),
            rustls::Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite),
            rustls::Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests),
            rustls::Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
            rustls::Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig),
            rustls::Error::InappropriateMessage { expect_types: vec![], got_type: ContentType::ChangeCipherSpec },
            rustls::Error::InappropriateHandshakeMessage {
                expect_types: vec![HandshakeType::ServerHello],
                got_type: HandshakeType::NewSessionTicket,
            },
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
            rustls::Error::NoCertificatesPresented,
            rustls::Error::PeerSentOversizedRecord,
            rustls::Error::General("two\nlines".to_owned()),
            rustls::Error::Other(other("SomethingElse(7)")),
        ];
        errors.extend((0..=u8::MAX).map(|number| rustls::Error::AlertReceived(number.into())));
        errors.extend(certificates.map(rustls::Error::InvalidCertificate));
        for error in errors {
            let said = failure("TLS", error.clone()).to_string();
            let letters: Vec<char> = said.replace("Tls::", "").chars().collect();
            let is_plain = |two: &[char]| !(two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
            assert!(letters.windows(2).all(is_plain) && !said.contains(['\n', '{', '"']), "{error:?}: {said}");
        }
    }

    #[test]
    fn the_error_of_rustls_is_the_cause() {
        let error = failure("TLS", rustls::Error::DecryptError);
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        assert_eq!(cause.downcast_ref(), Some(&rustls::Error::DecryptError));
    }

    #[test]
    fn times_and_names_and_algorithms_are_told() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let day = SECONDS_PER_DAY;
        for (seconds, ago) in
            [(0, "less than a day"), (day - 1, "less than a day"), (day, "1 day"), (2 * day, "2 days")]
        {
            let error = CertificateError::ExpiredContext { time: at(9 * day + seconds), not_after: at(9 * day) };
            assert_eq!(certificate(&error), format!("the server's certificate has expired, {ago} ago"));
        }
        let names = |presented: &[&str]| {
            let presented: Vec<String> = presented.iter().map(|name| (*name).to_owned()).collect();
            other_name(&ServerName::try_from("127.0.0.1").unwrap(), &presented)
        };
        assert!(names(&["IpAddress(127.0.0.2)", "Unsupported(0x81)"]).ends_with("for 127.0.0.2, not for 127.0.0.1"));
        assert!(names(&["DirectoryName"]).contains("`openssl req -addext subjectAltName=IP:127.0.0.1`"));
        assert_eq!(oids(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"), "1.2.840.10045.4.3.2");
        assert_eq!(oids(b"\x06\x01\x29\x06\x03\x88\x37\x03"), "1.1 2.999.3");
    }
}
