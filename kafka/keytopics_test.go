package kafka_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// The topics of a key space are made as the promise of erasing needs them, and refused when somebody has changed that.
func TestEnsureKeys(t *testing.T) {
	config, client, adm := shared(t)
	if err := kafka.EnsureKeys(t.Context(), client, config.Prefix, "people", false); reasonOf(err) != kafka.ReasonMissingTopic {
		t.Fatalf("without topics: %v", err)
	}
	for range 2 {
		if err := kafka.EnsureKeys(t.Context(), client, config.Prefix, "people", true); err != nil {
			t.Fatal(err)
		}
	}
	keys, erasures := kafka.KeyTopic(config.Prefix, "people"), muster.ErasuresTopic(config.Prefix, "people")
	topics, err := adm.ListTopics(t.Context(), keys, erasures)
	if err != nil || len(topics[keys].Partitions) != kafka.KeyPartitions || len(topics[erasures].Partitions) != 1 {
		t.Fatalf("%v, %v", topics, err)
	}
	described, err := adm.DescribeTopicConfigs(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, c := range described[0].Configs {
		found[c.Key] = c.MaybeValue()
	}
	for key, want := range map[string]string{
		"cleanup.policy": "compact", "segment.ms": "600000", "max.compaction.lag.ms": "3600000", "min.cleanable.dirty.ratio": "0.01",
		"unclean.leader.election.enable": "false",
	} {
		if found[key] != want {
			t.Errorf("%s is %q, want %q", key, found[key], want)
		}
	}
	slow := "86400000"
	if _, err := adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "segment.ms", Value: &slow}}, keys); err != nil {
		t.Fatal(err)
	}
	err = kafka.EnsureKeys(t.Context(), client, config.Prefix, "people", true)
	if reasonOf(err) != kafka.ReasonSlowCleaning || !strings.Contains(err.Error(), "segment.ms=600000") {
		t.Errorf("with long segments: %v", err)
	}
	if err := kafka.EnsureKeys(t.Context(), client, config.Prefix, "", true); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("without a name: %v", err)
	}
}

func reasonOf(err error) string {
	if e, is := errors.AsType[*muster.Error](err); is {
		return e.Reason
	}
	return ""
}
