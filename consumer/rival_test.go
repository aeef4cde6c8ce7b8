package consumer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// of is the configuration of an instance of a service.
func (c *cluster) of(service, instance string) consumer.Config {
	config := c.config(instance)
	config.Service = service
	return config
}

func refusesFor(t *testing.T, err error, owner, instance string) {
	t.Helper()
	e, is := errors.AsType[*muster.Error](err)
	if !is || e.Code != muster.FailedPrecondition || e.Reason != consumer.ReasonRival {
		t.Fatalf("%v; want a refusal with reason %s", err, consumer.ReasonRival)
	}
	for _, text := range []string{`owned by service "` + owner + `"`, `instance "` + instance + `"`, "127.0.0.1"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v\ndoes not say %s", err, text)
		}
	}
}

// A group has one owner: another service does not open, replicas do, and so does a build that shows no badge.
func TestASecondServiceDoesNotOpen(t *testing.T) {
	c := start(t, 2)
	a := run(t, c.of("bank", "bank-1"))
	a.serveAll(2)
	if opened, err := consumer.Open(within(t), c.of("ledger", "ledger-1")); err == nil {
		opened.Close()
		t.Error("another service opened")
	} else {
		refusesFor(t, err, "bank", "bank-1")
	}
	for _, config := range []consumer.Config{c.of("bank", "bank-2"), c.config("old-1")} {
		opened, err := consumer.Open(within(t), config)
		if err != nil {
			t.Fatalf("instance %s of service %q: %v", config.Instance, config.Service, err)
		}
		opened.Close()
	}
}

// Two services open side by side, when the group has no member that either could see. Of the two that join, the later one ends.
func TestTwoServicesThatOpenAtOnce(t *testing.T) {
	t.Parallel() // it waits most of the time
	for name, laterRunsFirst := range map[string]bool{"the earlier joins first": false, "the later joins first": true} {
		t.Run(name, func(t *testing.T) {
			c := start(t, 2)
			earlier, err := consumer.Open(within(t), c.of("bank", "bank-1"))
			if err != nil {
				t.Fatal(err)
			}
			later, err := consumer.Open(within(t), c.of("ledger", "ledger-1"))
			if err != nil {
				t.Fatal(err)
			}
			ended := map[*consumer.Consumer]chan error{}
			for _, x := range []*consumer.Consumer{earlier, later} {
				ended[x] = make(chan error, 1)
				go func() {
					for change := range x.Changes() {
						change.Done()
					}
				}()
				t.Cleanup(x.Close)
			}
			run := func(x *consumer.Consumer) { go func() { ended[x] <- x.Run(within(t)) }() }
			order := []*consumer.Consumer{earlier, later}
			if laterRunsFirst {
				order = []*consumer.Consumer{later, earlier}
			}
			run(order[0])
			eventually(t, "the first is a member", func() bool { names, err := order[0].Members(within(t)); return err == nil && len(names) == 1 })
			run(order[1])
			select {
			case err := <-ended[later]:
				refusesFor(t, err, "bank", "bank-1")
			case err := <-ended[earlier]:
				t.Fatalf("the earlier one ended: %v", err)
			case <-within(t).Done():
				t.Fatal("neither ended")
			}
		})
	}
}

// Balancers of other clients, and of builds that know no badge, read past it.
func TestBadgeIsReadPast(t *testing.T) {
	plain := kgo.CooperativeStickyBalancer().JoinGroupMetadata([]string{"t"}, map[string][]int32{"t": {1, 2}}, 7)
	pinned := consumer.PinBadge("bank", time.UnixMilli(1234), plain)
	var before, after kmsg.ConsumerMemberMetadata
	if err := before.ReadFrom(plain); err != nil {
		t.Fatal(err)
	}
	if err := after.ReadFrom(pinned); err != nil {
		t.Fatal(err)
	}
	if service, since, found := consumer.ReadBadge(after.UserData); !found || service != "bank" || since != 1234 {
		t.Errorf("%q since %d, %t", service, since, found)
	}
	if !strings.HasPrefix(string(after.UserData), string(before.UserData)) || len(after.OwnedPartitions) != 1 || after.Generation != 7 {
		t.Errorf("%+v became %+v", before, after)
	}
	if _, _, found := consumer.ReadBadge(before.UserData); found {
		t.Error("a badge was found where there is none")
	}
	if got := consumer.PinBadge("", time.Now(), plain); string(got) != string(plain) {
		t.Error("a consumer without service has a badge")
	}
	if got := consumer.PinBadge("bank", time.Now(), []byte{1}); string(got) != "\x01" {
		t.Errorf("metadata that cannot be read became %q", got)
	}
}

func FuzzReadBadge(f *testing.F) {
	var meta kmsg.ConsumerMemberMetadata
	plain := kgo.CooperativeStickyBalancer().JoinGroupMetadata([]string{"t"}, nil, 0)
	if err := meta.ReadFrom(consumer.PinBadge("bank", time.UnixMilli(99), plain)); err != nil {
		f.Fatal(err)
	}
	f.Add(meta.UserData)
	f.Add([]byte(`{"service":"x"}` + "\x00\x0fmstr"))
	f.Add([]byte("\xff\xffmstr"))
	f.Fuzz(func(t *testing.T, data []byte) {
		service, since, found := consumer.ReadBadge(data)
		if found && service == "" || !found && (service != "" || since != 0) {
			t.Errorf("%q since %d, %t", service, since, found)
		}
	})
}
