//! The server's side of TLS over a scripted connection: every record is a slice of bytes that the
//! script sends, holds back or cuts as it likes.
#![allow(dead_code)] // each test file uses a part of it

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::rustls::crypto::cipher::{OutboundChunks, OutboundPlainMessage};
use longwire::rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig, ServerConnection, SupportedCipherSuite,
};

use crate::support::peer::{Conn, Peer};

pub(crate) struct Session {
    pub(crate) tls: ServerConnection,
    pub(crate) conn: Conn,
    received: Vec<u8>,
}

/// A peer that does the handshake on each connection and then runs `script`. A handshake that
/// fails is reported to the client by its alert, and noted with its error.
pub(crate) fn serve(config: ServerConfig, script: impl Fn(&mut Session, usize) + Send + Sync + 'static) -> Peer {
    let config = Arc::new(config);
    Peer::start(move |conn, index| {
        let mut session = Session::new(conn, &config);
        match session.shake_hands() {
            Ok(tickets) => {
                session.conn.send(tickets);
                script(&mut session, index);
            }
            Err(error) => session.conn.note(error),
        }
    })
}

/// A peer that answers every request with the same bytes.
pub(crate) fn answering(config: ServerConfig, answer: impl Into<Vec<u8>>) -> Peer {
    let answer = answer.into();
    serve(config, move |session, _| {
        while session.request().is_some() {
            session.send(&answer);
        }
    })
}

/// A peer whose side of the handshake comes byte by byte, with this between.
pub(crate) fn dripping(config: ServerConfig, gap: Duration) -> Peer {
    let config = Arc::new(config);
    Peer::start(move |conn, _| {
        let mut session = Session::new(conn, &config);
        let hello = session.conn.read_some();
        session.tls.read_tls(&mut &hello[..]).expect("a hello");
        session.tls.process_new_packets().expect("a sound hello");
        let flight = session.outgoing();
        session.conn.drip(flight, gap);
    })
}

impl Session {
    pub(crate) fn new(conn: Conn, config: &Arc<ServerConfig>) -> Session {
        let tls = ServerConnection::new(config.clone()).expect("a sound config");
        Session { tls, conn, received: Vec::new() }
    }

    /// The handshake; returns what the server sends right after it (the tickets), unsent.
    pub(crate) fn shake_hands(&mut self) -> Result<Vec<u8>, String> {
        loop {
            let out = self.outgoing();
            if !self.tls.is_handshaking() {
                return Ok(out);
            }
            self.conn.send(out);
            self.receive()?;
        }
    }

    /// What is to be sent next, as bytes.
    pub(crate) fn outgoing(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out).expect("a vector takes all");
        }
        out
    }

    /// This plaintext as TLS records, unsent.
    pub(crate) fn records(&mut self, plain: impl AsRef<[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        for part in plain.as_ref().chunks(16 * 1024) {
            self.tls.writer().write_all(part).expect("rustls takes a record");
            out.extend(self.outgoing());
        }
        out
    }

    pub(crate) fn send(&mut self, plain: impl AsRef<[u8]>) -> bool {
        let records = self.records(plain);
        self.conn.send(records)
    }

    /// The connection, and what makes records for it that rustls would not: of TLS 1.2, whose config
    /// must have `enable_secret_extraction`.
    pub(crate) fn take_over(self) -> (Conn, impl FnMut(ContentType, &[u8]) -> Vec<u8>) {
        let Some(SupportedCipherSuite::Tls12(suite)) = self.tls.negotiated_cipher_suite() else {
            panic!("this is not TLS 1.2");
        };
        let (mut sequence, secrets) = self.tls.dangerous_extract_secrets().expect("the config lets us").tx;
        let (key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => panic!("an unknown cipher"),
        };
        let (fixed, explicit) = iv.as_ref().split_at(suite.aead_alg.key_block_shape().fixed_iv_len);
        let mut encrypter = suite.aead_alg.encrypter(key, fixed, explicit);
        let record = move |typ, content: &[u8]| {
            let payload = OutboundChunks::Single(content);
            let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
            let record = encrypter.encrypt(message, sequence).expect("a small record");
            sequence += 1;
            record.encode()
        };
        (self.conn, record)
    }

    /// The alert that ends the stream, unsent.
    pub(crate) fn goodbye(&mut self) -> Vec<u8> {
        self.tls.send_close_notify();
        self.outgoing()
    }

    /// One read from the client. The error is the end of all.
    fn receive(&mut self) -> Result<(), String> {
        let arrived = self.conn.read_some();
        let mut rest = &arrived[..];
        if rest.is_empty() {
            return Err("the client has closed".to_owned());
        }
        while !rest.is_empty() {
            if self.tls.read_tls(&mut rest).map_err(|error| error.to_string())? == 0 {
                return Err("bytes came after the client's close_notify".to_owned());
            }
            if let Err(error) = self.tls.process_new_packets() {
                let alert = self.outgoing();
                self.conn.send(alert);
                return Err(error.to_string());
            }
            let mut plain = Vec::new();
            let _ = self.tls.reader().read_to_end(&mut plain); // WouldBlock, when all was read
            self.received.extend(plain);
        }
        Ok(())
    }

    /// A request's head, and its body by Content-Length. None at the end.
    pub(crate) fn request(&mut self) -> Option<String> {
        let head = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.receive().ok()?;
        };
        let text = String::from_utf8_lossy(&self.received[..head]).into_owned();
        let length = text.to_ascii_lowercase();
        let length = length.split_once("content-length: ").map_or("0", |(_, rest)| rest);
        let length: usize = length.split("\r\n").next().unwrap_or("0").parse().expect("a number");
        while self.received.len() < head + length {
            self.receive().ok()?;
        }
        let request = self.received.drain(..head + length).collect();
        Some(String::from_utf8(request).expect("the tests send text"))
    }

    /// Reads until this many bytes have arrived beyond the requests taken. False at the end.
    pub(crate) fn read_more(&mut self, bytes: usize) -> bool {
        let enough = self.received.len() + bytes;
        while self.received.len() < enough {
            if self.receive().is_err() {
                return false;
            }
        }
        true
    }

    /// Sends back what has come and was not asked for. False at the end.
    pub(crate) fn echo(&mut self) -> bool {
        if self.received.is_empty() && self.receive().is_err() {
            return false;
        }
        let bytes = std::mem::take(&mut self.received);
        self.send(bytes) && !self.has_client_closed()
    }

    /// The same, in records of one byte each, sent byte by byte.
    pub(crate) fn echo_in_single_bytes(&mut self) -> bool {
        if self.received.is_empty() && self.receive().is_err() {
            return false;
        }
        for byte in std::mem::take(&mut self.received) {
            let record = self.records([byte]);
            self.conn.send_bytewise(record);
        }
        !self.has_client_closed()
    }

    /// Passes on to `to` what comes, in the clear, and back what is answered, in records of a size
    /// that nothing else has. Until the client ends.
    pub(crate) fn relay(&mut self, to: SocketAddr) {
        const RECORD_BYTES: usize = 701;

        let mut far = TcpStream::connect(to).expect("where the relay leads");
        far.write_all(&std::mem::take(&mut self.received)).expect("it listens");
        let tls = Mutex::new(&mut self.tls);
        let inward = |mut bytes: &[u8]| {
            let mut tls = tls.lock().expect("no panic");
            let mut plain = Vec::new();
            while !bytes.is_empty() && tls.read_tls(&mut bytes).is_ok() && tls.process_new_packets().is_ok() {
                let _ = tls.reader().read_to_end(&mut plain); // WouldBlock, when all was read
            }
            plain
        };
        let outward = |bytes: &[u8]| {
            let mut tls = tls.lock().expect("no panic");
            let mut records = Vec::new();
            if bytes.is_empty() {
                tls.send_close_notify();
            }
            for part in bytes.chunks(RECORD_BYTES) {
                tls.writer().write_all(part).expect("rustls takes a record");
                tls.write_tls(&mut records).expect("a vector takes all");
            }
            while tls.wants_write() {
                tls.write_tls(&mut records).expect("a vector takes all");
            }
            records
        };
        self.conn.relay(&far, inward, outward);
    }

    /// Returns whether the client's close_notify has arrived.
    fn has_client_closed(&mut self) -> bool {
        matches!(self.tls.reader().read(&mut [0; 1]), Ok(0))
    }

    /// Notes how a client that has closed did so.
    pub(crate) fn note_end(&mut self) {
        let is_orderly = self.has_client_closed();
        self.conn.note(if is_orderly { "goodbye" } else { "cut" });
    }

    /// Returns whether the client ends its side with close_notify.
    pub(crate) fn client_says_goodbye(&mut self) -> bool {
        loop {
            if self.receive().is_err() {
                return false;
            }
            if self.has_client_closed() {
                return true;
            }
        }
    }
}
