//! Producer ids, reserved in blocks so that no two producers ever get the same one.
//!
//! A core that runs out asks for the next block. What is left of a block when the process ends is never handed out, as in Kafka.

use wire::ErrorCode;
use wire::records::metadata::ProducerIdsRecord;

use super::{Context, ControllerResponse, Decision};

/// How many ids a block has; Kafka's `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// Ids that one core may hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerIdBlock {
    next: i64,
    end: i64,
}

impl ProducerIdBlock {
    /// The next id, until the block is used up.
    pub fn take(&mut self) -> Option<i64> {
        (self.next < self.end).then(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

impl Context<'_> {
    pub(super) fn allocate_producer_ids(&self) -> Decision {
        let next = self.catalog.image.next_producer_id();
        let Some(end) = next.checked_add(PRODUCER_ID_BLOCK) else {
            let exhausted = ControllerResponse::ProducerIds(Err(ErrorCode::UnknownServerError));
            return Decision { records: Vec::new(), response: exhausted };
        };
        let record = ProducerIdsRecord {
            broker_id: self.catalog.node_id(),
            broker_epoch: self.broker_epoch(),
            next_producer_id: probe::mutated!(end, ProducerIdsRepeat => next),
        };
        let block = ProducerIdBlock { next, end };
        Decision { records: vec![record.into()], response: ControllerResponse::ProducerIds(Ok(block)) }
    }
}
