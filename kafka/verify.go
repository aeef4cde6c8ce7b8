package kafka

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster"
)

// Why a topic or a cluster is refused, as the Reason of the [muster.Error]. The words are stable.
const (
	ReasonMissingTopic   = "missing-topic"
	ReasonPartitionCount = "partition-count"
	ReasonCleanupPolicy  = "cleanup-policy"
	ReasonMinInSync      = "min-insync-replicas"
	ReasonMaxMessage     = "max-message-bytes"
	ReasonUnclean        = "unclean-leader-election"
	ReasonRecreated      = "recreated-topic"
	ReasonTransactions   = "transaction-version"
	ReasonSlowCleaning   = "slow-cleaning"
)

// check holds what was found against what is needed and gives every fault.
func (f *foundTopic) check() (faults []error) {
	for _, fault := range []error{f.checkPartitions(), f.checkCleanup(), f.checkInSync(), f.checkMaxMessage(), f.checkUnclean(), f.checkLimits()} {
		if fault != nil {
			faults = append(faults, fault)
		}
	}
	return faults
}

func (f *foundTopic) checkPartitions() error {
	if !f.spec.owned || f.partitions == f.spec.partitions {
		return nil
	}
	if f.spec.fixed {
		return f.refuse(ReasonPartitionCount, fmt.Sprintf("%d partitions", f.partitions), fmt.Sprintf("%d", f.spec.partitions),
			"the count is fixed for life; if the topic is new and empty, remove it and start again")
	}
	return f.refuse(ReasonPartitionCount, fmt.Sprintf("%d partitions", f.partitions), fmt.Sprintf("%d", f.spec.partitions),
		fmt.Sprintf("the count is fixed for life, because a change would put aggregates into other partitions: declare the group with "+
			"muster.Partitions(%d) if the topic is right; if it is new and empty, remove it with kafka-topics.sh --bootstrap-server %s "+
			"--delete --topic %s and start again", f.partitions, f.broker, f.spec.name))
}

func (f *foundTopic) checkCleanup() error {
	got := strings.ReplaceAll(f.settings[setCleanup], " ", "")
	if got == f.spec.cleanup || f.spec.foreign {
		return nil
	}
	return f.refuse(ReasonCleanupPolicy, setCleanup+"="+got, f.spec.cleanup, "run "+f.spec.setCommand(f.broker, setCleanup, f.spec.cleanup))
}

func (f *foundTopic) checkInSync() error {
	got, err := strconv.Atoi(f.settings[setMinISR])
	if err != nil {
		return nil // the broker does not report it
	}
	need := minInSync(int16(f.replicas))
	switch {
	case got < need:
		return f.refuse(ReasonMinInSync, fmt.Sprintf("%s=%d with %d replicas", setMinISR, got, f.replicas), strconv.Itoa(need),
			"run "+f.spec.setCommand(f.broker, setMinISR, strconv.Itoa(need)))
	case got > f.replicas:
		return f.refuse(ReasonMinInSync, fmt.Sprintf("%s=%d with %d replicas, so that nothing can ever be written", setMinISR, got, f.replicas),
			strconv.Itoa(need), "run "+f.spec.setCommand(f.broker, setMinISR, strconv.Itoa(need)))
	}
	return nil
}

func (f *foundTopic) checkMaxMessage() error {
	got, err := strconv.Atoi(f.settings[setMaxMessage])
	if err != nil || got >= maxBatchBytes {
		return nil
	}
	return f.refuse(ReasonMaxMessage, fmt.Sprintf("%s=%d", setMaxMessage, got), "at least "+strconv.Itoa(maxBatchBytes),
		"run "+f.spec.setCommand(f.broker, setMaxMessage, strconv.Itoa(maxBatchBytes)))
}

func (f *foundTopic) checkUnclean() error {
	if !f.spec.journal || f.settings[setUnclean] != "true" {
		return nil
	}
	return f.refuse(ReasonUnclean, setUnclean+"=true, which lets acknowledged events be lost", "false",
		"run "+f.spec.setCommand(f.broker, setUnclean, "false"))
}

func (f *foundTopic) refuse(reason, found, needed, next string) error {
	return &muster.Error{
		Code: muster.FailedPrecondition, Reason: reason,
		Message: fmt.Sprintf("topic %s: found %s, needed %s; %s", f.spec.name, found, needed, next),
	}
}

func missing(spec *topicSpec, broker string, partitions int32, replicas int16) error {
	return &muster.Error{
		Code: muster.FailedPrecondition, Reason: ReasonMissingTopic,
		Message: fmt.Sprintf("topic %s: found none, needed one of %d partitions; let the toolkit create it or run %s",
			spec.name, partitions, spec.createCommand(broker, partitions, replicas)),
	}
}

// CheckSame holds the id of a topic against the one that was stored when local state was built from it; the zero id stands for nothing
// stored, which is fine. Another id means that the topic was deleted and created again: local state describes records that are gone. The
// error is a FailedPrecondition [muster.Error] with [ReasonRecreated].
func (ids TopicIDs) CheckSame(name string, stored [16]byte) error {
	now, known := ids[name]
	if !known || stored == now || stored == [16]byte{} {
		return nil
	}
	return &muster.Error{
		Code: muster.FailedPrecondition, Reason: ReasonRecreated,
		Message: fmt.Sprintf("topic %s: found id %v, needed %v: it was deleted and created again since local state was built from it; "+
			"restore the old topic, or accept the new one by removing the data directory of this service", name, kadm.TopicID(now), kadm.TopicID(stored)),
	}
}
