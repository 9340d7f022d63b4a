//! `-u`, and the ways to prove it to a server.

use crate::process::{Folder, get};
use crate::support::peer::{Peer, Req, answer, ok};

const BASIC: &str = "WWW-Authenticate: Basic realm=\"r\"\r\n";
const DIGEST: &str = "WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n\", algorithm=MD5\r\n";

/// A server that lets in who has a login, and answers with its scheme and the body of the request.
fn guarded(challenges: &str) -> Peer {
    let refusal = answer("401 Unauthorized", challenges, "who are you?");
    Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            match scheme(&request) {
                Some(scheme) => conn.send(ok(&format!("{scheme} {}", String::from_utf8_lossy(&request.body)))),
                None => conn.send(&refusal),
            };
        }
    })
}

fn scheme(request: &Req) -> Option<&str> {
    request.header("Authorization")?.split(' ').next()
}

/// What is printed, and how many requests it takes on how many connections.
fn outcome(challenges: &str, arguments: &[&str]) -> (String, usize, usize) {
    let peer = guarded(challenges);
    let ran = get(&[&["-s", "-u", "me:pw", &peer.url("/")], arguments].concat());
    assert_eq!(ran.status, 0, "{arguments:?}: {ran:?}");
    (ran.stdout, peer.request_lines().len(), peer.connections())
}

#[test]
fn basic_auth_is_sent_at_once_or_as_asked_for() {
    assert_eq!(outcome(BASIC, &[]), ("Basic ".into(), 1, 1));
    assert_eq!(outcome(BASIC, &["--basic", "-d", "a"]), ("Basic a".into(), 1, 1));
    assert_eq!(outcome(BASIC, &["--anyauth", "-d", "a"]), ("Basic a".into(), 2, 1));
    assert_eq!(outcome("WWW-Authenticate: Bearer\r\n", &["--anyauth"]), ("who are you?".into(), 1, 1));
    assert_eq!(outcome("", &["--anyauth"]), ("who are you?".into(), 1, 1));
}

#[test]
fn what_a_challenge_quotes_is_no_scheme() {
    let quoted = [r#"Negotiate realm="a, basic b""#, r#"X a="\\\", basic b", c="\\", d="Basic ""#, r#"X a=", Basic b"#];
    for challenge in quoted {
        let challenge = format!("WWW-Authenticate: {challenge}\r\n");
        assert_eq!(outcome(&challenge, &["--anyauth"]), ("who are you?".into(), 1, 1), "{challenge}");
    }
    let last = "WWW-Authenticate: X a=\"b\\\", c\"\r\nWWW-Authenticate: Y d=\"\\\\\",BASIC realm=\"r\"\r\n";
    assert_eq!(outcome(last, &["--anyauth"]), ("Basic ".into(), 2, 1));
}

#[test]
fn any_auth_answers_no_other_server_after_a_redirect() {
    let other = guarded(BASIC);
    let to_other = answer("302 Found", &format!("Location: {}\r\n", other.url("/")), "");
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(match (request.target.as_str(), scheme(&request)) {
                ("/other", _) => to_other.clone(),
                ("/own", _) => answer("302 Found", "Location: /\r\n", ""),
                (_, None) => answer("401 Unauthorized", BASIC, ""),
                (_, Some(_)) => ok("welcome"),
            });
        }
    });
    let run = |path| get(&["-L", "-u", "me:pw", "--anyauth", &peer.url(path)]).stdout;
    assert_eq!((run("/other").as_str(), peer.request_lines().len()), ("who are you?", 1));
    assert_eq!(run("/own"), "welcome");
}

#[test]
fn standard_input_is_not_sent_twice() {
    let peer = guarded(BASIC);
    let ran = get(&["-u", "me:pw", "--anyauth", "-T", "-", &peer.url("/")]);
    assert_eq!(ran.status, 65, "{ran:?}");
    let folder = Folder::new();
    let ran = get(&["-u", "me:pw", "--anyauth", "-T", &folder.file("f", "file"), &peer.url("/")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "Basic file"));
}

#[cfg(feature = "digest")]
#[test]
fn digest_auth_answers_the_challenge() {
    assert_eq!(outcome(DIGEST, &["--digest"]), ("Digest ".into(), 2, 1));
    assert_eq!(outcome(DIGEST, &["--digest", "-d", "a"]), ("Digest a".into(), 2, 1));
    // Digest is the better one of several, and its second challenge follows the first, without credentials.
    let both = [BASIC, DIGEST].concat();
    assert_eq!(outcome(&both, &["--anyauth"]).0, "Digest ");
    assert_eq!(outcome("WWW-Authenticate: Basic realm=r, Digest realm=r, nonce=n\r\n", &["--anyauth"]).0, "Digest ");
    assert_eq!(outcome(BASIC, &["--digest"]), ("who are you?".into(), 1, 1));
    let ran = get(&["-v", "-u", "me:pw", "--digest", &guarded(DIGEST).url("/")]);
    assert!(ran.stderr.contains("\n* Once more: ") && !ran.stderr.contains("new connection"), "{ran:?}");
}

#[cfg(not(feature = "digest"))]
#[test]
fn without_digest_any_auth_is_basic() {
    assert_eq!(outcome(&[DIGEST, BASIC].concat(), &["--anyauth"]), ("Basic ".into(), 2, 1));
    assert_eq!(outcome(DIGEST, &["--anyauth"]), ("who are you?".into(), 1, 1));
}
