//! The options of TLS, against a server whose certificate the test makes itself.

use longwire::rustls::ALL_VERSIONS;
use longwire::rustls::version::TLS12;

use crate::certificates::Authority;
use crate::process::{Folder, Get};
use crate::session::{answering, serve};
use crate::support::peer::ok;

/// Runs `get` for an https server that answers "secret"; `SSL_CERT_FILE` names the platform's roots.
fn exits(want: i32, arguments: &[&str], roots: &str) {
    let ran = Get::new(&[&["-sS"], arguments].concat()).variable("SSL_CERT_FILE", roots).run();
    let printed = if want == 0 { "secret" } else { "" };
    assert_eq!((ran.status, ran.stdout.as_str()), (want, printed), "{arguments:?}: {ran:?}");
}

#[test]
fn certificates_are_checked_against_the_given_roots_unless_that_is_switched_off() {
    let (authority, other, folder) = (Authority::new("root"), Authority::new("other"), Folder::new());
    let root = folder.file("root.pem", authority.root_pem());
    let other = folder.file("other.pem", other.root_pem());
    let identity = authority.issue(&["127.0.0.1"], |_| {});
    let peer = answering(identity.server_config(ALL_VERSIONS), ok("secret"));
    let url = &format!("https://{}/", peer.addr());

    exits(60, &[url], &other);
    exits(0, &["--cacert", &root, url], &other);
    exits(60, &["--cacert", &other, url], &root);
    exits(0, &["-k", url], &other);
    exits(0, &["-k", "--cacert", &other, url], &other);
    if cfg!(all(feature = "tls", target_os = "linux")) {
        exits(0, &[url], &root);
    }
    // A name that the certificate does not have.
    let port = peer.addr().port();
    let (resolve, elsewhere) = (format!("a.test:{port}:127.0.0.1"), format!("https://a.test:{port}/"));
    exits(60, &["--cacert", &root, "--resolve", &resolve, &elsewhere], &other);
    exits(0, &["--insecure", "--resolve", &resolve, &elsewhere], &other);

    exits(77, &["--cacert", &folder.path("nothing"), url], &other);
    exits(77, &["--cacert", &folder.file("empty", ""), url], &other);
}

#[test]
fn a_certificate_of_its_own_is_shown_to_a_server_that_asks() {
    let (authority, folder) = (Authority::new("root"), Folder::new());
    let root = folder.file("root.pem", authority.root_pem());
    let own = authority.identity();
    let (cert, key) = (folder.file("cert.pem", &own.pem), folder.file("key.pem", &own.key_pem));
    let both = folder.file("both.pem", &(own.pem + &own.key_pem));
    let demanding = authority.demanding(&authority.issue(&["127.0.0.1"], |_| {}), &TLS12);
    let peer = serve(demanding, |session, _| {
        if session.request().is_some() {
            session.send(ok("secret"));
        }
    });
    let url = &format!("https://{}/", peer.addr());
    let trusting = |arguments: &[&str]| -> Vec<String> {
        ["--cacert", &root, url].iter().chain(arguments).map(|word| (*word).to_owned()).collect()
    };
    let exits = |want, arguments: &[&str]| {
        let arguments = trusting(arguments);
        exits(want, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), &root);
    };
    exits(0, &["--cert", &cert, "--key", &key]);
    exits(0, &["-E", &both]);
    exits(58, &["-E", &cert]); // without its key
    exits(58, &["-E", &folder.path("nothing")]);
    exits(58, &["-E", &cert, "--key", &root]);
}
