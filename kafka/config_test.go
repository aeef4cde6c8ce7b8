package kafka_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/kafka"
)

func TestConfigReportsAllFaults(t *testing.T) {
	bad := kafka.Config{
		Brokers: []string{"good:9092", "kafka://a:9092", "", "a:0", "a:b", "::1", "a,b:9092", "[::1]:9092", "bare-host"},
		Prefix:  "no/way" + strings.Repeat("x", 80),
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, says := range []string{"Brokers[1]", "Brokers[2]", "Brokers[3]", "Brokers[4]", "Brokers[5]", "Brokers[6]", "86 characters", "letters, digits"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v\ndoes not say %q", err, says)
		}
	}
	for _, silent := range []string{"Brokers[0]", "Brokers[7]", "Brokers[8]"} {
		if strings.Contains(err.Error(), silent) {
			t.Errorf("%v\nblames %s", err, silent)
		}
	}
	if _, err := bad.Client(); err == nil {
		t.Error("a client was made of it")
	}
	if err := (kafka.Config{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
}

func TestClientHasTheSharedSettings(t *testing.T) {
	client, err := kafka.Config{Options: []kgo.Opt{kgo.ClientID("last")}}.Client(kgo.ClientID("extra"), kgo.TransactionalID("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for name, row := range map[string]struct{ got, want any }{
		"inflated bytes":  {client.OptValue(kgo.MaxDecompressBatchBytes), 64 << 20},
		"batch bytes":     {client.OptValue(kgo.ProducerBatchMaxBytesFn).(func(string) int32)("t"), int32(1_048_588)},
		"auto creation":   {client.OptValue(kgo.AllowAutoTopicCreation), false},
		"options last":    {client.OptValue(kgo.ClientID), "last"},
		"extra is set":    {client.OptValue(kgo.TransactionalID), "t"},
		"default address": {strings.Join(client.OptValue(kgo.SeedBrokers).([]string), " "), "127.0.0.1:9092"},
	} {
		if row.got != row.want {
			t.Errorf("%s: %v, want %v", name, row.got, row.want)
		}
	}
}

func TestOptionsThatContradictEachOtherAreRefused(t *testing.T) {
	_, err := kafka.Config{Options: []kgo.Opt{kgo.ConsumerGroup("g"), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset()}})}}.Client()
	if err == nil || !strings.Contains(err.Error(), "look at Config.Options first") {
		t.Errorf("%v", err)
	}
}

// The library warns about each failed dial attempt in a row, among other things; here it is enough that warnings and errors get through.
func TestLoggerGetsWarningsOnly(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cluster, err := kfake.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kafka.Config{Brokers: cluster.ListenAddrs(), Logger: logger}.Client()
	if err != nil {
		t.Fatal(err)
	}
	its := client.OptValue(kgo.WithLogger).(kgo.Logger)
	if its.Level() != kgo.LogLevelWarn {
		t.Errorf("level %v", its.Level())
	}
	if err := client.Ping(within(t)); err != nil {
		t.Fatal(err)
	}
	client.Close()
	its.Log(kgo.LogLevelWarn, "slow", "broker", 1)
	its.Log(kgo.LogLevelError, "gone", "broker", 2)
	for _, says := range []string{`level=WARN msg="kafka client" report=slow broker=1`, `level=ERROR msg="kafka client" report=gone broker=2`} {
		if !strings.Contains(log.String(), says) {
			t.Errorf("log\n%s\nlacks %s", log.String(), says)
		}
	}
	if strings.Contains(log.String(), "level=DEBUG") || strings.Contains(log.String(), "level=INFO") {
		t.Errorf("log has more than warnings:\n%s", log.String())
	}
}
