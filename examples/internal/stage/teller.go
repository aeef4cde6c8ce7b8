// Package stage is what the examples that tell a story share: services that run beside each other, and steps that are done, checked and printed.
package stage

import (
	"context"
	"fmt"
	"io"
)

// Step is one thing that happens in a story. It checks what came of it: an error means that it was not what the story says.
type Step struct {
	Topic string // one word: what it is about
	Text  string // what is asked for
	Do    func(ctx context.Context) (outcome string, err error)
}

// NewStep makes a step.
func NewStep(topic, text string, do func(ctx context.Context) (outcome string, err error)) Step {
	return Step{Topic: topic, Text: text, Do: do}
}

// Teller does the steps and prints what happens, one line each.
type Teller struct {
	out         io.Writer
	topic, text int // widths of the columns
	steps       int // done so far, by the one goroutine that tells

	details []string // lines that belong to the step in hand
}

// NewTeller makes a teller whose columns for topic and text are that wide, in characters.
func NewTeller(out io.Writer, topic, text int) *Teller {
	return &Teller{out: out, topic: topic, text: text}
}

// Steps is how many steps were begun.
func (t *Teller) Steps() int { return t.steps }

// Chapter does steps one after another; the first one that fails ends the story.
func (t *Teller) Chapter(ctx context.Context, title string, steps ...Step) error {
	fmt.Fprintf(t.out, "\n%s\n", title)
	for _, s := range steps {
		t.steps++
		t.details = t.details[:0]
		outcome, err := s.Do(ctx)
		if err != nil {
			return fmt.Errorf("step %d (%s, %s): %w", t.steps, s.Topic, s.Text, err)
		}
		fmt.Fprintf(t.out, "%4d  %-*s %-*s %s\n", t.steps, t.topic, s.Topic, t.text, s.Text, outcome)
		for _, line := range t.details {
			fmt.Fprintf(t.out, "%4s  %-*s %s\n", "", t.topic, "", line)
		}
	}
	return nil
}

// Detail adds a line that is printed below the step in hand.
func (t *Teller) Detail(format string, args ...any) {
	t.details = append(t.details, fmt.Sprintf(format, args...))
}
