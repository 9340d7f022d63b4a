//! What people type into the search of the documentation: the words of the clients that they know. Each leads to
//! what longwire has in its place, by an alias (`#[doc(alias)]`) or by a name.
//!
//! The sources are read, not the index that rustdoc makes of them: its format is rustdoc's own, and rustdoc 1.95 leaves
//! the aliases of types out where `pub use` lifts these from a private module (rust-lang/rust#152939). The rustdoc of
//! docs.rs, a nightly, has them.

use std::collections::BTreeSet;

#[path = "support/source_tree.rs"]
mod source_tree;

use source_tree::{identifier, implemented};

/// By library: words, and the item that they lead to. What both have by the same name is left out.
const WORDS: &[(&str, &[(&str, &str)])] = &[
    (
        "Go's net/http",
        &[
            ("Transport", "ClientBuilder"),
            ("Do RoundTrip", "Client::send"),
            ("DumpRequestOut", "Client::to_wire"),
            ("CloseIdleConnections", "Client::close_idle"),
            ("TLSHandshakeTimeout", "ClientBuilder::connect_timeout"),
            ("ResponseHeaderTimeout", "ClientBuilder::header_timeout"),
            ("IdleConnTimeout", "ClientBuilder::idle_timeout"),
            ("MaxIdleConns", "ClientBuilder::max_idle"),
            ("MaxIdleConnsPerHost DisableKeepAlives", "ClientBuilder::max_idle_per_host"),
            ("MaxConnsPerHost", "ClientBuilder::max_connections_per_host"),
            ("MaxResponseHeaderBytes", "ClientBuilder::max_head_size"),
            ("ReadBufferSize", "ClientBuilder::buffer_size"),
            ("ProxyFromEnvironment", "ClientBuilder::proxy"),
            ("DialContext", "ClientBuilder::connector"),
            ("DialContext", "ClientBuilder::dial"),
            ("TLSClientConfig", "ClientBuilder::tls"),
            ("CheckRedirect", "ClientBuilder::on_redirect"),
            ("Jar", "ClientBuilder::cookie_jar"),
            ("DisableCompression", "ClientBuilder::decode"),
            ("ErrUseLastResponse", "Hop::stop"),
            ("PublicSuffixList", "CookieStore::public_suffixes"),
            ("NewRequest NewRequestWithContext", "Request::new"),
            ("Values", "RequestBuilder::query_pairs"),
            ("PostForm Values", "RequestBuilder::form"),
            ("SetBasicAuth", "RequestBuilder::basic_auth"),
            ("ExpectContinueTimeout", "RequestBuilder::expect_continue"),
            ("WithTimeout", "RequestBuilder::timeout"),
            ("Context WithCancel", "CancelToken"),
            ("multipart.Writer", "Form"),
            ("CreateFormFile", "Form::file"),
            ("WriteField", "Form::text"),
            ("Add", "Headers::append"),
            ("Set", "Headers::insert"),
            ("Values", "Headers::get_all"),
            ("Del", "Headers::remove"),
            ("DumpResponse", "Response::raw_head"),
            ("ReadAll", "Response::bytes"),
            ("io.Copy", "Response::copy_to"),
            ("LimitReader MaxBytesReader", "Response::limit"),
            ("Hijacker", "Response::upgrade"),
            ("io.EOF", "Body"),
            ("Trailer", "Body::trailers"),
            ("Uncompressed", "Body::coding"),
            ("ErrUnexpectedEOF", "ErrorKind::Truncated"),
            ("GotConnInfo", "ConnectionInfo"),
            ("ConnectionState", "TlsInfo"),
            ("httptrace ClientTrace", "Observer"),
            ("RootCAs", "Tls::roots"),
            ("KeyLogWriter", "Tls::key_log"),
            ("MinVersion", "Tls::min_version"),
            ("InsecureSkipVerify", "Tls::danger_accept_any_certificate"),
            ("RoundTripper", "Connect"),
            ("net.Resolver", "Resolve"),
            ("httptest", "Script"),
        ],
    ),
    (
        "curl",
        &[
            ("--connect-timeout", "ClientBuilder::connect_timeout"),
            ("--max-time CURLOPT_TIMEOUT", "ClientBuilder::timeout"),
            ("--speed-limit --speed-time CURLOPT_LOW_SPEED_LIMIT", "ClientBuilder::min_speed"),
            ("CURLOPT_MAXAGE_CONN", "ClientBuilder::idle_timeout"),
            ("CURLOPT_MAXLIFETIME_CONN", "ClientBuilder::max_connection_age"),
            ("--location --max-redirs", "ClientBuilder::max_redirects"),
            ("--location-trusted", "ClientBuilder::allow_cross_origin_header"),
            ("--user-agent", "ClientBuilder::user_agent"),
            ("--resolve --connect-to CURLOPT_RESOLVE", "ClientBuilder::resolve_to"),
            ("--unix-socket", "ClientBuilder::unix_socket"),
            ("--interface --keepalive-time", "ClientBuilder::dial"),
            ("--compressed", "ClientBuilder::decode"),
            ("--retry", "ClientBuilder::retry"),
            ("HTTP_PROXY HTTPS_PROXY ALL_PROXY", "ClientBuilder::proxy"),
            ("--proxy --socks5 --socks5-hostname", "Proxy"),
            ("--noproxy NO_PROXY", "Proxy::bypass"),
            ("--proxy-user", "Proxy::basic_auth"),
            ("--proxy-header", "Proxy::header"),
            ("--proxytunnel", "Proxy::tunnel_http"),
            ("--retry-delay", "Retry::backoff"),
            ("--header -H", "RequestBuilder::header"),
            ("--user -u", "RequestBuilder::basic_auth"),
            ("--oauth2-bearer", "RequestBuilder::bearer_auth"),
            ("--digest", "RequestBuilder::digest_auth"),
            ("--data-binary --upload-file", "RequestBuilder::body"),
            ("--data --data-urlencode -d", "RequestBuilder::form"),
            ("--form -F", "RequestBuilder::multipart"),
            ("--json", "RequestBuilder::json"),
            ("--expect100-timeout", "RequestBuilder::expect_continue"),
            ("--cookie", "CookieStore::read_from"),
            ("--cookie-jar", "CookieStore::write_to"),
            ("--fail --fail-with-body", "Response::error_for_status"),
            ("--max-filesize", "Response::limit"),
            ("--write-out", "Response::timings"),
            ("--continue-at --output", "Download::save_to"),
            ("--verbose -v", "LogObserver"),
            ("--cacert", "Tls::roots"),
            ("--cert --key", "Tls::identity"),
            ("--pinnedpubkey", "Tls::pin"),
            ("SSLKEYLOGFILE", "Tls::key_log"),
            ("--tlsv1.3", "Tls::min_version"),
            ("--insecure -k", "Tls::danger_accept_any_certificate"),
            ("CURLE_PARTIAL_FILE", "ErrorKind::Truncated"),
        ],
    ),
    (
        "requests (Python)",
        &[
            ("Session", "Client"),
            ("HTTPAdapter", "ClientBuilder"),
            ("pool_maxsize", "ClientBuilder::max_idle_per_host"),
            ("pool_block", "ClientBuilder::max_connections_per_host"),
            ("allow_redirects", "ClientBuilder::max_redirects"),
            ("trust_env", "ClientBuilder::no_proxy"),
            ("max_retries", "ClientBuilder::retry"),
            ("socket_options", "ClientBuilder::dial"),
            ("proxies", "Proxy"),
            ("backoff_factor", "Retry::backoff"),
            ("status_forcelist", "Retry::statuses"),
            ("respect_retry_after_header", "Retry::max_wait"),
            ("RequestsCookieJar MozillaCookieJar", "CookieStore"),
            ("PreparedRequest", "Request"),
            ("params urlencode", "RequestBuilder::query_pairs"),
            ("HTTPBasicAuth", "RequestBuilder::basic_auth"),
            ("HTTPDigestAuth", "RequestBuilder::digest_auth"),
            ("files", "RequestBuilder::multipart"),
            ("MultipartEncoder", "Form"),
            ("CaseInsensitiveDict", "Headers"),
            ("iter_content iter_lines stream", "Response"),
            ("content", "Response::bytes"),
            ("encoding", "Response::charset"),
            ("history", "Response::redirects"),
            ("elapsed", "Response::timings"),
            ("raise_for_status", "Response::error_for_status"),
            ("RequestException", "Error"),
            ("ConnectionError", "ErrorKind::Connect"),
            ("SSLError", "ErrorKind::Tls"),
            ("IncompleteRead ChunkedEncodingError", "ErrorKind::Truncated"),
            ("HTTPError", "ErrorKind::Status"),
            ("verify", "Tls::roots"),
            ("verify", "Tls::danger_accept_any_certificate"),
            ("responses requests_mock", "Script"),
            ("assert_all_requests_are_fired", "Script::assert_done"),
            ("VCR cassette", "Record"),
            ("VCR cassette", "Replay"),
            ("sseclient", "EventSource"),
        ],
    ),
    (
        "reqwest",
        &[
            ("execute", "Client::send"),
            ("pool_idle_timeout", "ClientBuilder::idle_timeout"),
            ("pool_max_idle_per_host", "ClientBuilder::max_idle_per_host"),
            ("http1_ignore_invalid_headers_in_responses", "ClientBuilder::skip_invalid_headers"),
            ("default_headers", "ClientBuilder::default_header"),
            ("dns_resolver", "ClientBuilder::resolver"),
            ("local_address interface tcp_keepalive tcp_nodelay", "ClientBuilder::dial"),
            ("Policy", "ClientBuilder::on_redirect"),
            ("cookie_store cookie_provider", "ClientBuilder::cookie_jar"),
            ("gzip no_gzip", "ClientBuilder::decode"),
            ("HeaderMap", "Headers"),
            ("bytes_stream", "Response"),
            ("text_with_charset", "Response::text_as"),
            ("remote_addr", "ConnectionInfo::peer_addr"),
            ("add_root_certificate", "Tls::add_root"),
            ("use_preconfigured_tls", "Tls::from_rustls"),
            ("min_tls_version", "Tls::min_version"),
            ("danger_accept_invalid_hostnames", "Tls::any_name"),
            ("danger_accept_invalid_certs", "Tls::danger_accept_any_certificate"),
            ("connection_verbose", "LogObserver"),
            ("middleware", "ClientBuilder::before_send"),
            ("mock mockito wiremock httpmock", "Script"),
            ("received_requests", "Script::seen"),
        ],
    ),
    (
        "ureq",
        &[
            ("Agent", "Client"),
            ("run", "Client::send"),
            ("AgentBuilder ConfigBuilder", "ClientBuilder"),
            ("timeout_global", "ClientBuilder::timeout"),
            ("timeout_connect", "ClientBuilder::connect_timeout"),
            ("timeout_recv_response", "ClientBuilder::header_timeout"),
            ("timeout_per_read", "ClientBuilder::read_timeout"),
            ("timeout_per_write", "ClientBuilder::write_timeout"),
            ("max_idle_age", "ClientBuilder::idle_timeout"),
            ("max_idle_connections", "ClientBuilder::max_idle"),
            ("max_idle_connections_per_host", "ClientBuilder::max_idle_per_host"),
            ("max_response_header_size", "ClientBuilder::max_head_size"),
            ("input_buffer_size", "ClientBuilder::buffer_size"),
            ("redirect_auth_headers", "ClientBuilder::allow_cross_origin_header"),
            ("tls_config", "ClientBuilder::tls"),
            ("middleware", "ClientBuilder::before_send"),
            ("call", "RequestBuilder::send"),
            ("send_bytes send_string", "RequestBuilder::body"),
            ("send_form", "RequestBuilder::form"),
            ("send_json", "RequestBuilder::json"),
            ("into_reader", "Response"),
            ("read_to_vec", "Response::bytes"),
            ("into_string read_to_string", "Response::text"),
            ("lossy_utf8 read_to_string", "Response::text_lossy"),
            ("into_json read_json", "Response::json"),
            ("get_redirect_history save_redirect_history", "Response::redirects"),
            ("http_status_as_error", "Response::error_for_status"),
            ("TlsConfig", "Tls"),
            ("client_cert", "Tls::identity"),
            ("disable_verification", "Tls::danger_accept_any_certificate"),
            ("RootCerts", "Roots"),
            ("Connector", "Connect"),
            ("Resolver", "Resolve"),
        ],
    ),
    (
        "attohttpc",
        &[
            ("Session", "Client"),
            ("allow_compression", "ClientBuilder::decode"),
            ("param", "RequestBuilder::query"),
            ("params", "RequestBuilder::query_pairs"),
            ("follow_redirects max_redirections", "RequestBuilder::max_redirects"),
            ("write_to", "Response::copy_to"),
            ("split", "Response::into_parts"),
            ("text_utf8", "Response::text"),
            ("text_with", "Response::text_as"),
            ("MultipartBuilder", "Form"),
        ],
    ),
    (
        "minreq",
        &[
            ("with_max_headers_size", "ClientBuilder::max_head_size"),
            ("with_param", "RequestBuilder::query"),
            ("with_header", "RequestBuilder::header"),
            ("with_body", "RequestBuilder::body"),
            ("with_json", "RequestBuilder::json"),
            ("with_max_redirects with_follow_redirects", "RequestBuilder::max_redirects"),
            ("with_proxy", "RequestBuilder::proxy"),
            ("with_timeout", "RequestBuilder::timeout"),
            ("send_lazy", "RequestBuilder::send"),
            ("as_bytes", "Response::bytes"),
            ("as_str", "Response::text"),
            ("ResponseLazy", "Body"),
        ],
    ),
    (
        "browsers and Node",
        &[
            ("AbortController AbortSignal", "CancelToken"),
            ("abort", "CancelToken::cancel"),
            ("FormData", "Form"),
            ("text/event-stream", "Response::events"),
            ("maxResponseSize", "Response::limit"),
            ("WebSocket", "Response::upgrade"),
            ("text/event-stream", "EventSource"),
            ("preconnect", "Client::connect_ahead"),
        ],
    ),
    ("security", &[("SSRF", "ClientBuilder::address_filter"), ("SSRF", "PublicOnly")]),
];

/// An item with the word that leads to it, as the search compares them.
type Entry = (String, String);

/// The search knows neither capitals nor underscores.
fn folded(word: &str) -> String {
    word.to_lowercase().replace('_', "")
}

/// The item that a line declares, with the type whose it is: `fn`, a type, a trait or a variant.
fn declared(line: &str, owner: &str) -> Option<String> {
    let line = line.trim_start();
    let (is_public, line) = line.strip_prefix("pub ").map_or((false, line), |rest| (true, rest));
    let line = line.strip_prefix("const ").unwrap_or(line);
    if let Some(name) = line.strip_prefix("fn ") {
        return Some(format!("{owner}::{}", identifier(name)));
    }
    let kinds = ["struct ", "enum ", "trait "];
    if let Some(name) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) {
        return Some(identifier(name).to_owned());
    }
    let is_variant = !is_public && line.starts_with(|c: char| c.is_ascii_uppercase()) && line.ends_with(',');
    is_variant.then(|| format!("{owner}::{}", identifier(line)))
}

/// The words of `#[doc(alias = "a")]` and `#[doc(alias("a", "b"))]`, which are on one line each.
fn aliases(line: &str) -> impl Iterator<Item = &str> {
    let list = line.trim_start().strip_prefix("#[doc(alias").unwrap_or_default();
    assert!(list.is_empty() || list.ends_with(")]"), "an alias goes on on the next line: {line}");
    list.split('"').skip(1).step_by(2)
}

/// The aliases of a file, and the names in it.
fn read(text: &str, found: &mut BTreeSet<Entry>, named: &mut BTreeSet<String>) {
    let (mut owner, mut waiting) = ("", Vec::new());
    for line in text.lines() {
        waiting.extend(aliases(line));
        if let Some(of) = implemented(line) {
            owner = of;
        } else if line.starts_with("macro_rules! head_getters") {
            owner = "Response"; // and `ResponseHead`
        } else if let Some(item) = declared(line, owner) {
            if !line.starts_with(' ') && !item.contains("::") {
                owner = identifier(line.trim_start_matches("pub ").split_once(' ').map_or("", |(_, name)| name));
            }
            found.extend(waiting.drain(..).map(|alias| (item.clone(), folded(alias))));
            named.insert(item);
        }
    }
    assert!(waiting.is_empty(), "aliases of no item: {waiting:?}");
}

#[test]
fn the_words_of_other_clients_lead_to_what_stands_for_them() {
    let (mut found, mut named) = (BTreeSet::new(), BTreeSet::new());
    for file in source_tree::files("src", ".rs") {
        read(&source_tree::read(&file), &mut found, &mut named);
    }

    let mut wanted = BTreeSet::new();
    for (library, rows) in WORDS {
        for (words, item) in *rows {
            assert!(named.contains(*item), "{library}: there is no {item} for {words}");
            let name = item.rsplit("::").next().unwrap_or_default();
            // An alias that is the name as the search sees it would be there twice.
            let aliases = words.split(' ').map(folded).filter(|word| *word != folded(name));
            wanted.extend(aliases.map(|word| ((*item).to_owned(), word)));
        }
    }
    let lost: Vec<_> = wanted.difference(&found).collect();
    assert!(lost.is_empty(), "no such alias: {lost:?}");
    let strange: Vec<_> = found.difference(&wanted).collect();
    assert!(strange.is_empty(), "aliases that are not in the list of this test: {strange:?}");
}

#[test]
fn aliases_are_read_with_the_item_that_follows() {
    let source = r#"
/// A pool.
#[doc(alias("A-b", "c/d"))]
#[derive(Clone)]
pub struct Pool<T>(T);

impl<'a, T: Into<Vec<u8>>> Pool<T> {
    #[doc(alias = "Max_Idle")]
    pub const fn size(&self) -> usize {
        0
    }
}

pub enum Kind {
    #[doc(alias = "EOF")]
    End,
}
"#;
    let (mut found, mut named) = (BTreeSet::new(), BTreeSet::new());
    read(source, &mut found, &mut named);
    let entries = [("Kind::End", "eof"), ("Pool", "a-b"), ("Pool", "c/d"), ("Pool::size", "maxidle")];
    assert!(found.iter().map(|(item, word)| (&**item, &**word)).eq(entries), "{found:?}");
    assert_eq!(named, ["Kind", "Kind::End", "Pool", "Pool::size"].map(str::to_owned).into());
}
