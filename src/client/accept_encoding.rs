//! Which content codings are asked for (RFC 9110 §12.5.3). A response is decoded only if this asked for
//! it: a caller who sends an Accept-Encoding gets what it brings.

use std::sync::LazyLock;

use crate::client::settings::Settings;
use crate::headers::Headers;
use crate::message::request::Request;
use crate::wire::coding::ACCEPTED;

/// The field, as that of a hop.
static FIELDS: LazyLock<Headers> = LazyLock::new(|| {
    let mut fields = Headers::new();
    let appended = fields.append("Accept-Encoding", ACCEPTED);
    debug_assert!(appended.is_ok(), "name and value are well formed");
    fields
});

/// Returns the field for this request, unless it is not to be sent: `decode` is off, the caller has one,
/// or a range is asked for, which is one of the coded representation and could not be decoded.
pub(crate) fn fields(
    request: &Request<'_>,
    headers: &Headers,
    kept: &Headers,
    settings: &Settings,
) -> Option<&'static Headers> {
    let is_wanted = request.options.decode.unwrap_or(settings.decode);
    let has = |name: &str| headers.contains(name) || kept.contains(name);
    (is_wanted && !has("accept-encoding") && !has("range")).then(|| &*FIELDS)
}

/// Returns whether a head with these fields asks for what is decoded here.
pub(crate) fn is_asked_for(fields: &Headers) -> bool {
    fields.get_bytes("accept-encoding") == Some(ACCEPTED.as_bytes())
}
