//! What is read from a certificate to say why it was refused (RFC 5280 §4.1): whose it is, who issued
//! it, and how long an RSA key is. Nothing is decided or believed here. Any bytes may come, and give
//! either a value or `None`.

/// The fields of a certificate that explanations need, in DER.
#[derive(Clone, Copy)]
pub(crate) struct Certificate<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    /// SubjectPublicKeyInfo.
    key: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        const VERSION: u8 = 0xa0;

        let (_, certificate, _) = element(der)?;
        let (_, fields, _) = element(certificate)?;
        let (tag, _, after_first) = element(fields)?;
        let serial = if tag == VERSION { after_first } else { fields };
        let (_, _, signature) = element(serial)?;
        let (_, _, issuer) = element(signature)?;
        let (_, issuer, validity) = element(issuer)?;
        let (_, _, subject) = element(validity)?;
        let (_, subject, key) = element(subject)?;
        let (_, key, _) = element(key)?;
        Some(Certificate { issuer, subject, key })
    }

    /// As far as the names tell: the signature is not looked at.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }

    pub(crate) fn is_issued_by(&self, other: &Certificate<'_>) -> bool {
        self.issuer == other.subject
    }

    pub(crate) fn issuer(&self) -> String {
        common_name(self.issuer)
    }

    pub(crate) fn subject(&self) -> String {
        common_name(self.subject)
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
    printable(&String::from_utf8_lossy(&found[..found.len().min(SHOWN_BYTES_MAX)]))
}

/// The same on one line, without control characters.
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
                    let _ = certificate.rsa_bits();
                }
            }
            damaged[at] = whole[at];
        }
    }
}
