package kafkatest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/embedded"
)

const (
	// BrokersVariable names the environment variable with the addresses, separated by commas, that [Brokers] returns.
	BrokersVariable = "MUSTER_BROKERS"

	// RealVariable names the environment variable that, set to 1, lets [Real] start brokers.
	RealVariable = "MUSTER_KAFKA_REAL"
)

// Brokers returns the addresses of the brokers to test against: those in MUSTER_BROKERS, or an embedded broker of this test's own, which
// ends after the test's other cleanups. Topics and groups need names from [UniqueName], because the brokers may be shared.
func Brokers(t testing.TB) []string {
	t.Helper()
	if addresses := Split(os.Getenv(BrokersVariable)); len(addresses) > 0 {
		return addresses
	}
	return startEmbedded(t, embedded.Config{}).Brokers()
}

// Split takes a list of addresses apart, as it stands in MUSTER_BROKERS: separated by commas, with or without spaces.
func Split(list string) []string {
	var addresses []string
	for address := range strings.SplitSeq(list, ",") {
		if address = strings.TrimSpace(address); address != "" {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// Embedded starts an embedded broker for this test: for those that inject faults into it, or for other reasons touch no other. With
// MUSTER_BROKERS set it skips the test, which would do once more, and slowly, what it does without. It ends after the test's other cleanups,
// not with the test's context, so that clients can still say goodbye.
func Embedded(t testing.TB, config embedded.Config) *embedded.Broker {
	t.Helper()
	if os.Getenv(BrokersVariable) != "" {
		t.Skipf("uses an embedded broker only, and so would show nothing about the brokers in %s; it runs where that is not set", BrokersVariable)
	}
	return startEmbedded(t, config)
}

func startEmbedded(t testing.TB, config embedded.Config) *embedded.Broker {
	t.Helper()
	broker, err := embedded.Start(context.WithoutCancel(t.Context()), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker
}

// Real starts one Apache Kafka broker for this test alone, to be killed, paused and restarted at will; see [RealWith].
func Real(t testing.TB) *Cluster {
	t.Helper()
	return RealWith(t, Config{})
}

// RealWith starts Apache Kafka brokers for this test alone and ends them after its other cleanups. It skips the test unless
// MUSTER_KAFKA_REAL=1: starting takes seconds, Java and, the first time, Maven. When the test fails, the end of each broker's log is in its
// output.
func RealWith(t testing.TB, config Config) *Cluster {
	t.Helper()
	if os.Getenv(RealVariable) != "1" {
		t.Skipf("needs real Kafka brokers of its own: run make test-kafka, or set %s=1", RealVariable)
	}
	begin := time.Now()
	cluster, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Kafka %s: %d broker(s) answered after %s", Version, cluster.Brokers(), time.Since(begin).Round(time.Millisecond))
	t.Cleanup(func() {
		if t.Failed() {
			for _, b := range cluster.brokers {
				t.Logf("broker %d logged last:\n%s", b.id, b.lastWords())
			}
		}
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// RealBrokers returns the addresses of brokers that are Apache Kafka: those in MUSTER_BROKERS, or one that [Real] starts for this test. As
// with [Brokers], topics and groups need names from [UniqueName].
func RealBrokers(t testing.TB) []string {
	t.Helper()
	if addresses := Split(os.Getenv(BrokersVariable)); len(addresses) > 0 {
		return addresses
	}
	return Real(t).Addresses()
}

// UniqueName returns prefix, a hyphen and random characters: a name for a topic, group, service or transactional id that no other test on
// the same brokers uses. The prefix may hold letters, digits, dots, hyphens and underscores.
func UniqueName(t testing.TB, prefix string) string {
	t.Helper()
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if prefix == "" || strings.Trim(prefix, allowed) != "" {
		t.Fatalf("prefix %q cannot start a topic name; use letters, digits, dots, hyphens, underscores", prefix)
	}
	const length = 10 // of 32 letters each: 50 bits
	return prefix + "-" + strings.ToLower(rand.Text()[:length])
}
