//! Certificates and private keys out of PEM (RFC 7468), and what is wrong with a file that holds
//! something else. What they are used for is not known here; no error shows a key.

use rustls::pki_types::pem::{Error as PemError, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::net::tls::certificate::printable;

/// Labels that an error lists, and the bytes of each.
const LABELS_MAX: usize = 4;
const LABEL_BYTES_MAX: usize = 40;

const BEGIN: &[u8] = b"-----BEGIN ";

/// The first byte of everything that could be DER here: a SEQUENCE.
const DER: u8 = 0x30;

/// Returns all certificates, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(damaged)?;
        if kind == SectionKind::Certificate {
            certificates.push(CertificateDer::from(der));
        }
    }
    match certificates.is_empty() {
        true => Err(missing("certificate", pem, "openssl x509 -inform der -in FILE -out FILE.pem")),
        false => Ok(certificates),
    }
}

/// Returns the first private key.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if is_encrypted(pem) {
        let advice = "decrypt it with `openssl pkey -in key.pem -out plain.pem`";
        return Err(format!("the private key is encrypted: {advice}"));
    }
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => {
            Err(missing("private key", pem, "openssl pkey -inform der -in FILE -out FILE.pem"))
        }
        Err(error) => Err(damaged(error)),
    }
}

/// Returns whether there is a key that needs a password: of PKCS #8, or as OpenSSL once wrote them
/// (RFC 1421 §4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    labels(pem).any(|label| label == b"ENCRYPTED PRIVATE KEY")
        || lines(pem).any(|line| line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED"))
}

fn damaged(error: PemError) -> String {
    let what = match error {
        PemError::MissingSectionEnd { .. } => "it has no end",
        PemError::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        PemError::Base64Decode(_) => "it is not base64",
        _ => "it cannot be read",
    };
    format!("the PEM is damaged: {what}")
}

fn missing(what: &str, pem: &[u8], to_pem: &str) -> String {
    if pem.first() == Some(&DER) {
        return format!("it is not PEM but DER: convert it with `{to_pem}`");
    }
    let label = |label: &[u8]| printable(&String::from_utf8_lossy(&label[..label.len().min(LABEL_BYTES_MAX)]));
    let found: Vec<String> = labels(pem).take(LABELS_MAX).map(label).collect();
    match found.is_empty() {
        true => format!("there is no PEM in it: no `-----BEGIN {}-----`", what.to_uppercase()),
        false => format!("there is no {what} in it, but {}", found.join(", ")),
    }
}

fn labels(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(pem).filter_map(|line| {
        let label = line.strip_prefix(BEGIN)?;
        let end = label.iter().position(|byte| *byte == b'-').unwrap_or(label.len());
        Some(&label[..end])
    })
}

fn lines(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    pem.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    fn key(label: &str) -> String {
        format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n")
    }

    #[test]
    fn every_certificate_of_a_file_is_found_among_other_things() {
        let file = ["# a comment\n", CERTIFICATE, &key("PRIVATE KEY"), CERTIFICATE, &key("DH PARAMETERS")].concat();
        assert_eq!(certificates(file.as_bytes()).unwrap(), vec![CertificateDer::from(vec![0x30, 0]); 2]);
    }

    #[test]
    fn the_three_kinds_of_keys_are_found_among_other_things() {
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let file = [CERTIFICATE, &key("EC PARAMETERS"), &key(label)].concat();
            let key = private_key(file.as_bytes()).unwrap();
            let kind = match key {
                PrivateKeyDer::Pkcs8(_) => "PRIVATE KEY",
                PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
                PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
                _ => "none of them",
            };
            assert_eq!(kind, label);
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let certificate = |pem: &[u8]| certificates(pem).unwrap_err();
        assert_eq!(certificate(b""), "there is no PEM in it: no `-----BEGIN CERTIFICATE-----`");
        assert_eq!(certificate(b"ca.pem"), "there is no PEM in it: no `-----BEGIN CERTIFICATE-----`");
        assert!(certificate(b"\x30\x82\x01\x02").starts_with("it is not PEM but DER: convert it with `openssl x509 "));
        let others = key("PRIVATE KEY") + &key("a\u{7}") + &key("3") + &key("4") + &key("5");
        let listed = "there is no certificate in it, but PRIVATE KEY, a\u{fffd}, 3, 4";
        assert_eq!(certificate(others.as_bytes()), listed);
        for damaged in ["-----BEGIN CERTIFICATE-----\nMAA=", &CERTIFICATE.replace("MAA=", "MA!="), "-----BEGIN X"] {
            assert!(certificate(damaged.as_bytes()).starts_with("the PEM is damaged: "), "{damaged}");
        }
        let key_error = |pem: &str| private_key(pem.as_bytes()).unwrap_err();
        assert_eq!(key_error(CERTIFICATE), "there is no private key in it, but CERTIFICATE");
        assert_eq!(
            key_error("\u{30}\u{1}"),
            "it is not PEM but DER: convert it with `openssl pkey -inform der -in FILE -out FILE.pem`"
        );
    }

    #[test]
    fn an_encrypted_key_is_told_how_to_be_decrypted() {
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAA=\n\
                   -----END RSA PRIVATE KEY-----\n";
        for pem in [key("ENCRYPTED PRIVATE KEY"), old.to_owned(), CERTIFICATE.to_owned() + old] {
            let error = private_key(pem.as_bytes()).unwrap_err();
            let words = "the private key is encrypted: decrypt it with `openssl pkey -in key.pem -out plain.pem`";
            assert_eq!(error, words);
        }
    }
}
