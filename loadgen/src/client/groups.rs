//! Groups as an administrator sees them: listed from every broker, each asked of its coordinator.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use wire::api::{DeleteGroupsRequest, ListGroupsRequest};
use wire::message::Api;

use super::admin::unmentioned;
use super::{Client, ClientError, check};

/// Pause between attempts while a coordinator is not ready.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A group in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub group: String,
    /// Its class of protocols, such as `consumer`; empty for a group that only commits offsets.
    pub protocol_type: String,
    /// Its state, such as `Stable`, if the broker is new enough to tell (Kafka 2.6).
    pub state: Option<String>,
    /// Its type, `classic` or `consumer` among others, if the broker is new enough to tell (Kafka 3.8).
    pub kind: Option<String>,
}

impl Client {
    /// Lists the groups of all brokers in these states and of these types (empty: all), by name. Letters' case does not
    /// count.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with a broker's word, once it is clear that waiting does not help.
    pub fn groups(&mut self, states: &[String], kinds: &[String]) -> Result<Vec<ListedGroup>, ClientError> {
        let request = ListGroupsRequest { states_filter: states.to_vec(), types_filter: kinds.to_vec() };
        let brokers: Vec<i32> = self.brokers().map(|broker| broker.id).collect();
        let mut listed = BTreeMap::new();
        for broker in brokers {
            let answer = self.retried(|client| {
                let answer = client.call_node(broker, &request)?;
                check(answer.error_code, None, || format!("listing the groups of broker {broker}"))?;
                Ok(answer)
            })?;
            for found in answer.groups {
                let told = |text: String| Some(text).filter(|text| !text.is_empty());
                let group = ListedGroup {
                    group: found.group_id,
                    protocol_type: found.protocol_type,
                    state: told(found.group_state),
                    kind: told(found.group_type),
                };
                listed.insert(group.group.clone(), group);
            }
        }
        Ok(listed.into_values().collect())
    }

    /// Deletes a group and its offsets.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word: NON_EMPTY_GROUP when it has members.
    pub fn delete_group(&mut self, group: &str) -> Result<(), ClientError> {
        let what = || format!("deleting group {group}");
        let request = DeleteGroupsRequest { groups_names: vec![group.to_owned()] };
        self.retried(|client| {
            let answer = client.call_coordinator(group, &request)?;
            let result = answer.results.into_iter().next().ok_or_else(|| unmentioned(what()))?;
            check(result.error_code, None, what)
        })
    }

    /// Asks a group's coordinator.
    pub(super) fn call_coordinator<A: Api>(&mut self, group: &str, request: &A) -> Result<A::Response, ClientError> {
        let coordinator = self.coordinator(group)?;
        self.call_node(coordinator, request)
    }

    /// Repeats a question while the answer is that a coordinator is not ready, for as long as an answer may take.
    pub(super) fn retried<R>(
        &mut self,
        mut ask: impl FnMut(&mut Client) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        let deadline = Instant::now() + self.timeout();
        loop {
            match ask(self) {
                Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(RETRY_PAUSE),
                answer => return answer,
            }
        }
    }
}
