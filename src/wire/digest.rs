//! Digest authentication: which challenge is answered, and what the answer is (RFC 7616; RFC 2069 where
//! a challenge has no qop).
//!
//! An answer proves that its sender has the password for one method, one target and one nonce; the
//! password itself is never in it. A [`Session`] is a challenge and how often it was answered. Which
//! request is sent again, and where sessions are kept, is not known here, nor where the client's
//! nonces come from.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use crate::headers::list_members;
use crate::wire::auth_param::{self, challenges, listed_parameter};

/// Bytes that a challenge's realm, nonce and opaque may have, each. They are sent back with every
/// request, and servers take no longer lines.
pub(crate) const PARAMETER_BYTES_MAX: usize = 4 * 1024;

/// A challenge that can be answered (RFC 7616 §3.3).
#[derive(Clone)]
pub(crate) struct Challenge {
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    algorithm: Algorithm,
    /// As the server spells it; `None` if it did not name one.
    spelled: Option<String>,
    protects: Protects,
    /// The nonce of the request before was too old, and its password right.
    pub(crate) is_stale: bool,
    /// `charset=UTF-8`: the server knows RFC 7616.
    is_utf8: bool,
    wants_userhash: bool,
}

#[derive(Clone, Copy, PartialEq)]
struct Algorithm {
    hash: Hash,
    /// One of those called `-sess`: the first nonces of the session are a part of the secret.
    is_session: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Hash {
    Md5,
    Sha256,
    Sha512_256,
}

/// The quality of protection: what the answer covers besides the nonce.
#[derive(Clone, Copy, PartialEq)]
enum Protects {
    /// Method and target, without nonces of the client: RFC 2069.
    Legacy,
    /// Method and target.
    Auth,
    /// The body as well.
    AuthInt,
}

/// The request that an answer is for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// The target as the server receives it, with its query.
    pub(crate) target: &'a str,
    /// The body in parts; `None` if it is not in memory.
    pub(crate) body: Option<&'a [&'a [u8]]>,
}

/// A challenge and its answers so far. No two of them have the same nonce and count, whichever thread
/// asks.
pub(crate) struct Session {
    challenge: Challenge,
    /// The nonce to use: the challenge's, or one that the server has put in its place.
    nonce: Vec<u8>,
    /// The client's nonce. One for all answers, so that a server of an algorithm called `-sess` finds the
    /// same secret whether it takes the client's first nonce or the one that came with the request.
    cnonce: String,
    /// Answers so far with this nonce, whichever challenge it came with.
    count: Arc<AtomicU32>,
}

impl Challenge {
    /// Returns the challenge to answer among these `WWW-Authenticate` values: of those that can be
    /// answered the one with the strongest algorithm, and of equals the server's first (RFC 7616 §3.7).
    pub(crate) fn select<'a>(values: impl Iterator<Item = &'a [u8]>, has_body_in_memory: bool) -> Option<Challenge> {
        challenges(values)
            .iter()
            .filter(|challenge| challenge.scheme.eq_ignore_ascii_case("digest"))
            .filter_map(Challenge::of)
            .filter(|challenge| has_body_in_memory || challenge.protects != Protects::AuthInt)
            .min_by_key(|challenge| challenge.algorithm.hash.rank())
    }

    /// `None` for one that lacks a parameter, or wants what is not known here (RFC 7616 §3.3: ignored).
    fn of(challenge: &auth_param::Challenge<'_>) -> Option<Challenge> {
        let flag = |name| challenge.parameter(name).is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
        let bounded = |name| challenge.parameter(name).filter(|value| value.len() <= PARAMETER_BYTES_MAX);
        let named = challenge.parameter("algorithm");
        let algorithm = Algorithm::named(named.unwrap_or(b"MD5"))?;
        let protects = Protects::offered(challenge.parameter("qop").unwrap_or_default())?;
        if algorithm.is_session && protects == Protects::Legacy {
            return None; // its secret has a nonce of the client, which such an answer does not carry
        }
        let opaque = match challenge.parameter("opaque") {
            Some(_) => Some(bounded("opaque")?.to_vec()),
            None => None,
        };
        Some(Challenge {
            realm: bounded("realm")?.to_vec(),
            nonce: bounded("nonce")?.to_vec(),
            opaque,
            algorithm,
            spelled: named.map(|named| String::from_utf8_lossy(named).into_owned()),
            protects,
            is_stale: flag("stale"),
            is_utf8: challenge.parameter("charset").is_some_and(|value| value.eq_ignore_ascii_case(b"utf-8")),
            wants_userhash: flag("userhash"),
        })
    }
}

impl Algorithm {
    fn named(name: &[u8]) -> Option<Algorithm> {
        let name = name.to_ascii_lowercase();
        let (name, is_session) = match name.strip_suffix(b"-sess") {
            Some(name) => (name, true),
            None => (&name[..], false),
        };
        let hash = match name {
            b"md5" => Hash::Md5,
            b"sha-256" => Hash::Sha256,
            b"sha-512-256" => Hash::Sha512_256,
            _ => return None,
        };
        Some(Algorithm { hash, is_session })
    }
}

impl Hash {
    /// The lowest is used. SHA-256 comes before SHA-512/256, which is as strong, but which some take for
    /// the first half of SHA-512 (RFC 7616, erratum 4897).
    fn rank(self) -> u8 {
        match self {
            Hash::Sha256 => 0,
            Hash::Sha512_256 => 1,
            Hash::Md5 => 2,
        }
    }

    /// The digest of all parts together, in hexadecimal digits.
    fn of(self, parts: &[&[u8]]) -> String {
        match self {
            Hash::Md5 => hex_digest::<Md5>(parts),
            Hash::Sha256 => hex_digest::<Sha256>(parts),
            Hash::Sha512_256 => hex_digest::<Sha512_256>(parts),
        }
    }
}

fn hex_digest<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Protects {
    /// What to use of those that a challenge's `qop` lists. An empty list is none, as a missing one.
    fn offered(list: &[u8]) -> Option<Protects> {
        let has = |name: &[u8]| list_members(list).any(|member| member.eq_ignore_ascii_case(name));
        match () {
            () if list_members(list).next().is_none() => Some(Protects::Legacy),
            () if has(b"auth") => Some(Protects::Auth),
            () if has(b"auth-int") => Some(Protects::AuthInt),
            () => None,
        }
    }

    /// Its name in an answer.
    fn name(self) -> Option<&'static str> {
        match self {
            Protects::Legacy => None,
            Protects::Auth => Some("auth"),
            Protects::AuthInt => Some("auth-int"),
        }
    }
}

impl Session {
    pub(crate) fn new(challenge: Challenge, cnonce: String) -> Session {
        Session { nonce: challenge.nonce.clone(), challenge, cnonce, count: Arc::default() }
    }

    /// Returns the session of a later challenge. Where it has the nonce of this one, the count goes on.
    pub(crate) fn renewed(&self, challenge: Challenge, cnonce: String) -> Session {
        let mut renewed = Session::new(challenge, cnonce);
        if renewed.nonce == self.nonce {
            renewed.cnonce.clone_from(&self.cnonce);
            renewed.count = Arc::clone(&self.count);
        }
        renewed
    }

    /// Returns the session with the nonce that an accepting response announces in these values of
    /// `Authentication-Info`, if it is another one (RFC 7616 §3.5).
    pub(crate) fn next<'a>(&self, values: impl Iterator<Item = &'a [u8]>) -> Option<Session> {
        let nonce = listed_parameter(values, "nextnonce")?.into_owned();
        let is_usable = nonce.len() <= PARAMETER_BYTES_MAX && nonce != self.nonce;
        let (challenge, cnonce) = (self.challenge.clone(), self.cnonce.clone());
        is_usable.then(|| Session { challenge, nonce, cnonce, count: Arc::default() })
    }

    /// Returns the next answer, as an `Authorization` field has it (RFC 7616 §3.4). `None` if its count
    /// would have no number, or if it has to cover a body that is not in memory.
    ///
    /// The parameters are in the order of the browsers, since small servers know nothing else.
    pub(crate) fn answer(&self, user: &str, password: &str, asked: Asked<'_>) -> Option<Vec<u8>> {
        let Challenge { realm, opaque, spelled, protects, .. } = &self.challenge;
        let covered = match (protects, asked.body) {
            (Protects::AuthInt, body) => Some(self.challenge.algorithm.hash.of(body?)),
            _ => None,
        };
        let count = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_add(1)).ok()?;
        let count = format!("{:08x}", count + 1);
        let response = self.response(user, password, asked, covered.as_deref(), &count);

        let mut answer = b"Digest ".to_vec();
        self.put_user(user, &mut answer);
        put_quoted("realm", realm, &mut answer);
        put_quoted("nonce", &self.nonce, &mut answer);
        put_quoted("uri", asked.target.as_bytes(), &mut answer);
        if let Some(spelled) = spelled {
            put("algorithm", spelled, &mut answer);
        }
        put_quoted("response", response.as_bytes(), &mut answer);
        if let Some(opaque) = opaque {
            put_quoted("opaque", opaque, &mut answer);
        }
        if let Some(qop) = protects.name() {
            put("qop", qop, &mut answer);
            put("nc", &count, &mut answer);
            put_quoted("cnonce", self.cnonce.as_bytes(), &mut answer);
        }
        Some(answer)
    }

    /// RFC 7616 §3.4.1 to §3.4.3.
    fn response(&self, user: &str, password: &str, asked: Asked<'_>, body: Option<&str>, count: &str) -> String {
        let Challenge { realm, algorithm, protects, .. } = &self.challenge;
        let (hash, cnonce) = (algorithm.hash, self.cnonce.as_bytes());
        let mut secret = hash.of(&[user.as_bytes(), b":", realm, b":", password.as_bytes()]);
        if algorithm.is_session {
            secret = hash.of(&[secret.as_bytes(), b":", &self.challenge.nonce, b":", cnonce]);
        }
        let mut request = format!("{}:{}", asked.method, asked.target);
        if let Some(body) = body {
            request.push(':');
            request.push_str(body);
        }
        let request = hash.of(&[request.as_bytes()]);
        let mut parts: Vec<&[u8]> = vec![secret.as_bytes(), b":", &self.nonce];
        if let Some(qop) = protects.name() {
            parts.extend([b":", count.as_bytes(), b":", cnonce, b":", qop.as_bytes()]);
        }
        parts.extend([b":", request.as_bytes()]);
        hash.of(&parts)
    }

    /// RFC 7616 §3.4.4: the user's name as it is, hashed, or in the notation of RFC 8187. That only
    /// where the server knows RFC 7616; older ones take a name's bytes as they are.
    fn put_user(&self, user: &str, answer: &mut Vec<u8>) {
        let Challenge { realm, algorithm, is_utf8, wants_userhash, .. } = &self.challenge;
        if *wants_userhash {
            let hashed = algorithm.hash.of(&[user.as_bytes(), b":", realm]);
            put_quoted("username", hashed.as_bytes(), answer);
            put("userhash", "true", answer);
        } else if *is_utf8 && !user.is_ascii() {
            put("username*", &format!("UTF-8''{}", extended(user)), answer);
        } else {
            put_quoted("username", user.as_bytes(), answer);
        }
    }
}

/// Appends a parameter whose value is a token.
fn put(name: &str, value: &str, answer: &mut Vec<u8>) {
    if answer.last() != Some(&b' ') {
        answer.extend_from_slice(b", ");
    }
    answer.extend_from_slice(name.as_bytes());
    answer.push(b'=');
    answer.extend_from_slice(value.as_bytes());
}

/// Appends a parameter whose value is a quoted-string (RFC 9110 §5.6.4).
fn put_quoted(name: &str, value: &[u8], answer: &mut Vec<u8>) {
    put(name, "\"", answer);
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            answer.push(b'\\');
        }
        answer.push(*byte);
    }
    answer.push(b'"');
}

/// The value-chars of RFC 8187 §3.2.1.
fn extended(text: &str) -> Cow<'_, str> {
    let is_attr_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte);
    if text.bytes().all(is_attr_char) {
        return text.into();
    }
    let encoded = |byte: u8| if is_attr_char(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encoded).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(values: &[&str], has_body_in_memory: bool) -> Option<Challenge> {
        Challenge::select(values.iter().map(|value| value.as_bytes()), has_body_in_memory)
    }

    fn session(challenge: &str, cnonce: &str) -> Session {
        Session::new(select(&[challenge], true).expect("it can be answered"), cnonce.to_owned())
    }

    const GET: Asked<'_> = Asked { method: "GET", target: "/dir/index.html", body: Some(&[]) };

    fn answer(session: &Session, user: &str, password: &str, asked: Asked<'_>) -> String {
        String::from_utf8(session.answer(user, password, asked).expect("an answer")).expect("UTF-8")
    }

    /// RFC 7616 §3.9.1: the same with both algorithms.
    #[test]
    fn the_example_of_rfc_7616_with_md5_and_sha_256() {
        let cases = [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ];
        for (algorithm, response) in cases {
            let challenge = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let session = session(&challenge, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
            let want = format!(
                "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", \
                 algorithm={algorithm}, response=\"{response}\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", qop=auth, nc=00000001, \
                 cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\""
            );
            assert_eq!(answer(&session, "Mufasa", "Circle of Life", GET), want);
        }
    }

    /// RFC 7616 §3.9.2, with the digests of erratum 4897: those of the text are the first half of SHA-512.
    #[test]
    fn the_example_of_rfc_7616_with_sha_512_256_and_userhash() {
        let challenge = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
            nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
            opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true";
        let session = session(challenge, "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v");
        let asked = Asked { target: "/doe.json", ..GET };
        let want = "Digest username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\", userhash=true, \
            realm=\"api@example.org\", nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", uri=\"/doe.json\", \
            algorithm=SHA-512-256, response=\"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5\", \
            opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", qop=auth, nc=00000001, \
            cnonce=\"NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v\"";
        assert_eq!(answer(&session, "J\u{e4}s\u{f8}n Doe", "Secret, or not?", asked), want);
    }

    /// RFC 2617 §3.5.
    #[test]
    fn the_example_of_rfc_2617() {
        let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let answer = answer(&session(challenge, "0a4f113b"), "Mufasa", "Circle Of Life", GET);
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
        assert!(!answer.contains("algorithm"), "{answer}");
    }

    /// RFC 2069 §2.4, with the digest of erratum 749.
    #[test]
    fn the_example_of_rfc_2069() {
        let challenge = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
            opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let want = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
            response=\"1949323746fe6a43ef61f9606e7febea\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        assert_eq!(answer(&session(challenge, "unused"), "Mufasa", "CircleOfLife", GET), want);
    }

    #[test]
    fn of_several_challenges_the_strongest_is_answered_and_of_equals_the_first() {
        let md5 = "Digest realm=\"1\", nonce=n, qop=auth, algorithm=MD5";
        let plain = "Digest realm=\"2\", nonce=n, qop=auth";
        let sha = "Digest realm=\"3\", nonce=n, qop=auth, algorithm=\"sha-256\"";
        let sha_sess = "Digest realm=\"4\", nonce=n, qop=auth, algorithm=SHA-256-SESS";
        let long = "Digest realm=\"5\", nonce=n, qop=auth, algorithm=SHA-512-256";
        let unknown = "Digest realm=\"6\", nonce=n, qop=auth, algorithm=SHA3-256";
        let cases: [(&[&str], &str); 10] = [
            (&[md5, sha], "3"),
            (&[sha, md5], "3"),
            (&[md5, plain], "1"),
            (&[plain, md5], "2"),
            (&[sha, sha_sess], "3"),
            (&[sha_sess, sha], "4"),
            (&[md5, long, sha], "3"),
            (&[md5, long], "5"),
            (&["Basic realm=\"0\"", unknown, "Negotiate", md5], "1"),
            (&["Digest realm=\"a, Digest b\", nonce=n, qop=\"auth\", DIGEST realm=7, nonce=n, algorithm=sha-256"], "7"),
        ];
        for (offered, want) in cases {
            for offered in [offered.to_vec(), vec![&*offered.join(", ")]] {
                let realm = select(&offered, true).map(|challenge| challenge.realm);
                assert_eq!(realm.as_deref(), Some(want.as_bytes()), "{offered:?}");
            }
        }
    }

    #[test]
    fn a_challenge_that_cannot_be_answered_is_ignored() {
        let ignored = [
            "",
            "Basic realm=\"x\"",
            "Digest",
            "Digest abc==",
            "Digest realm=\"x\"",
            "Digest nonce=\"n\"",
            "Digest realm=\"x\", nonce=\"n\", algorithm=SHA3-256",
            "Digest realm=\"x\", nonce=\"n\", algorithm=token",
            "Digest realm=\"x\", nonce=\"n\", algorithm=\"\"",
            "Digest realm=\"x\", nonce=\"n\", algorithm=-sess",
            "Digest realm=\"x\", nonce=\"n\", qop=\"auth-conf\"",
            "Digest realm=\"x\", nonce=\"n\", algorithm=MD5-sess",
            "Digest realm=\"x\", nonce=\"n\", nonce=\"m\"",
            "Digest realm=\"x\", nonce=\"n",
        ];
        for challenge in ignored {
            assert!(select(&[challenge], true).is_none(), "{challenge}");
        }
        for challenge in
            ["Digest realm=\"\", nonce=\"\"", "Digest realm=x, nonce=n, qop=\"\"", "digest realm=x,nonce=n"]
        {
            let challenge = select(&[challenge], true).expect(challenge);
            assert!(challenge.protects == Protects::Legacy && !challenge.is_stale);
        }
    }

    #[test]
    fn auth_int_is_used_where_it_is_offered_alone_and_covers_the_body() {
        let both = "Digest realm=x, nonce=n, qop=\"auth-int,auth\"";
        let alone = "Digest realm=x, nonce=n, qop=\"AUTH-INT\"";
        assert!(select(&[both], false).is_some_and(|challenge| challenge.protects == Protects::Auth));
        assert!(select(&[alone], false).is_none());
        let session = session(alone, "c");
        let asked = Asked { method: "PUT", target: "/a", body: Some(&[b"he", b"", b"llo"]) };
        // printf 'u:x:p' | md5sum, and so on.
        let answer = answer(&session, "u", "p", asked);
        let response = {
            let md5 = |text: String| hex_digest::<Md5>(&[text.as_bytes()]);
            let (secret, body) = (md5("u:x:p".to_owned()), "5d41402abc4b2a76b9719d911017c592");
            md5(format!("{secret}:n:00000001:c:auth-int:{}", md5(format!("PUT:/a:{body}"))))
        };
        assert!(answer.contains(&format!("response=\"{response}\", qop=auth-int, nc=00000001")), "{answer}");
        assert_eq!(session.answer("u", "p", Asked { body: None, ..asked }), None);
    }

    #[test]
    fn an_algorithm_called_sess_has_the_first_nonces_in_its_secret() {
        let session = session("Digest realm=x, nonce=n1, qop=auth, algorithm=MD5-sess", "c");
        let md5 = |text: String| hex_digest::<Md5>(&[text.as_bytes()]);
        let secret = md5(format!("{}:n1:c", md5("u:x:p".to_owned())));
        let request = md5("GET:/dir/index.html".to_owned());
        let response = md5(format!("{secret}:n1:00000001:c:auth:{request}"));
        assert!(answer(&session, "u", "p", GET).contains(&format!("algorithm=MD5-sess, response=\"{response}\"")));
        let next = session.next([&b"nextnonce=\"n2\""[..]].into_iter()).expect("another nonce");
        let response = md5(format!("{secret}:n2:00000001:c:auth:{request}"));
        assert!(answer(&next, "u", "p", GET).contains(&format!("response=\"{response}\"")));
    }

    #[test]
    fn a_name_is_sent_as_the_server_can_read_it() {
        let cases = [
            ("", "me \"\\", "username=\"me \\\"\\\\\""),
            ("", "J\u{e4}s", "username=\"J\u{e4}s\""),
            (", charset=\"utf-8\"", "J\u{e4}s\u{f8}n 'D", "username*=UTF-8''J%C3%A4s%C3%B8n%20%27D"),
            (", charset=UTF-8", "me", "username=\"me\""),
            (", userhash=TRUE", "u", "username=\"2a8ea3c2d6dbbea7a3e46ce4a0fe2fb3\", userhash=true"),
        ];
        for (parameters, user, want) in cases {
            let session = session(&format!("Digest realm=x, nonce=n, qop=auth{parameters}"), "c");
            let answer = answer(&session, user, "p", GET);
            let want = want.replace("2a8ea3c2d6dbbea7a3e46ce4a0fe2fb3", &hex_digest::<Md5>(&[b"u:x"]));
            assert!(answer.starts_with(&format!("Digest {want}, realm=")), "{answer}");
        }
    }

    #[test]
    fn what_the_server_quotes_is_quoted_again_and_hashed_without() {
        let session = session("Digest realm=\"a \\\"b\\\" \\\\\", nonce=\"\\n\", opaque=\"\", qop=auth", "c");
        let answer = answer(&session, "u", "p", GET);
        assert!(answer.contains("realm=\"a \\\"b\\\" \\\\\", nonce=\"n\", "), "{answer}");
        assert!(answer.contains("opaque=\"\""), "{answer}");
        let md5 = |text: &str| hex_digest::<Md5>(&[text.as_bytes()]);
        let secret = md5("u:a \"b\" \\:p");
        let response = md5(&format!("{secret}:n:00000001:c:auth:{}", md5("GET:/dir/index.html")));
        assert!(answer.contains(&response), "{answer}");
    }

    #[test]
    fn counts_go_on_to_the_last_number_and_no_further() {
        let session = session("Digest realm=x, nonce=n, qop=auth", "c");
        assert!(answer(&session, "u", "p", GET).contains("nc=00000001"));
        assert!(answer(&session, "u", "p", GET).contains("nc=00000002"));
        session.count.store(u32::MAX - 1, Ordering::Relaxed);
        assert!(answer(&session, "u", "p", GET).contains("nc=ffffffff"));
        assert_eq!(session.answer("u", "p", GET), None);
        assert_eq!(session.answer("u", "p", GET), None);
    }

    #[test]
    fn a_parameter_has_four_kib_at_most() {
        for name in ["realm", "nonce", "opaque"] {
            let with = |bytes: usize| {
                let value = |other: &str| if other == name { "v".repeat(bytes) } else { "v".to_owned() };
                format!("Digest realm={}, nonce={}, opaque={}", value("realm"), value("nonce"), value("opaque"))
            };
            assert!(select(&[&with(4096)], true).is_some(), "{name}");
            assert!(select(&[&with(4097)], true).is_none(), "{name}");
        }
        let session = session("Digest realm=x, nonce=n, qop=auth", "c");
        for (bytes, ok) in [(4096, true), (4097, false)] {
            let field = format!("nextnonce=\"{}\"", "v".repeat(bytes));
            assert_eq!(session.next([field.as_bytes()].into_iter()).is_some(), ok);
        }
    }

    #[test]
    fn only_another_nonce_begins_a_new_count() {
        let session = session("Digest realm=x, nonce=n, qop=auth", "c");
        assert!(session.next([&b"nextnonce=n"[..]].into_iter()).is_none());
        assert!(session.next([&b"rspauth=\"n\""[..]].into_iter()).is_none());
        let renewed = |session: &Session, text: &str| {
            let renewed = session.renewed(select(&[text], true).expect("a challenge"), "d".to_owned());
            answer(&renewed, "u", "p", GET)
        };
        let same = renewed(&session, "Digest realm=y, nonce=n, qop=auth");
        assert!(same.contains("realm=\"y\"") && same.contains("nc=00000001, cnonce=\"c\""), "{same}");
        assert!(answer(&session, "u", "p", GET).contains("nc=00000002"));
        let other = renewed(&session, "Digest realm=x, nonce=m, qop=auth");
        assert!(other.contains("nc=00000001, cnonce=\"d\""), "{other}");
    }
}
