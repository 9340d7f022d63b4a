//! The client credentials grant, a refusal, a refresh, and a token server that breaks off, by the `oauth2`
//! crate with one closure over `Client::send_http`. It panics if anything differs from what is expected.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use longwire::{Client, ErrorKind};
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{AuthUrl, ClientId, ClientSecret, RefreshToken, RequestTokenError, Scope, TokenResponse, TokenUrl};

const GRANTED: &str =
    r#"{"access_token":"t0ken","token_type":"bearer","expires_in":3600,"refresh_token":"again","scope":"read"}"#;
const REFUSED: &str = r#"{"error":"invalid_scope","error_description":"no such scope"}"#;

fn main() {
    let server = token_server();
    // A redirect of a token server is not to be followed (RFC 6749 §10.6, and the crate's documentation).
    let client = Client::builder().no_proxy().max_redirects(0).build();
    let http_client = |request: http::Request<Vec<u8>>| client.send_http(request);

    let oauth = BasicClient::new(ClientId::new("me".to_owned()))
        .set_client_secret(ClientSecret::new("s3cret".to_owned()))
        .set_auth_uri(AuthUrl::new(format!("http://{server}/authorize")).expect("a URL"))
        .set_token_uri(TokenUrl::new(format!("http://{server}/token")).expect("a URL"));

    let asked = oauth.exchange_client_credentials().add_scope(Scope::new("read".to_owned()));
    let token = asked.request(&http_client).expect("a token");
    assert_eq!(token.access_token().secret(), "t0ken");
    assert_eq!(token.scopes().map(Vec::len), Some(1));

    let refresh = RefreshToken::new("again".to_owned());
    let token = oauth.exchange_refresh_token(&refresh).request(&http_client).expect("a token");
    assert_eq!(token.access_token().secret(), "t0ken");

    let asked = oauth.exchange_client_credentials().add_scope(Scope::new("none".to_owned()));
    match asked.request(&http_client) {
        Err(RequestTokenError::ServerResponse(refusal)) => {
            assert_eq!(*refusal.error(), BasicErrorResponseType::InvalidScope);
        }
        other => panic!("{other:?}"),
    }

    let asked = oauth.exchange_client_credentials().add_scope(Scope::new("cut".to_owned()));
    match asked.request(&http_client) {
        Err(RequestTokenError::Request(error)) => assert_eq!(error.kind(), ErrorKind::Truncated, "{error}"),
        other => panic!("{other:?}"),
    }
    let opened = client.pool_stats().opened;
    assert_eq!(opened, 1, "all of it on one connection");
    println!("4 token requests on {opened} connection: granted, refreshed, refused, cut");
}

/// A token server on loopback, which checks what it is sent.
fn token_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.expect("a connection"));
        }
    });
    address
}

fn serve(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("the same socket"));
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).expect("a line") == 0 {
                return;
            }
        }
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("post /token http/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nauthorization: basic bwu6cznjcmv0\r\n"), "{head}"); // me:s3cret
        assert!(head.contains("\r\naccept: application/json\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{head}");
        let (_, rest) = head.split_once("\r\ncontent-length: ").expect("a length");
        let length: usize = rest.split("\r\n").next().and_then(|digits| digits.parse().ok()).expect("a length");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let body = String::from_utf8(body).expect("a form");
        let (status, reply) = match &*body {
            "grant_type=client_credentials&scope=read" | "grant_type=refresh_token&refresh_token=again" => {
                ("200 OK", GRANTED)
            }
            "grant_type=client_credentials&scope=none" => ("400 Bad Request", REFUSED),
            "grant_type=client_credentials&scope=cut" => {
                let cut = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"access";
                stream.write_all(cut.as_bytes()).expect("a client that reads");
                return;
            }
            other => panic!("{other}"),
        };
        let length = reply.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all([head.as_bytes(), reply.as_bytes()].concat().as_slice()).expect("a client that reads");
    }
}
