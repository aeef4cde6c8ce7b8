package kafkatest_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, brokers []string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.ProducerLinger(0)}, options...)...)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestBrokersAreThoseOfTheEnvironment(t *testing.T) {
	t.Setenv(kafkatest.BrokersVariable, "one:9092, two:9094,")
	if got, want := kafkatest.Brokers(t), []string{"one:9092", "two:9094"}; !slices.Equal(got, want) {
		t.Errorf("brokers %q, want %q", got, want)
	}
}

func TestBrokersAreEmbeddedOtherwise(t *testing.T) {
	t.Setenv(kafkatest.BrokersVariable, "")
	var address string
	t.Run("while the test runs", func(t *testing.T) {
		brokers := kafkatest.Brokers(t)
		if len(brokers) != 1 {
			t.Fatalf("brokers %q, want one", brokers)
		}
		address = brokers[0]
		if err := connect(t, brokers).Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
	if err := kafkatest.Ping(t.Context(), []string{address}); err == nil {
		t.Errorf("broker %s still answers after its test", address)
	}
}

func TestEmbeddedOutlivesTheContextOfItsTest(t *testing.T) {
	t.Setenv(kafkatest.BrokersVariable, "")
	var broker *embedded.Broker
	t.Run("test", func(t *testing.T) {
		broker = kafkatest.Embedded(t, embedded.Config{Brokers: 2})
		t.Cleanup(func() { // runs before the broker's own cleanup, after the end of the context
			<-t.Context().Done()
			select {
			case <-broker.Done():
				t.Error("the broker ended before the cleanups of its test")
			default:
			}
		})
	})
	<-broker.Done()
}

// A test that asks for an embedded broker runs exactly where no other brokers are named, so that it runs in one of the two.
func TestEmbeddedSkipsWhereOtherBrokersAreNamed(t *testing.T) {
	for brokers, want := range map[string]bool{"": true, "one:9092": false} {
		t.Setenv(kafkatest.BrokersVariable, brokers)
		went := false
		t.Run("asks", func(t *testing.T) {
			defer func() { went = !t.Skipped() }()
			kafkatest.Embedded(t, embedded.Config{})
		})
		if went != want {
			t.Errorf("with brokers %q the test went on: %t, want %t", brokers, went, want)
		}
	}
}

func TestRealSkipsUnlessAskedFor(t *testing.T) {
	t.Setenv(kafkatest.RealVariable, "")
	went := false
	t.Run("asks", func(t *testing.T) {
		defer func() { went = !t.Skipped() }()
		kafkatest.Real(t)
	})
	if went {
		t.Error("Real did not skip the test")
	}
}

func TestUniqueNamesAreTopicNamesAndDiffer(t *testing.T) {
	valid := regexp.MustCompile(`^shop\.orders-[a-z0-9]{10}$`)
	seen := make(map[string]bool)
	for range 1000 {
		name := kafkatest.UniqueName(t, "shop.orders")
		if !valid.MatchString(name) {
			t.Fatalf("name %q does not match %s", name, valid)
		}
		if seen[name] {
			t.Fatalf("name %q came twice", name)
		}
		seen[name] = true
	}
}
