//! What a completed TLS handshake has agreed on (RFC 8446, RFC 5246): plain values, which are there in
//! builds without TLS, too. How they are negotiated is not known here.

use std::fmt;

/// The protocol inside TLS, with servers and with proxies (RFC 7301 §6).
#[cfg(feature = "__rustls")]
pub(crate) const ALPN: &str = "http/1.1";

/// A version of TLS.
///
/// Versions before 1.2 are not supported (RFC 8996).
///
/// ```
/// use longwire::TlsVersion;
///
/// assert!(TlsVersion::Tls12 < TlsVersion::Tls13);
/// assert_eq!(TlsVersion::Tls13.to_string(), "TLSv1.3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// Returns the version as OpenSSL and curl write it: `TLSv1.2` or `TLSv1.3`.
    pub fn as_str(self) -> &'static str {
        match self {
            TlsVersion::Tls12 => "TLSv1.2",
            TlsVersion::Tls13 => "TLSv1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcome of the TLS handshake with a server.
///
/// Returned by [`ConnectionInfo::tls`](crate::ConnectionInfo::tls).
///
/// ```no_run
/// let response = longwire::get("https://example.com/")?;
/// if let Some(tls) = response.connection().tls() {
///     println!("{} with {}", tls.version(), tls.cipher_suite());
///     println!("{} bytes of certificate", tls.peer_certificates().first().map_or(0, Vec::len));
/// }
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias = "ConnectionState")]
#[derive(Clone, PartialEq, Eq)]
pub struct TlsInfo {
    pub(crate) version: TlsVersion,
    pub(crate) cipher_suite: &'static str,
    pub(crate) protocol: Option<&'static str>,
    pub(crate) is_resumed: bool,
    /// The server's first.
    pub(crate) peer_certificates: Vec<Vec<u8>>,
}

impl TlsInfo {
    /// Returns the version that was negotiated.
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// Returns the cipher suite by its IANA name: `TLS_AES_128_GCM_SHA256`.
    pub fn cipher_suite(&self) -> &str {
        self.cipher_suite
    }

    /// Returns the protocol that the server chose by ALPN (RFC 7301), which can only be `http/1.1`;
    /// `None` if it chose none.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol
    }

    /// Returns whether a session of an earlier connection was resumed. The certificates are then those
    /// that were verified when that session began.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Returns the certificates that the server sent, in DER (RFC 5280): its own first, then the
    /// intermediate ones in the order in which it sent them. A root is among them only if the server
    /// sent it.
    ///
    /// The server has proved that it has the first one's private key, also with
    /// `Tls::danger_accept_any_certificate`: so a fingerprint can be compared afterwards.
    pub fn peer_certificates(&self) -> &[Vec<u8>] {
        &self.peer_certificates
    }
}

impl fmt::Debug for TlsInfo {
    /// Shows how many certificates there are, not their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("protocol", &self.protocol)
            .field("is_resumed", &self.is_resumed)
            .field("peer_certificates", &self.peer_certificates.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_counts_the_certificates() {
        let info = TlsInfo {
            version: TlsVersion::Tls12,
            cipher_suite: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            protocol: None,
            is_resumed: true,
            peer_certificates: vec![vec![0x30; 1000], vec![0x30; 900]],
        };
        let shown = r#"TlsInfo { version: Tls12, cipher_suite: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", protocol: None, is_resumed: true, peer_certificates: 2 }"#;
        assert_eq!(format!("{info:?}"), shown);
    }
}
