package kafka

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
)

const (
	transactionFeature = "transaction.version"
	// transactionLevel is the level at which brokers bump a producer's epoch with every transaction (KIP-890 part 2), so that a late
	// write of an old transaction cannot get into the next.
	transactionLevel = 2
)

// CheckTransactions refuses a cluster whose transactions are not safe enough: the finalized feature transaction.version must be 2 or more,
// as it is on every cluster created with Apache Kafka 4.0 or newer. The error is a FailedPrecondition [muster.Error] with
// [ReasonTransactions] that names the command which raises it; trouble with the cluster itself is as [Map] says.
func CheckTransactions(ctx context.Context, client *kgo.Client) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "muster", "0"
	answer, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		return Map("ask for the cluster's features", err)
	}
	level := int16(0)
	if answer.FinalizedFeaturesEpoch >= 0 { // below zero the broker does not know them
		for _, feature := range answer.FinalizedFeatures {
			if feature.Name == transactionFeature {
				level = feature.MaxVersionLevel
			}
		}
	}
	if level >= transactionLevel {
		return nil
	}
	addresses, _ := client.OptValue(kgo.SeedBrokers).([]string)
	return &muster.Error{
		Code: muster.FailedPrecondition, Reason: ReasonTransactions,
		Message: fmt.Sprintf("the cluster's feature %s: found %d, needed %d; with all brokers on Apache Kafka 4.0 or newer run "+
			"kafka-features.sh --bootstrap-server %s upgrade --feature %s=%d",
			transactionFeature, level, transactionLevel, strings.Join(addresses, ","), transactionFeature, transactionLevel),
	}
}
