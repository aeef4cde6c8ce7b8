package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/commander/signup"
)

// welcomed is the list of users who got a mail, kept by a subscriber.
type welcomed struct {
	mu     sync.Mutex          // guards what follows
	seen   map[string]struct{} // event ids: an event may come again
	ids    []string            // users, in the order of arrival
	change chan struct{}       // closed and renewed with each arrival
}

func newWelcomed() *welcomed {
	return &welcomed{seen: map[string]struct{}{}, change: make(chan struct{})}
}

// subscription is durable: all instances of the website share it, and a restart goes on where it was.
func (l *welcomed) subscription() *muster.Subscription {
	return muster.NewSubscription(signup.Mails, "welcome-list", muster.On(signup.MailSent, l.add))
}

func (l *welcomed) add(_ context.Context, _ signup.Mail, m muster.Meta) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, again := l.seen[m.ID]; again {
		return nil
	}
	l.seen[m.ID] = struct{}{}
	l.ids = append(l.ids, m.AggregateID)
	close(l.change)
	l.change = make(chan struct{})
	return nil
}

// await returns when exactly these users are on the list, in any order; more is an error at once.
func (l *welcomed) await(ctx context.Context, want ...string) error {
	slices.Sort(want)
	for {
		l.mu.Lock()
		got, change := slices.Sorted(slices.Values(l.ids)), l.change
		l.mu.Unlock()
		if slices.Equal(got, want) {
			return nil
		}
		if len(got) >= len(want) {
			return fmt.Errorf("the list has %v, want %v", got, want)
		}
		select {
		case <-change:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the list has only %v, want %v", got, want), ctx.Err())
		}
	}
}
