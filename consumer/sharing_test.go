package consumer_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// shares watches over who holds what: no two members hold a partition at once.
type shares struct {
	t      testing.TB
	mu     sync.Mutex // guards what follows
	holder map[int32]string
	lost   int // partitions that were given up so far
}

// givenUp is how many partitions were given up so far, those that came back at once among them.
func (s *shares) givenUp() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

func (s *shares) count(instance string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, h := range s.holder {
		if h == instance {
			n++
		}
	}
	return n
}

// sharing is a member that runs.
type sharing struct {
	*consumer.Sharing
	t    testing.TB
	stop context.CancelFunc
	done chan error
}

func (c *cluster) sharing(instance string) consumer.SharingConfig {
	config := consumer.SharingConfig{
		Kafka: c.kafka, Group: c.group, ConsumerGroup: c.group.Name() + "/totals@1", Service: "bank", Instance: instance, Address: "http://" + instance,
	}
	config.Kafka.Options = []kgo.Opt{kgo.HeartbeatInterval(100 * time.Millisecond)}
	return config
}

// share runs a member.
func (s *shares) share(config consumer.SharingConfig, slow time.Duration) *sharing {
	s.t.Helper()
	one, err := consumer.OpenSharing(config)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &sharing{Sharing: one, t: s.t, stop: stop, done: make(chan error, 1)}
	gain := func(_ context.Context, partitions []int32) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range partitions {
			if other, held := s.holder[p]; held {
				s.t.Errorf("%s gained %d, which %s holds", config.Instance, p, other)
			}
			s.holder[p] = config.Instance
		}
	}
	lose := func(ctx context.Context, partitions []int32) {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			s.t.Errorf("%s had not enough time to give up %v", config.Instance, partitions)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range partitions {
			if s.holder[p] != config.Instance {
				s.t.Errorf("%s lost %d, which %s holds", config.Instance, p, s.holder[p])
			}
			delete(s.holder, p)
			s.lost++
		}
	}
	go func() { m.done <- one.Run(ctx, gain, lose) }()
	s.t.Cleanup(func() {
		stop()
		one.Close()
	})
	return m
}

func (m *sharing) ended() error {
	m.t.Helper()
	m.stop()
	select {
	case err := <-m.done:
		return err
	case <-time.After(patience):
		m.t.Fatal("Run did not end")
		return nil
	}
}

// Members share all partitions, no partition has two holders at any moment, and everybody can see who has what, also from outside.
func TestMembersShare(t *testing.T) {
	c := start(t, 12)
	s := &shares{t: t, holder: map[int32]string{}}
	a := s.share(c.sharing("a"), 0)
	until(t, "the first has all", func() bool { return s.count("a") == 12 })
	b := s.share(c.sharing("b"), 200*time.Millisecond)
	until(t, "the second has half", func() bool { return s.count("a") == 6 && s.count("b") == 6 })

	outside, err := consumer.OpenSharing(c.sharing("outside"))
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	var seen map[int32]consumer.Holder
	until(t, "the outside sees who has what", func() bool {
		seen, err = outside.Holders(within(t))
		return err == nil && len(seen) == 12 && slices.ContainsFunc([]int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, func(p int32) bool { return seen[p].Instance == "b" })
	})
	s.mu.Lock()
	for p, h := range s.holder {
		if seen[p].Instance != h || seen[p].Address != "http://"+h {
			t.Errorf("partition %d is held by %s, and seen as %+v", p, h, seen[p])
		}
	}
	s.mu.Unlock()

	if err := b.ended(); err != nil {
		t.Error(err)
	}
	if n := s.count("b"); n != 0 {
		t.Errorf("after its end a member holds %d", n)
	}
	if err := b.Leave(within(t)); err != nil {
		t.Error(err)
	}
	until(t, "what the one that left had is taken over", func() bool { return s.count("a") == 12 })
	if err := a.ended(); err != nil {
		t.Error(err)
	}
	if err := a.Leave(within(t)); err != nil {
		t.Error(err)
	}
	if seen, err := outside.Holders(within(t)); err != nil || len(seen) != 0 {
		t.Errorf("when all have left: %v, %v", seen, err)
	}
}

// A member that comes back under its name within the session has its partitions again, and the others keep theirs.
func TestAMemberComesBack(t *testing.T) {
	c := start(t, 4)
	s := &shares{t: t, holder: map[int32]string{}}
	a, b := s.share(c.sharing("a"), 0), s.share(c.sharing("b"), 0)
	until(t, "both have a half", func() bool { return s.count("a") == 2 && s.count("b") == 2 })
	if err := b.ended(); err != nil {
		t.Error(err)
	}
	b = s.share(c.sharing("b"), 0)
	until(t, "it has its half again", func() bool { return s.count("b") == 2 })
	if n := s.count("a"); n != 2 {
		t.Errorf("the other one has %d", n)
	}
	younger := (&shares{t: t, holder: map[int32]string{}}).share(c.sharing("a"), 0) // the older one does not know yet
	select {
	case err := <-a.done:
		if err == nil {
			t.Error("of two with one name the older one ended without a word")
		}
	case <-time.After(patience):
		t.Fatal("of two with one name none ended")
	}
	for _, m := range []*sharing{younger, b} {
		if err := m.ended(); err != nil {
			t.Error(err)
		}
	}
}

func TestSharingRefuses(t *testing.T) {
	_, err := consumer.OpenSharing(consumer.SharingConfig{Group: muster.NewGroup("x"), RevokeTimeout: time.Hour})
	if err == nil {
		t.Fatal("nothing is wrong")
	}
}
