//! What a server in memory is to do, and what has happened: shared by the script and its connections.
//!
//! How a reply is sent is not known here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ext::script::reply::Reply;
use crate::ext::script::seen::{Entry, Seen};

/// What stands behind a rule.
pub(super) trait Answer: Send + Sync {
    /// Returns the reply to a request whose head has come, if it does not take the whole request to find it.
    fn at_head(&self, request: &Seen) -> Option<Reply>;

    /// Returns the reply to a request that has come whole; or why there is none.
    fn at_end(&self, request: &Seen) -> Result<Reply, String>;

    /// Returns what is left to be asked for, once the rule was used.
    fn unused(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Answer for Reply {
    fn at_head(&self, _: &Seen) -> Option<Reply> {
        Some(self.clone())
    }

    fn at_end(&self, _: &Seen) -> Result<Reply, String> {
        Ok(self.clone())
    }
}

/// How bytes are moved.
#[derive(Clone, Copy)]
pub(super) struct Transport {
    pub(super) read_bytes_max: usize,
    pub(super) write_bytes_max: usize,
}

#[derive(Default)]
pub(super) struct History {
    pub(super) opened: usize,
    pub(super) closed: usize,
    pub(super) requests: Vec<Entry>,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    /// Requests that no rule was for.
    pub(super) unmatched: Vec<String>,
}

pub(super) struct State {
    /// Of connections that are to be opened.
    pub(super) lists: VecDeque<List>,
    /// Those of open ones, and of ones that were.
    pub(super) opened_lists: Vec<List>,
    rules: Vec<Rule>,
    /// The one that was added, or added to, last.
    last_rule: usize,
    pub(super) transport: Transport,
    pub(super) keeps_record: bool,
    pub(super) history: History,
}

/// What one connection does.
#[derive(Clone, Debug)]
pub(super) enum List {
    Refuse,
    /// Sends this unasked, and then answers by the list.
    Accept {
        greeting: Option<Reply>,
        exchanges: VecDeque<Reply>,
    },
}

struct Rule {
    pattern: String,
    /// One after the other; the last again and again.
    answers: Vec<Arc<dyn Answer>>,
    given: usize,
}

pub(super) struct Plan(Mutex<State>);

/// The reply to a request, or how to find it once the request has come whole.
pub(super) enum Decision {
    Reply(Reply),
    Later(Arc<dyn Answer>),
}

impl Plan {
    pub(super) fn new() -> Plan {
        let transport = Transport { read_bytes_max: usize::MAX, write_bytes_max: usize::MAX };
        Plan(Mutex::new(State {
            lists: VecDeque::new(),
            opened_lists: Vec::new(),
            rules: Vec::new(),
            last_rule: 0,
            transport,
            keeps_record: true,
            history: History::default(),
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds what answers a request that no list has a reply for.
    pub(super) fn decide(&self, request: &Seen) -> Decision {
        let mut state = self.lock();
        let Some(rule) = state.rules.iter_mut().find(|rule| matches(&rule.pattern, request)) else {
            let what = state.describe_unmatched(request);
            drop(state);
            return Decision::Reply(self.unmatched(request, what));
        };
        let answer = rule.answers[rule.given.min(rule.answers.len() - 1)].clone();
        rule.given += 1;
        drop(state);
        match answer.at_head(request) {
            Some(reply) => Decision::Reply(reply),
            None => Decision::Later(answer),
        }
    }

    /// Answers a request that has come whole. It may take its time, and ask the script.
    pub(super) fn answer(&self, answer: &dyn Answer, request: &Seen) -> Reply {
        answer.at_end(request).unwrap_or_else(|what| self.unmatched(request, what))
    }

    fn unmatched(&self, request: &Seen, what: String) -> Reply {
        self.lock().history.unmatched.push(request.shown_line());
        Reply::unmatched(what)
    }
}

impl State {
    pub(super) fn add_answer(&mut self, pattern: &str, answer: Arc<dyn Answer>) {
        let known = self.rules.iter().position(|rule| rule.pattern == pattern);
        self.last_rule = known.unwrap_or(self.rules.len());
        match known {
            Some(known) => self.rules[known].answers.push(answer),
            None => self.rules.push(Rule { pattern: pattern.to_owned(), answers: vec![answer], given: 0 }),
        }
    }

    /// Takes the next reply off the list of a connection.
    pub(super) fn next_listed(&mut self, list: usize) -> Option<Reply> {
        match self.opened_lists.get_mut(list) {
            Some(List::Accept { exchanges, .. }) => exchanges.pop_front(),
            Some(List::Refuse) | None => None,
        }
    }

    /// Puts a request into the record, if one is kept.
    pub(super) fn note_request(&mut self, request: Entry) {
        if self.keeps_record {
            self.history.requests.push(request);
        }
    }

    /// Adds a reply to the rule that was added to last.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn add_reply(&mut self, reply: Reply) {
        let rule = self.rules.get_mut(self.last_rule).expect("a reply is added to a rule, and there is none");
        rule.answers.push(Arc::new(reply));
    }

    pub(super) fn patterns(&self) -> Vec<&str> {
        self.rules.iter().map(|rule| &*rule.pattern).collect()
    }

    fn describe_unmatched(&self, request: &Seen) -> String {
        let line = request.shown_line();
        let likeness = |rule: &&Rule| {
            let (method, target) = split(&rule.pattern);
            let seen = if target.contains("://") { &request.url() } else { request.target() };
            let common = target.bytes().zip(seen.bytes()).take_while(|(one, other)| one == other).count();
            (common, method == request.method())
        };
        match self.rules.iter().max_by_key(likeness) {
            Some(rule) => format!("no rule of the script is for {line}; the nearest is for \"{}\"", rule.pattern),
            None => format!("no rule of the script is for {line}: it has none"),
        }
    }

    /// Returns what was not asked for, and what was without a rule for it.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let mut found = Vec::new();
        for Rule { pattern, answers, given } in &self.rules {
            match (given, answers.len()) {
                (0, _) => found.push(format!("not asked for: {pattern}")),
                (given, count) if *given < count => found.push(format!("{given} of {count} replies given: {pattern}")),
                _ => found.extend(answers.iter().flat_map(|answer| answer.unused())),
            }
        }
        for list in &self.opened_lists {
            if let List::Accept { exchanges, .. } = list {
                found.extend(
                    (!exchanges.is_empty()).then(|| format!("replies left on a connection: {}", exchanges.len())),
                );
            }
        }
        found.extend((!self.lists.is_empty()).then(|| format!("connections not opened: {}", self.lists.len())));
        found.extend(self.history.unmatched.iter().map(|line| format!("no rule for: {line}")));
        found
    }
}

/// The method of a pattern, or `*`, and its target.
fn split(pattern: &str) -> (&str, &str) {
    pattern.split_once(' ').unwrap_or(("*", pattern))
}

fn matches(pattern: &str, request: &Seen) -> bool {
    let (method, target) = split(pattern);
    let url;
    let seen = if target.contains("://") {
        url = request.url();
        &url
    } else {
        request.target()
    };
    let fits = match target.strip_suffix('*') {
        Some(start) => seen.starts_with(start),
        None => seen == target,
    };
    fits && (method == "*" || method == request.method())
}
