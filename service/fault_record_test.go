package service_test

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// head makes a record header.
func head(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

// write puts records into their topics as any Kafka client could.
func (st *stage) write(records ...*kgo.Record) {
	st.t.Helper()
	if err := st.raw.ProduceSync(st.within(), records...).FirstErr(); err != nil {
		st.t.Fatal(err)
	}
}

// command is a record of the command topic in the partition of its key.
func (st *stage) command(key, value string, headers ...kgo.RecordHeader) *kgo.Record {
	r := &kgo.Record{Topic: st.group.CommandTopic(""), Key: []byte(key), Value: []byte(value), Headers: headers}
	if key != "" {
		r.Partition = kafka.Partition(key, st.group.Partitions())
	}
	return r
}

// event is a record of the journal as this contract's owner would have written it, in the partition of its aggregate.
func (st *stage) event(account, command string, revision uint64, amount string) *kgo.Record {
	at := kafka.Partition(account, st.group.Partitions())
	e := muster.Event{
		Meta: muster.Meta{
			ID: command + "/0", Type: "bank.Credited", Group: st.group.Name(), AggregateID: account, Revision: revision, Time: time.Now().UTC(),
			CorrelationID: command, CausationID: command, ContentType: muster.ContentJSON, Partition: at,
		},
		Payload: []byte(`{"Amount":` + amount + `}`), Count: 1, Fingerprint: 1,
	}
	return kafka.EncodeEvent(&e, st.group.JournalTopic(""))
}

// read gives the first n committed records of a topic that keep to the filter, whatever their partitions.
func (st *stage) read(topic string, n int, filter func(*kgo.Record) bool) []*kgo.Record {
	st.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(st.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		st.t.Fatal(err)
	}
	defer client.Close()
	ctx := st.within()
	var found []*kgo.Record
	for len(found) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			st.t.Fatalf("%s has %d of %d records after 30s", topic, len(found), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if filter == nil || filter(r) {
				found = append(found, r)
			}
		})
	}
	return found
}

// letters gives the first n dead letters.
func (st *stage) letters(n int) []muster.DeadLetter {
	st.t.Helper()
	var all []muster.DeadLetter
	for _, r := range st.read(st.group.DeadLetterTopic(""), n, nil) {
		d, err := kafka.DecodeDeadLetter(r, st.group)
		if err != nil {
			st.t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// reply waits for the answer to a command in a reply topic.
func (st *stage) reply(topic, id string) *muster.Outcome {
	st.t.Helper()
	r := st.read(topic, 1, func(r *kgo.Record) bool { return string(r.Key) == id })[0]
	outcome, err := kafka.DecodeReply(r)
	if err != nil {
		st.t.Fatal(err)
	}
	return outcome
}

// inbox makes a reply topic that nobody but the test reads.
func (st *stage) inbox() string {
	st.t.Helper()
	admin, err := kafka.OpenAdmin(st.within(), kafka.Config{Brokers: st.brokers})
	if err != nil {
		st.t.Fatal(err)
	}
	defer admin.Close()
	name := st.owners + "-inbox"
	if _, err := admin.EnsureReplies(st.within(), name, 1, true); err != nil {
		st.t.Fatal(err)
	}
	return muster.ReplyTopic("", name)
}

// served proves that an owner works on: a deposit of 1 on an account of its own.
func (st *stage) served(s *running, account string) {
	st.t.Helper()
	got, err := st.deposit.Call(st.within(), s.Client(), account, deposit{Amount: 1})
	if err != nil || got.Balance < 1 {
		st.t.Errorf("the next command on %s: %+v, %v", account, got, err)
	}
}

// in gives n account names of one partition.
func (st *stage) in(partition int32, n int) []string {
	var names []string
	for i := 0; len(names) < n; i++ {
		if name := fmt.Sprintf("own-%d", i); kafka.Partition(name, st.group.Partitions()) == partition {
			names = append(names, name)
		}
	}
	return names
}

func isStopped(s *running, reason string) bool {
	for _, p := range s.Status() {
		if p.State == "stopped" && p.Reason == reason {
			return true
		}
	}
	return false
}

// deadEnd is how many records, markers among them, the dead letter topic has.
func (st *stage) deadEnd() int64 {
	st.t.Helper()
	ends, err := kadm.NewClient(st.raw).ListEndOffsets(st.t.Context(), st.group.DeadLetterTopic(""))
	if err != nil {
		st.t.Fatal(err)
	}
	sum := int64(0)
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}
