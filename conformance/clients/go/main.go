// The franz-go client of the conformance suite: client BOOTSTRAP VERB ARGS…
//
//	create TOPIC PARTITIONS
//	delete TOPIC
//	produce TOPIC CODEC FILE
//	consume TOPIC COUNT OUT                 every partition, without a group, from the beginning
//	group TOPIC GROUP COUNT OUT leave|die   reads COUNT records, commits them, then closes or is gone without a word
//	admin TOPIC                             the admin scenario (admin.go)
//	members                                 hosts group members, commands on standard input (members.go)
//	operator                                topics, records, groups' offsets, orders on standard input (operator.go)
//
// The files' form is described in suite/dataset.py.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const patience = 2 * time.Minute

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(bootstrap, verb string, args []string) error {
	switch verb {
	case "members":
		return members(bootstrap)
	case "operator":
		return operator(context.Background(), bootstrap)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch verb {
	case "create":
		return create(ctx, bootstrap, args[0], args[1])
	case "delete":
		return remove(ctx, bootstrap, args[0])
	case "produce":
		return produce(ctx, bootstrap, args[0], args[1], args[2])
	case "consume":
		return consume(ctx, bootstrap, args[0], args[1], args[2])
	case "group":
		return group(ctx, bootstrap, args[0], args[1], args[2], args[3], args[4] == "die")
	case "admin":
		return admin(ctx, bootstrap, args[0])
	}
	return fmt.Errorf("no verb %s", verb)
}

func connect(bootstrap string, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
}

func create(ctx context.Context, bootstrap, topic, partitions string) error {
	count, err := strconv.Atoi(partitions)
	if err != nil {
		return err
	}
	client, err := connect(bootstrap)
	if err != nil {
		return err
	}
	defer client.Close()
	// Records with timestamps of years ago are to stay.
	retention := map[string]*string{"retention.ms": kadm.StringPtr("-1")}
	_, err = kadm.NewClient(client).CreateTopic(ctx, int32(count), 1, retention, topic)
	return err
}

func remove(ctx context.Context, bootstrap, topic string) error {
	client, err := connect(bootstrap)
	if err != nil {
		return err
	}
	defer client.Close()
	deleted, err := kadm.NewClient(client).DeleteTopics(ctx, topic)
	if err != nil {
		return err
	}
	return deleted.Error()
}

// produce uses the client's defaults: idempotent, acks from all, five requests in flight.
func produce(ctx context.Context, bootstrap, topic, codec, file string) error {
	records, err := load(topic, file)
	if err != nil {
		return err
	}
	client, err := connect(bootstrap, kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	next := make(map[int32]int64)
	for _, result := range client.ProduceSync(ctx, records...) {
		if result.Err != nil {
			return result.Err
		}
		if r := result.Record; r.Offset != next[r.Partition] {
			return fmt.Errorf("partition %d: acknowledged offset %d, expected %d", r.Partition, r.Offset, next[r.Partition])
		}
		next[result.Record.Partition]++
	}
	return nil
}

func consume(ctx context.Context, bootstrap, topic, count, out string) error {
	client, err := connect(bootstrap, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = read(ctx, client, count, out)
	return err
}

func group(ctx context.Context, bootstrap, topic, name, count, out string, die bool) error {
	client, err := connect(bootstrap, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(name), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(time.Second))
	if err != nil {
		return err
	}
	done, err := read(ctx, client, count, out)
	if err != nil {
		return err
	}
	if err := client.CommitRecords(ctx, done...); err != nil {
		return err
	}
	if die {
		// Reads on without committing: those records belong to the next member.
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		client.PollFetches(short)
		os.Exit(0)
	}
	client.Close()
	return nil
}

// read writes the first count records that it polls, and returns them.
func read(ctx context.Context, client *kgo.Client, count, out string) ([]*kgo.Record, error) {
	left, err := strconv.Atoi(count)
	if err != nil {
		return nil, err
	}
	lines, err := newWriter(out)
	if err != nil {
		return nil, err
	}
	defer lines.close()
	var done []*kgo.Record
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d records missing: %w", left, err)
		}
		for _, record := range fetches.Records() {
			if left == 0 {
				break
			}
			left--
			lines.write(record)
			done = append(done, record)
		}
	}
	return done, lines.flush()
}
