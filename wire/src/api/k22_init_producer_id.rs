//! InitProducerId: v0–v5.
//! Behaviour: hands out a producer id, or for a transactional id fences its former producer.
//! Deviations: none.   Versions: v2 flexible; v3 the client's producer id and epoch; v4 PRODUCER_FENCED; v5
//! transactions v2.

use std::ops::RangeInclusive;

use crate::message::{Api, message};

impl Api for InitProducerIdRequest {
    const KEY: i16 = 22;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    type Response = InitProducerIdResponse;
}

message! {
    /// Asks for a producer id.
    pub struct InitProducerIdRequest: flexible 2.. {
        /// Transactional id, or null for mere idempotence.
        transactional_id: Option<String>,
        /// How long a transaction may stay open, in milliseconds.
        transaction_timeout_ms: i32,
        /// Producer id.
        producer_id: i64 [3..] = -1,
        /// The client's producer epoch, or −1.
        producer_epoch: i16 [3..] = -1,
    }
}

message! {
    /// A producer id and epoch.
    pub struct InitProducerIdResponse: flexible 2.. {
        /// How long the client is asked to wait because of a quota, in milliseconds.
        throttle_time_ms: i32,
        /// Error code; 0 is success.
        error_code: i16,
        /// Producer id.
        producer_id: i64 = -1,
        /// Producer epoch.
        producer_epoch: i16,
    }
}
