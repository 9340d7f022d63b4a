//! The fields of an X.509 certificate that webpki keeps to itself (RFC 5280 §4.1): whose it is, who issued
//! it, when it is valid, and how long an RSA key is. Nothing is decided or trusted here. Any bytes may
//! be given, and give either a value or `None`.

use std::iter;
use std::ops::RangeInclusive;

/// Tags (ITU-T X.690 §8.1.2).
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Object identifiers, encoded: id-at-commonName and id-ce-subjectAltName (RFC 5280 §A.1, §A.2).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// A certificate's fields, in DER.
#[derive(Clone, Copy)]
pub(crate) struct Certificate<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    /// SubjectPublicKeyInfo.
    key: &'a [u8],
    /// Unique identifiers and extensions.
    optional: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let (_, certificate, _) = element(der)?;
        let (_, fields, _) = element(certificate)?;
        let (tag, _, after_first) = element(fields)?;
        let serial = if tag == VERSION { after_first } else { fields };
        let (_, _, signature) = element(serial)?;
        let (_, _, issuer) = element(signature)?;
        let (_, issuer, validity) = element(issuer)?;
        let (_, validity, subject) = element(validity)?;
        let (_, subject, key) = element(subject)?;
        let (_, key, optional) = element(key)?;
        Some(Certificate { issuer, validity, subject, key, optional })
    }

    /// As far as the names tell: the signature is not verified.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }

    pub(crate) fn is_issued_by(&self, other: &Certificate<'_>) -> bool {
        self.issuer == other.subject
    }

    /// The issuer's name, to be shown.
    pub(crate) fn issuer(&self) -> String {
        shown_name(self.issuer)
    }

    /// The subject's name, to be shown.
    pub(crate) fn subject(&self) -> String {
        shown_name(self.subject)
    }

    /// The common names of the subject, as they are encoded.
    pub(crate) fn common_names(&self) -> impl Iterator<Item = &'a [u8]> {
        attributes(self.subject).filter(|(kind, _)| *kind == COMMON_NAME).map(|(_, value)| value)
    }

    /// Returns whether there is a subject alternative name (RFC 5280 §4.2.1.6), of any kind.
    pub(crate) fn has_subject_alt_name(&self) -> bool {
        let extensions = elements(self.optional).find(|(tag, _)| *tag == EXTENSIONS);
        let extensions = extensions.and_then(|(_, explicit)| element(explicit)).map_or(&[][..], |(_, list, _)| list);
        elements(extensions)
            .any(|(_, extension)| element(extension).is_some_and(|(_, identifier, _)| identifier == SUBJECT_ALT_NAME))
    }

    /// When it is valid, in seconds since 1970, both ends included (RFC 5280 §4.1.2.5).
    pub(crate) fn validity(&self) -> Option<RangeInclusive<u64>> {
        let (tag, not_before, rest) = element(self.validity)?;
        let not_before = unix_seconds(tag, not_before)?;
        let (tag, not_after, _) = element(rest)?;
        Some(not_before..=unix_seconds(tag, not_after)?)
    }

    /// The length of the modulus in bits, if the key is one for RSA (RFC 3279 §2.3.1).
    pub(crate) fn rsa_bits(&self) -> Option<usize> {
        const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";

        let (_, algorithm, key) = element(self.key)?;
        let (_, algorithm, _) = element(algorithm)?;
        if dotted(algorithm) != RSA_ENCRYPTION {
            return None;
        }
        let (_, bit_string, _) = element(key)?;
        let (_unused_bits, key) = bit_string.split_first()?;
        let (_, key, _) = element(key)?;
        let (_, modulus, _) = element(key)?;
        let leading_zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let (first, rest) = modulus[leading_zeros..].split_first()?;
        Some(rest.len() * 8 + 8 - first.leading_zeros() as usize)
    }
}

/// The tag and the content of the first element of `der`, and what follows it.
pub(crate) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
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

/// Tag and content of the elements in `der`, up to the first that is malformed.
fn elements(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    iter::from_fn(move || {
        let (tag, content, rest) = element(der)?;
        der = rest;
        Some((tag, content))
    })
}

/// An object identifier as it is written (ITU-T X.690 §8.19).
pub(crate) fn dotted(oid: &[u8]) -> String {
    const BYTES_MAX: usize = 32; // the longest in use have a dozen

    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in oid.iter().take(BYTES_MAX) {
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            match arcs.is_empty() {
                true => arcs.extend([(arc / 40).min(2), arc - 40 * (arc / 40).min(2)]),
                false => arcs.push(arc),
            }
            arc = 0;
        }
    }
    let arcs: Vec<String> = arcs.iter().map(u64::to_string).collect();
    arcs.join(".")
}

/// A time (RFC 5280 §4.1.2.5.1, §4.1.2.5.2) in seconds since 1970; 0 for those before.
fn unix_seconds(tag: u8, time: &[u8]) -> Option<u64> {
    let digits = time.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0'));
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = digits.split_at(2);
            (if number(year) < 50 { 2000 } else { 1900 } + number(year), rest)
        }
        (GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at(4);
            (number(year), rest)
        }
        _ => return None,
    };
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| number(&rest[at..at + 2]));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    Some(days.map_or(0, |days| ((days * 24 + hour) * 60 + minute) * 60 + second))
}

/// Days of the Gregorian calendar; `None` before 1970. A year begins in March here, so that the day
/// that leap years have is its last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    const DAYS_TO_1970: u64 = 719_468; // from March of the year 0
    const DAYS_IN_400_YEARS: u64 = 146_097;

    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = 365 * year + year / 4 - year / 100 + day_of_year;
    (era * DAYS_IN_400_YEARS + day_of_era).checked_sub(DAYS_TO_1970)
}

/// The attributes of a distinguished name (RFC 5280 §4.1.2.4): type and value, those of one set
/// after the first left out.
fn attributes(name: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    elements(name).filter_map(|(_, set)| {
        let (_, attribute, _) = element(set)?;
        let (_, kind, value) = element(attribute)?;
        Some((kind, element(value)?.1))
    })
}

/// The common name in a distinguished name, or the first of its other parts; never raw bytes.
fn shown_name(name: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 64; // RFC 5280's upper bound for a common name

    let common_name = attributes(name).find(|(kind, _)| *kind == COMMON_NAME);
    let (_, shown) = common_name.or_else(|| attributes(name).next()).unwrap_or((&[], b"no name"));
    printable(&String::from_utf8_lossy(&shown[..shown.len().min(SHOWN_BYTES_MAX)]))
}

/// The text on one line, without control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData, SignatureAlgorithm};

    fn params(common_name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec!["longwire.test".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params
    }

    fn certificate(common_name: &str) -> Vec<u8> {
        params(common_name).self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_are_found_in_a_certificate() {
        let certificate = certificate("longwire's own");
        let certificate = Certificate::parse(&certificate).unwrap();
        assert!(certificate.is_self_signed() && certificate.is_issued_by(&certificate));
        let own = "longwire's own".to_owned();
        assert_eq!((certificate.issuer(), certificate.subject(), certificate.rsa_bits()), (own.clone(), own, None));
    }

    /// An RSA key with this modulus, as RSAPublicKey (RFC 8017 §A.1.1).
    struct Modulus(Vec<u8>);

    impl PublicKeyData for Modulus {
        fn der_bytes(&self) -> &[u8] {
            &self.0
        }

        fn algorithm(&self) -> &'static SignatureAlgorithm {
            &rcgen::PKCS_RSA_SHA256
        }
    }

    #[test]
    fn the_length_of_an_rsa_key_is_that_of_its_modulus() {
        let bits = |modulus: &[u8]| {
            let mut key = vec![0x30, 0x82, 0, 0, 0x02, 0x82];
            key.extend((modulus.len() as u16).to_be_bytes());
            key.extend(modulus);
            key.extend([0x02, 3, 1, 0, 1]);
            let length = (key.len() as u16 - 4).to_be_bytes();
            key[2..4].copy_from_slice(&length);
            let (issuer, own) = (params("an issuer"), KeyPair::generate().unwrap());
            let issuer = rcgen::Issuer::new(issuer, own);
            let certificate = params("a server").signed_by(&Modulus(key), &issuer).unwrap();
            Certificate::parse(certificate.der()).unwrap().rsa_bits()
        };
        assert_eq!(bits(&[&[0, 0xc1][..], &[0xff; 127]].concat()), Some(1024));
        assert_eq!(bits(&[&[0x41][..], &[0xff; 127]].concat()), Some(1023));
        assert_eq!(bits(&[&[0, 0x80][..], &[0; 255]].concat()), Some(2048));
        assert_eq!(bits(&[0, 1]), Some(1));
        assert_eq!(bits(&[0]), None);
    }

    #[test]
    fn the_validity_is_in_seconds_since_1970() {
        for (tag, time, seconds) in [
            (UTC_TIME, &b"700101000000Z"[..], Some(0)),
            (UTC_TIME, b"500101000000Z", Some(0)), // 1950
            (UTC_TIME, b"491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, b"000229120102Z", Some(951_825_662)),
            (GENERALIZED_TIME, b"20240301000000Z", Some(1_709_251_200)),
            (GENERALIZED_TIME, b"99991231235959Z", Some(253_402_300_799)),
            (GENERALIZED_TIME, b"00000101000000Z", Some(0)),
            (GENERALIZED_TIME, b"240301000000Z", None),
            (UTC_TIME, b"20240301000000Z", None),
            (UTC_TIME, b"241301000000Z", None),
            (UTC_TIME, b"240001000000Z", None),
            (UTC_TIME, b"240100000000Z", None),
            (UTC_TIME, b"240132000000Z", None),
            (UTC_TIME, b"240101240000Z", None),
            (UTC_TIME, b"240101006000Z", None),
            (UTC_TIME, b"240101000060Z", None),
            (UTC_TIME, b"2401010000+1Z", None),
            (UTC_TIME, b"240101000000", None),
            (UTC_TIME, b"2401010000Z", None),
            (4, b"240101000000Z", None),
        ] {
            assert_eq!(unix_seconds(tag, time), seconds, "{}", time.escape_ascii());
        }
        let mut params = params("dated");
        params.not_before = rcgen::date_time_ymd(2024, 3, 1);
        params.not_after = rcgen::date_time_ymd(2050, 1, 1);
        let dated = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(Certificate::parse(dated.der()).unwrap().validity(), Some(1_709_251_200..=2_524_608_000));
    }

    #[test]
    fn alternative_names_are_noticed_and_common_names_are_listed() {
        let with = certificate("named");
        let with = Certificate::parse(&with).unwrap();
        assert!(with.has_subject_alt_name() && with.common_names().eq([b"named"]));
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "an organization");
        let without = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let without = Certificate::parse(without.der()).unwrap();
        assert!(!without.has_subject_alt_name() && without.common_names().next().is_none());
        assert_eq!(without.subject(), "an organization");
    }

    #[test]
    fn a_damaged_certificate_is_no_panic_and_its_name_no_control_characters() {
        let whole = certificate("bell \u{7} and escape \u{1b}[2J");
        assert_eq!(Certificate::parse(&whole).unwrap().subject(), "bell \u{fffd} and escape \u{fffd}[2J");
        for length in 0..whole.len() {
            assert!(Certificate::parse(&whole[..length]).is_none(), "cut at {length}");
        }
        let mut damaged = whole.clone();
        for at in 0..whole.len() {
            for byte in [0, 0x30, 0x80, 0x81, 0x82, 0x84, 0xff] {
                damaged[at] = byte;
                if let Some(certificate) = Certificate::parse(&damaged) {
                    assert!(!certificate.issuer().contains(char::is_control), "byte {at} is {byte}");
                    let _ = (certificate.rsa_bits(), certificate.validity(), certificate.has_subject_alt_name());
                    let _ = certificate.common_names().count();
                }
            }
            damaged[at] = whole[at];
        }
    }
}
