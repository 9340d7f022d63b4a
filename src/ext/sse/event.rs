//! An event as the caller holds it, lent or owned. How it came about is not known here.

use std::fmt;

/// The type of an event that names none.
const DEFAULT_TYPE: &str = "message";

/// An event, lent by [`Events`](crate::sse::Events) or [`EventSource`](crate::sse::EventSource) until the next
/// one is asked for.
///
/// Bytes that are not UTF-8 have become U+FFFD, as the format wants it.
///
/// ```no_run
/// let mut events = longwire::get("http://example.com/feed")?.events()?;
/// while let Some(event) = events.next()? {
///     match event.event() {
///         "price" => println!("{}", event.data()),
///         other => println!("({other})"),
///     }
/// }
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Event<'e> {
    event: &'e str,
    data: &'e str,
    id: Option<&'e str>,
}

impl<'e> Event<'e> {
    /// An event whose type and ID may be empty, which is to have none.
    pub(crate) fn new(event: &'e str, data: &'e str, id: &'e str) -> Event<'e> {
        let event = if event.is_empty() { DEFAULT_TYPE } else { event };
        Event { event, data, id: Some(id).filter(|id| !id.is_empty()) }
    }

    /// Returns the event's type, which its last field `event` names; `"message"` without one.
    pub fn event(&self) -> &'e str {
        self.event
    }

    /// Returns the data: the values of the fields `data`, with LF between them. It may be empty.
    pub fn data(&self) -> &'e str {
        self.data
    }

    /// Returns the last event ID: this event's `id`, or else that of the last event before it that had one.
    /// `None` if there was none, or the server has set it back by an empty one.
    pub fn id(&self) -> Option<&'e str> {
        self.id
    }

    /// Returns a copy that may be kept.
    pub fn to_owned(&self) -> OwnedEvent {
        OwnedEvent { event: self.event.into(), data: self.data.into(), id: self.id.map(str::to_owned) }
    }
}

/// Data is shown by its length alone: it may be long, and private.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({:?}, {} bytes, id: {:?})", self.event, self.data.len(), self.id)
    }
}

/// An event that may be kept: what iterating over [`Events`](crate::sse::Events) gives.
///
/// ```no_run
/// use longwire::sse::OwnedEvent;
///
/// let events = longwire::get("http://example.com/feed")?.events()?;
/// let first: Vec<OwnedEvent> = events.into_iter().take(10).collect::<Result<_, _>>()?;
/// println!("{}", first[0].data());
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OwnedEvent {
    event: String,
    data: String,
    id: Option<String>,
}

impl OwnedEvent {
    /// Returns the event's type: see [`Event::event`].
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Returns the data: see [`Event::data`].
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Returns the last event ID: see [`Event::id`].
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the data alone.
    pub fn into_data(self) -> String {
        self.data
    }
}

impl From<Event<'_>> for OwnedEvent {
    fn from(event: Event<'_>) -> OwnedEvent {
        event.to_owned()
    }
}

/// As of an [`Event`].
impl fmt::Debug for OwnedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OwnedEvent { event, data, id } = self;
        Event { event, data, id: id.as_deref() }.fmt(f)
    }
}
