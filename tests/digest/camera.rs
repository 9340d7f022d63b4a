//! A device on the LAN that wants Digest authentication, in memory: it gives out nonces, and checks each
//! answer by a computation of its own, over md-5 and sha2 directly.
//!
//! It knows nothing of how the client computes, and takes nothing that RFC 7616 does not allow: what it
//! dislikes in an answer is kept as a complaint.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use longwire::script::{Reply, Script, Seen, reply};

/// What the device wants.
#[derive(Clone)]
pub(crate) struct Wants {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) algorithm: Option<&'static str>,
    pub(crate) qop: Option<&'static str>,
    /// Further parameters of the challenge.
    pub(crate) more: &'static str,
    /// Every nonce is good for so many answers.
    pub(crate) answers_per_nonce: u32,
    /// A counter that does not grow is refused as stale.
    pub(crate) is_strict: bool,
    /// It gives out its next nonce in Authentication-Info.
    pub(crate) announces: bool,
}

impl Default for Wants {
    fn default() -> Wants {
        Wants {
            user: "admin",
            password: "secret",
            algorithm: Some("MD5"),
            qop: Some("auth"),
            more: "",
            answers_per_nonce: u32::MAX,
            is_strict: true,
            announces: false,
        }
    }
}

/// A device, which is the server of a [`Script`].
#[derive(Clone)]
pub(crate) struct Camera {
    wants: Wants,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The counts of the answers to each nonce, in order.
    nonces: BTreeMap<String, Vec<u32>>,
    given_out: u32,
    complaints: Vec<String>,
    refused: u32,
}

/// What the device makes of a request.
enum Verdict {
    Welcome(String),
    Unknown,
    Stale,
    Wrong(String),
}

impl Camera {
    pub(crate) fn new(wants: Wants) -> Camera {
        Camera { wants, state: Arc::default() }
    }

    /// Returns the server that answers like this device.
    pub(crate) fn script(&self) -> Script {
        let camera = self.clone();
        Script::new().on_with("*", move |request| camera.answer(request))
    }

    /// Answers a request, or refuses it with a challenge.
    pub(crate) fn answer(&self, request: &Seen) -> Reply {
        match self.judge(request.method(), request.target(), request.header("authorization")) {
            Verdict::Welcome(nonce) if self.wants.announces => {
                let next = self.give_out();
                let info = format!("qop=auth, rspauth=\"0\", nextnonce=\"{next}\"");
                self.lock().nonces.remove(&nonce);
                reply(200).header("Authentication-Info", info).body("a picture")
            }
            Verdict::Welcome(_) => reply(200).body("a picture"),
            Verdict::Unknown => self.challenge(false),
            Verdict::Stale => self.challenge(true),
            Verdict::Wrong(complaint) => {
                self.lock().complaints.push(complaint);
                self.challenge(false)
            }
        }
    }

    fn challenge(&self, is_stale: bool) -> Reply {
        let challenge = self.challenge_text(is_stale);
        reply(401).header("WWW-Authenticate", challenge).body("<html>who are you?</html>")
    }

    fn challenge_text(&self, is_stale: bool) -> String {
        let nonce = self.give_out();
        let mut challenge = format!("Digest realm=\"IP Camera, \\\"lab\\\"\", nonce=\"{nonce}\", opaque=\"5c,cc\"");
        if let Some(algorithm) = self.wants.algorithm {
            challenge += &format!(", algorithm={algorithm}");
        }
        if let Some(qop) = self.wants.qop {
            challenge += &format!(", qop=\"{qop}\"");
        }
        challenge += &format!(", stale={}{}", if is_stale { "TRUE" } else { "false" }, self.wants.more);
        self.lock().refused += 1;
        challenge
    }

    fn give_out(&self) -> String {
        let mut state = self.lock();
        state.given_out += 1;
        let nonce = format!("n/{}==", state.given_out);
        state.nonces.insert(nonce.clone(), Vec::new());
        nonce
    }

    /// Forgets its nonces, as after a restart or after their time.
    pub(crate) fn renew(&self) {
        self.lock().nonces.clear();
    }

    /// Returns how many requests were refused.
    pub(crate) fn refused(&self) -> u32 {
        self.lock().refused
    }

    /// Returns what was wrong with answers.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.lock().complaints.clone()
    }

    /// Returns them, and forgets them.
    pub(crate) fn take_complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().complaints)
    }

    /// Returns the counts of the answers to the nonces that it knows.
    pub(crate) fn counts(&self) -> Vec<Vec<u32>> {
        self.lock().nonces.values().filter(|counts| !counts.is_empty()).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with the camera")
    }

    /// Returns whether it lets this request in; otherwise its challenge.
    pub(crate) fn admit(&self, method: &str, target: &str, field: Option<&str>) -> Result<(), String> {
        match self.judge(method, target, field) {
            Verdict::Welcome(_) => Ok(()),
            Verdict::Unknown | Verdict::Stale => Err(self.challenge_text(false)),
            Verdict::Wrong(complaint) => {
                self.lock().complaints.push(complaint);
                Err(self.challenge_text(false))
            }
        }
    }

    fn judge(&self, method: &str, target: &str, field: Option<&str>) -> Verdict {
        let Some(field) = field else { return Verdict::Unknown };
        let Some(answer) = Answer::parse(field) else { return Verdict::Wrong(format!("no Digest: {field}")) };
        if let Err(complaint) = self.check(method, target, &answer) {
            return Verdict::Wrong(format!("{complaint}: {field}"));
        }
        let count = answer.get("nc").map(|nc| u32::from_str_radix(nc, 16).expect("checked"));
        let mut state = self.lock();
        let (is_strict, most) = (self.wants.is_strict, self.wants.answers_per_nonce);
        let Some(counts) = state.nonces.get_mut(answer.get("nonce").expect("checked")) else { return Verdict::Stale };
        let Some(count) = count else { return Verdict::Welcome(answer.get("nonce").expect("checked").to_owned()) };
        if counts.contains(&count) {
            return Verdict::Wrong(format!("the count {count:x} came before: {field}"));
        }
        if is_strict && counts.last().is_some_and(|last| *last > count) || counts.len() as u32 >= most {
            return Verdict::Stale;
        }
        counts.push(count);
        Verdict::Welcome(answer.get("nonce").expect("checked").to_owned())
    }

    /// Checks all of an answer but its nonce and count.
    fn check(&self, method: &str, target: &str, answer: &Answer) -> Result<(), String> {
        let expect = |name: &str, want: Option<&str>| match answer.get(name) == want {
            true => Ok(()),
            false => Err(format!("{name} is {:?}, not {want:?}", answer.get(name))),
        };
        let Wants { user, password, algorithm, qop, .. } = self.wants;
        let realm = "IP Camera, \"lab\"";
        let algorithm = algorithm.unwrap_or("MD5");
        let (hash, is_session) = match algorithm.strip_suffix("-sess") {
            Some(hash) => (hash, true),
            None => (algorithm, false),
        };
        let h = |text: String| hash_by(hash, &text);
        expect("realm", Some(realm))?;
        expect("uri", Some(target))?;
        expect("opaque", Some("5c,cc"))?;
        expect("algorithm", self.wants.algorithm)?;
        if self.wants.more.contains("userhash=true") {
            expect("username", Some(&h(format!("{user}:{realm}"))))?;
            expect("userhash", Some("true"))?;
        } else if self.wants.more.contains("charset") && !user.is_ascii() {
            expect("username*", Some("UTF-8''J%C3%A4s%C3%B8n%20Doe"))?;
        } else {
            expect("username", Some(user))?;
        }
        let nonce = answer.get("nonce").ok_or("no nonce")?;
        let mut secret = h(format!("{user}:{realm}:{password}"));
        if is_session {
            secret = h(format!("{secret}:{nonce}:{}", answer.get("cnonce").ok_or("no cnonce")?));
        }
        let asked = h(format!("{method}:{target}"));
        let response = match qop {
            None => {
                for name in ["nc", "cnonce", "qop"] {
                    expect(name, None)?;
                }
                h(format!("{secret}:{nonce}:{asked}"))
            }
            Some(_) => {
                expect("qop", Some("auth"))?;
                let (nc, cnonce) = (answer.get("nc").ok_or("no nc")?, answer.get("cnonce").ok_or("no cnonce")?);
                if nc.len() != 8 || !nc.bytes().all(|byte| byte.is_ascii_hexdigit()) || cnonce.len() < 16 {
                    return Err("nc or cnonce".to_owned());
                }
                h(format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{asked}"))
            }
        };
        expect("response", Some(&response))?;
        for (name, _, is_quoted) in &answer.0 {
            let is_token = ["algorithm", "qop", "nc", "userhash", "username*"].contains(&&**name);
            if *is_quoted == is_token {
                return Err(format!("quotes of {name}"));
            }
        }
        Ok(())
    }
}

pub(crate) fn hash_by(algorithm: &str, text: &str) -> String {
    fn hex(digest: impl AsRef<[u8]>) -> String {
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
    match algorithm {
        "MD5" => hex(Md5::digest(text)),
        "SHA-256" => hex(Sha256::digest(text)),
        "SHA-512-256" => hex(Sha512_256::digest(text)),
        _ => panic!("{algorithm}"),
    }
}

/// The parameters of an Authorization field: name, value, and whether it had quotes.
pub(crate) struct Answer(Vec<(String, String, bool)>);

impl Answer {
    /// `None` if it is not Digest, or malformed.
    pub(crate) fn parse(field: &str) -> Option<Answer> {
        let mut rest = field.strip_prefix("Digest ")?;
        let mut parameters = Vec::new();
        loop {
            let (name, after) = rest.split_once('=')?;
            let mut value = String::new();
            if let Some(quoted) = after.strip_prefix('"') {
                let mut chars = quoted.chars();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => value.push(chars.next()?),
                        c => value.push(c),
                    }
                }
                rest = chars.as_str();
            } else {
                let end = after.find(',').unwrap_or(after.len());
                value.push_str(&after[..end]);
                rest = &after[end..];
            }
            parameters.push((name.to_owned(), value, after.starts_with('"')));
            match rest.strip_prefix(", ") {
                Some(more) => rest = more,
                None if rest.is_empty() => return Some(Answer(parameters)),
                None => return None,
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, ..)| other == name).map(|(_, value, _)| &**value)
    }
}
