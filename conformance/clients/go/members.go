package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	pollTime       = 50 * time.Millisecond
	autoCommitTime = 100 * time.Millisecond // its least
	pollRecords    = 100
	commandsMax    = 100 // that wait for a member
)

var balancers = map[string]func() kgo.GroupBalancer{
	"range":              func() kgo.GroupBalancer { return kgo.RangeBalancer() },
	"roundrobin":         kgo.RoundRobinBalancer,
	"sticky":             kgo.StickyBalancer,
	"cooperative-sticky": kgo.CooperativeStickyBalancer,
	"uniform":            kgo.StickyBalancer, // how franz-go asks for the broker's uniform assignor
}

// memberCommand is one line of the input; suite/members.py says what each does.
type memberCommand struct {
	Member, Do string
	Group      string
	Topics     []string
	Pattern    string
	Protocol   string
	Assignor   string
	Instance   string
	Reset      string
	SessionMs  int `json:"session_ms"`
	BeatMs     int `json:"heartbeat_ms"`
	MetadataMs int `json:"metadata_ms"`
	Commit     string
	Metadata   string
	Topic      string
	Partitions []int32
	Offset     int64
}

// member is one group member: a goroutine polls, the client's own call its callbacks.
type member struct {
	name     string
	out      *events
	client   *kgo.Client
	commands chan memberCommand
	each     bool // commits after each poll
	auto     bool // the client commits

	mutex sync.Mutex
	read  map[string]map[int32]kgo.EpochOffset // read and not yet committed
}

// members hosts any number of group members, by the names that the commands give them.
func members(bootstrap string) error {
	out := newEvents()
	hosted := make(map[string]*member)
	return commands(os.Stdin, func(command memberCommand) {
		if command.Do == "join" {
			joined, err := join(bootstrap, out, command)
			if err != nil {
				out.say(map[string]any{"member": command.Member, "event": "error", "error": err.Error()})
				return
			}
			hosted[command.Member] = joined
			go joined.run()
			return
		}
		hosted[command.Member].commands <- command
	})
}

func join(bootstrap string, out *events, command memberCommand) (*member, error) {
	m := &member{name: command.Member, out: out, commands: make(chan memberCommand, commandsMax), each: command.Commit == "each",
		auto: command.Commit == "auto",
		read: make(map[string]map[int32]kgo.EpochOffset)}
	options := []kgo.Opt{
		kgo.ConsumerGroup(command.Group), kgo.Balancers(balancers[command.Assignor]()), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(milliseconds(command.SessionMs)), kgo.HeartbeatInterval(milliseconds(command.BeatMs)),
		kgo.MetadataMaxAge(milliseconds(command.MetadataMs)), kgo.MetadataMinAge(min(time.Second, milliseconds(command.MetadataMs))),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { m.say("assigned", partitions) }),
		kgo.OnPartitionsRevoked(m.revoked),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			m.forget(partitions)
			m.say("lost", partitions)
		}),
	}
	switch command.Reset {
	case "earliest":
		options = append(options, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	case "latest":
		options = append(options, kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	default:
		options = append(options, kgo.ConsumeResetOffset(kgo.NewOffset().AtCommitted()))
	}
	if command.Pattern != "" {
		options = append(options, kgo.ConsumeRegex(), kgo.ConsumeTopics(command.Pattern))
	} else {
		options = append(options, kgo.ConsumeTopics(command.Topics...))
	}
	if command.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	if command.Instance != "" {
		options = append(options, kgo.InstanceID(command.Instance))
	}
	if m.auto {
		options = append(options, kgo.AutoCommitInterval(autoCommitTime))
	} else {
		options = append(options, kgo.DisableAutoCommit())
	}
	client, err := connect(bootstrap, options...)
	m.client = client
	return m, err
}

func milliseconds(count int) time.Duration {
	return time.Duration(count) * time.Millisecond
}

func (m *member) run() {
	for {
		select {
		case command := <-m.commands:
			if command.Do == "close" {
				m.client.CloseAllowingRebalance()
				m.out.say(map[string]any{"member": m.name, "event": "closed"})
				return
			}
			m.obey(command)
		default:
			m.poll()
		}
	}
}

func (m *member) obey(command memberCommand) {
	partitions := map[string][]int32{command.Topic: command.Partitions}
	switch command.Do {
	case "commit":
		m.commit(nil, command.Metadata)
	case "commit-async":
		read := m.uncommitted(nil)
		m.client.CommitOffsets(context.Background(), read,
			func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
				m.committed(read, response, err)
			})
	case "seek":
		m.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{command.Topic: {command.Partitions[0]: {Epoch: -1, Offset: command.Offset}}})
		m.out.say(map[string]any{"member": m.name, "event": "sought"})
	case "pause":
		m.client.PauseFetchPartitions(partitions)
		m.out.say(map[string]any{"member": m.name, "event": "paused"})
	case "resume":
		m.client.ResumeFetchPartitions(partitions)
	}
}

func (m *member) poll() {
	ctx, cancel := context.WithTimeout(context.Background(), pollTime)
	defer cancel()
	fetches := m.client.PollRecords(ctx, pollRecords)
	defer m.client.AllowRebalance()
	fetches.EachError(func(_ string, _ int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			m.fail(err)
		}
	})
	fetches.EachRecord(func(record *kgo.Record) {
		m.out.say(map[string]any{"member": m.name, "event": "record", "topic": record.Topic, "partition": record.Partition,
			"offset": record.Offset, "value": string(record.Value)})
		m.mutex.Lock()
		defer m.mutex.Unlock()
		if m.read[record.Topic] == nil {
			m.read[record.Topic] = make(map[int32]kgo.EpochOffset)
		}
		m.read[record.Topic][record.Partition] = kgo.EpochOffset{Epoch: record.LeaderEpoch, Offset: record.Offset + 1}
	})
	if m.each {
		m.commit(nil, "")
	}
}

// revoked commits what was read of the partitions, and lets go of them.
func (m *member) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	if m.each {
		m.commit(partitions, "")
	}
	if m.auto { // a callback of one's own takes the place of the client's last commit
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			m.fail(err)
		}
	}
	m.forget(partitions)
	m.say("revoked", partitions)
}

// uncommitted is what was read, of all partitions or of some.
func (m *member) uncommitted(only map[string][]int32) map[string]map[int32]kgo.EpochOffset {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	found := make(map[string]map[int32]kgo.EpochOffset)
	add := func(topic string, partition int32) {
		if offset, ok := m.read[topic][partition]; ok {
			if found[topic] == nil {
				found[topic] = make(map[int32]kgo.EpochOffset)
			}
			found[topic][partition] = offset
		}
	}
	if only != nil {
		for topic, partitions := range only {
			for _, partition := range partitions {
				add(topic, partition)
			}
		}
		return found
	}
	for topic, partitions := range m.read {
		for partition := range partitions {
			add(topic, partition)
		}
	}
	return found
}

func (m *member) forget(partitions map[string][]int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for topic, numbers := range partitions {
		for _, partition := range numbers {
			delete(m.read[topic], partition)
		}
	}
}

func (m *member) commit(only map[string][]int32, metadata string) {
	read := m.uncommitted(only)
	if len(read) == 0 {
		return
	}
	ctx := context.Background()
	if metadata != "" {
		ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
			for t := range request.Topics {
				for p := range request.Topics[t].Partitions {
					request.Topics[t].Partitions[p].Metadata = &metadata
				}
			}
			return nil
		})
	}
	m.client.CommitOffsetsSync(ctx, read, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
		m.committed(read, response, err)
	})
}

// committed says what a commit came to, and forgets what it covered.
func (m *member) committed(read map[string]map[int32]kgo.EpochOffset, response *kmsg.OffsetCommitResponse, err error) {
	if err == nil {
		for _, topic := range response.Topics {
			for _, partition := range topic.Partitions {
				err = errors.Join(err, kerr.ErrorForCode(partition.ErrorCode))
			}
		}
	}
	if err != nil {
		m.out.say(map[string]any{"member": m.name, "event": "commit-failed", "error": name(err)})
		return
	}
	offsets := [][]any{}
	m.mutex.Lock()
	for topic, partitions := range read {
		for partition, offset := range partitions {
			offsets = append(offsets, []any{topic, partition, offset.Offset})
			if m.read[topic][partition] == offset {
				delete(m.read[topic], partition)
			}
		}
	}
	m.mutex.Unlock()
	m.out.say(map[string]any{"member": m.name, "event": "committed", "offsets": offsets})
}

// say reports partitions; none are not worth a line.
func (m *member) say(event string, partitions map[string][]int32) {
	pairs := [][]any{}
	for topic, numbers := range partitions {
		for _, partition := range numbers {
			pairs = append(pairs, []any{topic, partition})
		}
	}
	if len(pairs) > 0 {
		m.out.say(map[string]any{"member": m.name, "event": event, "partitions": pairs})
	}
}

func (m *member) fail(err error) {
	m.out.say(map[string]any{"member": m.name, "event": "error", "error": name(err)})
}

// name is Kafka's name of an error, or the error in words.
func name(err error) string {
	var broker *kerr.Error
	if errors.As(err, &broker) {
		return broker.Message
	}
	return err.Error()
}
