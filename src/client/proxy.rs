//! Which proxy is for which URL: the one given by hand or those of the environment, and the hosts
//! that go without. How a proxy is spoken to is `net::dial`'s; nothing here touches the network.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
#[cfg(feature = "__rustls")]
use std::sync::Arc;

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::message::request::{basic_credentials, percent_decode};
use crate::net::dial::resolve::is_localhost;
use crate::net::dial::route::{Credentials, Dns, ProxyProtocol, ProxyServer, Route};
#[cfg(feature = "__rustls")]
use crate::net::tls::Tls;
use crate::uri;
use crate::wire::framing::decimal;
use crate::wire::head::NextHop;

/// What is spoken inside TLS, to servers and to proxies, by its registered name (RFC 7301 §6).
#[cfg(feature = "__rustls")]
pub(crate) const ALPN: &[u8] = b"http/1.1";

/// Fields that frame a message, say where it goes, or belong to one connection.
const FRAMING_OR_ROUTING: [&str; 8] =
    ["connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"];

/// Credentials that a proxy passes on, and so every server would get.
const FOR_SERVERS: [&str; 2] = ["authorization", "cookie"];

/// A proxy, and what it is used for. Give it to
/// [`ClientBuilder::proxy`](crate::ClientBuilder::proxy).
///
/// | URL | proxy | port |
/// |---|---|---|
/// | `http://host:port` | asked for `http` URLs, and for a tunnel (CONNECT) to `https` ones | 80 |
/// | `https://host:port` | the same, spoken to through TLS | 443 |
/// | `socks5://host:port` | SOCKS5, a tunnel for everything; names are looked up here | 1080 |
/// | `socks5h://host:port` | the same, but the proxy looks names up | 1080 |
/// | `socks://host:port` | the same as `socks5h`, as desktops set it in `all_proxy` | 1080 |
/// | `host:port` | the same as `http` | 80 |
///
/// `user:password@` before the host, percent-encoded, are credentials: Basic (RFC 7617), or the
/// login of SOCKS5 (RFC 1929). They go to the proxy and to nobody else, and no `Debug`, error or
/// event shows them. The proxy's own name is looked up like any other.
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
#[derive(Clone)]
pub struct Proxy {
    relay: ProxyServer,
    except: NoProxy,
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
        // that the port is asked of another.
        let parse = |scheme: &str| {
            let parsed = Url::parse(&format!("{scheme}://{authority}"));
            parsed.map_err(|error| invalid(&format!("does not parse: {error}")))
        };
        let (parsed, other) = (parse("http")?, parse("https")?);
        let port = parsed.port().or(other.port()).unwrap_or(default_port);
        if port == 0 {
            return Err(invalid("has port 0"));
        }
        let relay = ProxyServer {
            name: format!("{scheme}://{}:{port}", parsed.host_str().unwrap_or_default()),
            host: uri::bare_host(&parsed).to_owned(),
            port,
            protocol: speaks,
            is_trusted: false,
            #[cfg(feature = "__rustls")]
            tls: None,
        };
        let proxy = Proxy { relay, except: NoProxy::default(), tunnels_http: false };
        match uri::has_userinfo(&parsed) {
            false => Ok(proxy),
            true => {
                let password = percent_decode(parsed.password().unwrap_or_default());
                proxy.basic_auth(percent_decode(parsed.username()), password)
            }
        }
    }

    /// User and password for the proxy, in place of those of the URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for what cannot be sent: a colon in the user's name or control
    /// bytes (RFC 7617 §2); to a SOCKS5 proxy anything not of 1 to 255 bytes (RFC 1929 §2).
    pub fn basic_auth(mut self, user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Result<Proxy> {
        let (user, password) = (user.as_ref(), password.as_ref());
        match &mut self.relay.protocol {
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
    /// say. It goes along when the proxy is asked for a tunnel (CONNECT), and with requests that the
    /// proxy forwards; never to a server that is asked directly or through a tunnel. A proxy passes
    /// on to the server whatever it does not know to be for itself (RFC 9110 §7.6.1).
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
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<Proxy> {
        let refused = |what| Err(Error::new(ErrorKind::InvalidRequest, what));
        let name = name.as_ref();
        let is_in = |names: &[&str]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        match &mut self.relay.protocol {
            ProxyProtocol::Socks5 { .. } => {
                refused("a SOCKS5 proxy takes no header fields; its login is Proxy::basic_auth".to_owned())
            }
            ProxyProtocol::Http { .. } if is_in(&FRAMING_OR_ROUTING) => {
                refused(format!("{name} is longwire's to set, for a proxy, too"))
            }
            ProxyProtocol::Http { .. } if is_in(&FOR_SERVERS) => {
                refused(format!("{name} is for servers, and would go to all; a proxy's is Proxy-Authorization"))
            }
            ProxyProtocol::Http { fields, .. } => fields.insert(name, value).map(|()| self),
        }
    }

    /// Hosts that are asked directly, in place of those of an earlier call: a list in the form of
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
    /// for no other port then. Dns are not looked up for this.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for an entry that could never match.
    pub fn bypass(mut self, hosts: &str) -> Result<Proxy> {
        self.except = NoProxy::parse(hosts)?;
        Ok(self)
    }

    /// Makes tunnels (CONNECT) for `http` URLs, too, instead of asking an HTTP proxy for them: so
    /// the proxy sees neither request nor response, and an
    /// [`upgrade`](crate::Response::upgrade) gets through. Many proxies allow tunnels to port 443
    /// only.
    #[must_use]
    pub fn tunnel_http(mut self) -> Proxy {
        self.tunnels_http = true;
        self
    }

    /// Lets the proxy stand beside an
    /// [`address_filter`](crate::ClientBuilder::address_filter), which cannot see to what addresses
    /// it connects: the proxy must keep them apart itself. Its own address is not filtered. What
    /// can be seen still is: IP addresses in URLs, and names that are looked up here (`socks5`).
    #[must_use]
    pub fn trusted(mut self) -> Proxy {
        self.relay.is_trusted = true;
        self
    }

    /// Speaks TLS with an `https` proxy in a way of its own: its root certificates, and its client
    /// certificate. Without this
    /// [`ClientBuilder::tls_config`](crate::ClientBuilder::tls_config) counts for the proxy, too.
    /// Servers are never spoken to by this one, not through the proxy's tunnels either.
    #[cfg(feature = "__rustls")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<rustls::ClientConfig>) -> Proxy {
        self.relay.tls = Some(Arc::new(Tls::new(Some(config), ALPN)));
        self
    }

    /// How a request for `url` goes.
    fn route(&self, url: &Url) -> Route<'_> {
        if self.except.contain(url) {
            return Route::Direct;
        }
        match &self.relay.protocol {
            ProxyProtocol::Http { fields, .. } if url.scheme() == "http" && !self.tunnels_http => {
                Route::Forward { proxy: &self.relay, fields }
            }
            ProxyProtocol::Http { .. } | ProxyProtocol::Socks5 { .. } => Route::Tunnel(&self.relay),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.relay.fields().into_iter().flat_map(Headers::iter).map(|(name, _)| name).collect();
        let mut tuple = f.debug_tuple("Proxy");
        tuple.field(&self.relay); // which shows no credentials
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
    let http = |is_https| ProxyProtocol::Http { is_https, fields: Headers::new() };
    let socks5 = |names| ProxyProtocol::Socks5 { dns: names, credentials: None };
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

// ---- which one

/// A client's proxies.
#[derive(Default)]
pub(crate) enum Proxies {
    #[default]
    None,
    Given(Proxy),
    Environment(Environment),
}

impl Proxies {
    /// Those of this process's environment.
    pub(crate) fn from_env() -> Proxies {
        let environment = Environment::of(|name| env::var_os(name));
        let is_any = environment.http.is_some() || environment.https.is_some();
        if is_any { Proxies::Environment(environment) } else { Proxies::None }
    }

    /// Who is sent the head of a request that goes that way.
    pub(crate) fn next_hop<'a>(&self, route: Route<'a>) -> NextHop<'a> {
        match (route, self) {
            (Route::Forward { fields, .. }, _) => NextHop::Proxy { fields },
            (Route::Direct | Route::Tunnel(_), Proxies::None) => NextHop::Origin,
            (Route::Direct | Route::Tunnel(_), _) => NextHop::OriginPastProxy,
        }
    }

    /// How a request for `url` goes. The error is a setting's, which makes no sense and would be
    /// needed now.
    pub(crate) fn route(&self, url: &Url) -> Result<Route<'_>> {
        match self {
            Proxies::None => Ok(Route::Direct),
            Proxies::Given(proxy) => Ok(proxy.route(url)),
            Proxies::Environment(environment) => environment.route(url),
        }
    }
}

/// The proxies that the environment names. A value that makes no sense is kept as the error that
/// it is.
pub(crate) struct Environment {
    http: Option<Result<Proxy>>,
    https: Option<Result<Proxy>>,
    except: Result<NoProxy>,
}

impl Environment {
    /// Of each variable the lower-case name counts first, and an empty value is none. In a CGI
    /// program `HTTP_PROXY` is the request's field `Proxy`, by whoever sent it ("httpoxy"), and
    /// does not count; where names have no case, neither does `http_proxy`.
    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Environment {
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        let either = |name: &'static str| {
            let is_cgi = name == "http_proxy" && value("REQUEST_METHOD").is_some();
            let lower = value(name).filter(|_| !(is_cgi && cfg!(windows)));
            let upper = || value(&name.to_ascii_uppercase()).filter(|_| !is_cgi);
            lower.or_else(upper).map(|value| (name, value))
        };
        let proxy = |name| either(name).or_else(|| either("all_proxy")).map(|(name, value)| named(name, &value));
        let except = match either("no_proxy") {
            None => Ok(NoProxy::default()),
            Some((name, value)) => text(name, &value).map(NoProxy::parse_known),
        };
        Environment { http: proxy("http_proxy"), https: proxy("https_proxy"), except }
    }

    /// As in Go, this machine itself is always asked directly.
    fn route(&self, url: &Url) -> Result<Route<'_>> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let Some(proxy) = proxy else { return Ok(Route::Direct) };
        if is_this_machine(url) || self.except.as_ref().map_err(Error::clone)?.contain(url) {
            return Ok(Route::Direct);
        }
        proxy.as_ref().map(|proxy| proxy.route(url)).map_err(Error::clone)
    }
}

/// The proxy that a variable names.
fn named(name: &str, value: &OsString) -> Result<Proxy> {
    let proxy = Proxy::new(text(name, value)?.trim_ascii());
    proxy.map_err(|error| error.context(ErrorKind::InvalidRequest, &variable_called(name)))
}

fn text<'v>(name: &str, value: &'v OsString) -> Result<&'v str> {
    let not_text = || Error::new(ErrorKind::InvalidRequest, format!("{}: not UTF-8", variable_called(name)));
    value.to_str().ok_or_else(not_text)
}

fn variable_called(name: &str) -> String {
    format!("the environment variable {name} (or {})", name.to_ascii_uppercase())
}

/// Whether the URL's host is a loopback address, or a name for one (RFC 6761 §6.3).
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        None => false,
    }
}

// ---- which none

/// The hosts that are asked without a proxy.
#[derive(Clone, Debug, Default)]
struct NoProxy(Vec<Exception>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everything,
    /// A name, without dots around it, and those below it; or only those.
    Name {
        name: String,
        only_below: bool,
        port: Option<u16>,
    },
    Address {
        ip: IpAddr,
        port: Option<u16>,
    },
    /// The addresses that share so many bits.
    Net {
        ip: IpAddr,
        bits: u32,
    },
}

impl NoProxy {
    fn entries(list: &str) -> impl Iterator<Item = &str> {
        list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty())
    }

    /// Those that have a meaning: a variable is for many programs, and some know more forms. As in
    /// Go and curl the others mean nothing.
    fn parse_known(list: &str) -> NoProxy {
        NoProxy(NoProxy::entries(list).filter_map(Exception::parse).collect())
    }

    fn parse(list: &str) -> Result<NoProxy> {
        let mut exceptions = Vec::new();
        for entry in NoProxy::entries(list) {
            exceptions.push(Exception::parse(entry).ok_or_else(|| {
                let what = format!("{entry:?} is no host, address or prefix that goes without a proxy");
                Error::new(ErrorKind::InvalidRequest, what)
            })?);
        }
        Ok(NoProxy(exceptions))
    }

    fn contain(&self, url: &Url) -> bool {
        self.0.iter().any(|exception| exception.is(url))
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Exception> {
        if entry == "*" {
            return Some(Exception::Everything);
        }
        if let Some((net, bits)) = entry.split_once('/') {
            let ip: IpAddr = net.parse().ok()?;
            let bits = u32::from(number(bits)?);
            return (bits <= width(ip)).then_some(Exception::Net { ip, bits });
        }
        if let Ok(ip) = entry.parse::<IpAddr>() {
            return Some(Exception::Address { ip: ip.to_canonical(), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !entry.ends_with(']') => (host, Some(number(port)?)),
            _ => (entry, None),
        };
        let below = host.strip_prefix("*.").or(host.strip_prefix('.'));
        let host = below.unwrap_or(host);
        if host.as_bytes().contains(&b'*') {
            return None;
        }
        match Host::parse(host.strip_suffix('.').unwrap_or(host)).ok()? {
            Host::Domain(name) => Some(Exception::Name { name, only_below: below.is_some(), port }),
            Host::Ipv4(ip) => Some(Exception::Address { ip: ip.into(), port }),
            Host::Ipv6(ip) => Some(Exception::Address { ip: IpAddr::V6(ip).to_canonical(), port }),
        }
    }

    fn is(&self, url: &Url) -> bool {
        let is_port = |port: &Option<u16>| port.is_none_or(|port| url.port_or_known_default() == Some(port));
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip).to_canonical()),
            Some(Host::Domain(_)) | None => None,
        };
        match (self, ip) {
            (Exception::Everything, _) => true,
            (Exception::Address { ip, port }, Some(host)) => *ip == host && is_port(port),
            (Exception::Net { ip, bits }, Some(host)) => shares(*ip, host, *bits),
            (Exception::Name { name, only_below, port }, None) => {
                let host = url.host_str().unwrap_or_default();
                let host = host.strip_suffix('.').unwrap_or(host);
                let above = host.strip_suffix(name.as_str());
                above.is_some_and(|above| above.ends_with('.') || above.is_empty() && !only_below) && is_port(port)
            }
            _ => false,
        }
    }
}

/// A number of digits only.
fn number(text: &str) -> Option<u16> {
    u16::try_from(decimal(text.as_bytes())?).ok()
}

fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// Whether two addresses of one family begin with the same `bits`.
fn shares(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    let differs = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(u32::from(one) ^ u32::from(other)),
        (IpAddr::V6(one), IpAddr::V6(other)) => u128::from(one) ^ u128::from(other),
        _ => return false,
    };
    differs.checked_shr(width(one) - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| (String::from(*name), value.into())).collect();
        Environment::of(move |name| variables.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone()))
    }

    /// The proxy's name for that URL, or "direct", or what is said of the setting.
    fn chosen(environment: &Environment, url: &str) -> String {
        match environment.route(&Url::parse(url).unwrap()) {
            Ok(route) => route.proxy().map_or("direct".to_owned(), |proxy| proxy.name.clone()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_stands_in() {
        let both = environment(&[("http_proxy", "http://h:1"), ("HTTPS_PROXY", "http://s:2")]);
        assert_eq!(chosen(&both, "http://a/"), "http://h:1");
        assert_eq!(chosen(&both, "https://a/"), "http://s:2");
        let all = environment(&[("ALL_PROXY", "socks5://a:3"), ("https_proxy", "http://s:2")]);
        assert_eq!(chosen(&all, "http://a/"), "socks5://a:3");
        assert_eq!(chosen(&all, "https://a/"), "http://s:2");
        let none = environment(&[("http_proxy", ""), ("all_proxy", "")]);
        assert_eq!(chosen(&none, "http://a/"), "direct");
    }

    #[test]
    fn the_lower_case_counts_first_and_a_scheme_may_be_missing() {
        let both = environment(&[("http_proxy", "lower:1"), ("HTTP_PROXY", "upper:1")]);
        assert_eq!(chosen(&both, "http://a/"), "http://lower:1");
        let upper = environment(&[("HTTP_PROXY", "upper")]);
        assert_eq!(chosen(&upper, "http://a/"), "http://upper:80");
        let login = environment(&[("HTTP_PROXY", "me:pw@upper:8080")]);
        assert_eq!(chosen(&login, "http://a/"), "http://upper:8080");
    }

    #[test]
    fn a_cgi_program_does_not_take_the_proxy_of_whoever_asks_it() {
        let upper = environment(&[("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET")]);
        assert_eq!(chosen(&upper, "http://a/"), "direct");
        let others =
            [("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET"), ("ALL_PROXY", "good:1"), ("HTTPS_PROXY", "good:2")];
        assert_eq!(chosen(&environment(&others), "http://a/"), "http://good:1");
        assert_eq!(chosen(&environment(&others), "https://a/"), "http://good:2");
        let lower = environment(&[("http_proxy", "good:1"), ("REQUEST_METHOD", "GET")]);
        let want = if cfg!(windows) { "direct" } else { "http://good:1" };
        assert_eq!(chosen(&lower, "http://a/"), want);
    }

    #[test]
    fn this_machine_is_asked_directly_whatever_the_environment_says() {
        let all = environment(&[("all_proxy", "http://p:1"), ("no_proxy", "a")]);
        let loopback = ["127.0.0.1", "127.9.9.9:1", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "127.0.0.1."];
        let names = ["localhost", "LOCALHOST:8080", "localhost.", "foo.localhost", "a.b.LocalHost.:81"];
        for host in names.into_iter().chain(loopback) {
            assert_eq!(chosen(&all, &format!("http://{host}/")), "direct", "{host}");
        }
        let all = environment(&[("all_proxy", "http://p:1")]);
        for host in ["localhost.example", "128.0.0.1", "[::2]", "localhosts", "notlocalhost", "localhost.a.localhost1"]
        {
            assert_eq!(chosen(&all, &format!("http://{host}/")), "http://p:1", "{host}");
        }
    }

    #[test]
    fn a_value_that_makes_no_sense_is_an_error_when_it_would_be_used() {
        let cases = [
            ("http_proxy", "ftp://secret@p", "the environment variable http_proxy (or HTTP_PROXY): a proxy is http"),
            (
                "http_proxy",
                "http://",
                "the environment variable http_proxy (or HTTP_PROXY): the proxy's URL has no host",
            ),
            ("all_proxy", "http://u:secret@p:x", "the environment variable all_proxy (or ALL_PROXY): the proxy's URL"),
            ("all_proxy", "http://u:1/secret@p", "the environment variable all_proxy (or ALL_PROXY): the proxy's URL"),
            ("all_proxy", "u:sec ret@p", "the environment variable all_proxy (or ALL_PROXY): the proxy's URL"),
            ("all_proxy", "socks5://secret@p", "the environment variable all_proxy (or ALL_PROXY): user and password"),
        ];
        for (name, value, want) in cases {
            let said = chosen(&environment(&[(name, value), ("no_proxy", "fine")]), "http://a/");
            assert!(said.starts_with(want), "{name}={value}: {said}");
            assert!(!said.contains("secret") && !said.contains("sec ret"), "{said}");
            let error = environment(&[(name, value)]).route(&Url::parse("http://a/").unwrap()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
            let spared = environment(&[(name, value), ("no_proxy", "a")]);
            assert_eq!(chosen(&spared, "http://a/"), "direct");
        }
    }

    #[test]
    fn an_exception_without_meaning_is_passed_over_in_the_environment_and_refused_from_the_caller() {
        for entry in ["10.0.0.0/33", "::/129", "a:b", "a:65536", "a*b", "10.*", "<local>", "10.0.0.0/+8", "10/8"] {
            let list = format!("{entry}, spared.example");
            let all = environment(&[("http_proxy", "p:1"), ("no_proxy", &list)]);
            assert_eq!(chosen(&all, "http://10.0.0.1/"), "http://p:1", "{entry}");
            assert_eq!(chosen(&all, "http://spared.example/"), "direct", "{entry}");
            let error = Proxy::new("http://p:1").unwrap().bypass(&list).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{entry}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_an_error_too() {
        use std::os::unix::ffi::OsStringExt;
        let odd = |name: &str| (name == "http_proxy").then(|| OsString::from_vec(vec![b'p', 0xff]));
        let said = chosen(&Environment::of(odd), "http://a/");
        assert_eq!(said, "the environment variable http_proxy (or HTTP_PROXY): not UTF-8");
    }

    #[test]
    fn no_proxy_spares_names_addresses_and_prefixes() {
        // (the list, URLs that go directly, URLs that do not)
        let table: [(&str, &[&str], &[&str]); 14] = [
            (
                "example.com",
                &["http://example.com/", "http://A.Example.com:81/"],
                &["http://notexample.com/", "http://com/"],
            ),
            (
                ".example.com",
                &["http://a.example.com/", "http://b.a.example.com/"],
                &["http://example.com/", "http://aexample.com/"],
            ),
            ("*.example.com", &["http://a.example.com/"], &["http://example.com/"]),
            ("EXAMPLE.com.", &["http://example.com/", "http://example.com./"], &["http://example.org/"]),
            (
                "example.com:8080",
                &["http://example.com:8080/", "https://a.example.com:8080/"],
                &["http://example.com/"],
            ),
            ("example.com:80", &["http://example.com/"], &["https://example.com/"]),
            (
                "b\u{fc}cher.example",
                &["http://b\u{fc}cher.example/", "http://xn--bcher-kva.example/"],
                &["http://bucher.example/"],
            ),
            (
                "192.0.2.7",
                &["http://192.0.2.7/", "http://[::ffff:192.0.2.7]/"],
                &["http://192.0.2.70/", "http://192.0.2.7.example/"],
            ),
            ("192.0.2.7:81", &["http://192.0.2.7:81/"], &["http://192.0.2.7/"]),
            (
                "192.0.2.0/24",
                &["http://192.0.2.0/", "http://192.0.2.255:9/"],
                &["http://192.0.3.0/", "http://[2001:db8::]/"],
            ),
            ("2001:db8::7", &["http://[2001:db8:0::7]/"], &["http://[2001:db8::8]/"]),
            (
                "[2001:db8::7]:81 [2001:db8::8]",
                &["http://[2001:db8::7]:81/", "http://[2001:db8::8]/"],
                &["http://[2001:db8::7]/"],
            ),
            (
                "2001:db8::/33,0.0.0.0/0",
                &["http://[2001:db8:7fff::]/", "http://9.9.9.9/"],
                &["http://[2001:db8:8000::]/"],
            ),
            ("a, b\t,,c", &["http://a/", "http://b/", "http://c/"], &["http://d/"]),
        ];
        for (list, spared, others) in table {
            let given = Proxies::Given(Proxy::new("http://p:1").unwrap().bypass(list).unwrap());
            let is_direct = |url: &str| given.route(&Url::parse(url).unwrap()).unwrap().proxy().is_none();
            let from_environment = environment(&[("all_proxy", "p:1"), ("no_proxy", list)]);
            for url in spared {
                assert!(is_direct(url), "{list}: {url}");
                assert_eq!(chosen(&from_environment, url), "direct", "{list}: {url}");
            }
            for url in others {
                assert!(!is_direct(url), "{list}: {url}");
                assert_eq!(chosen(&from_environment, url), "http://p:1", "{list}: {url}");
            }
        }
        let all = environment(&[("all_proxy", "p:1"), ("no_proxy", "a, *")]);
        assert_eq!(chosen(&all, "http://anything.example/"), "direct");
        assert_eq!(chosen(&all, "https://192.0.2.1/"), "direct");
    }

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
            // What only says where it is, is an HTTP proxy.
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
            let relay = Proxy::new(url).unwrap().relay;
            assert_eq!((relay.name.as_str(), relay.host.as_str()), (name, host), "{url}");
        }
        let relay = Proxy::new("socks://u:p@p").unwrap().relay;
        assert!(matches!(relay.protocol, ProxyProtocol::Socks5 { dns: Dns::Remote, credentials: Some(_) }));
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
            let fields = proxy.relay.fields().unwrap().iter();
            fields.map(|(name, value)| format!("{name}: {}", value.escape_ascii())).collect::<Vec<_>>()
        };
        let token = proxy().header("proxy-authorization", "Bearer one").unwrap();
        let token = token.header("Proxy-Authorization", " Bearer two ").unwrap();
        assert_eq!(fields(&token), ["Proxy-Authorization: Bearer two"], "the last word counts");
        assert_eq!(fields(&token.basic_auth("u", "p").unwrap()), ["Proxy-Authorization: Basic dTpw"]);
        let named = proxy().header("X-A", b"1\xff").unwrap().header("Proxy-Connection", "keep-alive").unwrap();
        let shown = format!("{named:?}");
        assert_eq!(shown, r#"Proxy(http://p:80, ["Proxy-Authorization", "X-A", "Proxy-Connection"])"#);
        for name in FRAMING_OR_ROUTING.iter().chain(&FOR_SERVERS).chain(&["Host", "X Y", "", "X:"]) {
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
        let fields = proxy.relay.fields().expect("an HTTP proxy");
        assert_eq!(fields.get("proxy-authorization"), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(shown, r#"Proxy(http://p:80, ["Proxy-Authorization"])"#);
        assert_eq!(format!("{:?}", Proxy::new("p").unwrap()), "Proxy(http://p:80)");
        let proxy = Proxy::new("socks5://u%00:%ff@p").unwrap();
        let ProxyProtocol::Socks5 { credentials: Some(login), .. } = proxy.relay.protocol else { panic!("a login") };
        assert_eq!((&login.user[..], &login.password[..]), (&b"u\0"[..], &b"\xff"[..]));
        for url in ["http://u%3a:p@p", "http://u:%0a@p", "socks5://u@p", "socks5h://:p@p"] {
            assert_eq!(Proxy::new(url).unwrap_err().kind(), ErrorKind::InvalidRequest, "{url}");
        }
        let socks5 = Proxy::new("socks5://p").unwrap();
        assert!(socks5.clone().basic_auth("u".repeat(255), "p".repeat(255)).is_ok());
        assert!(socks5.basic_auth("u".repeat(256), "p").is_err());
    }
}
