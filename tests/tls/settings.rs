//! The settings of a `Tls` value: what each changes on the wire, and what is refused before that. (The
//! words of refused certificates: `refusals.rs`. Keys and certificates made by OpenSSL: `servers.rs`.)

use std::sync::Arc;

use longwire::rustls::version::{TLS12, TLS13};
use longwire::rustls::{ALL_VERSIONS, SignatureScheme};
use longwire::{Client, Error, ErrorKind, Proxy, Roots, Tls, TlsVersion};
use rcgen::date_time_ymd;

use crate::certificates::{
    Authority, Forger, Identity, NAME, RsaKey, by_hand, pem, self_signed, self_signed_for, showing,
};
use crate::failures::assert_says;
use crate::session::answering;
use crate::support::peer::{Peer, ok};
use crate::url;

const PINNED_TO_OTHER: &str = "the server's certificate is refused: it is not a pinned one (";

fn serving(identity: &Identity) -> Peer {
    answering(identity.server_config(ALL_VERSIONS), ok("hello"))
}

fn client(tls: Tls, peer: &Peer) -> Client {
    Client::builder().tls(tls).resolve_to(NAME, peer.addr()).build()
}

#[track_caller]
fn assert_trusted(tls: Tls, peer: &Peer) {
    assert_eq!(crate::text(&client(tls, peer), &url(peer, "/")), "hello");
}

#[track_caller]
fn refusal(tls: Tls, peer: &Peer) -> Error {
    client(tls, peer).get(url(peer, "/")).send().expect_err("it must not be trusted")
}

/// A setting that is refused at once, with these words.
#[track_caller]
fn assert_invalid(made: longwire::Result<Tls>, words: &str) {
    let error = made.expect_err(words);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.to_string().contains(words), "{error} does not say {words:?}");
}

/// A value that is refused by whatever takes it, before anything is connected to.
#[track_caller]
fn assert_refused_value(tls: Tls, words: &str) {
    let peer = Peer::answering(ok("never asked"));
    for url in [url(&peer, "/"), peer.url("/")] {
        let error = client(tls.clone(), &peer).get(url).send().expect_err(words);
        assert_eq!((error.kind(), error.to_string().contains(words)), (ErrorKind::InvalidRequest, true), "{error}");
    }
    assert_eq!(peer.connections(), 0);
    let error = Proxy::new("https://proxy.test").expect("a proxy").tls(tls).expect_err(words);
    assert_eq!((error.kind(), error.to_string().contains(words)), (ErrorKind::InvalidRequest, true), "{error}");
}

// ── Roots ───────────────────────────────────────────────────────────────────────────────────────

fn sets_of_roots() -> Vec<Roots> {
    let mut sets = vec![Roots::None];
    sets.extend(cfg!(feature = "tls-webpki-roots").then_some(Roots::Bundled));
    sets.extend((cfg!(feature = "tls") && cfg!(not(target_os = "android"))).then_some(Roots::Platform));
    sets
}

#[test]
fn added_roots_are_trusted_together_with_every_set_and_strangers_with_none() {
    let [one, two, stranger] = ["one", "two", "stranger"].map(Authority::new);
    let peers = [&one, &two].map(|authority| serving(&authority.intermediate("middle").identity()));
    let other = serving(&stranger.identity());
    for set in sets_of_roots() {
        let in_calls = Tls::new().add_root(one.root_pem()).and_then(|tls| tls.add_root(two.root_pem()));
        let of_windows = two.root_pem().replace('\n', "\r\n");
        let in_one_file = Tls::new().add_root([one.root_pem(), "# a comment\n", &of_windows].concat());
        for tls in [in_calls, in_one_file].map(|tls| tls.expect("sound roots").roots(set)) {
            peers.iter().for_each(|peer| assert_trusted(tls.clone(), peer));
            let error = refusal(tls, &other);
            assert!(error.kind() == ErrorKind::Tls && error.to_string().contains("stranger"), "{set:?}: {error}");
        }
    }
}

#[test]
fn a_set_of_roots_is_there_only_with_its_feature() {
    let sets = [
        (Roots::Platform, "tls", cfg!(feature = "tls")),
        (Roots::Bundled, "tls-webpki-roots", cfg!(feature = "tls-webpki-roots")),
    ];
    for (set, feature, is_there) in sets {
        if !is_there {
            let words = format!("Tls::roots: Roots::{set:?} needs longwire's feature `{feature}`");
            assert_refused_value(Tls::new().roots(set), &words);
        }
    }
    assert_refused_value(Tls::new().roots(Roots::None), "no server could be trusted");
}

#[test]
fn a_root_that_is_none_is_refused_at_once() {
    let identity = Authority::new("root").identity();
    assert_invalid(Tls::new().add_root(""), "Tls::add_root: there is no PEM in it");
    assert_invalid(Tls::new().add_root(&identity.chain[0]), "Tls::add_root: it is not PEM but DER: ");
    assert_invalid(Tls::new().add_root(&identity.key_pem), "there is no certificate in it, but PRIVATE KEY");
    let cut = &identity.pem[..identity.pem.len() / 2];
    assert_invalid(Tls::new().add_root(cut), "the PEM is damaged: it has no end");
    let malformed = pem(&vec![0x30, 0].into());
    assert_invalid(Tls::new().add_root(malformed), "Tls::add_root: it is malformed");
}

/// The trust store is the child's alone: it is chosen by the environment.
#[cfg(all(target_os = "linux", feature = "tls"))]
#[test]
fn a_platform_without_a_trust_store_is_an_error_and_no_other_set_stands_in() {
    const TEST: &str = "settings::a_platform_without_a_trust_store_is_an_error_and_no_other_set_stands_in";

    if crate::is_child() {
        let peer = serving(&Authority::new("root").identity());
        for tls in [Tls::new(), Tls::new().roots(Roots::Platform)] {
            let error = refusal(tls, &peer);
            assert_says(&error, "TLS: the platform's trust store cannot be used (Tls::roots(Roots::Bundled)");
        }
        return;
    }
    crate::run_child(TEST, &[("SSL_CERT_FILE", "/dev/null")]);
}

// ── Pins ────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_pinned_certificate_is_trusted_whatever_issued_it_and_no_other_is() {
    let issued = Authority::new("root").intermediate("middle").identity();
    for identity in [self_signed("appliance", true), self_signed("appliance", false), issued] {
        let twin = serving(&self_signed("appliance", true));
        for version in [&TLS12, &TLS13] {
            let peer = answering(identity.server_config(&[version]), ok("hello"));
            assert_trusted(Tls::new().pin(&identity.pem).expect("a pin"), &peer);
            assert_trusted(Tls::new().roots(Roots::None).pin(&identity.pem).expect("a pin"), &peer);
        }
        assert_says(&refusal(Tls::new().pin(&identity.pem).expect("a pin"), &twin), PINNED_TO_OTHER);
    }
}

#[test]
fn several_pins_are_alternatives() {
    let [old, new, other] = ["old", "new", "other"].map(|name| self_signed(name, true));
    let in_calls = Tls::new().pin(&old.pem).and_then(|tls| tls.pin(&new.pem)).expect("pins");
    let in_one_file = Tls::new().pin([&old.pem[..], &new.pem].concat()).expect("pins");
    for tls in [in_calls, in_one_file] {
        for identity in [&old, &new] {
            assert_trusted(tls.clone(), &serving(identity));
        }
        assert_says(&refusal(tls, &serving(&other)), &format!("{PINNED_TO_OTHER}other)"));
    }
}

/// A pinned root issues nothing.
#[test]
fn a_pin_is_no_root() {
    let authority = Authority::new("root");
    let tls = Tls::new().pin(authority.root_pem()).expect("a pin");
    assert_says(&refusal(tls, &serving(&authority.identity())), PINNED_TO_OTHER);
}

#[test]
fn the_dates_of_a_pinned_certificate_are_checked() {
    let expired = self_signed_for("device", &[NAME], |params| params.not_after = date_time_ymd(2001, 1, 1));
    let future = self_signed_for("device", &[NAME], |params| params.not_before = date_time_ymd(2999, 1, 1));
    for (identity, words) in
        [(expired, "the server's certificate has expired, "), (future, " days (is this machine's clock right?)")]
    {
        let tls = Tls::new().pin(&identity.pem).expect("a pin").any_name();
        assert_says(&refusal(tls, &serving(&identity)), words);
    }
}

#[test]
fn the_name_of_a_pinned_certificate_is_checked_unless_any_will_do() {
    let named = |common_name: &str, names: &[&str]| self_signed_for(common_name, names, |_| {});
    let address = "127.0.0.1";
    for (identity, host, words) in [
        (named(NAME, &[]), NAME, None),
        (named("*.test", &[]), NAME, None),
        (named(address, &[]), address, None),
        (named("else", &[address]), address, None),
        (named("router", &[]), NAME, Some("it is pinned, but for router, not for longwire.test (Tls::any_name ")),
        (named(NAME, &["a.test", "127.0.0.2"]), NAME, Some("but for a.test, 127.0.0.2, not for longwire.test")),
        (named(NAME, &["a.test"]), address, Some("but for a.test, not for 127.0.0.1")),
        (
            self_signed_for("", &[], |params| params.distinguished_name = Default::default()),
            NAME,
            Some("for no name, "),
        ),
    ] {
        let peer = serving(&identity);
        let url = url(&peer, "/").replace(NAME, host);
        let tls = Tls::new().pin(&identity.pem).expect("a pin");
        match words {
            None => assert_eq!(crate::text(&client(tls.clone(), &peer), &url), "hello"),
            Some(words) => {
                let error = client(tls.clone(), &peer).get(&url).send().expect_err(words);
                assert!(error.kind() == ErrorKind::Tls && error.to_string().contains(words), "{error}");
            }
        }
        assert_eq!(crate::text(&client(tls.any_name(), &peer), &url), "hello");
    }
}

#[test]
fn what_could_never_be_used_cannot_be_pinned() {
    const ECDSA_WITH_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";

    let old = pem(&by_hand(1, "by hand", ECDSA_WITH_SHA256));
    assert_invalid(
        Tls::new().pin(old),
        "it is of X.509 version 1, which cannot be used: make another with `openssl req ",
    );
    let short = pem(&Authority::new("root").certify(&RsaKey::of_bits(1024))[0]);
    assert_invalid(Tls::new().pin(short), "an RSA key of 1024 bits is too short, 2048 are needed: make another");
    assert_invalid(Tls::new().pin(pem(&vec![0x30, 0].into())), "it is malformed");
    assert_invalid(Tls::new().pin("a fingerprint"), "Tls::pin: there is no PEM in it");
}

// ── Any certificate ─────────────────────────────────────────────────────────────────────────────

#[test]
fn any_certificate_is_accepted_where_that_was_asked_for() {
    let expired = |params: &mut rcgen::CertificateParams| params.not_after = date_time_ymd(2001, 1, 1);
    for identity in [self_signed("anyone", true), self_signed_for("else", &["else.test"], expired)] {
        for version in [&TLS12, &TLS13] {
            let peer = answering(identity.server_config(&[version]), ok("hello"));
            let client = client(Tls::new().danger_accept_any_certificate(), &peer);
            let response = client.get(url(&peer, "/")).send().expect("an answer");
            let tls = response.connection().tls().expect("TLS");
            assert_eq!(tls.peer_certificates(), [identity.chain[0].to_vec()]);
        }
    }
}

/// Presenting another server's certificate is not enough.
#[test]
fn a_certificate_without_its_key_is_refused() {
    let identity = self_signed("device", true);
    let thief = || showing(identity.chain.clone(), Arc::new(Forger(SignatureScheme::ECDSA_NISTP256_SHA256)));
    for tls in [Tls::new().danger_accept_any_certificate(), Tls::new().pin(&identity.pem).expect("a pin")] {
        let peer = answering(thief(), ok("never read"));
        assert_says(&refusal(tls, &peer), "a signature in its chain, or one made with its key, is wrong");
    }
}

// ── The client's own certificate ────────────────────────────────────────────────────────────────

#[test]
fn the_identity_is_shown_to_a_server_that_asks_for_it() {
    let authority = Authority::new("root");
    let own = authority.identity();
    let client_identity = authority.intermediate("for clients").identity();
    let chain: String = client_identity.chain.iter().map(pem).collect();
    let both = format!("{}{chain}", client_identity.key_pem);
    for version in [&TLS12, &TLS13] {
        let peer = answering(authority.demanding(&own, version), ok("hello"));
        let error = refusal(authority.tls(), &peer);
        assert!(error.to_string().contains("the server requires a client certificate"), "{error}");
        for (certificates, key) in [(&chain, &client_identity.key_pem), (&both, &both)] {
            assert_trusted(authority.tls().identity(certificates, key).expect("an identity"), &peer);
        }
        let wrong = Authority::new("stranger").identity();
        let replaced = authority.tls().identity(&wrong.pem, &wrong.key_pem);
        let replaced = replaced.and_then(|tls| tls.identity(&chain, &both)).expect("an identity");
        assert_trusted(replaced, &peer);
        let wrong = authority.tls().identity(wrong.pem, wrong.key_pem).expect("an identity");
        assert_eq!(refusal(wrong, &peer).kind(), ErrorKind::Tls);
    }
    assert_trusted(authority.tls().identity(&chain, &both).expect("an identity"), &serving(&own));
}

#[test]
fn an_identity_that_is_none_is_refused_at_once() {
    let authority = Authority::new("root");
    let [one, two] = [authority.identity(), authority.identity()];
    let identity = |certificate: &str, key: &str| Tls::new().identity(certificate, key);
    assert_invalid(identity(&one.pem, &two.key_pem), "the private key is not that of the (first) certificate");
    assert_invalid(identity(&one.key_pem, &one.key_pem), "there is no certificate in it, but PRIVATE KEY");
    assert_invalid(identity(&one.pem, &one.pem), "Tls::identity: there is no private key in it, but CERTIFICATE");
    let encrypted = one.key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let words = "the private key is encrypted: decrypt it with `openssl pkey -in key.pem -out plain.pem`";
    assert_invalid(identity(&one.pem, &encrypted), words);
    let unknown = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    assert_invalid(identity(&one.pem, unknown), "the private key cannot be used; what can be is RSA of at least");
    let error = identity(&one.pem, &two.key_pem).expect_err("they do not match");
    let secret = two.key_pem.lines().nth(1).expect("a line of it");
    assert!(!format!("{error:?} {error}").contains(secret));
}

// ── Versions and keys ───────────────────────────────────────────────────────────────────────────

#[test]
fn versions_below_the_lowest_are_not_spoken() {
    let authority = Authority::new("root");
    let [old, new] =
        [&TLS12, &TLS13].map(|version| answering(authority.identity().server_config(&[version]), ok("hello")));
    for (tls, old_is_spoken) in [
        (authority.tls(), true),
        (authority.tls().min_version(TlsVersion::Tls12), true),
        (authority.tls().min_version(TlsVersion::Tls13), false),
        (authority.tls().min_version(TlsVersion::Tls13).min_version(TlsVersion::Tls12), true),
    ] {
        assert_trusted(tls.clone(), &new);
        match old_is_spoken {
            true => assert_trusted(tls, &old),
            false => assert_says(&refusal(tls, &old), "or none that Tls::min_version allows"),
        }
    }
}

/// The variable is the child's alone: it is one of the whole process.
#[test]
fn the_secrets_of_a_connection_are_logged_where_that_is_wanted() {
    const TEST: &str = "settings::the_secrets_of_a_connection_are_logged_where_that_is_wanted";
    const VARIABLE: &str = "SSLKEYLOGFILE";

    if crate::is_child() {
        let path = std::env::var(VARIABLE).expect("it was set");
        let authority = Authority::new("root");
        let peer = serving(&authority.identity());
        assert_trusted(authority.tls(), &peer);
        assert!(!std::path::Path::new(&path).exists(), "unasked");
        assert_trusted(authority.tls().key_log(), &peer);
        return;
    }
    let path = std::env::temp_dir().join(format!("longwire-keys-{}", std::process::id()));
    crate::run_child(TEST, &[(VARIABLE, path.to_str().expect("a plain path"))]);
    let log = std::fs::read_to_string(&path).expect("the log");
    std::fs::remove_file(&path).expect("our own file");
    // NSS's format: a label, the client's random, a secret.
    let is_hex =
        |text: &str, bytes: usize| text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut labels = Vec::new();
    for line in log.lines() {
        let [label, random, secret] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(is_hex(random, 32) && (is_hex(secret, 32) || is_hex(secret, 48)), "{line}");
        labels.push(label);
    }
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"] {
        assert_eq!(labels.iter().filter(|found| **found == label).count(), 1, "{labels:?}");
    }
}

/// One that cannot be written is no error: it is for debugging, and may be set for all programs.
#[test]
fn a_key_log_that_cannot_be_written_costs_no_request() {
    const TEST: &str = "settings::a_key_log_that_cannot_be_written_costs_no_request";

    if crate::is_child() {
        let authority = Authority::new("root");
        return assert_trusted(authority.tls().key_log(), &serving(&authority.identity()));
    }
    crate::run_child(TEST, &[("SSLKEYLOGFILE", "/nonexistent/file")]);
}

// ── The value ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn settings_that_contradict_each_other_are_refused_in_any_order() {
    let authority = Authority::new("root");
    let pinned = |tls: Tls| tls.pin(authority.root_pem()).expect("a pin");
    let rooted = |tls: Tls| tls.add_root(authority.root_pem()).expect("a root");
    let set = *sets_of_roots().last().expect("one");
    let danger = Tls::danger_accept_any_certificate;
    let from_rustls = || Tls::from_rustls(Arc::new(authority.client_config(ALL_VERSIONS)));
    let identity = authority.identity();
    for (tls, words) in [
        (danger(pinned(Tls::new())), "Tls::pin together with Tls::danger_accept_any_certificate"),
        (pinned(danger(Tls::new())), "Tls::pin together with Tls::danger_accept_any_certificate"),
        (rooted(danger(Tls::new())), "Tls::add_root together with Tls::danger_accept_any_certificate"),
        (danger(Tls::new().roots(set)), "Tls::roots together with Tls::danger_accept_any_certificate"),
        (danger(Tls::new().any_name()), "Tls::any_name together with Tls::danger_accept_any_certificate"),
        (rooted(pinned(Tls::new())), "Tls::add_root together with Tls::pin"),
        (pinned(Tls::new()).roots(set), "Tls::roots together with Tls::pin"),
        (rooted(Tls::new()).any_name(), "Tls::any_name without Tls::pin"),
        (from_rustls().roots(set), "Tls::roots together with Tls::from_rustls"),
        (rooted(from_rustls()), "Tls::add_root together with Tls::from_rustls"),
        (pinned(from_rustls()), "Tls::pin together with Tls::from_rustls"),
        (from_rustls().any_name(), "Tls::any_name together with Tls::from_rustls"),
        (danger(from_rustls()), "Tls::danger_accept_any_certificate together with Tls::from_rustls"),
        (from_rustls().key_log(), "Tls::key_log together with Tls::from_rustls"),
        (from_rustls().min_version(TlsVersion::Tls12), "Tls::min_version together with Tls::from_rustls"),
        (
            from_rustls().identity(identity.pem, identity.key_pem).expect("an identity"),
            "Tls::identity together with Tls::from_rustls",
        ),
    ] {
        assert_refused_value(tls, words);
    }
}

/// What is given as PEM may be borrowed or owned, text or bytes, as the face has it.
#[test]
fn pem_is_taken_in_every_form() -> longwire::Result<()> {
    let (authority, identity) = (Authority::new("root"), self_signed("device", true));
    let (text, bytes) = (authority.root_pem(), authority.root_pem().as_bytes());
    let owned: (String, Vec<u8>) = (text.to_owned(), bytes.to_vec());
    let tls = Tls::default().add_root(text)?.add_root(bytes)?.add_root(owned.0)?.add_root(owned.1)?;
    let _: Tls = tls.identity(&identity.pem, identity.key_pem.as_bytes())?;
    let array: &[u8; 27] = b"-----BEGIN CERTIFICATE-----";
    assert_invalid(Tls::new().pin(array), "the PEM is damaged: it has no end");
    let _: fn(Arc<longwire::rustls::ClientConfig>) -> Tls = Tls::from_rustls;
    let _: fn(Tls, Roots) -> Tls = Tls::roots;
    let _: fn(Tls, TlsVersion) -> Tls = Tls::min_version;
    let _: fn(&longwire::ConnectionInfo) -> Option<&longwire::TlsInfo> = longwire::ConnectionInfo::tls;
    let _: fn(&longwire::TlsInfo) -> &[Vec<u8>] = longwire::TlsInfo::peer_certificates;
    Ok(())
}

#[test]
fn clients_with_the_same_value_share_its_sessions() {
    let authority = Authority::new("root");
    let close = "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n";
    let peer = answering(authority.identity().server_config(ALL_VERSIONS), close);
    let tls = authority.tls();
    let resumed = |tls: &Tls| {
        let response = client(tls.clone(), &peer).get(url(&peer, "/")).send().expect("an answer");
        response.connection().tls().expect("TLS").is_resumed()
    };
    assert_eq!([&tls, &tls, &tls.clone()].map(resumed), [false, true, true]);
    assert!(!resumed(&tls.min_version(TlsVersion::Tls12)), "a changed value is another one");
}

#[test]
fn debug_shows_the_settings_and_no_secrets() {
    let authority = Authority::new("root");
    let identity = authority.identity();
    let tls = authority.tls().identity(&identity.pem, &identity.key_pem).expect("an identity");
    let tls = tls.key_log().min_version(TlsVersion::Tls13);
    assert_eq!(
        format!("{tls:?}"),
        "Tls { roots: None, added_roots: 1, pins: 0, accepts_any_certificate: false, identity: true, key_log: true, \
         min_version: Tls13, .. }"
    );
    let own = Tls::from_rustls(Arc::new(authority.client_config(ALL_VERSIONS)));
    assert_eq!(format!("{own:?}"), "Tls { from_rustls: true, .. }");
}
