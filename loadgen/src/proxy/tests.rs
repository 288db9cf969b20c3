//! What the proxy passes on, keeps, doubles and turns round, before a broker that writes down what it sees.

use std::sync::Mutex;

use bytes::Bytes;
use wire::api::k00_produce::{PartitionProduceData, TopicProduceData};
use wire::api::k03_metadata::MetadataResponseBroker;
use wire::api::{MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse};
use wire::codec::{Reader, Records};
use wire::header::{ResponseHeader, request_frame, response_frame};
use wire::message::Message;

use super::*;

const VERSION: i16 = 9;

/// Answers everything at once; keeps the correlation ids of produce requests in the order in which they came.
struct Broker {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<i32>>>,
}

impl Broker {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        // Ends with the process; it holds nothing.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let noted = noted.clone();
                thread::spawn(move || serve(stream, &noted));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<i32> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<i32>>) {
    while let Ok(frame) = read_frame(&mut stream) {
        let id = i32::from_be_bytes(frame[8..12].try_into().unwrap());
        let answer = if frame[5] == 3 {
            let broker = MetadataResponseBroker { node_id: 7, host: "far.example".into(), port: 1, rack: None };
            response_frame::<MetadataRequest>(
                id,
                VERSION,
                &MetadataResponse { brokers: vec![broker], ..Default::default() },
            )
        } else {
            seen.lock().unwrap().push(id);
            response_frame::<ProduceRequest>(
                id,
                VERSION,
                &ProduceResponse { throttle_time_ms: id, ..Default::default() },
            )
        };
        stream.write_all(&answer).unwrap();
    }
}

fn produce(id: i32, acks: i16) -> Vec<u8> {
    let partition = PartitionProduceData { index: 0, records: Some(Records::from(Bytes::from_static(b"batch"))) };
    let topic = TopicProduceData { name: "t".into(), partition_data: vec![partition], ..Default::default() };
    let request = ProduceRequest { acks, topic_data: vec![topic], ..Default::default() };
    request_frame(id, VERSION, None, &request)
}

/// Sends requests 1 to 3 at once through a proxy with `plan`; what the broker saw, what the answers' ids were, and the faults.
fn through(plan: Option<Plan>) -> (Vec<i32>, Vec<i32>, u64) {
    let broker = Broker::start();
    let proxy = LossyProxy::start(broker.address, plan).unwrap();
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    for id in 1..=3 {
        client.write_all(&produce(id, -1)).unwrap();
    }
    let answers = (1..=3).map(|_| {
        let frame = Bytes::from(read_frame(&mut client).unwrap().split_off(FRAME_LENGTH_BYTES));
        let mut reader = Reader::shared(&frame);
        let header = ResponseHeader::decode(&mut reader, 1).unwrap();
        let response = ProduceResponse::decode(&mut reader, VERSION).unwrap();
        assert!(response.responses.iter().flat_map(|topic| &topic.partition_responses).all(|one| one.error_code == 0));
        header.correlation_id
    });
    let answers = answers.collect();
    (broker.seen(), answers, proxy.faults())
}

#[test]
fn without_a_plan_nothing_is_changed() {
    assert_eq!(through(None), (vec![1, 2, 3], vec![1, 2, 3], 0));
}

#[test]
fn each_fault_befalls_its_request_and_all_are_acknowledged_in_order() {
    let plan = |fault| Some(Plan { fault, request: 2 });
    assert_eq!(through(plan(Fault::Drop)), (vec![1, 3], vec![1, 2, 3], 1));
    assert_eq!(through(plan(Fault::Duplicate)), (vec![1, 2, 2, 3], vec![1, 2, 3], 1));
    assert_eq!(through(plan(Fault::Reorder)), (vec![1, 3, 2], vec![1, 2, 3], 1));
}

#[test]
fn a_fault_whose_request_never_comes_takes_no_effect() {
    assert_eq!(through(Some(Plan { fault: Fault::Drop, request: 4 })).2, 0);
}

#[test]
fn brokers_are_said_to_be_where_the_proxy_is() {
    let broker = Broker::start();
    let proxy = LossyProxy::start(broker.address, None).unwrap();
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.write_all(&request_frame(5, VERSION, None, &MetadataRequest::default())).unwrap();
    let frame = Bytes::from(read_frame(&mut client).unwrap().split_off(FRAME_LENGTH_BYTES));
    let mut reader = Reader::shared(&frame);
    assert_eq!(ResponseHeader::decode(&mut reader, 1).unwrap().correlation_id, 5);
    let response = MetadataResponse::decode(&mut reader, VERSION).unwrap();
    let found = (response.brokers[0].host.as_str(), response.brokers[0].port);
    assert_eq!(found, ("127.0.0.1", i32::from(proxy.address().port())));
}
