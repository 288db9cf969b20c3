package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const leaderPause = 20 * time.Millisecond

// order is one line of the operator's input.
type order struct {
	Do         string
	Topic      string
	Group      string
	Partitions []int32
	Count      int // of partitions, or of records for each of Partitions
}

// operator prepares what groups are tested on, as one long-lived process: one order a line, one answer a line.
//
//	create TOPIC COUNT, grow TOPIC COUNT, delete TOPIC
//	produce TOPIC PARTITIONS COUNT    records with the values `PARTITION:OFFSET`
//	offsets GROUP                     what is committed: [[topic, partition, offset, metadata]…]
//	describe GROUP                    [state, number of members], whichever its protocol
//	type GROUP                        consumer or classic: the protocol that describes it
//	delete-group GROUP
func operator(ctx context.Context, bootstrap string) error {
	// Not idempotent: forgetting a topic (see grow) begins its sequences anew, for what the broker takes for duplicates.
	client, err := connect(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite())
	if err != nil {
		return err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	out := newEvents()
	return commands(os.Stdin, func(order order) {
		answer, err := carryOut(ctx, client, adm, order)
		if err != nil {
			out.say(map[string]any{"error": err.Error()})
			return
		}
		out.say(map[string]any{"answer": answer})
	})
}

func carryOut(ctx context.Context, client *kgo.Client, adm *kadm.Client, order order) (any, error) {
	switch order.Do {
	case "create":
		if _, err := adm.CreateTopic(ctx, int32(order.Count), 1, nil, order.Topic); err != nil {
			return nil, err
		}
		return nil, awaitLeaders(ctx, adm, order)
	case "grow":
		grown, err := adm.UpdatePartitions(ctx, order.Count, order.Topic)
		if err = errors.Join(err, grown.Error()); err != nil {
			return nil, err
		}
		client.PurgeTopicsFromProducing(order.Topic) // it does not look for more partitions by itself
		return nil, awaitLeaders(ctx, adm, order)
	case "delete":
		deleted, err := adm.DeleteTopics(ctx, order.Topic)
		if err != nil {
			return nil, err
		}
		return nil, deleted.Error()
	case "produce":
		return nil, produceNumbered(ctx, client, adm, order)
	case "offsets":
		return committed(ctx, adm, order.Group)
	case "describe":
		return describe(ctx, adm, order.Group)
	case "type":
		return groupType(ctx, adm, order.Group)
	case "delete-group":
		deleted, err := adm.DeleteGroups(ctx, order.Group)
		if err != nil {
			return nil, err
		}
		return nil, deleted.Error()
	}
	return nil, fmt.Errorf("no order %s", order.Do)
}

// awaitLeaders waits until every partition has a broker that answers for it.
func awaitLeaders(ctx context.Context, adm *kadm.Client, order order) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ends, err := adm.ListEndOffsets(ctx, order.Topic)
		if err == nil && ends.Error() == nil && len(ends[order.Topic]) == order.Count {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(leaderPause)
	}
}

func produceNumbered(ctx context.Context, client *kgo.Client, adm *kadm.Client, order order) error {
	ends, err := adm.ListEndOffsets(ctx, order.Topic)
	if err != nil {
		return err
	}
	var records []*kgo.Record
	for i := range order.Count {
		for _, partition := range order.Partitions {
			end, ok := ends.Lookup(order.Topic, partition)
			if !ok || end.Err != nil {
				return fmt.Errorf("no end of partition %d: %v", partition, end.Err)
			}
			value := fmt.Sprintf("%d:%d", partition, end.Offset+int64(i))
			records = append(records, &kgo.Record{Topic: order.Topic, Partition: partition, Value: []byte(value)})
		}
	}
	for _, result := range client.ProduceSync(ctx, records...) {
		if result.Err != nil {
			return result.Err
		}
		if at := strconv.Itoa(int(result.Record.Partition)) + ":" + strconv.FormatInt(result.Record.Offset, 10); at != string(result.Record.Value) {
			return fmt.Errorf("%s was acknowledged as %s", result.Record.Value, at)
		}
	}
	return nil
}

func committed(ctx context.Context, adm *kadm.Client, group string) (any, error) {
	fetched, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return nil, err
	}
	answer := [][]any{}
	for _, offset := range fetched.Sorted() {
		if offset.Err != nil {
			return nil, offset.Err
		}
		answer = append(answer, []any{offset.Topic, offset.Partition, offset.At, offset.Metadata})
	}
	return answer, nil
}

func describe(ctx context.Context, adm *kadm.Client, group string) (any, error) {
	if described, ok := describeConsumer(ctx, adm, group); ok {
		return []any{described.State, len(described.Members)}, nil
	}
	classic, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return nil, err
	}
	described := classic[group]
	return []any{described.State, len(described.Members)}, described.Err
}

// describeConsumer describes a group of the new protocol; false for any other.
func describeConsumer(ctx context.Context, adm *kadm.Client, group string) (kadm.DescribedConsumerGroup, bool) {
	modern, err := adm.DescribeConsumerGroups(ctx, group)
	described := modern[group]
	return described, err == nil && described.Err == nil && described.State != ""
}

func groupType(ctx context.Context, adm *kadm.Client, group string) (any, error) {
	if _, ok := describeConsumer(ctx, adm, group); ok {
		return "consumer", nil
	}
	classic, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return nil, err
	}
	return "classic", classic[group].Err
}
