//! Which proxy a URL takes: the client's, that of the request, or those of the environment. Nothing
//! here touches the network.

use std::env;
use std::ffi::OsString;
use std::net::IpAddr;

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::message::no_proxy::NoProxy;
use crate::message::proxy::Proxy;
use crate::message::request::ProxyOption;
use crate::net::dial::resolve::is_localhost;
use crate::net::dial::route::Route;
use crate::wire::request_head::NextHop;

/// A client's proxies.
#[derive(Default)]
pub(crate) enum Proxies {
    #[default]
    None,
    Given(Proxy),
    Environment(Environment),
}

/// How a request goes.
#[derive(Clone, Copy)]
pub(crate) struct Way<'p> {
    pub(crate) route: Route<'p>,
    /// Who receives the request's head.
    pub(crate) next_hop: NextHop,
}

impl Way<'_> {
    /// Without any proxy.
    pub(crate) const DIRECT: Way<'static> = Way { route: Route::Direct, next_hop: NextHop::Origin };

    /// The same way, as if its proxy made a tunnel.
    pub(crate) fn past_proxy(self) -> Way<'static> {
        let next_hop = match self.next_hop {
            NextHop::Origin => NextHop::Origin,
            NextHop::OriginPastProxy | NextHop::Proxy => NextHop::OriginPastProxy,
        };
        Way { route: Route::Direct, next_hop }
    }
}

impl Proxies {
    /// Those of this process's environment.
    pub(crate) fn from_env() -> Proxies {
        let environment = Environment::of(|name| env::var_os(name));
        let is_any = environment.http.is_some() || environment.https.is_some();
        if is_any { Proxies::Environment(environment) } else { Proxies::None }
    }

    /// How a request for `url` goes, by its own option or else by these proxies. An error is that of
    /// a setting which is invalid and would be needed.
    pub(crate) fn way<'p>(&'p self, option: &'p ProxyOption, url: &Url) -> Result<Way<'p>> {
        let route = match (option, self) {
            (ProxyOption::Client, Proxies::None) => return Ok(Way::DIRECT),
            (ProxyOption::Direct, _) => Route::Direct,
            (ProxyOption::Proxy(proxy), _) => proxy.route(url),
            (ProxyOption::Client, Proxies::Given(proxy)) => proxy.route(url),
            (ProxyOption::Client, Proxies::Environment(environment)) => environment.route(url)?,
        };
        let next_hop = match route {
            Route::Forward { .. } => NextHop::Proxy,
            Route::Direct | Route::Tunnel(_) => NextHop::OriginPastProxy,
        };
        Ok(Way { route, next_hop })
    }
}

/// The proxies that the environment names. An invalid value is kept as its error.
pub(crate) struct Environment {
    http: Option<Result<Proxy>>,
    https: Option<Result<Proxy>>,
    no_proxy: Result<NoProxy>,
}

impl Environment {
    /// Of each variable the lower-case name counts first, and an empty value is none. In a CGI
    /// program `HTTP_PROXY` is the `Proxy` field of the request that is served ("httpoxy"), and
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
        let no_proxy = match either("no_proxy") {
            None => Ok(NoProxy::default()),
            Some((name, value)) => text(name, &value).map(NoProxy::parse_known),
        };
        Environment { http: proxy("http_proxy"), https: proxy("https_proxy"), no_proxy }
    }

    /// As in Go, loopback hosts always bypass the proxy.
    fn route(&self, url: &Url) -> Result<Route<'_>> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let Some(proxy) = proxy else { return Ok(Route::Direct) };
        if is_this_machine(url) || self.no_proxy.as_ref().map_err(Error::clone)?.matches(url) {
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

/// Returns whether the URL's host is a loopback address, or a name for one (RFC 6761 §6.3).
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| (String::from(*name), value.into())).collect();
        Environment::of(move |name| variables.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone()))
    }

    /// The proxy's name for that URL, or "direct", or the error of the setting.
    fn chosen(environment: &Environment, url: &str) -> String {
        match environment.route(&Url::parse(url).unwrap()) {
            Ok(Route::Direct) => "direct".to_owned(),
            Ok(Route::Forward { proxy, .. } | Route::Tunnel(proxy)) => proxy.name.clone(),
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
    fn an_invalid_exception_is_ignored_in_the_environment_and_refused_from_the_caller() {
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
            let way = |url: &str| given.way(&ProxyOption::Client, &Url::parse(url).unwrap()).unwrap();
            let is_direct = |url: &str| matches!(way(url).route, Route::Direct);
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
    fn the_requests_own_proxy_comes_before_the_clients() {
        let given = Proxies::Given(Proxy::new("http://p:1").unwrap());
        let own = ProxyOption::Proxy(Proxy::new("socks5://q:2").unwrap().into());
        let url = Url::parse("http://a/").unwrap();
        let way = |proxies: &Proxies, option: &ProxyOption| match proxies.way(option, &url).unwrap() {
            Way { route: Route::Direct, next_hop } => ("direct".to_owned(), next_hop),
            Way { route: Route::Forward { proxy, .. } | Route::Tunnel(proxy), next_hop } => {
                (proxy.name.clone(), next_hop)
            }
        };
        assert!(way(&given, &ProxyOption::Client) == ("http://p:1".to_owned(), NextHop::Proxy));
        assert!(way(&given, &own) == ("socks5://q:2".to_owned(), NextHop::OriginPastProxy));
        assert!(way(&given, &ProxyOption::Direct) == ("direct".to_owned(), NextHop::OriginPastProxy));
        assert!(way(&Proxies::None, &own) == ("socks5://q:2".to_owned(), NextHop::OriginPastProxy));
        assert!(way(&Proxies::None, &ProxyOption::Client) == ("direct".to_owned(), NextHop::Origin));
    }
}
