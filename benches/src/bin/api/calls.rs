//! The calls of an API, and how they are the works of a client.

use longwire_benches::client::Client;
use longwire_benches::server::JSON;
use serde::{Deserialize, Serialize};

use crate::works::ITEMS;

/// What a client of this bench does, in its own way.
pub trait Api: Clone + Send + 'static {
    fn list(&mut self, url: &str) -> List;

    /// Gives the answer's body, as does the next.
    fn send(&mut self, url: &str, list: &List) -> Vec<u8>;

    /// In a form with one more field, `TITLE`.
    fn upload(&mut self, url: &str, file: &[u8]) -> Vec<u8>;
}

const BESIDES_MAX: usize = 2048;

/// The name and the value of a form's text.
pub const TITLE: (&str, &str) = ("title", "a file");
/// The name of its file, and the file's own.
pub const FILE: (&str, &str) = ("file", "file.bin");

#[derive(Clone, Serialize, Deserialize)]
pub struct List {
    object: String,
    page: u32,
    per_page: u32,
    total: u32,
    next: String,
    items: Vec<Item>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Item {
    id: u32,
    sku: String,
    name: String,
    price: Price,
    stock: u32,
    tags: Vec<String>,
    updated: String,
    url: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Price {
    amount: String,
    currency: String,
}

/// Lists that are got and sent.
#[derive(Clone)]
pub struct Lists<A> {
    api: A,
    list: List,
}

impl<A> Lists<A> {
    pub fn new(api: A) -> Lists<A> {
        Lists { api, list: serde_json::from_str(JSON).expect("a list") }
    }
}

impl<A: Api> Client for Lists<A> {
    type Url = String;

    fn get(&mut self, url: &str, _: &mut [u8]) -> usize {
        let list = self.api.list(url);
        assert_eq!(list.items.len(), ITEMS);
        JSON.len()
    }

    fn post(&mut self, url: &str, _: &[u8]) -> Vec<u8> {
        sent_whole(JSON.len(), &self.api.send(url, &self.list))
    }
}

/// Files that are sent.
#[derive(Clone)]
pub struct Uploads<A>(pub A);

impl<A: Api> Client for Uploads<A> {
    type Url = String;

    fn get(&mut self, _: &str, _: &mut [u8]) -> usize {
        unreachable!("files are only sent")
    }

    fn post(&mut self, url: &str, file: &[u8]) -> Vec<u8> {
        sent_whole(file.len(), &self.0.upload(url, file))
    }
}

/// The answer is how many bytes came. What a client sends besides, blanks or the form, is its own affair.
fn sent_whole(bytes: usize, answer: &[u8]) -> Vec<u8> {
    let told: usize = std::str::from_utf8(answer).ok().and_then(|digits| digits.parse().ok()).expect("a number");
    assert!((bytes..bytes + BESIDES_MAX).contains(&told), "{told} bytes for {bytes}");
    bytes.to_string().into_bytes()
}
