#!/usr/bin/env bash
# Measures what groups cost and how fast they recover, beside Apache Kafka 4.3.1, and keeps the runs here: twenty minutes on two cores
# that have nothing else to do.
#
#   results/run-groups.sh [NAME…] [-- OPTION…]    by default every comparison; OPTIONs go to `groups run`, see its --help
#
# Builds what it runs, fetches Kafka as the conformance suite does, starts it pinned to processor 0 and ends it. DATA is the folder on
# the disk to be measured (default /var/tmp); CARGO_TARGET_DIR and CARGO_FLAGS are heeded.
set -euo pipefail
cd "$(dirname "$0")/.."

names=()
while (($#)) && [[ $1 != -- ]]; do names+=("$1"); shift; done
[[ ${1:-} != -- ]] || shift
((${#names[@]})) || names=(step-up-6s step-up-45s commits commits-flushed heartbeats-classic heartbeats-consumer)

read -ra cargo_flags <<<"${CARGO_FLAGS:-}"
cargo build --release "${cargo_flags[@]}" -p server -p benches
target=${CARGO_TARGET_DIR:-target}/release
jars=$(conformance/setup | sed -n 's/^jars=//p')

home=$(mktemp -d "${DATA:-/var/tmp}/groups-XXXX")
kafka=
end() {
  # It may sleep between its runs.
  [[ -z $kafka ]] || { kill -CONT "$kafka"; kill -KILL "$kafka"; wait "$kafka"; } 2>/dev/null || true
  rm -rf "$home"
}
trap end EXIT
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port) controller=$(free_port)
cat >"$home/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
log.dirs=$home/kafka
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
# It is stopped while others are measured, and is not to be fenced for that.
broker.session.timeout.ms=1800000
# Lets groups of the consumer protocol have the session timeout that is Kafka's least for classic ones.
group.consumer.min.session.timeout.ms=6000
END
log4j=-Dlog4j2.configurationFile=conformance/clients/java/log4j2.xml
java "$log4j" -cp "$jars/*" kafka.tools.StorageTool format -t 4L6g3nShT-eMCtK--X86sw -c "$home/server.properties" >"$home/format.log"
taskset -c 0 java -server -Xms1g -Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 \
  -XX:+ExplicitGCInvokesConcurrent "$log4j" -cp "$jars/*" kafka.Kafka "$home/server.properties" >"$home/kafka.log" 2>&1 &
kafka=$!
for ((i = 0; i < 600; i++)); do
  ! (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  kill -0 "$kafka" || { tail -20 "$home/kafka.log" >&2; exit 1; }
  sleep 0.1
done

"$target/groups" run "${names[@]}" --partita "$target/partita" --kafka "127.0.0.1:$port,$kafka" --data "$home" "$@"
