package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
)

// story is what the steps share.
type story struct {
	*house
	out        io.Writer
	anna, bert string // pseudonyms: an id lies everywhere in clear
}

// tell goes through all steps; the first that does not come out as it should ends it.
func tell(ctx context.Context, brokers []string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	h, err := open(ctx, brokers)
	if err != nil {
		return err
	}
	defer h.close()
	s := &story{house: h, out: out, anna: crypto.PseudonymousID(h.secret, "anna@example.org"), bert: crypto.PseudonymousID(h.secret, "bert@example.org")}
	for i, step := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"two people sign up and order", s.signUp},
		{"what is known of one of them is exported", s.export},
		{"she is erased", s.erase},
		{"her state has nothing personal, and goes on", s.goesOn},
		{"nobody can give her a name again", s.refused},
		{"the read model is built anew, and has her row without a name", s.rebuild},
		{"the other one is as he was", s.intact},
		{"the erasure is proven", s.verify},
	} {
		fmt.Fprintf(out, "%d. %s\n", i+1, step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, step.name, err)
		}
	}
	return nil
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

func (s *story) signUp(ctx context.Context) error {
	for id, in := range map[string]*peoplepb.SignUp{
		s.anna: {Name: "Anna Example", Email: "anna@example.org", City: "Bern"},
		s.bert: {Name: "Bert Example", Email: "bert@example.org", City: "Bern"},
	} {
		if _, err := signUp.Call(ctx, s.Client(), id, in); err != nil {
			return err
		}
		got, err := order.Call(ctx, s.Client(), id, &peoplepb.Order{Cents: 250}, muster.WaitFor(s.view))
		if err != nil {
			return err
		}
		s.say("%s... is %s of %s, with %d order", id[:6], got.Name, got.City, got.Orders)
	}
	return nil
}

func (s *story) export(ctx context.Context) error {
	var lines bytes.Buffer
	if _, err := s.Privacy().Export(ctx, s.anna, "desk-4", &lines); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) {
		s.say("%s", strings.TrimSpace(line))
	}
	if text := lines.String(); !strings.Contains(text, "anna@example.org") || strings.Contains(text, "Bert") {
		return fmt.Errorf("the export is not what is known of Anna: %q", text)
	}
	return nil
}

func (s *story) erase(ctx context.Context) error {
	e, err := s.Privacy().Erase(ctx, s.anna, "gdpr-17", "desk-4")
	if err != nil {
		return err
	}
	s.say("asked for: %d acknowledgements are owed", len(e.Owed))
	if e, err = s.Privacy().Await(ctx, s.anna, crypto.ErasurePurged); err != nil {
		return err
	}
	s.say("%s: %d acknowledgements, %d key destroyed", e.State, len(e.Done), len(e.Receipt.Keys))
	if len(e.Receipt.Keys) != 1 || len(e.Done) != len(e.Owed) {
		return fmt.Errorf("the erasure is %+v", e)
	}
	return nil
}

func (s *story) goesOn(ctx context.Context) error {
	got, err := order.Call(ctx, s.Client(), s.anna, &peoplepb.Order{Cents: 100}, muster.WaitFor(s.view))
	if err != nil {
		return err
	}
	s.say("name %q, city %q, %d orders, %d cents", got.Name, got.City, got.Orders, got.Cents)
	return redacted(got, 2, 350)
}

// redacted tells what is wrong with what is left of Anna.
func redacted(got *peoplepb.Person, orders, cents int64) error {
	if got.Name != "" || got.Email != "" || got.Letters != 0 || got.City != "Bern" || got.Orders != orders || got.Cents != cents {
		return fmt.Errorf("of her there is a name of %d letters, an address of %d, %q, %d orders, %d cents", len(got.Name), len(got.Email), got.City, got.Orders, got.Cents)
	}
	return nil
}

func (s *story) refused(ctx context.Context) error {
	_, err := signUp.Call(ctx, s.Client(), s.anna, &peoplepb.SignUp{Name: "Anna Example", Email: "anna@example.org", City: "Bern"})
	s.say("%v", muster.CodeOf(err))
	if muster.CodeOf(err) != muster.FailedPrecondition {
		return fmt.Errorf("signing up under an erased id gave %w", err)
	}
	return nil
}

func (s *story) rebuild(ctx context.Context) error {
	if err := s.Operator().Restart(ctx, projector.Scope{Projection: "directory"}); err != nil {
		return err
	}
	got, err := order.Call(ctx, s.Client(), s.anna, &peoplepb.Order{Cents: 50}, muster.WaitFor(s.view))
	if err != nil {
		return err
	}
	if err := redacted(got, 3, 400); err != nil {
		return err
	}
	page, err := s.view.ByIndex(ctx, s.Views(), "city", "Bern")
	if err != nil {
		return err
	}
	for _, row := range page.Rows {
		s.say("%s... %q of %s, %d cents", row.Key[:6], row.Value.Name, row.Value.City, row.Value.Cents)
		if row.Key == s.anna {
			if err := redacted(row.Value, 3, 400); err != nil {
				return err
			}
		}
	}
	if len(page.Rows) != 2 {
		return fmt.Errorf("%d people live in Bern, want 2", len(page.Rows))
	}
	return nil
}

func (s *story) intact(ctx context.Context) error {
	got, err := ask.Call(ctx, s.Client(), s.bert, &peoplepb.Ask{})
	if err != nil {
		return err
	}
	row, err := s.view.Get(ctx, s.Views(), s.bert)
	if err != nil {
		return err
	}
	s.say("%s, %s, %d cents; in the read model %s", got.Name, got.Email, got.Cents, row.Name)
	if got.Name != "Bert Example" || got.Letters != 12 || got.Cents != 250 || row.Name != got.Name || row.Email != "bert@example.org" {
		return fmt.Errorf("he is not what he was, or the read model has somebody else: a name of %d letters and %d cents, there %d letters", len(got.Name), got.Cents, len(row.Name))
	}
	return nil
}

func (s *story) verify(ctx context.Context) error {
	v, err := s.Privacy().VerifyErased(ctx, s.anna)
	if err != nil {
		return err
	}
	s.say("looked at %d keys, %d states and %d events: %d faults", v.Keys, v.Aggregates, v.Events, len(v.Faults))
	head, records := s.Privacy().Ledger().Head()
	s.say("the ledger has %d records and ends with %s...", records, head[:12])
	if len(v.Faults) > 0 || v.Keys != 1 || v.Aggregates != 1 || v.Events != 1 {
		return fmt.Errorf("the verification found %+v", v)
	}
	return nil
}
