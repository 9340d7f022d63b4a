//! Forms with files: `multipart/form-data` (RFC 7578, and the multipart/form-data encoding algorithm of the
//! WHATWG HTML standard).
//!
//! A form becomes one chain of bodies: the head of a part, its content, the head of the next part, and so on
//! to the closing delimiter. How a chain is sent, and sent again, is not known here.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::client::request_builder::RequestBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::message::request::{Request, foreign_content_type};
use crate::message::send_body::SendBody;
use crate::random;

/// A form of fields and files, for [`RequestBuilder::multipart`].
///
/// Parts are sent in the order in which they were added; names may repeat. `Debug` shows names and lengths,
/// never the content of a part.
///
/// The names of fields and files are sent as browsers send them, in UTF-8: CR, LF and `"` become `%0D`, `%0A`
/// and `%22`, and nothing else is escaped, so no name can end its line or begin another part. In the name of a
/// field each line break, be it CR, LF or both, is CRLF first. The value of a field is sent as it is, byte for
/// byte; browsers turn its line breaks into CRLF, too.
///
/// ```no_run
/// use longwire::Client;
/// use longwire::multipart::{Form, Part};
///
/// let form = Form::new()
///     .text("title", "A cat")
///     .text("year", 2024)
///     .file("photo", "cat.jpg")?
///     .part("notes", Part::bytes("# Cats").file_name("notes.md").content_type("text/markdown"));
/// let response = Client::new().post("http://example.com/upload").multipart(form).send()?;
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias("multipart.Writer", "MultipartEncoder", "MultipartBuilder", "FormData"))]
#[derive(Debug, Default)]
#[must_use]
pub struct Form<'b> {
    /// Each with the name of its field.
    parts: Vec<(String, Part<'b>)>,
}

impl<'b> Form<'b> {
    /// Creates a form without parts. Sent so, it is the closing delimiter alone, as from a browser, and not
    /// every parser takes it (RFC 2046 §5.1.1 wants at least one part).
    pub const fn new() -> Form<'b> {
        Form { parts: Vec::new() }
    }

    /// Adds a field of text: what [`Part::text`] makes of `value`.
    #[doc(alias = "WriteField")]
    pub fn text(self, name: &str, value: impl Display) -> Form<'b> {
        self.part(name, Part::text(value))
    }

    /// Adds a file: what [`Part::file`] makes of `path`.
    ///
    /// # Errors
    /// As [`Part::file`].
    #[doc(alias = "CreateFormFile")]
    pub fn file(self, name: &str, path: impl AsRef<Path>) -> Result<Form<'b>> {
        Ok(self.part(name, Part::file(path)?))
    }

    /// Adds a part. The name may be empty.
    pub fn part(mut self, name: &str, part: impl Into<Part<'b>>) -> Form<'b> {
        self.parts.push((name.to_owned(), part.into()));
        self
    }

    /// The form as a body, bound to its `Content-Type`; or the first mistake of its parts.
    fn into_body(self) -> Result<(SendBody<'b>, String)> {
        let boundary = boundary();
        let mut chain = Vec::with_capacity(2 * self.parts.len() + 1);
        let mut head = Vec::new();
        for (name, part) in self.parts {
            if let Some(error) = part.deferred_error {
                return Err(error);
            }
            put(&mut head, &["--", &boundary, "\r\nContent-Disposition: form-data; name=\""]);
            put_escaped(&mut head, &with_crlf(&name));
            put_fields(&mut head, part.file_name.as_deref(), &part.headers);
            chain.extend([SendBody::from(head), part.body]);
            head = Vec::from(b"\r\n");
        }
        put(&mut head, &["--", &boundary, "--\r\n"]);
        chain.push(head.into());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Ok((SendBody::chain(chain).bound_to(&content_type), content_type))
    }
}

/// One part of a [`Form`]: its content, and what its head says of it.
///
/// A part with a file name is sent as `application/octet-stream` unless another type is set; no type is
/// guessed from the name. A part without one has no `Content-Type` of its own.
///
/// The first mistake is kept and returned when the request is built or sent.
///
/// ```
/// use longwire::multipart::{Form, Part};
///
/// let json = Part::text(r#"{"colour":"black"}"#).content_type("application/json");
/// let stream = Part::reader(std::io::Cursor::new("sent in chunks")).file_name("log.txt");
/// let form = Form::new().part("about", json).part("log", stream);
/// assert!(!format!("{form:?}").contains("black"));
/// ```
#[derive(Debug)]
#[must_use]
pub struct Part<'b> {
    body: SendBody<'b>,
    file_name: Option<String>,
    headers: Headers,
    deferred_error: Option<Error>,
}

impl<'b> Part<'b> {
    /// Creates a part of text in UTF-8: `value` as it is displayed. It is copied; a long text is better
    /// borrowed, as [`bytes`](Part::bytes).
    pub fn text(value: impl Display) -> Part<'b> {
        SendBody::from(value.to_string()).into()
    }

    /// Creates a part of bytes or text, borrowed or owned.
    pub fn bytes(bytes: impl Into<SendBody<'b>>) -> Part<'b> {
        bytes.into().into()
    }

    /// Opens a file and creates a part of it, with the last component of `path` as file name (where that is
    /// not Unicode, with U+FFFD in it). A regular file is sent with the length that it has now; if it is
    /// shorter when it is read, the request fails with [`ErrorKind::Body`] and its connection is closed.
    /// What has no length (a pipe, a device) is read to its end, and makes the form one of unknown length.
    ///
    /// # Errors
    /// [`ErrorKind::Body`] if it cannot be opened, or is a directory.
    pub fn file(path: impl AsRef<Path>) -> Result<Part<'b>> {
        let path = path.as_ref();
        let about = || format!("the file {path:?}");
        let file = File::open(path).map_err(|error| Error::from_io(ErrorKind::Body, about(), error))?;
        let body = SendBody::from(file);
        body.check().map_err(|error| error.context(ErrorKind::Body, &about()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Part::from(body).file_name(&name))
    }

    /// Creates a part of unknown length, read to its end. With it the form is sent in chunks, which not
    /// every server accepts, and cannot be sent again for a redirect or a retry.
    pub fn reader(reader: impl Read + Send + 'b) -> Part<'b> {
        SendBody::reader(reader).into()
    }

    /// Creates a part of exactly `length` bytes: see [`SendBody::sized_reader`].
    pub fn sized_reader(reader: impl Read + Send + 'b, length: u64) -> Part<'b> {
        SendBody::sized_reader(reader, length).into()
    }

    /// Sets the file name that is sent. Servers take a part with one for a file.
    pub fn file_name(mut self, name: &str) -> Part<'b> {
        self.file_name = Some(name.to_owned());
        self
    }

    /// Sets the part's `Content-Type`.
    pub fn content_type(self, media_type: &str) -> Part<'b> {
        self.header("Content-Type", media_type)
    }

    /// Adds a header field to the part's head; `Content-Type` replaces an earlier one. RFC 7578 §4.8 wants
    /// no others, and tells recipients to ignore them; some servers use `Content-ID`.
    ///
    /// Refused ([`ErrorKind::InvalidRequest`]) are names and values that break the grammar;
    /// `Content-Disposition`, which longwire writes from the names; and `Content-Transfer-Encoding`, which
    /// RFC 7578 §4.7 deprecates, since HTTP carries any bytes.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Part<'b> {
        if let Err(error) = add_field(&mut self.headers, name.as_ref(), value.as_ref()) {
            self.deferred_error.get_or_insert(error);
        }
        self
    }
}

impl<'b> From<SendBody<'b>> for Part<'b> {
    /// A part with this content, and without a file name.
    fn from(body: SendBody<'b>) -> Part<'b> {
        Part { body, file_name: None, headers: Headers::new(), deferred_error: None }
    }
}

impl<'b> Request<'b> {
    /// Sets a form as the body, and its `Content-Type: multipart/form-data` with the boundary between the
    /// parts: see [`RequestBuilder::multipart`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for the first mistake in a part, and if a `Content-Type` is set;
    /// then nothing has changed.
    pub fn set_multipart(&mut self, form: Form<'b>) -> Result<()> {
        let of_an_earlier_form = self.body().content_type().map(str::as_bytes);
        if self.headers().contains("content-type") && self.headers().get_bytes("content-type") != of_an_earlier_form {
            return Err(foreign_content_type());
        }
        let (body, content_type) = form.into_body()?;
        self.set_header("Content-Type", content_type)?;
        self.set_body(body);
        Ok(())
    }
}

impl<'b> RequestBuilder<'b> {
    /// Sets a body of form fields and files, and its `Content-Type: multipart/form-data` with the boundary
    /// between the parts. A `Content-Type` set by hand, before or after, is
    /// [`ErrorKind::InvalidRequest`].
    ///
    /// It is sent with a `Content-Length` if the lengths of all parts are known, and else in chunks. It can
    /// be sent again, for a redirect (307, 308) or a retry, if all parts can: those of bytes and files.
    ///
    /// ```no_run
    /// use longwire::multipart::Form;
    ///
    /// let form = Form::new().text("name", "lamp").file("manual", "lamp.pdf")?;
    /// longwire::Client::new().post("http://example.com/items").multipart(form).send()?;
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias("--form", "-F", "files"))]
    pub fn multipart(self, form: Form<'b>) -> RequestBuilder<'b> {
        self.step(|request| request.set_multipart(form))
    }
}

fn add_field(headers: &mut Headers, name: &str, value: &[u8]) -> Result<()> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("content-disposition") {
        let what = "Content-Disposition of a part is written from its names: Form::part, Part::file_name";
        return Err(Error::new(ErrorKind::InvalidRequest, what));
    }
    if is("content-transfer-encoding") {
        let what = "Content-Transfer-Encoding is not for parts of a form, which are sent as they are (RFC 7578 §4.7)";
        return Err(Error::new(ErrorKind::InvalidRequest, what));
    }
    if is("content-type") { headers.insert(name, value) } else { headers.append(name, value) }
}

/// Ends the field `Content-Disposition`, whose last name is open, and writes the others.
fn put_fields(head: &mut Vec<u8>, file_name: Option<&str>, headers: &Headers) {
    if let Some(file_name) = file_name {
        put(head, &["\"; filename=\""]);
        put_escaped(head, file_name);
    }
    put(head, &["\"\r\n"]);
    if file_name.is_some() && !headers.contains("content-type") {
        put(head, &["Content-Type: application/octet-stream\r\n"]);
    }
    for (name, value) in headers.iter() {
        put(head, &[name.as_bytes(), b": ", value, b"\r\n"]);
    }
    put(head, &["\r\n"]);
}

fn put<P: AsRef<[u8]>>(head: &mut Vec<u8>, pieces: &[P]) {
    pieces.iter().for_each(|piece| head.extend_from_slice(piece.as_ref()));
}

/// Appends a name, in which exactly CR, LF and the quotation mark are escaped.
fn put_escaped(head: &mut Vec<u8>, name: &str) {
    for byte in name.bytes() {
        match byte {
            b'\r' => put(head, &["%0D"]),
            b'\n' => put(head, &["%0A"]),
            b'"' => put(head, &["%22"]),
            byte => head.push(byte),
        }
    }
}

/// The name of a field with CRLF for each of its line breaks.
fn with_crlf(name: &str) -> String {
    name.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// A boundary that nobody can guess, of 96 bits. All its characters may stand unquoted in a Content-Type.
fn boundary() -> String {
    format!("longwire-{:016x}{:08x}", random::bits(), random::bits() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_24_digits_and_never_the_same() {
        let (one, other) = (boundary(), boundary());
        for boundary in [&one, &other] {
            let digits = boundary.strip_prefix("longwire-").unwrap();
            assert_eq!(digits.len(), 24, "{boundary}");
            assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{boundary}");
        }
        assert_ne!(one, other);
        assert_ne!(one[..17], other[..17]);
    }
}
