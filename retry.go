package muster

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"time"
)

// RetryPolicy bounds how often and for how long a command is executed again whose handler asked for it with [RetryLater]. Every zero
// value means its default.
//
// The wait before try n+1 is drawn between zero and First * 2^(n-1), but at most Longest: exponential backoff with full jitter. A budget is
// used up when all Attempts were made, or when the next try would come later than Within after the first one, or later than the command's own
// deadline. Then the command is refused with [Unavailable] and [ReasonRetriesExhausted], becomes a dead letter, and what waits behind it goes on.
type RetryPolicy struct {
	// Attempts is how often a command is executed at most, the first time included. Zero means 10.
	Attempts int
	// Within is the longest time from the first execution to the last one. Zero means one minute.
	Within time.Duration
	// First is the upper bound of the first wait. Zero means 100 ms.
	First time.Duration
	// Longest is the upper bound of every wait. Zero means 10 s.
	Longest time.Duration
}

// Validate reports everything that is wrong with the policy, joined.
func (p RetryPolicy) Validate() error {
	var faults []error
	if p.Attempts < 0 {
		faults = append(faults, fmt.Errorf("retry policy: Attempts is %d; zero means 10, 1 means that nothing is tried again", p.Attempts))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Within", p.Within}, {"First", p.First}, {"Longest", p.Longest}} {
		if d.value < 0 || d.value > 0 && d.value < time.Millisecond {
			faults = append(faults, fmt.Errorf("retry policy: %s is %v; zero means the default, else at least 1ms", d.name, d.value))
		}
	}
	return errors.Join(faults...)
}

// filled puts the defaults in place of zeros.
func (p RetryPolicy) filled() RetryPolicy {
	if p.Attempts == 0 {
		p.Attempts = 10
	}
	if p.Within == 0 {
		p.Within = time.Minute
	}
	if p.First == 0 {
		p.First = 100 * time.Millisecond
	}
	if p.Longest == 0 {
		p.Longest = 10 * time.Second
	}
	return p
}

// delay gives the wait after the given number of tries; chance is in [0, 1).
func (p RetryPolicy) delay(tries int, chance float64) time.Duration {
	top := p.First
	for n := 1; n < tries && top < p.Longest; n++ {
		top *= 2
	}
	return time.Duration(chance * float64(min(top, p.Longest)))
}

// retryAsk is what a handler asked for with [RetryLater]; zero values leave it to the group's policy.
type retryAsk struct {
	after    time.Duration
	attempts int
	within   time.Duration
}

// RetryOption changes one [RetryLater].
type RetryOption func(*retryAsk)

// RetryAfter sets the wait before the next try, in place of the backoff: without jitter, for a cause that says when it will be over.
func RetryAfter(d time.Duration) RetryOption { return func(a *retryAsk) { a.after = max(d, 0) } }

// RetryAttempts sets how often this command is executed at most, in place of [RetryPolicy].Attempts.
func RetryAttempts(n int) RetryOption { return func(a *retryAsk) { a.attempts = max(n, 1) } }

// RetryWithin sets the longest time from the first execution to the last one, in place of [RetryPolicy].Within.
func RetryWithin(d time.Duration) RetryOption { return func(a *retryAsk) { a.within = max(d, 1) } }

// RetryLater makes the error with which a handler asks to be called again later, because what it needs is not there now. Nothing of this
// execution is kept. The command waits, and with it every later command of the same aggregate, queries too; other aggregates go on. How often
// and how long is bounded by the group's [RetryPolicy] and by opts. [Meta].Attempt tells the handler which try it is.
//
// A query is not tried again by the owner: its caller gets [Unavailable] with Retry set and may ask again.
func RetryLater(cause error, opts ...RetryOption) *Error {
	ask := &retryAsk{}
	for _, opt := range opts {
		opt(ask)
	}
	message := "no cause given"
	if cause != nil {
		message = textOf(cause)
	}
	return &Error{Code: Unavailable, Message: message, Retry: true, cause: cause, ask: ask}
}

// Retryable is what an error of the user's own may implement to mean the same as [RetryLater], with the group's policy.
type Retryable interface {
	error
	RetryLater() bool
}

// Drop makes the error with which a handler gives a command up for good, though the business has not refused it: no retry could help, and
// somebody should look at it. The caller gets [Internal] with [ReasonDropped], the command becomes a dead letter with the given reason, and
// the next one proceeds. The reason must not hold personal data: it travels and is kept.
func Drop(reason string) *Error {
	return &Error{Code: Internal, Reason: ReasonDropped, Message: reason, drop: true}
}

// The reasons that belong to retries.
const (
	ReasonRetriesExhausted = "retries-exhausted" // the budget of [RetryLater] is used up; the message tells the last cause
	ReasonDropped          = "dropped"           // the handler said [Drop]
)

// verdict turns the error of a handler into what is to be done with its command.
func verdict(err error, readOnly bool) *Error {
	refusal := *refusalOf(err)
	refusal.toolkit = refusal.drop // whatever it was made with, here it is the handler's word; but for a command given up
	if refusal.ask == nil {
		if own, is := errors.AsType[Retryable](err); is && own.RetryLater() {
			refusal = *RetryLater(err)
		}
	}
	if readOnly {
		refusal.ask, refusal.toolkit = nil, false
	}
	return &refusal
}

// exhausted is the refusal of a command whose budget is used up.
func exhausted(cmd *Command, tries Tries, now time.Time, why string, last *Error) *Error {
	e := refuse(Unavailable, ReasonRetriesExhausted, "%s was executed %d times in %v and never done: %s; the last cause: %s",
		cmd.Type, tries.Count, now.Sub(tries.Since), why, last.Message)
	e.Details, e.Retry = last.Details, true
	return e
}

// chance draws from a command and its try, so that the core stays a function of its input, and commands that failed together do not come
// back together.
func chance(id string, try int) float64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, id) // a hash takes everything
	_, _ = h.Write([]byte{0, byte(try), byte(try >> 8)})
	// FNV's low bits mix better than its high ones for short texts.
	sum := h.Sum64()
	sum ^= sum >> 32
	return float64(sum&(1<<32-1)) / (1 << 32)
}
