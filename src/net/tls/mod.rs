//! TLS under a connection (RFC 8446, RFC 5246). rustls does the protocol; what is exchanged inside is
//! not known here, only its ALPN name.
//!
//! `settings` is what the caller wants: [`Tls`](settings::Tls), of which rustls's configuration is made when
//! it is first needed. `handshake` makes a [`TlsStream`](stream::TlsStream) of a socket, which from then on is
//! a stream like any other. On the way `verify` decides whether the server's certificate is trusted;
//! `pem` and `certificate` read what rustls keeps to itself, and `describe` puts its errors into
//! words.

mod certificate;
mod describe;
mod handshake;
mod pem;
pub(crate) mod settings;
mod stream;
mod verify;
