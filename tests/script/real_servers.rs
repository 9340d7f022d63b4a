//! Records of servers over sockets: nginx and Python's http.server, which are not installed everywhere
//! (`cargo test --test script -- --include-ignored`), and a server with TLS.

#[cfg(any(unix, feature = "__rustls"))]
use longwire::script::{Record, Replay};

#[cfg(any(unix, feature = "__rustls"))]
use crate::Folder;

#[cfg(unix)]
mod plain {
    use longwire::{Client, Method, Result};

    use super::{Folder, Record, Replay};
    use crate::servers::{Kind, STREAM_BYTES, Server, Setup, checks_of};

    checks_of!(
        nginx,
        super::Kind::Nginx,
        "needs nginx: run with --include-ignored (.ci/run does)",
        [what_a_real_server_answered_is_answered_again]
    );

    checks_of!(
        python10,
        super::Kind::Python10,
        "needs python3: run with --include-ignored (.ci/run does)",
        [what_a_real_server_answered_is_answered_again]
    );

    checks_of!(
        python11,
        super::Kind::Python11,
        "needs python3: run with --include-ignored (.ci/run does)",
        [what_a_real_server_answered_is_answered_again]
    );

    type Told = (u16, Vec<u8>, Vec<u8>);

    /// What it says to some requests: a file, a large one, without its body, a part, one that is not there.
    fn ask(client: &Client, url: impl Fn(&str) -> String) -> Result<Vec<Told>> {
        let requests = [
            client.get(url("/small.txt")).bearer_auth("s3cret"),
            client.get(url("/stream.bin")),
            client.request(Method::HEAD, url("/stream.bin")),
            client.get(url("/small.txt")).header("Range", "bytes=1-2"),
            client.get(url("/nowhere?token=s3cret")),
        ];
        let told = requests.into_iter().map(|request| {
            let response = request.send()?;
            Ok((response.status().as_u16(), response.raw_head().to_vec(), response.bytes()?))
        });
        told.collect()
    }

    fn what_a_real_server_answered_is_answered_again(kind: Kind) {
        let folder = Folder::new();
        let server = Server::start(kind, Setup::default());
        let client = Record::to(&folder).expect("a folder").client();
        let recorded = ask(&client, |path| server.url(path)).expect("responses");
        assert_eq!(recorded[1].2.len(), STREAM_BYTES);
        assert_eq!(recorded[4].0, 404);
        let opened = client.pool_stats().opened;
        drop(server);

        let replay = Replay::from(&folder).expect("a record");
        let client = replay.client();
        let replayed = ask(&client, |path| format!("https://elsewhere.test{path}")).expect("responses");
        assert!(replayed == recorded, "{} responses differ", kind as u8);
        assert_eq!(client.pool_stats().opened, opened);
        replay.assert_done();
        for name in folder.names() {
            assert!(!folder.read(&name).contains("s3cret"), "{name}");
        }
    }
}

#[cfg(feature = "__rustls")]
#[test]
fn https_is_recorded_in_plain_text_and_replayed_without_tls() -> longwire::Result<()> {
    use longwire::Client;
    use longwire::transport::Direct;

    use crate::certificates::{Authority, NAME};
    use crate::session;
    use longwire::rustls::ALL_VERSIONS;

    let folder = Folder::new();
    let authority = Authority::new("a root");
    let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: sid=s3cret\r\nContent-Length: 5\r\n\r\nhello";
    let peer = session::answering(authority.identity().server_config(ALL_VERSIONS), answer);
    let direct = Direct::with(Client::builder().tls(authority.tls()).resolve_to(NAME, peer.addr()))?;
    let client = Record::new(direct, &folder).expect("a folder").client();
    let url = format!("https://{NAME}:{}/path", peer.addr().port());
    for _ in 0..2 {
        assert_eq!(client.get(&url).bearer_auth("s3cret").send()?.text()?, "hello");
    }
    assert_eq!(peer.connections(), 1);
    assert_eq!(folder.names().len(), 4);
    assert!(folder.read("001.request").starts_with("GET /path HTTP/1.1\r\n"));
    assert_eq!(folder.read("002.http"), answer.replace("s3cret", "******"));
    assert!(folder.read("002.request").contains("\r\nAuthorization: *************\r\n"));

    let replay = Replay::from(&folder).expect("a record");
    let client = replay.client();
    for _ in 0..2 {
        assert_eq!(client.get(&url).send()?.text()?, "hello");
    }
    assert_eq!(client.pool_stats().opened, 1);
    replay.assert_done();
    Ok(())
}
