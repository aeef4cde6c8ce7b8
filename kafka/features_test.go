package kafka_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func TestTransactionsOfANewClusterAreGoodEnough(t *testing.T) {
	_, client, _ := open(t)
	if err := kafka.CheckTransactions(within(t), client); err != nil {
		t.Error(err)
	}
}

func TestOldClusterIsRefused(t *testing.T) {
	cluster, client, _ := open(t, kfake.MaxVersions(kversion.V3_6_0()))
	err := kafka.CheckTransactions(within(t), client)
	if muster.CodeOf(err) != muster.FailedPrecondition || muster.ReasonOf(err) != kafka.ReasonTransactions {
		t.Fatalf("%v", err)
	}
	for _, says := range []string{"needed 2", "upgrade --feature transaction.version=2", cluster.ListenAddrs()[0]} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v\ndoes not say %q", err, says)
		}
	}
}

func TestUnreachableClusterIsUnavailable(t *testing.T) {
	t.Parallel() // it waits most of the time
	cluster, client, _ := open(t)
	cluster.Close()
	ctx, cancel := context.WithTimeout(within(t), 2*time.Second) // the client tries again and again until then
	defer cancel()
	if err := kafka.CheckTransactions(ctx, client); muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "is the address right") {
		t.Errorf("features: %v", err)
	}
	if _, err := kafka.EnsureGroup(ctx, client, accounts, "", true); muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("topics: %v", err)
	}
}
