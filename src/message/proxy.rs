//! A proxy as the caller describes it: its URL, credentials, fields, and the hosts that bypass it.
//! How it is spoken to is `net::dial`'s; which one a request takes is `client::proxy`'s.

use std::fmt;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::message::auth::{basic_credentials, percent_decode};
use crate::message::no_proxy::NoProxy;
use crate::net::dial::route::{Credentials, Dns, ProxyProtocol, ProxyServer, Route};
use crate::net::dial::{Dialer, http_connect};
#[cfg(feature = "__rustls")]
use crate::net::tls::settings::Tls;
use crate::uri;
use crate::word_list::is_among;

/// Fields that frame a message, say where it goes, or belong to one connection.
const FRAMING_OR_ROUTING: &str = "connection content-length expect host te trailer transfer-encoding upgrade";

/// Credentials that a proxy passes on, and so every server would get.
const FOR_SERVERS: &str = "authorization cookie";

/// A proxy, and what it is used for. Give it to
/// [`ClientBuilder::proxy`](crate::ClientBuilder::proxy).
///
/// | URL | proxy | port |
/// |---|---|---|
/// | `http://host:port` | forwards `http` (absolute-form); CONNECT for `https` | 80 |
/// | `https://host:port` | the same, over TLS | 443 |
/// | `socks5://host:port` | SOCKS5, a tunnel for all URLs; names are resolved locally | 1080 |
/// | `socks5h://host:port` | the same, but the proxy resolves names | 1080 |
/// | `socks://host:port` | the same as `socks5h`, as desktops set it in `all_proxy` | 1080 |
/// | `host:port` | the same as `http` | 80 |
///
/// `user:password@` before the host, percent-encoded, are credentials: Basic (RFC 7617), or the
/// login of SOCKS5 (RFC 1929). They are sent to the proxy alone, and no `Debug`, error or event
/// shows them. The proxy's own name is resolved like any other.
///
/// An answer of the proxy to a plain `http` request, a 407 or 502 say, is a response like any
/// other: HTTP does not tell them apart. A tunnel that is refused is
/// [`ErrorKind::Proxy`], and [`Error::proxy_answer`] shows why.
///
/// ```
/// use longwire::{Client, Proxy};
///
/// let proxy = Proxy::new("http://proxy.example:3128")?.basic_auth("me", "secret")?.bypass("10.0.0.0/8, .example")?;
/// let client = Client::builder().proxy(proxy).build();
/// # drop(client);
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias("--proxy", "--socks5", "--socks5-hostname", "proxies"))]
#[derive(Clone)]
pub struct Proxy {
    server: ProxyServer,
    bypassed: NoProxy,
    tunnels_http: bool,
}

impl Proxy {
    /// Returns the proxy at `url`. Without a scheme (`host:port`, `user:password@host:port`,
    /// `[::1]:8080`) it is an `http` proxy, and a path, query or fragment counts for nothing: so the
    /// values that other programs take for `http_proxy` and the like are taken here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`], [`ErrorKind::UnsupportedScheme`], or
    /// [`ErrorKind::InvalidRequest`] for credentials that cannot be sent.
    pub fn new(url: &str) -> Result<Proxy> {
        let (scheme, authority) = scheme_and_authority(url)?;
        let (scheme, speaks, default_port) = speaks(scheme)?;
        // The host is read by the rules of http for all of them; which drops http's own port, so
        // that the port is read by another.
        let parse = |scheme: &str| {
            let parsed = Url::parse(&format!("{scheme}://{authority}"));
            parsed.map_err(|error| invalid(&format!("does not parse: {error}")))
        };
        let (parsed, other) = (parse("http")?, parse("https")?);
        let port = parsed.port().or(other.port()).unwrap_or(default_port);
        if port == 0 {
            return Err(invalid("has port 0"));
        }
        let server = ProxyServer {
            name: format!("{scheme}://{}:{port}", parsed.host_str().unwrap_or_default()),
            host: uri::bare_host(&parsed).to_owned(),
            port,
            protocol: speaks,
            is_trusted: false,
            #[cfg(feature = "__rustls")]
            tls: None,
        };
        let proxy = Proxy { server, bypassed: NoProxy::default(), tunnels_http: false };
        match uri::has_userinfo(&parsed) {
            false => Ok(proxy),
            true => {
                let password = percent_decode(parsed.password().unwrap_or_default());
                proxy.basic_auth(percent_decode(parsed.username()), password)
            }
        }
    }

    /// Sets user and password for the proxy, in place of those of the URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for what cannot be sent: a colon in the user's name or control
    /// bytes (RFC 7617 §2); to a SOCKS5 proxy anything not of 1 to 255 bytes (RFC 1929 §2).
    #[doc(alias = "--proxy-user")]
    pub fn basic_auth(mut self, user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Result<Proxy> {
        let (user, password) = (user.as_ref(), password.as_ref());
        match &mut self.server.protocol {
            ProxyProtocol::Http { fields, .. } => {
                fields.insert("Proxy-Authorization", basic_credentials(user, password)?)?
            }
            ProxyProtocol::Socks5 { credentials, .. } => {
                if [user, password].iter().any(|part| part.is_empty() || part.len() > 255) {
                    let what = "user and password for a SOCKS5 proxy have 1 to 255 bytes each (RFC 1929 §2)";
                    return Err(Error::new(ErrorKind::InvalidRequest, what));
                }
                *credentials = Some(Credentials { user: user.to_vec(), password: password.to_vec() });
            }
        }
        Ok(self)
    }

    /// Adds a header field for the proxy alone, in place of an earlier one of that name: a token,
    /// for example. It is sent with CONNECT and with requests that the proxy forwards; never to a server
    /// that is connected to directly or through a tunnel. A proxy forwards to the server all fields that
    /// it does not know to be for itself (RFC 9110 §7.6.1).
    ///
    /// `Proxy-Authorization` and [`basic_auth`](Proxy::basic_auth) replace each other. A request
    /// that is forwarded and sets a field of that name itself goes with its own; `User-Agent` and
    /// `Accept` replace those of the client. No `Debug`, error or event shows the value.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if name or value break the grammar (RFC 9110 §5), for the fields
    /// that frame a message, say where it goes or belong to one connection (`Host`, `Content-Length`,
    /// `Transfer-Encoding`, `Connection`, …), for `Authorization` and `Cookie`, which are for servers,
    /// and for a SOCKS5 proxy, which takes no fields.
    ///
    /// ```
    /// use longwire::{Client, Proxy};
    ///
    /// let proxy = Proxy::new("proxy.example:3128")?.header("Proxy-Authorization", "Bearer s3cret")?;
    /// assert_eq!(format!("{proxy:?}"), r#"Proxy(http://proxy.example:3128, ["Proxy-Authorization"])"#);
    /// # drop(Client::builder().proxy(proxy).build());
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias = "--proxy-header")]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<Proxy> {
        let refused = |what| Err(Error::new(ErrorKind::InvalidRequest, what));
        let name = name.as_ref();
        match &mut self.server.protocol {
            ProxyProtocol::Socks5 { .. } => {
                refused("a SOCKS5 proxy takes no header fields; its login is Proxy::basic_auth".to_owned())
            }
            ProxyProtocol::Http { .. } if is_among(FRAMING_OR_ROUTING, name) => {
                refused(format!("{name} is set by longwire, for a proxy, too"))
            }
            ProxyProtocol::Http { .. } if is_among(FOR_SERVERS, name) => {
                refused(format!("{name} is for servers, and would go to all; a proxy's is Proxy-Authorization"))
            }
            ProxyProtocol::Http { fields, .. } => fields.insert(name, value).map(|()| self),
        }
    }

    /// Sets the hosts that bypass the proxy, in place of those of an earlier call: a list in the form of
    /// `NO_PROXY`, separated by commas or blanks.
    ///
    /// | entry | stands for |
    /// |---|---|
    /// | `example.com` | that host and all below it |
    /// | `.example.com`, `*.example.com` | all below it |
    /// | `192.0.2.7`, `2001:db8::7` | that address, where the URL has it |
    /// | `10.0.0.0/8`, `fd00::/8` | the addresses with that prefix |
    /// | `*` | everything |
    ///
    /// A name or an address may have a port (`example.com:8080`, `[2001:db8::7]:8080`) and stands
    /// for no other port then. Names are not resolved for this.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for an entry that could never match.
    #[doc(alias("--noproxy", "NO_PROXY"))]
    pub fn bypass(mut self, hosts: &str) -> Result<Proxy> {
        self.bypassed = NoProxy::parse(hosts)?;
        Ok(self)
    }

    /// Uses tunnels (CONNECT) for `http` URLs, too, instead of having an HTTP proxy forward them: the
    /// proxy sees neither request nor response, and an [`upgrade`](crate::Response::upgrade) works. Many proxies allow tunnels to port 443
    /// only.
    #[doc(alias = "--proxytunnel")]
    #[must_use]
    pub fn tunnel_http(mut self) -> Proxy {
        self.tunnels_http = true;
        self.server.tunnel_by(http_connect::handshake);
        self
    }

    /// Allows the proxy together with an
    /// [`address_filter`](crate::ClientBuilder::address_filter), which cannot see the addresses that
    /// it connects to: the proxy must filter them itself. Its own address is not filtered. What can be
    /// checked still is: IP addresses in URLs, and names that are resolved locally (`socks5`).
    #[must_use]
    pub fn trusted(mut self) -> Proxy {
        self.server.is_trusted = true;
        self
    }

    /// Sets how TLS is done with an `https` proxy, in place of
    /// [`ClientBuilder::tls`](crate::ClientBuilder::tls): its root certificates, and the client
    /// certificate for it. It never applies to servers, not even through the proxy's tunnels.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a value whose settings contradict each other; see [`Tls`].
    #[cfg(feature = "__rustls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-webpki-roots"))))]
    pub fn tls(mut self, tls: Tls) -> Result<Proxy> {
        tls.check()?;
        self.server.tls = Some(tls);
        Ok(self)
    }

    /// How a request for `url` goes.
    pub(crate) fn route(&self, url: &Url) -> Route<'_> {
        if self.bypassed.matches(url) {
            return Route::Direct;
        }
        match &self.server.protocol {
            ProxyProtocol::Http { fields, .. } if url.scheme() == "http" && !self.tunnels_http => {
                Route::Forward { proxy: &self.server, fields }
            }
            ProxyProtocol::Http { .. } | ProxyProtocol::Socks5 { .. } => Route::Tunnel(&self.server),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.server.fields().into_iter().flat_map(Headers::iter).map(|(name, _)| name).collect();
        let mut tuple = f.debug_tuple("Proxy");
        tuple.field(&self.server); // which shows no credentials
        if !names.is_empty() {
            tuple.field(&names);
        }
        tuple.finish()
    }
}

/// What is wrong with a proxy's URL. Of the URL itself only the scheme may be shown: there may be a
/// password in it.
fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidUrl, format!("the proxy's URL {what}"))
}

/// The scheme, `http` where there is none, and the authority (RFC 3986 §3.2); what follows it
/// counts for nothing.
fn scheme_and_authority(url: &str) -> Result<(&str, &str)> {
    if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(invalid("has a blank or control byte"));
    }
    let split = url.split_once(':').and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)));
    let (scheme, rest) = split.unwrap_or(("http", url));
    let (authority, path) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
    if authority.is_empty() {
        return Err(invalid("has no host"));
    }
    if path.starts_with('\\') {
        return Err(invalid("has a backslash before the path"));
    }
    // A password that was not percent-encoded: its beginning would be taken for host and port.
    if path.contains('@') {
        return Err(invalid("has a '/', '?' or '#' before its '@': percent-encode those of a password"));
    }
    // `http:/host` is a slip, and no proxy called `http`.
    if split.is_none() && authority.ends_with(':') {
        return Err(invalid("is not of the form host:port or http://host:port"));
    }
    Ok((scheme, authority))
}

/// What a proxy with that scheme speaks: the scheme's own name, the protocol, and its port.
fn speaks(scheme: &str) -> Result<(&'static str, ProxyProtocol, u16)> {
    let http = |is_https| ProxyProtocol::Http {
        is_https,
        fields: Headers::new(),
        connect: Dialer::SPEAKS_TLS.then_some(http_connect::handshake),
    };
    let socks5 = |dns| ProxyProtocol::Socks5 { dns, credentials: None };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(("http", http(false), 80)),
        "https" => Ok(("https", http(true), 443)),
        "socks5" => Ok(("socks5", socks5(Dns::Local), 1080)),
        "socks5h" | "socks" => Ok(("socks5h", socks5(Dns::Remote), 1080)),
        other if !other.is_empty() && other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            let what = format!("a proxy is http, https, socks5 or socks5h (which socks stands for), and not {other}");
            Err(Error::new(ErrorKind::UnsupportedScheme, what))
        }
        _ => Err(invalid("is not of the form host:port or http://host:port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_url_gives_host_port_and_login() {
        let cases = [
            ("http://p", "http://p:80", "p"),
            ("HTTP://P.example/", "http://p.example:80", "p.example"),
            ("https://p", "https://p:443", "p"),
            ("https://p:80", "https://p:80", "p"),
            ("http://p:443", "http://p:443", "p"),
            ("socks5://p", "socks5://p:1080", "p"),
            ("socks5h://p:80", "socks5h://p:80", "p"),
            ("socks5://u:p@[::1]:9", "socks5://[::1]:9", "::1"),
            ("http://u:p@192.0.2.1:8080", "http://192.0.2.1:8080", "192.0.2.1"),
            // Without a scheme it is an HTTP proxy.
            ("p:3128", "http://p:3128", "p"),
            ("p", "http://p:80", "p"),
            ("u:p@p:3128", "http://p:3128", "p"),
            ("[::1]:8080", "http://[::1]:8080", "::1"),
            ("p:3128/", "http://p:3128", "p"),
            ("SOCKS://p:1081", "socks5h://p:1081", "p"),
            ("socks://p/", "socks5h://p:1080", "p"),
            // A path counts for nothing.
            ("http://p:3128/", "http://p:3128", "p"),
            ("http://p:3128/proxy.pac", "http://p:3128", "p"),
            ("https://u:p@p/x?y#z", "https://p:443", "p"),
            ("http://p?x", "http://p:80", "p"),
            ("socks5://p#x", "socks5://p:1080", "p"),
            ("http://p/a\\b", "http://p:80", "p"),
        ];
        for (url, name, host) in cases {
            let server = Proxy::new(url).unwrap().server;
            assert_eq!((server.name.as_str(), server.host.as_str()), (name, host), "{url}");
        }
        let server = Proxy::new("socks://u:p@p").unwrap().server;
        assert!(matches!(server.protocol, ProxyProtocol::Socks5 { dns: Dns::Remote, credentials: Some(_) }));
    }

    #[test]
    fn what_cannot_be_a_proxy_is_refused_in_words_without_its_password() {
        let cases = [
            ("", "has no host"),
            ("/p", "has no host"),
            ("//p", "has no host"),
            ("http:///p", "has no host"),
            ("http://?p", "has no host"),
            ("http://:3128", "does not parse: empty host"),
            ("http://u:secret@", "does not parse: empty host"),
            ("http://p:65536", "does not parse: invalid port number"),
            ("u:secret@p:x", "does not parse: invalid port number"),
            ("::1", "does not parse: empty host"),
            ("http:p", "does not parse: invalid port number"),
            ("http:/p:3128", "is not of the form host:port or http://host:port"),
            ("u:secret://p", "is not of the form host:port or http://host:port"),
            ("u-secret://p", "is not of the form host:port or http://host:port"),
            ("://p", "is not of the form host:port or http://host:port"),
            ("p:0", "has port 0"),
            ("https://p:0/", "has port 0"),
            ("http://p x", "has a blank or control byte"),
            (" p:3128", "has a blank or control byte"),
            ("http://u:sec\nret@p", "has a blank or control byte"),
            ("http://p\\x", "has a backslash before the path"),
            ("http://u:1/secret@p", "has a '/', '?' or '#' before its '@': percent-encode those of a password"),
            ("u:1#secret@p:3128", "has a '/', '?' or '#' before its '@': percent-encode those of a password"),
        ];
        for (url, what) in cases {
            let error = Proxy::new(url).unwrap_err();
            let want = (ErrorKind::InvalidUrl, format!("the proxy's URL {what}"));
            assert_eq!((error.kind(), error.to_string()), want, "{url:?}");
        }
        for scheme in ["socks4", "socks4a", "ftp"] {
            let error = Proxy::new(&format!("{scheme}://u:secret@p")).unwrap_err();
            let what = "a proxy is http, https, socks5 or socks5h (which socks stands for), and not";
            let want = (ErrorKind::UnsupportedScheme, format!("{what} {scheme}"));
            assert_eq!((error.kind(), error.to_string()), want);
        }
    }

    #[test]
    fn what_is_for_an_http_proxy_alone_is_checked_and_its_value_never_shown() {
        let proxy = || Proxy::new("u:hunter2@p").unwrap();
        let fields = |proxy: &Proxy| {
            let fields = proxy.server.fields().unwrap().iter();
            fields.map(|(name, value)| format!("{name}: {}", value.escape_ascii())).collect::<Vec<_>>()
        };
        let token = proxy().header("proxy-authorization", "Bearer one").unwrap();
        let token = token.header("Proxy-Authorization", " Bearer two ").unwrap();
        assert_eq!(fields(&token), ["Proxy-Authorization: Bearer two"], "the last word counts");
        assert_eq!(fields(&token.basic_auth("u", "p").unwrap()), ["Proxy-Authorization: Basic dTpw"]);
        let named = proxy().header("X-A", b"1\xff").unwrap().header("Proxy-Connection", "keep-alive").unwrap();
        let shown = format!("{named:?}");
        assert_eq!(shown, r#"Proxy(http://p:80, ["Proxy-Authorization", "X-A", "Proxy-Connection"])"#);
        for name in FRAMING_OR_ROUTING.split(' ').chain(FOR_SERVERS.split(' ')).chain(["Host", "X Y", "", "X:"]) {
            let error = proxy().header(name, "hunter2").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let error = proxy().header("X", "hunter2\r\nEvil: 1").unwrap_err();
        assert_eq!(error.to_string(), "header X: byte 0x0d is not allowed in a value");
        let error = Proxy::new("socks5h://p").unwrap().header("X", "1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.to_string(), "a SOCKS5 proxy takes no header fields; its login is Proxy::basic_auth");
    }

    #[test]
    fn credentials_are_decoded_checked_and_never_shown() {
        let proxy = Proxy::new("http://us%65r:p%40ss@p").unwrap();
        let shown = format!("{proxy:?}");
        let fields = proxy.server.fields().expect("an HTTP proxy");
        assert_eq!(fields.get("proxy-authorization"), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(shown, r#"Proxy(http://p:80, ["Proxy-Authorization"])"#);
        assert_eq!(format!("{:?}", Proxy::new("p").unwrap()), "Proxy(http://p:80)");
        let proxy = Proxy::new("socks5://u%00:%ff@p").unwrap();
        let ProxyProtocol::Socks5 { credentials: Some(login), .. } = proxy.server.protocol else { panic!("a login") };
        assert_eq!((&login.user[..], &login.password[..]), (&b"u\0"[..], &b"\xff"[..]));
        for url in ["http://u%3a:p@p", "http://u:%0a@p", "socks5://u@p", "socks5h://:p@p"] {
            assert_eq!(Proxy::new(url).unwrap_err().kind(), ErrorKind::InvalidRequest, "{url}");
        }
        let socks5 = Proxy::new("socks5://p").unwrap();
        assert!(socks5.clone().basic_auth("u".repeat(255), "p".repeat(255)).is_ok());
        assert!(socks5.basic_auth("u".repeat(256), "p").is_err());
    }
}
