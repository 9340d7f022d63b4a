//! The signatures that programs rely on, pinned by coercion to function pointers and by use: a change of
//! one does not compile. What each does is tested elsewhere.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::fs::File;
use std::hash::Hash;
use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use longwire::multipart::{Form, Part};
use longwire::sse::{Event as SentEvent, EventSource, Events, EventsIter, OwnedEvent};
use longwire::transport::{Connect, Deadline, Direct, Query, Resolve, Stream, Target};
use longwire::{
    Body, BodyEnd, CallId, CancelToken, Client, ClientBuilder, CloseCounts, CloseReason, ConnectionId, ConnectionInfo,
    Cookie, CookieJar, CookieStore, Download, Error, ErrorKind, Event, EventIds, ExchangeId, Fate, Headers,
    HeadersIter, Hop, Method, Observer, Outgoing, PoolStats, Proxy, PublicOnly, Request, RequestBuilder, Response,
    ResponseHead, Result, Retry, SameSite, Saved, SendBody, Side, Stage, StatusCode, Timings, TlsInfo, Upgraded, Url,
    Version, script,
};

type B<'b> = RequestBuilder<'b>;

type Text = &'static str;

#[test]
fn the_functions_and_the_client() {
    let _: fn(Text) -> Result<Response> = longwire::get;
    let _: fn(&'static Url) -> Result<Response> = longwire::head;
    let _: fn(String) -> Result<Response> = longwire::delete;
    let _: fn(&'static String, Text) -> Result<Response> = longwire::post;
    let _: fn(Url, Vec<u8>) -> Result<Response> = longwire::put;
    let _: fn(Text, File) -> Result<Response> = longwire::patch;
    let _: fn(Method, Text) -> B<'static> = longwire::request;
    let _: fn() -> Client = Client::new;
    let _: fn() -> ClientBuilder = Client::builder;
    let _: fn(&Client, Text) -> B<'static> = Client::get;
    let _: fn(&Client, Text) -> B<'static> = Client::head;
    let _: fn(&Client, Text) -> B<'static> = Client::post;
    let _: fn(&Client, Text) -> B<'static> = Client::put;
    let _: fn(&Client, Text) -> B<'static> = Client::patch;
    let _: fn(&Client, Text) -> B<'static> = Client::delete;
    let _: fn(&Client, Text) -> B<'static> = Client::options;
    let _: fn(&Client, Method, Text) -> B<'static> = Client::request;
    let _: fn(&Client, Request<'static>) -> Result<Response> = Client::send;
    let _ = |client: &Client, request: &Request<'_>| -> Result<Vec<u8>> { client.to_wire(request) };
    let _: fn(&Client) -> PoolStats = Client::pool_stats;
    let _: fn(&Client) = Client::close_idle;
    let _: fn(&Client, Text, usize) -> Result<usize> = Client::connect_ahead;
}

/// A policy with all that can be set.
fn policy() -> Retry {
    const SHORT: Duration = Duration::from_millis(1);
    Retry::new(1).statuses(&[503]).backoff(SHORT, SHORT).max_wait(SHORT).without_budget()
}

#[test]
fn the_builder_of_a_client() {
    let second = Duration::from_secs(1);
    let builder: ClientBuilder = Client::builder()
        .connect_timeout(second)
        .read_timeout(Some(second))
        .write_timeout(None)
        .header_timeout(second)
        .timeout(second)
        .idle_timeout(second)
        .max_connection_age(None)
        .min_speed(1, second)
        .probe_after(second)
        .max_idle_per_host(1)
        .max_idle(1)
        .max_connections_per_host(1)
        .max_connections_per_host(None)
        .buffer_size(4096)
        .max_head_size(4096)
        .max_headers(9)
        .max_redirects(9)
        .skip_invalid_headers(false)
        .require_framing(false)
        .allow_https_downgrade(false)
        .allow_cross_origin_header("X")
        .user_agent("x")
        .default_header("X", "y")
        .no_proxy()
        .observer(|_: &Event<'_>| ())
        .cookie_jar(CookieStore::new())
        .retry(None)
        .retry(policy())
        .on_redirect(|hop: &mut Hop<'_>| {
            let _: (&Url, &Url, StatusCode, &Headers, Option<&str>) =
                (hop.from(), hop.to(), hop.status(), hop.headers(), hop.header("X"));
            hop.keep_header("X");
            hop.stop();
            Ok(())
        })
        .before_send(|outgoing: &mut Outgoing<'_>| {
            let _: (&Method, &Url, &Headers, Option<&str>) =
                (outgoing.method(), outgoing.url(), outgoing.headers(), outgoing.header("X"));
            outgoing.set_header("X", b"y")
        });
    let client: Result<Client> = builder.try_build();
    let _: Client = Client::builder().build();
    drop(client.expect("all of it is valid"));
    let _: fn(ClientBuilder, Proxy) -> ClientBuilder = ClientBuilder::proxy;
    let _ = |address: SocketAddr, proxy: Proxy| {
        Client::builder()
            .proxy(proxy)
            .resolver(move |_: &Query<'_>| Ok(vec![address]))
            .resolve_to("a.test", address)
            .address_filter(PublicOnly::allows)
            .dial(|address: &SocketAddr, left: Duration| TcpStream::connect_timeout(address, left))
            .unix_socket("/tmp/x")
            .connector(|_: &Target<'_>, _: Deadline, _: &CancelToken| Err(Error::new(ErrorKind::Connect, "no")))
    };
}

#[test]
fn a_request_and_its_builder() {
    let token = CancelToken::new();
    let second = Duration::from_secs(1);
    let pairs = [("a", "1")];
    let build = |builder: B<'static>| -> Result<Request<'static>> {
        builder
            .header("A", "b")
            .headers(&Headers::new())
            .query("n", 7)
            .query_pairs(&pairs)
            .query_pairs(vec![("a".to_owned(), 1.5)])
            .basic_auth("u", Some("p"))
            .bearer_auth("t")
            .form(&pairs)
            .body("x")
            .timeout(second)
            .read_timeout(None)
            .min_speed(1, second)
            .max_redirects(1)
            .expect_continue(second)
            .cancel_token(&token)
            .idempotent(true)
            .retry(policy())
            .no_proxy()
            .build()
    };
    let mut request = build(Request::builder(Method::PUT, "http://a.test/")).expect("a request");
    let _: (&Method, &Url, &Headers, &SendBody<'_>) =
        (request.method(), request.url(), request.headers(), request.body());
    let _: (Option<Option<Duration>>, Option<Option<Duration>>) = (request.timeout(), request.read_timeout());
    let _: (Option<Option<(u64, Duration)>>, Option<u32>) = (request.min_speed(), request.max_redirects());
    let _: (Option<Duration>, Option<&CancelToken>) = (request.expect_continue(), request.cancel_token());
    let _: (bool, Option<&Proxy>) = (request.is_idempotent(), request.proxy());
    let _: Option<Option<&Retry>> = request.retry();
    let set = |request: &mut Request<'static>| -> Result<()> {
        request.set_method(Method::POST)?;
        request.set_url("http://b.test/")?;
        request.add_query("n", 'x');
        request.add_query_pairs(&pairs);
        request.add_header("A", "b")?;
        request.set_header("A", "b")?;
        request.set_basic_auth("u", None)?;
        request.set_bearer_auth("t")?;
        request.headers_mut().append("X", "y")?;
        request.set_body(vec![1]);
        request.set_form(&pairs);
        request.set_timeout(second);
        request.set_read_timeout(None);
        request.set_min_speed(1, second);
        request.set_max_redirects(1);
        request.set_expect_continue(None);
        request.set_cancel_token(&token);
        request.set_idempotent(false);
        request.set_retry(None);
        request.set_retry(policy());
        request.set_no_proxy();
        request.set_proxy(Proxy::new("127.0.0.1:1")?);
        Ok(())
    };
    set(&mut request).expect("all of it is valid");
    let _: Option<Request<'static>> = request.try_clone();
    let _: fn(Method, Text) -> Result<Request<'static>> = Request::new;
    let _: fn(B<'static>) -> Result<Response> = B::send;
    let _: fn(B<'static>, Proxy) -> B<'static> = B::proxy;
}

#[test]
fn what_a_body_is_made_of() {
    let text = String::from("text");
    let bytes = vec![1, 2, 3];
    let bodies: [SendBody<'_>; 12] = [
        (&bytes[..]).into(),
        b"abc".into(),
        "text".into(),
        (&text).into(),
        (&bytes).into(),
        bytes.clone().into(),
        text.clone().into(),
        Cow::Borrowed("text").into(),
        Cow::Borrowed(&bytes[..]).into(),
        Arc::<[u8]>::from(&bytes[..]).into(),
        Box::<[u8]>::from(&bytes[..]).into(),
        SendBody::sized_reader(io::empty(), 0),
    ];
    let chain = SendBody::chain(bodies);
    let _: (Option<u64>, bool) = (chain.len(), chain.is_empty());
    let _ = |file: &File, owned: File| -> [SendBody<'static>; 3] {
        [file.into(), owned.into(), SendBody::reader(io::empty())]
    };
}

#[test]
fn a_form_and_its_parts() {
    let text = String::from("text");
    let build = || -> Result<Form<'_>> {
        let part: Part<'_> = Part::bytes(&text).file_name(&text).content_type("a/b").header("X", b"y").header("X", "y");
        let form: Form<'_> = Form::new()
            .text("a", &text)
            .text("b", 7)
            .file("c", &text)?
            .part("d", part)
            .part("e", Part::text(1.5))
            .part("f", Part::file(&text)?)
            .part("g", Part::reader(text.as_bytes()))
            .part("h", Part::sized_reader(text.as_bytes(), 4))
            .part("i", SendBody::empty());
        Ok(form)
    };
    drop(build());
    let _: fn(B<'static>, Form<'static>) -> B<'static> = B::multipart;
    let _: fn(&mut Request<'static>, Form<'static>) -> Result<()> = Request::set_multipart;
    fn is_send<T: Send>() {}
    is_send::<Form<'_>>();
    is_send::<Part<'_>>();
}

#[test]
fn a_response_and_its_body() {
    let _ = |mut response: Response, mut writer: Vec<u8>| -> Result<()> {
        let _: (StatusCode, &str, Version) = (response.status(), response.reason(), response.version());
        let _: (&Headers, Option<&str>, &Url) = (response.headers(), response.header("A"), response.url());
        let _: (Option<u64>, Timings, &[u8]) = (response.content_length(), response.timings(), response.raw_head());
        let _: (&[Url], bool, Option<&str>) =
            (response.redirects(), response.is_request_complete(), response.charset());
        let _: &Url = response.permanent_url();
        let _: (Option<SystemTime>, Option<SystemTime>) = (response.date(), response.last_modified());
        let _: (Option<Duration>, u32) = (response.retry_after(), response.attempts());
        let connection: &ConnectionInfo = response.connection();
        let _: (Option<SocketAddr>, Option<SocketAddr>) = (connection.peer_addr(), connection.local_addr());
        let _: (bool, u32, Duration) = (connection.reused(), connection.nth(), connection.age());
        let _: Option<&TlsInfo> = connection.tls();
        let _: &Body = response.body();
        let _: &mut Body = response.body_mut();
        let _: u64 = response.copy_to(&mut writer)?;
        let _: Error = response.error(ErrorKind::Decode, "no");
        let response: Response = response.error_for_status()?.limit(1);
        let (head, mut body): (ResponseHead, Body) = response.into_parts();
        let _: (StatusCode, &Url, &ConnectionInfo) = (head.status(), head.url(), head.connection());
        let _: Option<&str> = head.charset();
        let _: (&Headers, bool, Option<BodyEnd>) = (body.trailers(), body.is_complete(), body.ended());
        let _: (Option<u64>, u64) = (body.remaining(), body.copy_to(&mut writer)?);
        let _: Error = body.error(ErrorKind::Decode, String::from("no"));
        body = body.limit(1);
        let _: String = body.text_lossy()?;
        Ok(())
    };
    let _: fn(Response) -> Result<Vec<u8>> = Response::bytes;
    let _: fn(Response) -> Result<String> = Response::text;
    let _: fn(Response) -> Result<String> = Response::text_lossy;
    let _: fn(Response, Text) -> Result<String> = Response::text_as;
    let _: fn(Response) -> Result<Upgraded> = Response::upgrade;
    let _: fn(Response) -> Body = Response::into_body;
    let _: fn(Body) -> Result<Vec<u8>> = Body::bytes;
    let _: fn(Body) -> Result<String> = Body::text;
    let _: fn(Body, Text) -> Result<String> = Body::text_as;
    let _ = |upgraded: Upgraded| {
        let (_, _): (Box<dyn Stream>, Vec<u8>) = upgraded.into_parts();
    };
    let _: fn(&mut Upgraded, Option<Duration>, Option<Duration>) -> io::Result<()> = Upgraded::set_timeouts;
    fn reads<T: Read + BufRead + Debug + Send>() {}
    reads::<Response>();
    reads::<Body>();
    fn streams<T: Read + Write + Debug + Send>() {}
    streams::<Upgraded>();
}

#[test]
fn events_and_their_source() {
    let _: fn(Response) -> Result<Events> = Response::events;
    let _: fn(Events, usize) -> Events = Events::limit;
    let _ = |mut events: Events| -> Result<EventsIter> {
        while let Some(event) = events.next()? {
            let _: (&str, &str, Option<&str>) = (event.event(), event.data(), event.id());
            let owned: OwnedEvent = event.to_owned();
            let _: (&str, &str, Option<&str>) = (owned.event(), owned.data(), owned.id());
            let _: (String, OwnedEvent) = (owned.into_data(), event.into());
        }
        let _: (Option<&str>, Option<Duration>) = (events.last_event_id(), events.retry());
        let _: Option<BodyEnd> = events.ended();
        Ok(events.into_iter())
    };
    let _: fn(&mut EventsIter) -> Option<Result<OwnedEvent>> = EventsIter::next;
    let _: fn(&Client, Request<'static>) -> Result<EventSource> = EventSource::new;
    let _ = |source: EventSource| -> Result<EventSource> {
        let second = Duration::from_secs(1);
        let mut source = source.resume_after("7").max_attempts(3).reconnection_time(second).max_wait(second).limit(1);
        let _: Option<SentEvent<'_>> = source.next()?;
        let _: (Option<&str>, &Url, u32) = (source.last_event_id(), source.url(), source.attempts());
        let _: (Option<&Error>, &CancelToken) = (source.last_error(), source.cancel_token());
        Ok(source)
    };
    fn sent<T: Debug + Send>() {}
    sent::<Events>();
    sent::<EventsIter>();
    sent::<EventSource>();
    fn value<T: Clone + Debug + PartialEq + Eq + Hash + Send + Sync>() {}
    value::<SentEvent<'static>>();
    value::<OwnedEvent>();
}

#[cfg(feature = "json")]
#[test]
fn json_both_ways() {
    use serde_json::{Value, json};

    let _ = |builder: B<'static>, request: &mut Request<'static>| -> Result<B<'static>> {
        request.set_json(&Some(7))?;
        request.set_json("a str")?;
        Ok(builder.json(&json!({"a": [1]})).json(&[1, 2][..]))
    };
    let _: fn(Response) -> Result<Value> = Response::json;
    let _: fn(Response) -> Result<Vec<String>> = Response::json::<Vec<String>>;
    let _: fn(Body) -> Result<Value> = Body::json;
}

#[cfg(feature = "http")]
#[test]
fn the_types_of_the_http_crate() {
    let _ = |request: http::Request<Vec<u8>>| -> Result<Request<'static>> { request.try_into() };
    let _ = |response: Response| -> Result<http::Response<Body>> { response.try_into() };
    let _ = |client: &Client, request: http::Request<Vec<u8>>| -> Result<http::Response<Vec<u8>>> {
        client.send_http(request)
    };
    let _ = |client: &Client, request: http::Request<File>| client.send_http(request);
    let _: fn(http::Method) -> Method = Into::into;
    let _: fn(Method) -> http::Method = Into::into;
    let _: fn(http::StatusCode) -> StatusCode = Into::into;
    let _: fn(StatusCode) -> http::StatusCode = Into::into;
    let _: fn(http::Version) -> Result<Version> = TryInto::try_into;
    let _: fn(Version) -> http::Version = Into::into;
    let _: fn(http::HeaderMap) -> Headers = Into::into;
    let _: fn(Headers) -> Result<http::HeaderMap> = TryInto::try_into;
    let _ = |headers: &Headers| -> Result<http::HeaderMap> { headers.try_into() };
    let _ = |map: &http::HeaderMap| -> Headers { map.into() };
}

#[cfg(feature = "log")]
#[test]
fn the_observer_that_logs() {
    use longwire::LogObserver;

    fn plain<T: Observer + Clone + Debug + Default + Send + Sync>(_: T) {}
    plain(LogObserver::new());
    let _: Client = Client::builder().observer(LogObserver::new()).build();
}

#[test]
fn cookies() {
    let store: CookieStore = CookieStore::new().public_suffixes(|domain: &str| domain == "test");
    let use_all = |store: &CookieStore, url: &Url| -> Result<(), Box<dyn StdError>> {
        store.insert(url, "a=b")?;
        store.insert("http://a.test/", b"a=b")?;
        let _: usize = store.remove(url, "a")? + store.remove("http://a.test/", b"a")?;
        store.clear();
        store.read_from(io::empty())?;
        store.write_to(&mut io::sink())?;
        for cookie in store.iter() {
            let cookie: Cookie = cookie;
            let _: (&[u8], &[u8], &str, &[u8]) = (cookie.name(), cookie.value(), cookie.domain(), cookie.path());
            let _: (Option<SystemTime>, Option<SameSite>) = (cookie.expires(), cookie.same_site());
            let _: (bool, bool, bool) = (cookie.is_host_only(), cookie.is_secure(), cookie.is_http_only());
        }
        let _: Option<Vec<u8>> = store.cookies(url);
        store.store(url, b"a=b");
        Ok(())
    };
    use_all(&store, &Url::parse("http://a.test/").expect("a URL")).expect("all of it is valid");
    fn keeps<T: CookieJar>(_: &T) {}
    keeps(&store);
    keeps(&Arc::new(store.clone()));
    keeps(&(Arc::new(store.clone()) as Arc<dyn CookieJar>));
    keeps(&(Box::new(store.clone()) as Box<dyn CookieJar>));
    let _: CookieStore = CookieStore::default();
}

#[test]
fn an_error() {
    let error = Error::new(ErrorKind::Connect, "no route");
    let _: (ErrorKind, Side, Stage, Fate) = (error.kind(), error.kind().side(), error.stage(), error.fate());
    let _: (Option<&Url>, Option<&Method>) = (error.url(), error.method());
    let _: (Option<SocketAddr>, Option<StatusCode>) = (error.peer_addr(), error.status());
    let _: (Option<&[u8]>, Option<&[u8]>) = (error.body(), error.proxy_answer());
    let _: Option<&(dyn StdError + Send + Sync + 'static)> = error.get_ref();
    let _: (bool, bool) = (error.is_timeout(), error.is_cancelled());
    let io: io::Error = Error::from_io(ErrorKind::Io, "read", io::Error::other("x")).into();
    let _: Result<Error, io::Error> = Error::try_from(io);
}

#[test]
fn the_words_have_the_common_traits() {
    fn value<T: Clone + Debug + PartialEq + Eq + Hash + Send + Sync>() {}
    fn shown<T: Display>() {}
    value::<Method>();
    value::<StatusCode>();
    value::<Version>();
    value::<ErrorKind>();
    value::<Side>();
    value::<Stage>();
    value::<Fate>();
    value::<BodyEnd>();
    value::<CloseReason>();
    value::<CallId>();
    value::<ExchangeId>();
    value::<ConnectionId>();
    value::<EventIds>();
    value::<SameSite>();
    shown::<Method>();
    shown::<StatusCode>();
    shown::<Version>();
    shown::<CloseReason>();
    shown::<CallId>();
    let _: fn(&str) -> Result<Method> = Method::from_str;
    let _: fn(&str) -> Result<Method> = Method::new;
    let _: (bool, bool) = (Method::GET.is_safe(), Method::GET.is_idempotent());
    assert_eq!(Method::GET, "GET");
    assert_eq!("GET", Method::GET);
    assert_eq!(Method::GET, *"GET");
    let _: &str = Method::GET.as_ref();
    let code = StatusCode::try_from(404u16).expect("a code");
    assert_eq!((u16::from(code), code.as_u16(), code == 404), (404, 404, true));
    assert!(StatusCode::try_from(99u16).is_err() && Method::try_from("A B").is_err());
    let mut headers: Headers = [("a", "b")].into_iter().collect();
    headers.extend([("c", b"d")]);
    let iter: HeadersIter<'_> = (&headers).into_iter();
    assert_eq!(iter.count(), headers.len());
    assert_eq!(headers, headers.clone());
}

#[test]
fn what_may_be_shared_is() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Client>();
    shared::<CancelToken>();
    shared::<Error>();
    shared::<Headers>();
    shared::<Proxy>();
    shared::<ConnectionInfo>();
    shared::<ResponseHead>();
    shared::<PoolStats>();
    shared::<CloseCounts>();
    shared::<Timings>();
    shared::<TlsInfo>();
    shared::<Direct>();
    shared::<Deadline>();
    shared::<CookieStore>();
    shared::<Cookie>();
    shared::<Saved>();
    shared::<Retry>();
    shared::<longwire::har::Recorder>();
    shared::<script::Script>();
    shared::<script::Connection>();
    shared::<script::Reply>();
    shared::<script::Then>();
    shared::<script::Seen>();
    shared::<script::Record>();
    shared::<script::Replay>();
    sent::<ClientBuilder>();
    sent::<Request<'static>>();
    sent::<RequestBuilder<'static>>();
    sent::<SendBody<'static>>();
    sent::<Response>();
    sent::<Body>();
    sent::<Download>();
    sent::<Upgraded>();
    sent::<Box<dyn Stream>>();
}

#[test]
fn closures_and_pointers_are_observers_connectors_and_resolvers() {
    fn observes<T: Observer>(_: &T) {}
    fn connects<T: Connect>(_: &T) {}
    fn resolves<T: Resolve>(_: &T) {}
    let observer = |_: &Event<'_>| ();
    observes(&observer);
    observes(&Arc::new(observer));
    observes(&(Arc::new(observer) as Arc<dyn Observer>));
    observes(&(Box::new(observer) as Box<dyn Observer>));
    let connector = |_: &Target<'_>, _: Deadline, _: &CancelToken| -> Result<Box<dyn Stream>> {
        Err(Error::new(ErrorKind::Connect, "no"))
    };
    connects(&connector);
    connects(&Arc::new(connector));
    connects(&(Arc::new(connector) as Arc<dyn Connect>));
    connects(&(Box::new(connector) as Box<dyn Connect>));
    let resolver = |query: &Query<'_>| -> io::Result<Vec<SocketAddr>> {
        let _: (&str, u16) = (query.host(), query.port());
        Ok(Vec::new())
    };
    resolves(&resolver);
    resolves(&Arc::new(resolver));
    resolves(&(Box::new(resolver) as Box<dyn Resolve>));
    /// All that a stream must have.
    struct Least;
    impl Read for Least {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }
    impl Write for Least {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Stream for Least {
        fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }
    }
    let stream: Box<dyn Stream> = Box::new(Least);
    let _: (Option<SocketAddr>, Option<SocketAddr>) = (stream.peer_addr(), stream.local_addr());
    let _: (bool, bool, bool, u64) =
        (stream.is_secure(), stream.is_drained(), stream.has_partial_record(), stream.bytes_flushed());
    let _: Option<Box<dyn Fn() + Send + Sync>> = stream.shutdown_handle();
    let token = CancelToken::new();
    assert!(!token.wait(Duration::from_millis(1)) && !token.is_cancelled());
}

#[cfg(feature = "digest")]
#[test]
fn digest_authentication() {
    let _: fn(B<'static>, Text, String) -> B<'static> = RequestBuilder::digest_auth;
    let _: fn(&mut Request<'static>, &'static String, Text) -> Result<()> = Request::set_digest_auth;
    let _ = |request: &Request<'_>| -> Option<usize> { request.digest_user().map(str::len) };
}
