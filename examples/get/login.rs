//! `-u`: how a user logs in.
//!
//! Basic auth is sent at once. Digest needs the server's challenge first; longwire does both requests by itself
//! then, and keeps what it has learned for the next ones. With `--anyauth` the first answer decides.

use longwire::{Client, RequestBuilder, Response};

use super::failure::Failure;
use super::options::{Auth, Options};
use super::request::{self, Target};

/// As much is read of the page of a 401, before the request is sent again.
const ERROR_PAGE_BYTES_MAX: u64 = 64 * 1024;

/// How a user logs in.
#[derive(Clone, Copy)]
pub(crate) enum Login {
    Basic,
    #[cfg(feature = "digest")]
    Digest,
}

impl Login {
    pub(crate) fn add_to<'b>(
        self,
        request: RequestBuilder<'b>,
        user: &str,
        password: Option<&str>,
    ) -> RequestBuilder<'b> {
        match self {
            Self::Basic => request.basic_auth(user, password),
            #[cfg(feature = "digest")]
            Self::Digest => request.digest_auth(user, password.unwrap_or_default()),
        }
    }
}

/// The request that is sent first: without a login where the server is to choose one.
pub(crate) fn request_of(
    client: &Client,
    options: &Options,
    target: &Target<'_>,
) -> Result<RequestBuilder<'static>, Failure> {
    let login = match options.auth {
        Auth::Basic => Some(Login::Basic),
        #[cfg(feature = "digest")]
        Auth::Digest => Some(Login::Digest),
        _ => None,
    };
    request::request_of(client, options, target, login)
}

/// Sends the request, and with `--anyauth` once more if the server asks for a login.
pub(crate) fn send(client: &Client, options: &Options, target: &Target<'_>) -> Result<Response, Failure> {
    let response = request_of(client, options, target)?.send()?;
    // The password is for the URL's own server, and not what another one asks for after a redirect.
    let is_elsewhere = response.redirects().first().is_some_and(|first| first.origin() != response.url().origin());
    if options.auth != Auth::Any || options.user.is_none() || response.status() != 401 || is_elsewhere {
        return Ok(response);
    }
    let Some(login) = asked_for(&response) else { return Ok(response) };
    if target.upload == Some("-") {
        return Err(Failure::Setting(65, "standard input cannot be sent a second time, with a login".to_owned()));
    }
    let _ = response.into_body().limit(ERROR_PAGE_BYTES_MAX).bytes(); // read to its end, the connection is kept
    Ok(request::request_of(client, options, target, Some(login))?.send()?)
}

/// The best login of those that a 401 offers (RFC 9110, section 11.6.1).
fn asked_for(response: &Response) -> Option<Login> {
    let challenges = response.headers().get_all("WWW-Authenticate").map(String::from_utf8_lossy);
    let offered: String = challenges.map(|value| without_quoted(&value) + ",").collect();
    // The first word behind a comma: the name of a scheme, or a parameter of the one before.
    let words: Vec<_> = offered.split(',').filter_map(|part| part.split_whitespace().next()).collect();
    let offers = |scheme: &str| words.iter().any(|word| word.eq_ignore_ascii_case(scheme));
    #[cfg(feature = "digest")]
    if offers("Digest") {
        return Some(Login::Digest);
    }
    offers("Basic").then_some(Login::Basic)
}

/// The value of a field without its quoted strings (RFC 9110, section 5.6.4): a comma in one separates nothing.
fn without_quoted(value: &str) -> String {
    let unescaped = value.replace(r"\\", "").replace(r#"\""#, "");
    unescaped.split('"').step_by(2).collect()
}
