//! `-F`: the fields of a form, and the files in it (`multipart/form-data`).
//!
//! Files stay on the disk, as those of `--data-binary` do. How a form is written is longwire's to know.

use std::path::Path;

use longwire::multipart::{Form, Part};

use super::data::Source;
use super::failure::Failure;

/// One `-F`.
pub(crate) struct FormField {
    name: String,
    source: Source,
    file_name: Option<String>,
    content_type: Option<String>,
}

impl FormField {
    /// `NAME=TEXT`, `NAME=@FILE` (a file) or `NAME=<FILE` (its text); then perhaps `;type=TYPE` and
    /// `;filename=NAME`. A text, path or name with a semicolon in it is quoted.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |what: String| Failure::Usage(what);
        let (name, content) = text.split_once('=').ok_or_else(|| refuse(format!("{text:?} is not NAME=CONTENT")))?;
        let is_file = content.starts_with('@');
        let path = content.strip_prefix(['@', '<']);
        let (word, mut rest) = word(path.unwrap_or(content));
        let source = if path.is_some() { Source::file(&word)? } else { Source::Bytes(word.clone().into()) };
        let own_name = || Path::new(&word).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut field = Self { name: name.to_owned(), source, file_name: is_file.then(own_name), content_type: None };
        while let Some(parameter) = rest.strip_prefix(';') {
            let parameter = parameter.trim_start();
            if let Some(name) = parameter.strip_prefix("filename=") {
                let (name, after) = self::word(name);
                (field.file_name, rest) = (Some(name), after);
                continue;
            }
            let (value, after) = parameter.split_at(parameter.find(';').unwrap_or(parameter.len()));
            match (value.strip_prefix("type="), &mut field.content_type) {
                (Some(media_type), _) => field.content_type = Some(media_type.to_owned()),
                (None, Some(media_type)) => *media_type += &format!("; {value}"), // its charset, say
                (None, None) => return Err(refuse(format!("{value:?}: a text with a semicolon is quoted"))),
            }
            rest = after;
        }
        match rest {
            "" => Ok(field),
            _ => Err(refuse(format!("{rest:?} follows a quoted text"))),
        }
    }

    fn part(&self) -> Result<Part<'static>, Failure> {
        let mut part = Part::bytes(self.source.body()?);
        if let Some(name) = &self.file_name {
            part = part.file_name(name);
        }
        if let Some(media_type) = &self.content_type {
            part = part.content_type(media_type);
        }
        Ok(part)
    }
}

/// All fields as one form.
pub(crate) fn form(fields: &[FormField]) -> Result<Form<'static>, Failure> {
    fields.iter().try_fold(Form::new(), |form, field| Ok(form.part(&field.name, field.part()?)))
}

/// What stands before the first semicolon, or in quotes (with `\"` and `\\` in it), and what follows it.
fn word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut chars = text.strip_prefix('"').unwrap_or_default().chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return (word, chars.as_str()),
            '\\' if chars.as_str().starts_with(['"', '\\']) => word.extend(chars.next()),
            _ => word.push(char),
        }
    }
    // There is no quote, or only one.
    let (word, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    (word.to_owned(), rest)
}
