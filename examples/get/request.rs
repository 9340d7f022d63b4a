//! From options to a request: its method, its URL, its fields and its body.
//!
//! Nothing is sent here. A mistake in a field or in the URL is kept by the builder, and comes out of `send`.

use std::path::Path;
use std::time::Duration;

use longwire::{Client, Error, ErrorKind, Method, RequestBuilder, Retry, Url};

use super::data;
use super::failure::Failure;
use super::form;
use super::login::Login;
use super::options::{Field, Options};

/// Statuses after which curl sends a request again, and how long it waits; it takes the whole of each wait.
const RETRY_STATUSES: [u16; 6] = [408, 429, 500, 502, 503, 504];
const RETRY_WAIT: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(600);

/// One URL of the command line, and what goes there and comes from there.
pub(crate) struct Target<'o> {
    pub(crate) url: &'o str,
    /// The file that is sent there.
    pub(crate) upload: Option<&'o str>,
}

/// What is sent as the body.
enum Payload<'o> {
    None,
    /// `-d`.
    Data,
    /// `-F`.
    Form,
    /// `-T`.
    Upload(&'o str),
}

/// The request that the options describe for this URL.
pub(crate) fn request_of(
    client: &Client,
    options: &Options,
    target: &Target<'_>,
    login: Option<Login>,
) -> Result<RequestBuilder<'static>, Failure> {
    let payload = match target.upload {
        Some(path) => Payload::Upload(path),
        None if !options.form.is_empty() => Payload::Form,
        None if !options.data.is_empty() && !options.data_in_query => Payload::Data,
        None => Payload::None,
    };
    let method = match (&options.method, &payload) {
        (Some(method), _) => Method::new(method)?,
        (None, _) if options.head => Method::HEAD,
        (None, Payload::None) => Method::GET,
        (None, Payload::Data | Payload::Form) => Method::POST,
        (None, Payload::Upload(_)) => Method::PUT,
    };
    let mut request = client.request(method, url_of(options, target)?);
    if let (Some((user, password)), Some(login)) = (&options.user, login) {
        request = login.add_to(request, user, password.as_deref());
    }
    for (name, value) in fields_of(options, &payload) {
        request = request.header(name, value);
    }
    if let Some(limit) = options.max_time {
        request = request.timeout(limit);
    }
    if let Some(count) = options.retry {
        let policy = Retry::new(count).statuses(&RETRY_STATUSES).backoff(RETRY_WAIT, RETRY_WAIT_MAX);
        request = request.retry(policy.max_wait(RETRY_WAIT_MAX).without_budget());
    }
    match payload {
        Payload::None => Ok(request),
        Payload::Data => Ok(request.body(data::body(&options.data)?)),
        Payload::Form => Ok(request.multipart(form::form(&options.form)?)),
        Payload::Upload(path) => Ok(request.body(data::upload(path)?)),
    }
}

/// The URL, with what `-G` and `-T` add to it.
fn url_of(options: &Options, target: &Target<'_>) -> Result<String, Failure> {
    let file_name = target.upload.filter(|path| *path != "-").and_then(|path| Path::new(path).file_name()?.to_str());
    if !options.data_in_query && file_name.is_none() {
        return Ok(target.url.to_owned());
    }
    let mut url = parse(target.url)?;
    if options.data_in_query {
        let query = data::query(&options.data)?;
        let query = url.query().map_or(query.clone(), |given| format!("{given}&{query}"));
        url.set_query(Some(&query));
    }
    if let Some(name) = file_name.filter(|_| url.path().ends_with('/')) {
        // A folder: the file goes there under its own name.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
    }
    Ok(url.into())
}

/// The error does not show the URL, which may have a password in it.
pub(crate) fn parse(url: &str) -> Result<Url, Failure> {
    let refuse = |error| Error::new(ErrorKind::InvalidUrl, format!("the URL does not parse: {error}"));
    Ok(Url::parse(url).map_err(refuse)?)
}

/// What the options send by themselves, where no `-H` replaces it or leaves it out; then what `-H` says.
fn fields_of(options: &Options, payload: &Payload<'_>) -> Vec<(String, String)> {
    let content_type = match payload {
        Payload::Data if options.json => Some("application/json"),
        Payload::Data => Some("application/x-www-form-urlencoded"),
        Payload::None | Payload::Form | Payload::Upload(_) => None,
    };
    let cookies = (!options.cookies.is_empty()).then(|| options.cookies.join("; "));
    let own = [
        ("Content-Type", content_type.map(str::to_owned)),
        ("Accept", options.json.then(|| "application/json".to_owned())),
        ("Cookie", cookies),
        ("Range", options.range.as_ref().map(|range| format!("bytes={range}"))),
        ("Referer", options.referer.clone()),
    ];
    let is_given = |name: &str| options.headers.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in own {
        fields.extend(value.filter(|_| !is_given(name)).map(|value| (name.to_owned(), value)));
    }
    for field in &options.headers {
        // longwire's own User-Agent is left out by an empty one.
        let is_left_out = field.value.is_none() && !field.name.eq_ignore_ascii_case("User-Agent");
        if !is_left_out && !is_forms_own(field, payload) {
            fields.push((field.name.clone(), field.value.clone().unwrap_or_default()));
        }
    }
    fields
}

/// A form brings its Content-Type, which says where its parts end. People write it by hand nevertheless.
fn is_forms_own(field: &Field, payload: &Payload<'_>) -> bool {
    let is_form = field.value.as_ref().is_some_and(|value| value.eq_ignore_ascii_case("multipart/form-data"));
    matches!(payload, Payload::Form) && field.name.eq_ignore_ascii_case("Content-Type") && is_form
}
