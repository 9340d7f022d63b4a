//! A reader of XML, as strict as well-formedness wants it (XML 1.0 §2), for what the pictures use: elements,
//! attributes in double quotes, text, and the entities that are always there.

/// An element: its name, its attributes, and the text directly in it.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Returns all elements in the order in which they begin.
///
/// # Panics
/// If the text is not well-formed.
#[track_caller]
pub(crate) fn elements(document: &str) -> Vec<Element> {
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = document.trim_end();
    assert!(rest.starts_with('<'), "text before the root: {rest:.40}");
    while !rest.is_empty() {
        let Some(inside) = rest.strip_prefix('<') else {
            let (text, tag) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
            let parent = *open.last().expect("text outside of the root");
            found[parent].text += &unescaped(text);
            rest = tag;
            continue;
        };
        let end = inside.find('>').expect("a tag has an end");
        let tag = &inside[..end];
        rest = &inside[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().expect("an element to close");
            assert_eq!(found[closed].name, name);
            continue;
        }
        assert!(found.is_empty() || !open.is_empty(), "a second root: {tag}");
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        found.push(element(tag));
        if !is_empty {
            open.push(found.len() - 1);
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    found
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c));
    assert!(is_name(name), "a name: {tag}");
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("an attribute: {rest}"));
        let (value, behind) = behind.split_once('"').unwrap_or_else(|| panic!("a value: {rest}"));
        assert!(is_name(name) && !value.contains('<'), "{tag}");
        assert!(attributes.iter().all(|(other, _)| other != name), "twice: {name} in {tag}");
        attributes.push((name.to_owned(), unescaped(value)));
        rest = behind.strip_prefix(' ').unwrap_or_else(|| {
            assert!(behind.is_empty(), "a blank between attributes: {tag}");
            ""
        });
    }
    Element { name: name.to_owned(), attributes, text: String::new() }
}

fn unescaped(text: &str) -> String {
    let is_character = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(is_character), "no characters of XML: {text:?}");
    let mut parts = text.split('&');
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, behind) = part.split_once(';').unwrap_or_else(|| panic!("an entity: {text}"));
        unescaped.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => panic!("an unknown entity: {entity}"),
        });
        unescaped += behind;
    }
    unescaped
}

#[test]
fn what_is_not_well_formed_is_found() {
    let read = |text: &'static str| std::panic::catch_unwind(|| elements(text).len()).ok();
    assert_eq!(read("<a b=\"&lt;\" c=\"d\"><e/>f&amp;g</a>\n"), Some(2));
    for wrong in ["", "a", "<a>", "<a></b>", "<a/><b/>", "<a b=c/>", "<a b=\"c\"d=\"e\"/>", "<a b=\"1\" b=\"2\"/>"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
    for wrong in ["<a>&</a>", "<a>&nbsp;</a>", "<a>\u{1}</a>", "<a b=\"<\"/>", "<a/>b", "<a><</a>"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}
