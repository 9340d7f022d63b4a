//! The store beside other programs': Python's `http.cookiejar` keeps and sends the same where the rules
//! agree, and curl reads our file as we read curl's.

use std::env;
use std::fs;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use longwire::CookieStore;

use super::support::peer::{Peer, ok};
use super::support::random::Random;
use super::{receive, sent_to};

/// The cookies of a field in the order of the alphabet, since only ours are in that of their age.
fn sorted(field: &str) -> String {
    let mut cookies: Vec<&str> = field.split("; ").collect();
    cookies.sort_unstable();
    cookies.join("; ")
}

/// Takes steps from its input: `S URL FIELD` stores, `G URL` prints what would be sent.
const PYTHON: &str = r#"
import sys, email.message, urllib.request
from http.cookiejar import CookieJar, DefaultCookiePolicy
# Without that a cookie of a host alone goes to the names below it, too.
jar = CookieJar(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))
class Response:
    def __init__(self, field):
        self.message = email.message.Message()
        self.message["Set-Cookie"] = field
    def info(self):
        return self.message
for line in sys.stdin.read().split("\n"):
    step, _, rest = line.partition(" ")
    url, _, field = rest.partition(" ")
    if step == "S":
        jar.extract_cookies(Response(field), urllib.request.Request(url))
    elif step == "G":
        request = urllib.request.Request(url)
        jar.add_cookie_header(request)
        print(request.get_header("Cookie", ""))
"#;

/// A URL of some host and path; https for Secure cookies, which Python takes from http, too.
fn some_url(random: &mut Random, scheme: &str) -> String {
    let hosts = ["a.example.org", "example.org", "b.a.example.org", "other.test", "ba.example.org", "192.0.2.7"];
    let paths = ["/", "/x", "/x/", "/x/y", "/xy", "/x/y/z", "/X"];
    let (host, path) = (hosts[random.below(hosts.len())], paths[random.below(paths.len())]);
    format!("{scheme}://{host}{path}")
}

/// A field that both read alike: names of Secure cookies are never those of others.
fn some_field(random: &mut Random, is_secure: bool) -> String {
    let names: &[&str] = if is_secure { &["s", "t"] } else { &["a", "B", "c"] };
    let values = ["1", "2", "\"q\"", "x=y", "a b", "-"];
    let mut field = format!("{}={}", names[random.below(names.len())], values[random.below(values.len())]);
    let domains = ["example.org", ".example.org", "a.example.org", "A.Example.ORG", "org", "test", "other.test"];
    let paths = ["/", "/x", "/x/", "/x/y", "/z"];
    let ends = ["Max-Age=0", "Max-Age=1000", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"];
    let mut one_of = |list: &[&str]| (random.below(3) == 0).then(|| list[random.below(list.len())].to_owned());
    let (domain, path, end) = (one_of(&domains), one_of(&paths), one_of(&ends));
    // In Python an end in the past removes cookies of a domain that the host may not set.
    let end = end.filter(|end| domain.is_none() || end == "Max-Age=1000");
    let domain = domain.map(|domain| format!("Domain={domain}"));
    for attribute in [domain, path.map(|path| format!("path={path}")), end].into_iter().flatten() {
        field += &format!("; {attribute}");
    }
    if is_secure { field + "; Secure" } else { field }
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn python_keeps_and_sends_the_same() {
    const RUNS: u64 = 40;
    const STEPS: usize = 200;
    for seed in 1..=RUNS {
        let mut random = Random(seed * 0x9e37_79b9);
        let store = CookieStore::new();
        let (mut steps, mut ours, mut asked) = (String::new(), Vec::new(), Vec::new());
        for _ in 0..STEPS {
            let is_secure = random.below(3) == 0;
            let url = some_url(&mut random, if is_secure { "https" } else { "http" });
            if random.below(3) == 0 {
                steps += &format!("G {url}\n");
                ours.push(sorted(&sent_to(&store, &url)));
                asked.push(url);
            } else {
                let field = some_field(&mut random, is_secure);
                steps += &format!("S {url} {field}\n");
                receive(&store, &url, &field);
            }
        }
        let mut python = Command::new("python3")
            .args(["-c", PYTHON])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        python.stdin.take().expect("a pipe").write_all(steps.as_bytes()).expect("it reads");
        let output = python.wait_with_output().expect("it ends");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        let theirs: Vec<String> = printed.lines().map(sorted).collect();
        assert_eq!(theirs.len(), ours.len(), "{}", String::from_utf8_lossy(&output.stderr));
        for ((ours, theirs), url) in ours.iter().zip(&theirs).zip(&asked) {
            assert_eq!(ours, theirs, "seed {seed}, {url}, after\n{steps}");
        }
    }
}

/// A file of this process's own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(env::temp_dir().join(format!("longwire-{name}-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Sets cookies under `/set/`, and answers with those that it is sent.
fn server() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let cookies = request.header("cookie").unwrap_or("none").to_owned();
            let fields = "Set-Cookie: a=\"1, 2\"; Path=/set\r\nSet-Cookie: b=x=y; Path=/; HttpOnly\r\n\
                          Set-Cookie: c=3; Max-Age=1000; Path=/\r\nSet-Cookie: empty=; Path=/\r\n\
                          Set-Cookie: latin=\u{e9}; Path=/\r\nSet-Cookie: gone=1; Max-Age=0\r\n";
            let fields = if request.target.starts_with("/set/") { fields } else { "" };
            conn.send(ok(&cookies).replacen("\r\n", &format!("\r\n{fields}"), 1));
        }
    })
}

fn curl(arguments: &[&str], file: &Scratch, url: &str) -> String {
    let output = Command::new("curl")
        .args(["-q", "--silent", "--show-error", "--noproxy", "*", "--max-time", "10"])
        .args(arguments)
        .arg(&file.0)
        .arg(url)
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
#[ignore = "needs curl: run with --include-ignored"]
fn curls_file_is_read_and_ours_is_read_by_curl() {
    let server = server();
    let (set, show) = (server.url("/set/x"), server.url("/set/show"));

    let theirs = Scratch::new("curls");
    curl(&["-c"], &theirs, &set);
    let store = CookieStore::new();
    store.read_from(BufReader::new(fs::File::open(&theirs.0).expect("curl's file"))).expect("curl's file");
    let want = "a=\"1, 2\"; b=x=y; c=3; empty=; latin=\u{e9}";
    assert_eq!(sorted(&sent_to(&store, &show)), want);

    let of_longwire = CookieStore::new();
    let client = longwire::Client::builder().no_proxy().cookie_jar(of_longwire.clone()).build();
    client.get(&set).send().expect("a response");
    let kept = |store: &CookieStore| {
        let mut all: Vec<String> = store
            .iter()
            .map(|cookie| {
                let flags = [cookie.is_host_only(), cookie.is_secure(), cookie.is_http_only()];
                let (name, path, has_end) = (cookie.name(), cookie.path(), cookie.expires().is_some());
                format!("{} {} {} {flags:?} {has_end}", cookie.domain(), path.escape_ascii(), name.escape_ascii())
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(kept(&of_longwire), kept(&store), "both keep the same of the same response");

    let ours = Scratch::new("ours");
    of_longwire.write_to(fs::File::create(&ours.0).expect("a file")).expect("a file");
    let as_latin: String = want.bytes().map(char::from).collect(); // as the server took it
    assert_eq!(sorted(&curl(&["-b"], &ours, &show)), as_latin);
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn python_reads_our_file() {
    let store = CookieStore::new();
    for field in ["a=\"1, 2\"; HttpOnly", "b=x=y; Domain=a.test; Max-Age=1000", "c=3; Secure; Path=/x"] {
        store.insert("https://a.test/", field).expect("a cookie");
    }
    let file = Scratch::new("for-python");
    store.write_to(fs::File::create(&file.0).expect("a file")).expect("a file");
    let script = "import sys; from http.cookiejar import MozillaCookieJar as Jar; jar = Jar(); \
                  jar.load(sys.argv[1], ignore_discard=True, ignore_expires=True); \
                  print('; '.join(sorted(f'{c.domain} {c.path} {c.secure} {c.name}={c.value}' for c in jar)))";
    let output = Command::new("python3").args(["-c", script]).arg(&file.0).output().expect("python3 runs");
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let want = ".a.test / False b=x=y; a.test / False a=\"1, 2\"; a.test /x True c=3";
    assert_eq!(printed, want, "{}", String::from_utf8_lossy(&output.stderr));
}
