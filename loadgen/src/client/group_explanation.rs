//! Why a group does or does not move: asked of its coordinator, which only Partita answers.

use wire::ErrorCode;
use wire::api::DescribeGroupsRequest;
use wire::api::k15_describe_groups::GroupFinding;

use super::admin::unmentioned;
use super::{Client, ClientError, check};

impl Client {
    /// Asks why a group does or does not move; `None` from a broker that does not explain, such as Kafka's. A group that is
    /// not there is explained too.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the coordinator's word.
    pub fn explain_group(&mut self, group: &str) -> Result<Option<Vec<GroupFinding>>, ClientError> {
        let what = || format!("explaining group {group}");
        let request = DescribeGroupsRequest { groups: vec![group.to_owned()], explain: true, ..Default::default() };
        self.retried(|client| {
            let answer = client.call_coordinator(group, &request)?;
            let described = answer.groups.into_iter().next().ok_or_else(|| unmentioned(what()))?;
            if !described.findings.is_empty() {
                return Ok(Some(described.findings));
            }
            match ErrorCode::from_code(described.error_code) {
                Some(ErrorCode::GroupIdNotFound) => Ok(None),
                _ => check(described.error_code, described.error_message.as_deref(), what).map(|()| None),
            }
        })
    }
}
