//! Groups as an administrator sees them: listed from every broker, each asked of its coordinator.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use wire::api::ListGroupsRequest;

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

    /// Repeats a question while the answer is that a coordinator is not ready, for as long as an answer may take.
    fn retried<R>(&mut self, mut ask: impl FnMut(&mut Client) -> Result<R, ClientError>) -> Result<R, ClientError> {
        let deadline = Instant::now() + self.timeout();
        loop {
            match ask(self) {
                Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(RETRY_PAUSE),
                answer => return answer,
            }
        }
    }
}
