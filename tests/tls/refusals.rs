//! Certificates that are refused: each for its own reason, in words for people, and with what to do
//! about it where that is not plain. A configuration of rustls (`Tls::from_rustls`) gives the verifier's
//! error alone; other `Tls` values have the certificates at hand, too, and say more.

use std::sync::Arc;

use longwire::rustls::pki_types::CertificateDer;
use longwire::rustls::{ALL_VERSIONS, ServerConfig, SignatureScheme};
use longwire::{Client, Roots, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    NameConstraints, date_time_ymd,
};

use crate::certificates::{Authority, Forger, Identity, NAME, RsaKey, by_hand, pem, self_signed, showing, trusting};
use crate::failures::assert_says;
use crate::session::answering;
use crate::support::peer::ok;
use crate::url;

/// The content of object identifiers (RFC 3279 §2.2.3, RFC 5758 §3.2, RFC 8410 §3).
const ECDSA_WITH_SHA1: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x01";
const ECDSA_WITH_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
const ED448: &[u8] = b"\x2b\x65\x71";

const NO_ROOT: &str = "the server's certificate leads to no trusted root";
const REMAKE: &str = "make another with `openssl req -x509 -newkey rsa:2048 -addext subjectAltName=DNS:NAME \
                      -addext basicConstraints=critical,CA:FALSE`";
const WRONG_SIGNATURE: &str = "a signature in its chain, or one made with its key, is wrong";

/// A server, and the words with which its certificate must be refused.
struct Refused {
    server: ServerConfig,
    /// By the error of rustls alone, and by that of a [`Tls`] value.
    words: [String; 2],
}

fn refused(server: ServerConfig, words: &str) -> Refused {
    Refused { server, words: [words.to_owned(), words.to_owned()] }
}

impl Refused {
    /// The words of a `Tls` value in place of that.
    fn explained(mut self, words: &str) -> Refused {
        self.words[1] = words.to_owned();
        self
    }
}

fn server(identity: &Identity) -> ServerConfig {
    showing(identity.chain.clone(), identity.signing_key())
}

fn changed(root: &Authority, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
    server(&root.issue(&[NAME], change))
}

/// All that the dates, the names and the purpose of a sound chain can be.
fn of_the_certificate_itself(root: &Authority) -> Vec<Refused> {
    let many = ["1.test", "2.test", "3.test", "4.test", "5.test", "127.0.0.1"];
    let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32_473, 1], vec![5, 0]);
    unknown.set_criticality(true);
    vec![
        refused(
            changed(root, |params| params.not_after = date_time_ymd(2001, 1, 1)),
            "the server's certificate has expired, ",
        ),
        refused(
            changed(root, |params| params.not_before = date_time_ymd(2999, 1, 1)),
            " days (is this machine's clock right?)",
        ),
        refused(
            server(&root.issue(&["elsewhere.test"], |_| {})),
            "the server's certificate is for another name: for elsewhere.test, not for longwire.test",
        ),
        refused(
            server(&root.issue(&many, |_| {})),
            "is for another name: for 1.test, 2.test, 3.test, 4.test and 2 more, not for longwire.test",
        ),
        refused(server(&root.issue(&[], |_| {})), "names no host (a common name is ignored)"),
        refused(
            server(&root.issue(&[], |_| {})),
            "make it with `openssl req -addext subjectAltName=DNS:longwire.test`",
        ),
        refused(
            changed(root, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            "it is not for servers (extended key usage), but for client authentication",
        )
        .explained("it is not for servers (extended key usage)"),
        refused(
            changed(root, |params| params.custom_extensions = vec![unknown]),
            "it has a critical extension that is not known here",
        ),
    ]
}

/// Chains that lead to no trusted root, or break a rule on the way.
fn of_the_chain(root: &Authority) -> Vec<Refused> {
    let stranger = Authority::new("stranger");
    let mut cut = root.intermediate("middle").identity();
    cut.chain.truncate(1);
    let narrow = root.limited("narrow", |params| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("elsewhere.test".to_owned())];
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    });
    let last = root.limited("last", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let long = (0..8).fold(root.intermediate("0"), |above, depth| above.intermediate(&format!("{}", depth + 1)));
    let no_ca = root.limited("no CA", |params| params.is_ca = IsCa::ExplicitNoCa);
    vec![
        refused(server(&stranger.identity()), NO_ROOT)
            .explained("its issuer is not trusted here (stranger), and the server sent no intermediate certificate"),
        refused(server(&cut), NO_ROOT)
            .explained("its issuer is not trusted here (middle), and the server sent no intermediate certificate"),
        refused(server(&stranger.intermediate("strange middle").identity()), NO_ROOT)
            .explained("the chain that the server sent ends at an unknown issuer (stranger)"),
        refused(server(&self_signed("itself", false)), NO_ROOT)
            .explained("it is self-signed (itself); if it is the right one, trust it with Tls::pin"),
        refused(server(&narrow.identity()), "a CA in its chain may not issue for its names (name constraints)"),
        refused(
            server(&last.intermediate("one too many").identity()),
            "a CA in its chain allows fewer intermediate certificates below it (pathlen)",
        ),
        refused(server(&long.identity()), "its chain has too many intermediate certificates"),
        refused(server(&no_ca.identity()), "its issuer is not a CA (CA:FALSE)"),
    ]
}

/// What rustls cannot use, trusted or not: the last ones are roots, too.
fn of_a_kind_that_cannot_be_used(root: &Authority, roots: &mut Vec<CertificateDer<'static>>) -> Vec<Refused> {
    let key = || Arc::new(Forger(SignatureScheme::ECDSA_NISTP256_SHA256));
    let mut damaged = root.identity().chain;
    let mut bytes = damaged[0].to_vec();
    *bytes.last_mut().expect("a signature") ^= 1;
    damaged[0] = CertificateDer::from(bytes);
    let appliance = self_signed("appliance", true);
    let old = by_hand(1, "by hand", ECDSA_WITH_SHA256);
    roots.extend([appliance.chain[0].clone(), old.clone()]);
    let ca = |what: &str| {
        let why = "which cannot be used as a server's, even if it is a trusted root";
        format!("it is {what} (CA:TRUE), {why}: if it is the right one, trust it with Tls::pin, or {REMAKE}")
    };
    vec![
        refused(
            showing(vec![by_hand(3, "root", ECDSA_WITH_SHA1)], key()),
            "a signature in its chain uses SHA-1, which is too weak",
        ),
        refused(
            showing(vec![by_hand(3, "root", ED448)], key()),
            "a signature in its chain uses an unknown algorithm (1.3.101.113)",
        ),
        refused(
            showing(root.certify(&RsaKey::of_bits(1024)), Arc::new(Forger(SignatureScheme::RSA_PSS_SHA256))),
            "an RSA key is shorter than 2048 bits",
        )
        .explained(&format!("an RSA key of 1024 bits is too short, 2048 are needed: {REMAKE}")),
        refused(showing(root.identity().chain, key()), WRONG_SIGNATURE),
        refused(showing(damaged, key()), WRONG_SIGNATURE),
        refused(showing(vec![CertificateDer::from(vec![0x30, 0])], key()), "it is malformed"),
        refused(
            changed(root, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            &ca("the certificate of a CA"),
        )
        .explained(&ca("the certificate of a CA, a test's server")),
        refused(server(&appliance), &ca("the certificate of a CA"))
            .explained(&ca("the self-signed certificate of a CA, appliance")),
        refused(showing(vec![old], key()), &format!("it is of X.509 version 1, which cannot be used: {REMAKE}")),
    ]
}

fn cases(root: &Authority) -> (Vec<Refused>, Vec<CertificateDer<'static>>) {
    let mut roots = vec![root.root()];
    let mut cases = of_the_certificate_itself(root);
    cases.extend(of_the_chain(root));
    cases.extend(of_a_kind_that_cannot_be_used(root, &mut roots));
    (cases, roots)
}

#[test]
fn every_refusal_of_a_certificate_says_why() {
    let root = Authority::new("root");
    let (cases, roots) = cases(&root);
    for Refused { server, words } in cases {
        let peer = answering(server, ok("never read"));
        let own = Tls::from_rustls(Arc::new(trusting(roots.clone(), ALL_VERSIONS)));
        let roots: String = roots.iter().map(pem).collect();
        let explaining = Tls::new().roots(Roots::None).add_root(roots).expect("sound roots");
        for (tls, words) in [(own, &words[0]), (explaining, &words[1])] {
            let client = Client::builder().tls(tls).resolve_to(NAME, peer.addr()).build();
            let error = client.get(url(&peer, "/")).send().expect_err(words);
            assert_says(&error, words);
        }
        assert!(peer.request_lines().is_empty());
    }
}

/// With the default configuration, whose trust store is chosen for a whole process: so the test runs
/// in a child.
#[cfg(all(target_os = "linux", feature = "tls"))]
#[test]
fn the_platforms_trust_store_decides_and_every_refusal_says_why() {
    const CASES_VARIABLE: &str = "LONGWIRE_TEST_CASES";

    let get = |port: &str| {
        let address = format!("127.0.0.1:{port}").parse().expect("an address");
        let client = longwire::Client::builder().resolve_to(NAME, address).build();
        client.get(format!("https://{NAME}:{port}/")).send()
    };
    if let Ok(cases) = std::env::var(CASES_VARIABLE) {
        let mut cases = cases.lines();
        let trusted = get(cases.next().expect("a port"));
        assert_eq!(trusted.expect("it is trusted").text().expect("a body"), "trusted");
        for case in cases {
            let (port, words) = case.split_once(' ').expect("a port and words");
            assert_says(&get(port).expect_err(words), words);
        }
        return;
    }
    let root = Authority::new("root");
    let (cases, roots) = cases(&root);
    let trusted = answering(server(&root.intermediate("middle").identity()), ok("trusted"));
    let peers: Vec<_> = cases
        .into_iter()
        .map(|Refused { server, words: [_, words] }| (answering(server, ok("never read")), words))
        .collect();
    let lines = peers.iter().map(|(peer, words)| format!("\n{} {words}", peer.addr().port()));
    let lines = trusted.addr().port().to_string() + &lines.collect::<String>();
    let store = std::env::temp_dir().join(format!("longwire-roots-{}", std::process::id()));
    std::fs::write(&store, roots.iter().map(pem).collect::<String>()).expect("a file");
    let test = "refusals::the_platforms_trust_store_decides_and_every_refusal_says_why";
    let store_path = store.to_str().expect("a plain path");
    crate::run_child(test, &[(CASES_VARIABLE, &lines), ("SSL_CERT_FILE", store_path)]);
    std::fs::remove_file(&store).expect("our own file");
}
