package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const adminRecords = 100

// admin creates a topic and asks kadm everything about it that the suite promises, the legacy AlterConfigs and
// OffsetForLeaderEpoch included, which Java's admin no longer sends.
func admin(ctx context.Context, bootstrap, topic string) error {
	client, err := connect(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	for _, step := range []struct {
		name string
		run  func(context.Context, *kgo.Client, *kadm.Client, string) error
	}{
		{"topics", adminTopics}, {"configs", adminConfigs}, {"offsets", adminOffsets}, {"delete records", adminDeleteRecords},
		{"groups", adminGroup}, {"delete", adminDelete},
	} {
		if err := step.run(ctx, client, adm, topic); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func equal[T comparable](what string, expected, got T) error {
	if expected != got {
		return fmt.Errorf("%s: expected %v, got %v", what, expected, got)
	}
	return nil
}

func refused(what string, expected, got error) error {
	if !errors.Is(got, expected) {
		return fmt.Errorf("%s: expected %v, got %v", what, expected, got)
	}
	return nil
}

func adminTopics(ctx context.Context, _ *kgo.Client, adm *kadm.Client, topic string) error {
	metadata, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if err := equal("brokers", 1, len(metadata.Brokers)); err != nil {
		return err
	}
	created, err := adm.CreateTopic(ctx, 1, 1, nil, topic)
	if err != nil {
		return err
	}
	_, err = adm.CreateTopic(ctx, 1, 1, nil, topic)
	if err := refused("created twice", kerr.TopicAlreadyExists, err); err != nil {
		return err
	}
	widened, err := adm.UpdatePartitions(ctx, 3, topic)
	if err != nil {
		return err
	}
	if err := widened.Error(); err != nil {
		return err
	}
	narrowed, err := adm.UpdatePartitions(ctx, 2, topic)
	if err != nil {
		return err
	}
	if err := refused("fewer partitions", kerr.InvalidPartitions, narrowed.Error()); err != nil {
		return err
	}
	topics, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	if err := equal("partitions", 3, len(topics[topic].Partitions)); err != nil {
		return err
	}
	return equal("topic id", created.ID, topics[topic].ID)
}

func adminConfigs(ctx context.Context, _ *kgo.Client, adm *kadm.Client, topic string) error {
	config := func(key string) (string, kadm.Config, error) {
		described, err := adm.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return "", kadm.Config{}, err
		}
		for _, config := range described[0].Configs {
			if config.Key == key {
				return config.MaybeValue(), config, nil
			}
		}
		return "", kadm.Config{}, fmt.Errorf("no %s among %d configs", key, len(described[0].Configs))
	}
	expect := func(key, expected string) error {
		value, _, err := config(key)
		if err != nil {
			return err
		}
		return equal(key, expected, value)
	}
	altered, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("3600000")},
		{Op: kadm.SetConfig, Name: "segment.bytes", Value: kadm.StringPtr("2097152")},
	}, topic)
	if err != nil || altered[0].Err != nil {
		return errors.Join(err, altered[0].Err)
	}
	if err := expect("retention.ms", "3600000"); err != nil {
		return err
	}
	// The legacy request states the whole: what it does not name goes back to its default.
	whole, err := adm.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("7200000")}}, topic)
	if err != nil || whole[0].Err != nil {
		return errors.Join(err, whole[0].Err)
	}
	return errors.Join(expect("retention.ms", "7200000"), expect("segment.bytes", "1073741824"))
}

func adminOffsets(ctx context.Context, client *kgo.Client, adm *kadm.Client, topic string) error {
	base := time.Now().Add(-time.Hour).Truncate(time.Second)
	var records []*kgo.Record
	for i := range adminRecords {
		records = append(records, &kgo.Record{Topic: topic, Timestamp: base.Add(time.Duration(i) * time.Second), Value: []byte("v")})
	}
	// One by one, so that no two records share a batch.
	for _, record := range records {
		if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
			return err
		}
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	half, err := adm.ListOffsetsAfterMilli(ctx, base.Add(adminRecords/2*time.Second).UnixMilli(), topic)
	if err != nil {
		return err
	}
	last, err := adm.ListMaxTimestampOffsets(ctx, topic)
	if err != nil {
		return err
	}
	var request kadm.OffsetForLeaderEpochRequest
	end := ends[topic][0]
	request.Add(topic, 0, end.LeaderEpoch)
	epochs, err := adm.OffsetForLeaderEpoch(ctx, request)
	if err != nil {
		return err
	}
	return errors.Join(
		equal("start", 0, starts[topic][0].Offset), equal("end", adminRecords, end.Offset),
		equal("end of an empty partition", 0, ends[topic][1].Offset),
		equal("by timestamp", adminRecords/2, half[topic][0].Offset),
		equal("by timestamp in an empty partition", 0, half[topic][2].Offset),
		equal("max timestamp", adminRecords-1, last[topic][0].Offset),
		equal("end of the leader's epoch", adminRecords, epochs[topic][0].EndOffset))
}

func adminDeleteRecords(ctx context.Context, _ *kgo.Client, adm *kadm.Client, topic string) error {
	var cut kadm.Offsets
	cut.Add(kadm.Offset{Topic: topic, Partition: 0, At: adminRecords / 4})
	deleted, err := adm.DeleteRecords(ctx, cut)
	if err != nil {
		return err
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	var beyond kadm.Offsets
	beyond.Add(kadm.Offset{Topic: topic, Partition: 0, At: 2 * adminRecords})
	over, err := adm.DeleteRecords(ctx, beyond)
	if err != nil {
		return err
	}
	return errors.Join(
		equal("low watermark", adminRecords/4, deleted[topic][0].LowWatermark),
		equal("start", adminRecords/4, starts[topic][0].Offset),
		refused("beyond the end", kerr.OffsetOutOfRange, over[topic][0].Err))
}

// adminGroup commits for a group that has no members.
func adminGroup(ctx context.Context, _ *kgo.Client, adm *kadm.Client, topic string) error {
	group := topic + "-group"
	var commit kadm.Offsets
	commit.Add(kadm.Offset{Topic: topic, Partition: 1, At: 42, LeaderEpoch: -1, Metadata: "note"})
	if err := adm.CommitAllOffsets(ctx, group, commit); err != nil {
		return err
	}
	fetched, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	offset, ok := fetched.Lookup(topic, 1)
	return errors.Join(equal("partition found", true, ok), equal("partitions", 1, len(fetched[topic])),
		equal("offset", 42, offset.At), equal("metadata", "note", offset.Metadata))
}

func adminDelete(ctx context.Context, _ *kgo.Client, adm *kadm.Client, topic string) error {
	deleted, err := adm.DeleteTopic(ctx, topic)
	if err != nil || deleted.Err != nil {
		return errors.Join(err, deleted.Err)
	}
	_, err = adm.DeleteTopic(ctx, topic)
	return refused("deleted twice", kerr.UnknownTopicOrPartition, err)
}
