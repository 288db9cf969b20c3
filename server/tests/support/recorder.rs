//! Plays requests to a broker and writes down what it answers, so that brokers can be compared.
//!
//! What differs from run to run — member ids, topic ids, addresses — is replaced by names.

use std::fmt::Write;

use wire::ErrorCode;
use wire::message::Api;

use super::{Client, PATIENCE};

/// A record of what was asked and answered.
pub struct Recorder {
    address: String,
    text: String,
    /// What stands for what in the text.
    names: Vec<(String, String)>,
}

impl Recorder {
    /// Records what the broker at an address answers.
    pub fn new(address: &str) -> Recorder {
        let port = address.rsplit(':').next().expect("a split has a first part");
        let names = vec![(format!("port: {port}"), "port: PORT".to_owned())];
        Recorder { address: address.to_owned(), text: String::new(), names }
    }

    /// A connection of its own, as every member that waits needs one.
    pub fn client(&self) -> Client {
        Client::connect(&self.address).expect("the broker takes connections")
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, title: &str) {
        writeln!(self.text, "\n# {title}").expect("a string takes text");
    }

    /// Lets a name stand for something that differs from run to run.
    pub fn name(&mut self, is: &str, name: &str) {
        assert!(!is.is_empty(), "{name} has a value");
        self.names.push((is.to_owned(), name.to_owned()));
    }

    /// Writes down an answer.
    pub fn note<R: std::fmt::Debug>(&mut self, what: &str, version: i16, response: &R) {
        let mut line = format!("{response:?}");
        for (is, name) in &self.names {
            line = line.replace(is.as_str(), name);
        }
        writeln!(self.text, "{what} v{version}\n  {}", with_error_names(&line)).expect("a string takes text");
    }

    /// Asks, and writes down the answer.
    pub fn call<A: Api>(&mut self, client: &mut Client, what: &str, version: i16, request: &A) -> A::Response
    where
        A::Response: std::fmt::Debug,
    {
        let response = client.call(version, request);
        self.note(what, version, &response);
        response
    }

    /// Asks until the answer is the one that is waited for, and writes down that one only.
    pub fn call_until<A: Api>(
        &mut self,
        client: &mut Client,
        what: &str,
        version: i16,
        request: &A,
        is_it: impl Fn(&A::Response) -> bool,
    ) where
        A::Response: std::fmt::Debug,
    {
        let begun = std::time::Instant::now();
        loop {
            let response = client.call(version, request);
            if is_it(&response) {
                return self.note(what, version, &response);
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: still {response:?}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// All that was written down.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Codes tell more by their names.
fn with_error_names(line: &str) -> String {
    const FIELD: &str = "error_code: ";
    let mut parts = line.split(FIELD);
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(part.len());
        let code = part[..end].parse().ok().and_then(ErrorCode::from_code).expect("a known code");
        write!(named, "{FIELD}{}{}", code.name(), &part[end..]).expect("a string takes text");
    }
    named
}
