//! The way from the client to a server: directly, or through a proxy, and all that there is to know of a
//! proxy. Which proxy is for which URL is decided in `client::proxy`; nothing here does I/O.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use crate::error::{Error, Result};
use crate::headers::Headers;
use crate::net::conn::Conn;
#[cfg(feature = "__rustls")]
use crate::net::tls::settings::Tls;

/// How a request reaches its server.
#[derive(Clone, Copy)]
pub(crate) enum Route<'a> {
    Direct,
    /// The proxy forwards the request: it is sent the whole URL (RFC 9112 §3.2.2), with these fields for
    /// the proxy alone.
    Forward {
        proxy: &'a ProxyServer,
        fields: &'a Headers,
    },
    /// The proxy opens a tunnel, through which the request is sent to the server.
    Tunnel(&'a ProxyServer),
}

/// Where a tunnel is to lead.
#[derive(Clone, Copy)]
pub(crate) enum Destination<'a> {
    /// A name, which the proxy resolves, or an IP address, IPv6 without brackets; and a port.
    Host(&'a str, u16),
    Address(SocketAddr),
}

impl fmt::Display for Destination<'_> {
    /// `host:port`: always with the port, and IPv6 in brackets (RFC 9112 §3.2.3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Destination::Host(host, port) => write!(f, "{host}:{port}"),
            Destination::Address(address) => address.fmt(f),
        }
    }
}

/// Why a proxy has opened no tunnel.
pub(crate) enum TunnelError {
    /// It cannot connect to this destination; another address of the same name may do.
    Unreachable(Error),
    Failed(Error),
}

impl From<Error> for TunnelError {
    fn from(error: Error) -> TunnelError {
        TunnelError::Failed(error)
    }
}

/// A proxy: its address, and how to speak with it.
#[derive(Clone)]
pub(crate) struct ProxyServer {
    /// `scheme://host:port`, to be shown.
    pub(crate) name: String,
    /// A name or an IP address; IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) protocol: ProxyProtocol,
    /// It may be used together with an address filter, which cannot check what it connects to.
    pub(crate) is_trusted: bool,
    /// How TLS is done with an https proxy; `None`: as with servers.
    #[cfg(feature = "__rustls")]
    pub(crate) tls: Option<Tls>,
}

/// The handshake of `http_connect`: with the User-Agent, and the fields for the proxy alone.
pub(crate) type HttpConnect = fn(&mut Conn, Destination<'_>, &[u8], &Headers) -> Result<()>;

#[derive(Clone)]
pub(crate) enum ProxyProtocol {
    Http {
        /// It is spoken through TLS.
        is_https: bool,
        /// Fields for the proxy alone, its credentials among them.
        fields: Headers,
        /// Opens a tunnel. `None` where none is ever asked for: in a build without TLS, unless a setting
        /// has http tunnelled. So a program that has no use for `http_connect` does not have its code.
        connect: Option<HttpConnect>,
    },
    Socks5 {
        /// Where the server's name is resolved.
        dns: Dns,
        credentials: Option<Credentials>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dns {
    /// In this process.
    Local,
    /// At the proxy.
    Remote,
}

/// User and password, of 1 to 255 bytes each (RFC 1929 §2).
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl ProxyServer {
    /// Returns whether it is spoken to through TLS.
    pub(crate) fn is_https(&self) -> bool {
        matches!(self.protocol, ProxyProtocol::Http { is_https: true, .. })
    }

    /// Has it open tunnels by that handshake, if it is an HTTP proxy.
    pub(crate) fn tunnel_by(&mut self, handshake: HttpConnect) {
        if let ProxyProtocol::Http { connect, .. } = &mut self.protocol {
            *connect = Some(handshake);
        }
    }

    /// Returns the fields for the proxy alone; a SOCKS5 proxy has none.
    pub(crate) fn fields(&self) -> Option<&Headers> {
        match &self.protocol {
            ProxyProtocol::Http { fields, .. } => Some(fields),
            ProxyProtocol::Socks5 { .. } => None,
        }
    }

    /// Identifies how TLS is done with it; 0: as with servers.
    pub(crate) fn tls_id(&self) -> u64 {
        #[cfg(feature = "__rustls")]
        return self.tls.as_ref().map_or(0, Tls::id);
        #[cfg(not(feature = "__rustls"))]
        return 0;
    }

    /// Returns the key of its connections and tunnels in the pool. Two proxies have the same key exactly if
    /// their connections are interchangeable: a server may answer by the proxy's user, and one user's
    /// tunnel is not another's to use.
    ///
    /// It has the credentials in it, and must never be shown.
    pub(crate) fn pool_key(&self) -> String {
        let mut key = self.name.clone();
        // Line by line, which escaped bytes cannot forge.
        let mut put = |name: &str, value: &[u8]| {
            let _ = write!(key, "\n{name}:{}", value.escape_ascii()); // never fails on a String
        };
        match &self.protocol {
            ProxyProtocol::Http { fields, .. } => fields.iter().for_each(|(name, value)| put(name, value)),
            ProxyProtocol::Socks5 { credentials, .. } => {
                if let Some(Credentials { user, password }) = credentials {
                    put("user", user);
                    put("password", password);
                }
            }
        }
        if self.tls_id() != 0 {
            put("", self.tls_id().to_string().as_bytes()); // no field has an empty name
        }
        key
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name) // and no credentials
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn proxy(name: &str, protocol: ProxyProtocol) -> ProxyServer {
        ProxyServer {
            name: name.to_owned(),
            host: "proxy.test".to_owned(),
            port: 1,
            protocol,
            is_trusted: false,
            #[cfg(feature = "__rustls")]
            tls: None,
        }
    }

    fn http(name: &str, fields: &[(&str, &[u8])]) -> ProxyServer {
        let mut headers = Headers::new();
        fields.iter().for_each(|(name, value)| headers.append(name, *value).unwrap());
        proxy(name, ProxyProtocol::Http { is_https: name.starts_with("https"), fields: headers, connect: None })
    }

    fn socks5(name: &str, credentials: Option<(&str, &str)>) -> ProxyServer {
        let credentials = credentials.map(|(user, password)| Credentials {
            user: user.as_bytes().to_vec(),
            password: password.as_bytes().to_vec(),
        });
        proxy(name, ProxyProtocol::Socks5 { dns: Dns::Remote, credentials })
    }

    #[test]
    fn proxies_that_differ_have_different_pool_keys_and_equal_ones_the_same() {
        let all = || {
            [
                http("http://a:1", &[]),
                http("http://a:2", &[]),
                http("https://a:1", &[]),
                http("http://a:1", &[("X", b"1")]),
                http("http://a:1", &[("X", b"2")]),
                http("http://a:1", &[("X", b"1"), ("X", b"2")]),
                http("http://a:1", &[("X", b"1\\nX:2")]),
                http("http://a:1", &[("X", b"\xe9")]),
                http("http://a:1", &[("X", "\u{e9}".as_bytes())]),
                http("http://a:1", &[("X", b"\\xe9")]),
                http("http://a:1", &[("Y", b"1")]),
                socks5("socks5://a:1", None),
                socks5("socks5h://a:1", None),
                socks5("socks5h://a:1", Some(("u", "p"))),
                socks5("socks5h://a:1", Some(("u", "q"))),
                socks5("socks5h://a:1", Some(("u:p", "q"))),
                socks5("socks5h://a:1", Some(("u", "p:q"))),
                socks5("socks5h://a:1", Some(("u\npassword:p", "q"))),
            ]
        };
        let keys = BTreeSet::from_iter(all().map(|proxy| proxy.pool_key()));
        assert_eq!(keys.len(), all().len(), "{keys:?}");
        assert_eq!(keys, BTreeSet::from_iter(all().map(|proxy| proxy.pool_key())));
    }

    #[cfg(feature = "__rustls")]
    #[test]
    fn proxies_with_different_tls_settings_have_different_pool_keys_and_those_with_clones_the_same() {
        let with = |tls: Option<&Tls>| ProxyServer { tls: tls.cloned(), ..http("https://a:1", &[("X", b"1")]) };
        let (one, other) = (Tls::new(), Tls::new());
        let keys = BTreeSet::from_iter([None, Some(&one), Some(&other)].map(|tls| with(tls).pool_key()));
        assert_eq!(keys.len(), 3, "{keys:?}");
        assert_eq!(with(Some(&one)).pool_key(), with(Some(&one)).pool_key());
    }

    #[test]
    fn trust_is_no_property_of_a_connection() {
        let trusted = ProxyServer { is_trusted: true, ..http("http://a:1", &[]) };
        assert_eq!(trusted.pool_key(), http("http://a:1", &[]).pool_key());
    }

    #[test]
    fn a_destination_is_shown_as_an_authority() {
        let address = "[2001:db8::7]:443".parse().unwrap();
        for (destination, authority) in [
            (Destination::Host("a.test", 80), "a.test:80"),
            (Destination::Host("192.0.2.7", 443), "192.0.2.7:443"),
            (Destination::Host("2001:db8::7", 443), "[2001:db8::7]:443"),
            (Destination::Address(address), "[2001:db8::7]:443"),
        ] {
            assert_eq!(destination.to_string(), authority);
        }
    }
}
