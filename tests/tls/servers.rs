//! Real servers of another make: nginx, and OpenSSL's `s_server`, on loopback ports of their own.
//!
//! They are not installed everywhere, so every test here is ignored by name unless asked for:
//! `cargo test --all-features --test tls -- --include-ignored`. Then a server that is missing is a
//! failure. A server ends with its value, and when this process dies, however that comes.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use longwire::rustls::pki_types::CertificateDer;
use longwire::rustls::pki_types::pem::PemObject;
use longwire::rustls::{ALL_VERSIONS, ClientConfig};
use longwire::{BodyEnd, Client, CloseReason, ErrorKind, SendBody, Tls};

use crate::certificates::{Authority, NAME, trusting};
use crate::failures::assert_says;
use crate::pattern;

/// Seconds after which a server ends in any case.
const LIFE_S: u32 = 300;
const START_LIMIT: Duration = Duration::from_secs(30);
/// A port is chosen, given back and then given to the server; another may take it in between.
const PORTS_TRIED_MAX: u32 = 5;
const LARGE_BYTES: usize = 100 << 20;

/// A server's process, a second one that ends it when we no longer can, and its folder.
struct Server {
    process: Child,
    watchdog: Child,
    address: SocketAddr,
    folder: PathBuf,
}

/// What a server is given, in PEM.
struct Files {
    certificate: String,
    key: String,
    root: String,
}

impl Files {
    fn of(authority: &Authority) -> Files {
        let identity = authority.identity();
        Files { certificate: identity.pem, key: identity.key_pem, root: authority.root_pem().to_owned() }
    }

    /// A self-signed certificate and its key, as `openssl req -x509` makes them with these arguments.
    fn by_openssl(arguments: &[&str]) -> Option<Files> {
        let folder = folder();
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-nodes", "-days", "30", "-subj", &format!("/CN={NAME}")]).args(arguments);
        command.args(["-keyout", "key.pem", "-out", "certificate.pem"]).current_dir(&folder);
        let made = command.output().expect("openssl must be installed").status.success();
        let read = |name| fs::read_to_string(folder.join(name)).expect("openssl's own file");
        let files = made.then(|| read("certificate.pem")).map(|certificate| Files {
            root: certificate.clone(),
            certificate,
            key: read("key.pem"),
        });
        fs::remove_dir_all(&folder).expect("our own folder");
        files
    }
}

fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("longwire-tls-{}-{count}", std::process::id()));
    fs::create_dir_all(folder.join("www")).expect("a temporary folder");
    folder
}

impl Server {
    /// nginx, with TLS of this version alone.
    fn nginx(authority: &Authority, version: &str) -> Server {
        let configuration = include_str!("nginx.conf").replace("@VERSION@", version);
        Server::start(&Files::of(authority), "nginx", |folder, port, command| {
            let text = configuration.replace("@DIR@", &folder.display().to_string());
            fs::write(folder.join("configuration"), text.replace("@PORT@", &port.to_string())).expect("a file");
            command.args(["-e", "stderr", "-c"]).arg(folder.join("configuration"));
        })
    }

    /// OpenSSL's own server, which gives out files and then closes.
    fn openssl(authority: &Authority, arguments: &[&str]) -> Server {
        Server::openssl_with(&Files::of(authority), arguments)
    }

    fn openssl_with(files: &Files, arguments: &[&str]) -> Server {
        Server::start(files, "openssl", |folder, port, command| {
            command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-key"]);
            command.arg(folder.join("key.pem")).arg("-cert").arg(folder.join("certificate.pem"));
            command.args(arguments).current_dir(folder.join("www"));
        })
    }

    fn start(files: &Files, program: &str, prepare: impl Fn(&PathBuf, u16, &mut Command)) -> Server {
        let folder = folder();
        fs::write(folder.join("certificate.pem"), &files.certificate).expect("a file");
        fs::write(folder.join("key.pem"), &files.key).expect("a file");
        fs::write(folder.join("root.pem"), &files.root).expect("a file");
        fs::write(folder.join("www/small.txt"), "small").expect("a file");
        for _ in 0..PORTS_TRIED_MAX {
            let port = free_port();
            let mut command = Command::new(program);
            prepare(&folder, port, &mut command);
            let log = File::create(folder.join("log")).expect("a log file");
            command.stdin(Stdio::null()).stdout(log.try_clone().expect("a copy")).stderr(log);
            let process = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; it must be installed"));
            let script = format!("timeout {LIFE_S} cat >/dev/null; kill -KILL \"$1\" 2>/dev/null");
            let mut watchdog = Command::new("sh");
            watchdog.args(["-c", &script, "sh", &process.id().to_string()]).stdin(Stdio::piped());
            let watchdog = watchdog.spawn().expect("sh is there");
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let mut server = Server { process, watchdog, address, folder: folder.clone() };
            if server.is_ready() {
                return server;
            }
            drop(server);
        }
        panic!("{program} does not start: {:?}", fs::read_to_string(folder.join("log")));
    }

    /// Waits until it listens; false if it has ended instead.
    fn is_ready(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if self.process.try_wait().expect("our own child").is_some() {
                return false;
            }
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("no answer within {START_LIMIT:?}");
    }

    fn client(&self, config: ClientConfig) -> Client {
        Client::builder().tls(Tls::from_rustls(Arc::new(config))).resolve_to(NAME, self.address).build()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{NAME}:{}{path}", self.address.port())
    }

    fn text(&self, client: &Client, path: &str) -> String {
        let response = client.get(self.url(path)).send().expect("an answer");
        assert_eq!(response.status(), 200);
        response.text().expect("a body")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process stays ours, and its number with it, until `wait`: only then may the watchdog go.
        let _ = self.process.kill();
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        let _ = self.process.wait();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

const VERSIONS: [(&str, &str); 2] = [("TLSv1.2", "-tls1_2"), ("TLSv1.3", "-tls1_3")];

#[test]
#[ignore = "needs nginx: run with --include-ignored (.ci/run does)"]
fn nginx_keeps_a_connection_and_resumes_sessions() {
    for (version, _) in VERSIONS {
        let authority = Authority::new("root");
        let server = Server::nginx(&authority, version);
        let client = server.client(authority.client_config(ALL_VERSIONS));
        for exchange in 1..=20 {
            let response = client.get(server.url("/session")).send().expect("an answer");
            assert_eq!(response.connection().nth(), exchange);
            assert_eq!(response.text().expect("a body"), format!("{version} {NAME} ."));
            if exchange % 5 == 0 {
                thread::sleep(Duration::from_millis(5)); // long enough to be probed
            }
        }
        client.close_idle();
        for turn in 0..3 {
            assert_eq!(server.text(&client, "/closing"), format!("{version} {NAME} r"), "turn {turn}");
        }
        let stats = client.pool_stats();
        assert_eq!((stats.opened, stats.reused, stats.closed.get(CloseReason::ServerClose)), (4, 19, 3));
    }
}

#[test]
#[ignore = "needs nginx: run with --include-ignored (.ci/run does)"]
fn nginx_sends_a_hundred_megabytes_byte_for_byte() {
    for (version, _) in VERSIONS {
        let authority = Authority::new("root");
        let server = Server::nginx(&authority, version);
        fs::write(server.folder.join("www/large.bin"), pattern(LARGE_BYTES)).expect("a large file");
        let client = server.client(authority.client_config(ALL_VERSIONS));
        let response = client.get(server.url("/large.bin")).send().expect("an answer").limit(LARGE_BYTES as u64);
        assert!(response.bytes().expect("a body") == pattern(LARGE_BYTES));

        // A body that is left unread costs the connection and nothing else.
        let mut response = client.get(server.url("/large.bin")).send().expect("an answer");
        response.read_exact(&mut [0; 1000]).expect("its beginning");
        drop(response);
        assert_eq!(server.text(&client, "/small.txt"), "small");
        assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);
    }
}

#[test]
#[ignore = "needs nginx: run with --include-ignored (.ci/run does)"]
fn nginx_refuses_an_upload_with_its_413() {
    let authority = Authority::new("root");
    let server = Server::nginx(&authority, "TLSv1.3");
    let client = server.client(authority.client_config(ALL_VERSIONS));
    let body = vec![b'x'; 64 << 20];
    for _ in 0..3 {
        for body in [SendBody::from(&body), SendBody::sized_reader(&body[..], body.len() as u64)] {
            let response = client.post(server.url("/small.txt")).body(body).send().expect("an answer");
            assert_eq!(response.status(), 413);
        }
    }
}

#[test]
#[ignore = "needs nginx: run with --include-ignored (.ci/run does)"]
fn nginx_sees_the_client_certificate() {
    let authority = Authority::new("root");
    let server = Server::nginx(&authority, "TLSv1.3");
    let without = server.client(authority.client_config(ALL_VERSIONS));
    assert_eq!(server.text(&without, "/client"), "NONE");
    let with = server.client(authority.client_config_with(&authority.identity()));
    assert_eq!(server.text(&with, "/client"), "SUCCESS");
}

#[test]
#[ignore = "needs nginx: run with --include-ignored (.ci/run does)"]
fn nginx_asked_for_http_on_its_https_port_says_so() {
    let authority = Authority::new("root");
    let server = Server::nginx(&authority, "TLSv1.3");
    let client = server.client(authority.client_config(ALL_VERSIONS));
    let url = server.url("/").replace("https:", "http:");
    assert_eq!(client.get(url).send().expect("an answer").status(), 400);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn openssl_serves_bodies_that_end_with_the_connection() {
    for (_, argument) in VERSIONS {
        let authority = Authority::new("root");
        let server = Server::openssl(&authority, &["-WWW", argument]);
        fs::write(server.folder.join("www/large.bin"), pattern(LARGE_BYTES)).expect("a large file");
        let client = server.client(authority.client_config(ALL_VERSIONS));
        for _ in 0..3 {
            let mut response = client.get(server.url("/small.txt")).send().expect("an answer");
            let mut text = String::new();
            response.read_to_string(&mut text).expect("a body");
            assert_eq!((text.as_str(), response.body().ended()), ("small", Some(BodyEnd::Closed)));
        }
        let response = client.get(server.url("/large.bin")).send().expect("an answer").limit(LARGE_BYTES as u64);
        assert!(response.bytes().expect("a body") == pattern(LARGE_BYTES));
    }
}

#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn openssl_without_a_cipher_or_a_version_in_common_is_named_as_such() {
    let authority = Authority::new("root");
    let refused: [(&[&str], &str); 4] = [
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "the server supports neither TLS 1.2 nor 1.3"),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "the server supports neither TLS 1.2 nor 1.3"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], "the server supports none of the cipher suites offered"),
        (&["-tls1_3", "-groups", "X448"], "the server supports none of the cipher suites offered"),
    ];
    for (arguments, words) in refused {
        let server = Server::openssl(&authority, arguments);
        let client = server.client(authority.client_config(ALL_VERSIONS));
        let error = client.get(server.url("/")).send().expect_err("nothing is in common");
        assert_says(&error, words);
    }
}

#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn openssl_that_wants_a_client_certificate_is_named_as_such() {
    let authority = Authority::new("root");
    for (_, argument) in VERSIONS {
        let server = Server::openssl(&authority, &["-WWW", argument, "-Verify", "1", "-CAfile", "../root.pem"]);
        let without = server.client(authority.client_config(ALL_VERSIONS));
        let error = without.get(server.url("/small.txt")).send().expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert!(error.to_string().contains("requires a client certificate"), "{error}");
        let with = server.client(authority.client_config_with(&authority.identity()));
        assert_eq!(server.text(&with, "/small.txt"), "small");
    }
}

/// What people make with `openssl req -x509`, and then trust: as a rule it cannot be used, unless it is
/// made as the refusal says.
#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn certificates_made_by_openssl_are_usable_or_it_is_said_how_to_make_them() {
    let name = format!("subjectAltName=DNS:{NAME}");
    let advised = ["-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"];
    let made = |arguments: &[&str]| Files::by_openssl(&[arguments, &advised].concat()).expect("a certificate");
    let without_name = Files::by_openssl(&[&["-newkey", "rsa:2048"], &advised[2..]].concat());
    let by_default = Files::by_openssl(&["-newkey", "rsa:2048"]);
    let cases = [
        (made(&["-newkey", "rsa:2048"]), None),
        (by_default.expect("a certificate"), Some("it is the certificate of a CA (CA:TRUE)")),
        (without_name.expect("a certificate"), Some("the server's certificate names no host")),
        (made(&["-newkey", "rsa:1024"]), Some("an RSA key is shorter than 2048 bits")),
        (made(&["-newkey", "rsa:2048", "-sha1"]), Some("uses SHA-1, which is too weak")),
    ];
    for (files, words) in cases {
        let server = Server::openssl_with(&files, &["-WWW", "-cipher", "DEFAULT:@SECLEVEL=0"]);
        let root = CertificateDer::from_pem_slice(files.root.as_bytes()).expect("a certificate");
        let client = server.client(trusting([root], ALL_VERSIONS));
        match words {
            None => assert_eq!(server.text(&client, "/small.txt"), "small"),
            Some(words) => assert_says(&client.get(server.url("/")).send().expect_err(words), words),
        }
    }
}

/// What `openssl req -x509` makes when it is asked for nothing else: CA:TRUE, and a common name alone.
#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn a_certificate_made_by_openssl_can_be_pinned_as_it_is() {
    for kind in ["rsa:2048", "ed25519"] {
        let files = Files::by_openssl(&["-newkey", kind]).expect("a certificate");
        for (_, argument) in VERSIONS {
            let server = Server::openssl_with(&files, &["-WWW", argument]);
            let tls = Tls::new().pin(&files.certificate).expect("a pin");
            let client = Client::builder().tls(tls).resolve_to(NAME, server.address).build();
            assert_eq!(server.text(&client, "/small.txt"), "small");
        }
    }
}

/// The files that a key can come in, from one that OpenSSL has made.
#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn keys_made_by_openssl_are_taken_in_every_form_or_it_is_said_how_to_decrypt_them() {
    let encrypted = ["-aes128", "-passout", "pass:secret"];
    let plain: [(&[&str], &[&str], &str); 5] = [
        (&["-newkey", "rsa:2048"], &["pkey"], "-----BEGIN PRIVATE KEY-----"),
        (&["-newkey", "rsa:2048"], &["rsa", "-traditional"], "-----BEGIN RSA PRIVATE KEY-----"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], &["ec"], "-----BEGIN EC PRIVATE KEY-----"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], &["pkey"], "-----BEGIN PRIVATE KEY-----"),
        (&["-newkey", "ed25519"], &["pkey"], "-----BEGIN PRIVATE KEY-----"),
    ];
    for (new, convert, label) in plain {
        let files = Files::by_openssl(new).expect("a certificate");
        let key = converted(&files.key, convert);
        assert!(key.starts_with(label), "{key}");
        let server = Server::openssl_with(&files, &["-WWW", "-Verify", "1", "-CAfile", "../root.pem"]);
        let tls = Tls::new().pin(&files.certificate).and_then(|tls| tls.identity(&files.certificate, key));
        let client = Client::builder().tls(tls.expect("an identity")).resolve_to(NAME, server.address).build();
        assert_eq!(server.text(&client, "/small.txt"), "small");

        for arguments in [convert, &["pkey"]] {
            let key = converted(&files.key, &[arguments, &encrypted].concat());
            let error = Tls::new().identity(&files.certificate, key).expect_err("there is no password");
            let words = "Tls::identity: the private key is encrypted: decrypt it with `openssl pkey -in ";
            assert!(error.to_string().starts_with(words), "{error}");
        }
    }
    let large = Files::by_openssl(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"]).expect("a certificate");
    let error = Tls::new().identity(&large.certificate, &large.key).expect_err("ring has no P-521");
    assert!(error.to_string().contains("the private key cannot be used; what can be is RSA "), "{error}");
}

/// A key as OpenSSL writes it with these arguments.
fn converted(key: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("openssl must be installed");
    process.stdin.take().expect("it is piped").write_all(key.as_bytes()).expect("openssl reads");
    let output = process.wait_with_output().expect("our own child");
    assert!(output.status.success(), "openssl {arguments:?}");
    String::from_utf8(output.stdout).expect("PEM")
}

/// By default s_server sends two tickets after the handshake; here it sends many, and none.
#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn openssl_may_send_as_many_tickets_as_it_likes() {
    let authority = Authority::new("root");
    for count in ["0", "1", "50"] {
        let server = Server::openssl(&authority, &["-WWW", "-tls1_3", "-num_tickets", count]);
        let client = server.client(authority.client_config(ALL_VERSIONS));
        for _ in 0..5 {
            assert_eq!(server.text(&client, "/small.txt"), "small");
        }
    }
}

#[test]
#[ignore = "needs openssl: run with --include-ignored (.ci/run does)"]
fn a_server_that_is_killed_in_mid_body_is_an_error() {
    let authority = Authority::new("root");
    let mut server = Server::openssl(&authority, &["-WWW"]);
    fs::write(server.folder.join("www/large.bin"), pattern(LARGE_BYTES)).expect("a large file");
    let client = server.client(authority.client_config(ALL_VERSIONS));
    let mut response = client.get(server.url("/large.bin")).send().expect("an answer");
    response.read_exact(&mut [0; 1000]).expect("its beginning");
    server.process.kill().expect("our own child");
    let error = response.limit(LARGE_BYTES as u64).bytes().expect_err("it was cut");
    assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Io), "{error}");
}
