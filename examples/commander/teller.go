package main

import (
	"context"
	"fmt"
	"io"
)

// step is one thing that happens in the story. It checks what came of it: an error means that it was not what the story says.
type step struct {
	topic string // one word: what it is about
	text  string // what is asked for
	do    func(ctx context.Context) (outcome string, err error)
}

// teller does the steps and prints what happens, one line each.
type teller struct {
	out   io.Writer
	steps int // done so far, by the one goroutine that tells

	details []string // lines that belong to the step in hand
}

// chapter does steps one after another; the first one that fails ends the story.
func (t *teller) chapter(ctx context.Context, title string, steps ...step) error {
	fmt.Fprintf(t.out, "\n%s\n", title)
	for _, s := range steps {
		t.steps++
		t.details = t.details[:0]
		outcome, err := s.do(ctx)
		if err != nil {
			return fmt.Errorf("step %d (%s, %s): %w", t.steps, s.topic, s.text, err)
		}
		fmt.Fprintf(t.out, "%4d  %-9s %-40s %s\n", t.steps, s.topic, s.text, outcome)
		for _, line := range t.details {
			fmt.Fprintf(t.out, "%4s  %-9s %s\n", "", "", line)
		}
	}
	return nil
}

// detail adds a line that is printed below the step in hand.
func (t *teller) detail(format string, args ...any) {
	t.details = append(t.details, fmt.Sprintf(format, args...))
}
