//! What is written down is what Jepsen reads.

use super::*;
use crate::history::{FinalRead, Guarantee};

const PRODUCER: ProcessId = ProcessId(7);
const CONSUMER: ProcessId = ProcessId(8);

fn send(value: u64, outcome: Sent) -> Event {
    Event::Send { process: PRODUCER, value: Value(value), guarantee: Guarantee::Once, outcome }
}

fn written(events: Vec<Event>, last: Option<FinalRead>) -> String {
    let mut history = History::default();
    *history.partition("t-0") = PartitionHistory { events, last, ..PartitionHistory::default() };
    let mut text = String::new();
    export(&history, &mut text).expect("a string takes everything");
    text
}

#[test]
fn each_operation_is_a_line_at_its_beginning_and_one_at_its_end() {
    let records = vec![(0, Value(10)), (1, Value(11))];
    let events = vec![
        send(10, Sent::Acked(0)),
        send(12, Sent::Failed),
        Event::Assign { process: CONSUMER },
        Event::Poll { process: CONSUMER, records: records.clone() },
    ];
    let expected = "\
;; key 0 is \"t-0\"
{:index 0, :time 0, :type :invoke, :process 0, :f :send, :value [[:send 0 10]]}
{:index 1, :time 1, :type :ok, :process 0, :f :send, :value [[:send 0 [0 10]]]}
{:index 2, :time 2, :type :invoke, :process 0, :f :send, :value [[:send 0 12]]}
{:index 3, :time 3, :type :fail, :process 0, :f :send, :value [[:send 0 12]]}
{:index 4, :time 4, :type :invoke, :process 1, :f :assign, :value []}
{:index 5, :time 5, :type :ok, :process 1, :f :assign, :value []}
{:index 6, :time 6, :type :invoke, :process 1, :f :assign, :value [0]}
{:index 7, :time 7, :type :ok, :process 1, :f :assign, :value [0]}
{:index 8, :time 8, :type :invoke, :process 1, :f :poll, :value [[:poll]]}
{:index 9, :time 9, :type :ok, :process 1, :f :poll, :value [[:poll {0 [[0 10] [1 11]]}]]}
{:index 10, :time 10, :type :invoke, :process 2, :f :poll, :value [[:poll]]}
{:index 11, :time 11, :type :ok, :process 2, :f :poll, :value [[:poll {0 [[0 10] [1 11]]}]]}
";
    assert_eq!(written(events, Some(FinalRead { log_start: 0, end: 2, records })), expected);
}

#[test]
fn a_process_does_nothing_after_an_operation_whose_end_is_unknown() {
    let text = written(vec![send(10, Sent::Unknown), send(11, Sent::Acked(0))], None);
    assert!(text.contains(":type :info, :process 0, :f :send, :value [[:send 0 10]]"), "{text}");
    assert!(text.contains(":type :ok, :process 1, :f :send, :value [[:send 0 [0 11]]]"), "{text}");
}

#[test]
fn partitions_whose_records_were_deleted_are_left_out() {
    let text = written(vec![send(10, Sent::Acked(0)), Event::DeleteRecords { offset: 1, acked: true }], None);
    assert_eq!(text, ";; \"t-0\" is left out: records of it went\n");
}
