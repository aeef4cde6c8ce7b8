package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// TopicIDs are the ids Kafka gave to topics, by name. A topic that was deleted and created again has another one.
type TopicIDs map[string][16]byte

// EnsureGroup makes sure that the topics of a group are there and right. With create, missing ones are made: replication 3 and
// min.insync.replicas 2 where the cluster has three brokers, else 1 and 1. It returns when every partition has a leader and every broker knows
// that: a broker learns of a topic in its own time, and one that has not would still say that there is none. Brokers that cannot be reached, or
// that have not heard after three seconds, are not waited for.
//
// The error joins all faults. Each is a FailedPrecondition [muster.Error] that names the topic, what was found, what is needed and the
// command that mends it; its Reason is one of the Reason constants of this package. Trouble with the cluster itself is as [Map] says.
func EnsureGroup(ctx context.Context, client *kgo.Client, g *muster.Group, prefix string, create bool) (TopicIDs, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	found, err := ensure(ctx, client, groupTopics(g, prefix), g.Partitions(), create)
	if err != nil {
		return nil, err
	}
	ids := make(TopicIDs, len(found))
	for i := range found {
		ids[found[i].spec.name] = found[i].id
	}
	return ids, nil
}

// EnsureReplies makes sure that the reply topic of a service is there and right, and gives its partition count. With create, a missing one
// is made with so many partitions; one that exists may have any number, since answers are addressed and not hashed. Errors are as with
// [EnsureGroup].
func EnsureReplies(ctx context.Context, client *kgo.Client, prefix, service string, partitions int32, create bool) (int32, error) {
	spec := replyTopic(prefix, service)
	if service == "" || !topicName(spec.name) || partitions < 1 {
		return 0, &muster.Error{
			Code: muster.InvalidArgument,
			Message: fmt.Sprintf("reply topic %q with %d partitions: give the service a name of letters, digits, dots, dashes or underscores, %s",
				spec.name, partitions, "249 characters with what stands in front, and at least one partition"),
		}
	}
	found, err := ensure(ctx, client, []topicSpec{spec}, partitions, create)
	if err != nil {
		return 0, err
	}
	return found[0].partitions, nil
}

// EnsureControl makes sure that the control topic of a service is there and right. With create, a missing one is made. Errors are as with
// [EnsureGroup].
func EnsureControl(ctx context.Context, client *kgo.Client, prefix, service string, create bool) error {
	return ensureNamed(ctx, client, controlTopic(prefix, service), service, create)
}

// EnsureErasures makes sure that the erasure ledger of a key space is there and right. With create, a missing one is made. Errors are as with
// [EnsureGroup].
func EnsureErasures(ctx context.Context, client *kgo.Client, prefix, space string, create bool) error {
	return ensureNamed(ctx, client, erasuresTopic(prefix, space), space, create)
}

// ensureNamed is ensure for one topic, whose name is made of that of a service or key space.
func ensureNamed(ctx context.Context, client *kgo.Client, spec topicSpec, of string, create bool) error {
	if of == "" || !topicName(spec.name) {
		return &muster.Error{
			Code: muster.InvalidArgument,
			Message: fmt.Sprintf("topic %q: give the service or key space a name of letters, digits, dots, dashes or underscores, 249 characters with what "+
				"stands around it", spec.name),
		}
	}
	_, err := ensure(ctx, client, []topicSpec{spec}, spec.partitions, create)
	return err
}

// foundTopic is what the cluster says about one topic.
type foundTopic struct {
	spec       topicSpec
	id         [16]byte
	partitions int32
	replicas   int               // of the partition that has the fewest
	settings   map[string]string // all that the broker reports
	broker     string            // an address for the commands in errors
}

const (
	// settleTime bounds how long new topics may take until a broker knows them, their leaders and their settings.
	settleTime = 30 * time.Second
	firstPause = 5 * time.Millisecond
	longPause  = 250 * time.Millisecond
)

// ensure creates what is missing, waits for it, and checks all.
func ensure(ctx context.Context, client *kgo.Client, specs []topicSpec, partitions int32, create bool) ([]foundTopic, error) {
	adm := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	meta, err := metadata(ctx, adm, specs)
	if err != nil {
		return nil, err
	}
	replicas := replication(len(meta.Brokers))
	var faults []error
	for i := range specs {
		if !errors.Is(meta.Topics[specs[i].name].Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if !create {
			faults = append(faults, missing(&specs[i], addressOf(meta), partitions, replicas))
		} else if err := createTopic(ctx, adm, &specs[i], partitions, replicas); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	found, err := settled(ctx, adm, specs)
	if err != nil {
		return nil, err
	}
	knownEverywhere(ctx, client, specs)
	for i := range found {
		faults = append(faults, found[i].check()...)
	}
	return found, errors.Join(faults...)
}

func createTopic(ctx context.Context, adm *kadm.Client, spec *topicSpec, partitions int32, replicas int16) error {
	answer, err := adm.CreateTopic(ctx, partitions, replicas, spec.creation(replicas), spec.name)
	if err == nil || errors.Is(err, kerr.TopicAlreadyExists) { // two instances that start at once: one of them creates it
		return nil
	}
	if answer.ErrMessage != "" {
		err = fmt.Errorf("%w (%s)", err, answer.ErrMessage)
	}
	return needing("create topic "+spec.name, err, On(TopicResource, spec.name, "Create"), "", "")
}

// settled waits until all topics have leaders and their settings can be read. A broker learns of a new topic a little after the
// controller has answered.
func settled(ctx context.Context, adm *kadm.Client, specs []topicSpec) ([]foundTopic, error) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		found, wait, err := look(ctx, adm, specs)
		if err != nil || wait == nil {
			return found, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, Map("wait for topics", errors.Join(wait, ctx.Err()))
		}
	}
}

// look reads what the cluster says about the topics now; wait says what is not there yet.
func look(ctx context.Context, adm *kadm.Client, specs []topicSpec) (found []foundTopic, wait, err error) {
	meta, err := metadata(ctx, adm, specs)
	if err != nil {
		return nil, nil, err
	}
	found = make([]foundTopic, len(specs))
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].name
		topic := meta.Topics[names[i]]
		if topic.Err != nil || len(topic.Partitions) == 0 {
			return nil, fmt.Errorf("topic %s: not there yet: %v", names[i], topic.Err), nil
		}
		found[i] = foundTopic{
			spec: specs[i], id: topic.ID, partitions: int32(len(topic.Partitions)), replicas: 1 << 15,
			settings: map[string]string{}, broker: addressOf(meta),
		}
		for _, p := range topic.Partitions {
			if p.Leader < 0 {
				return nil, fmt.Errorf("topic %s: partition %d has no leader", names[i], p.Partition), nil
			}
			found[i].replicas = min(found[i].replicas, len(p.Replicas))
		}
	}
	described, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, nil, needing("read the settings of topics", err, onAll(names, "DescribeConfigs"), "", "")
	}
	for i := range found {
		resource, err := described.On(names[i], nil)
		if err == nil {
			err = resource.Err
		}
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("settings of topic %s: %w", names[i], err), nil
		case err != nil:
			return nil, nil, needing("read the settings of topic "+names[i], err, On(TopicResource, names[i], "DescribeConfigs"), "", "")
		}
		for _, setting := range resource.Configs {
			found[i].settings[setting.Key] = setting.MaybeValue()
		}
	}
	return found, nil, nil
}

// metadata asks a broker about the topics. The admin client answers from a cache otherwise, as old as MetadataMinAge, which after a
// creation still says that there is no such topic; a question that includes rights is always asked anew.
func metadata(ctx context.Context, adm *kadm.Client, specs []topicSpec) (kadm.Metadata, error) {
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].name
	}
	meta, err := adm.Metadata(kadm.WithAuthorizedOps(ctx), names...)
	if err != nil {
		return kadm.Metadata{}, Map("read metadata", err)
	}
	for _, name := range names {
		topic := meta.Topics[name]
		if topic.Err != nil && !retriable(topic.Err) {
			return kadm.Metadata{}, needing("read metadata of topic "+name, topic.Err, On(TopicResource, name, "Describe"), "", "")
		}
	}
	return meta, nil
}

func retriable(err error) bool {
	k, is := errors.AsType[*kerr.Error](err)
	return is && k.Retriable
}

// addressOf gives the address of a broker for the commands in errors.
func addressOf(meta kadm.Metadata) string {
	if len(meta.Brokers) == 0 {
		return "BROKER:9092"
	}
	return net.JoinHostPort(meta.Brokers[0].Host, strconv.Itoa(int(meta.Brokers[0].Port)))
}
