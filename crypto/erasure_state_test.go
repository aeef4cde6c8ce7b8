package crypto_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster/crypto"
)

// Several processes drive the same erasures at once, die anywhere, lose answers of the log and the key store. Whatever happens:
//
//	all who have read the ledger to its end tell the same story
//	a state never goes back; a purged erasure has every acknowledgement; a key is destroyed before anything is said to be
//	a subject has one erasure per life
//	once nothing fails any more, everything that was asked for ends
func TestErasuresOfManyProcesses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log, keys := &erasureLog{}, newErasureKeys()
		points := []string{"", "", "", "erasure-keys-destroyed-done", "erasure-keys-destroyed", "erasure-propagating-done", "erasure-purged-done", "erasure-reinstated"}
		var processes []*erasureProcess
		for range 3 {
			processes = append(processes, startErasure(t, log, keys))
		}
		lost := errors.New("no answer")
		log.fail = func() (error, error) {
			switch rapid.IntRange(0, 9).Draw(rt, "log") {
			case 0:
				return lost, nil
			case 1:
				return nil, lost
			}
			return nil, nil
		}
		states, asked := map[string]crypto.ErasureState{}, map[crypto.SubjectRef]bool{}
		act := func(fn func(p *erasureProcess) error) {
			n := rapid.IntRange(0, 2).Draw(rt, "process")
			p := processes[n]
			p.die, p.gone = rapid.SampledFrom(points).Draw(rt, "dies at"), rapid.Bool().Draw(rt, "generations gone")
			if killed, _ := p.survive(func() error { return fn(p) }); killed {
				processes[n] = startErasure(t, log, keys)
			}
		}
		subject := func() crypto.SubjectRef { return crypto.SubjectRef{byte(rapid.IntRange(1, 3).Draw(rt, "subject"))} }
		rt.Repeat(map[string]func(*rapid.T){
			"key": func(*rapid.T) {
				if s := subject(); keys.gone[s].Erasure == "" {
					keys.give(s)
				}
			},
			"join": func(*rapid.T) {
				act(func(p *erasureProcess) error {
					return p.ledger.Join(t.Context(), "bank", erasureTwo[:rapid.IntRange(0, 2).Draw(rt, "shares")])
				})
			},
			"request": func(*rapid.T) {
				s := subject()
				act(func(p *erasureProcess) error {
					_, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: s, Reason: "gdpr-17", Requester: "desk"})
					asked[s] = asked[s] || err == nil
					return err
				})
			},
			"advance": func(*rapid.T) {
				keys.down = nil
				if rapid.IntRange(0, 4).Draw(rt, "keys") == 0 {
					keys.down = crypto.ErrKeyUnavailable
				}
				act(func(p *erasureProcess) error { return p.eraser.Advance(t.Context()) })
				keys.down = nil
			},
			"acknowledge": func(*rapid.T) {
				act(func(p *erasureProcess) error {
					for _, e := range p.ledger.Erasures() {
						if owed := e.Owes("bank"); len(owed) > 0 {
							return p.ledger.Acknowledge(t.Context(), e.ID, owed[rapid.IntRange(0, len(owed)-1).Draw(rt, "duty")])
						}
					}
					return nil
				})
			},
			"reinstate": func(*rapid.T) {
				s := subject()
				act(func(p *erasureProcess) error { return p.eraser.Reinstate(t.Context(), s, "back", "desk") })
			},
			"": func(*rapid.T) {
				erasuresHold(rt, t, processes, keys, states)
			},
		})
		log.fail = nil
		last := startErasure(t, log, keys)
		last.gone = true
		for range 2 {
			if err := last.eraser.Advance(t.Context()); err != nil {
				rt.Fatal(err)
			}
			for _, e := range last.ledger.Erasures() {
				if err := last.ledger.Acknowledge(t.Context(), e.ID, e.Owed...); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if err := last.eraser.Advance(t.Context()); err != nil {
			rt.Fatal(err)
		}
		for s := range asked {
			if e, there := last.ledger.Subject(s); asked[s] && (!there || e.State != crypto.ErasureUnrecoverable) {
				rt.Fatalf("the erasure of %x ends as %s", s[:1], e.State)
			}
		}
		backup := newErasureKeys()
		for s := range asked {
			backup.give(s)
		}
		if _, err := crypto.Replay(t.Context(), last.ledger, backup); err != nil {
			rt.Fatal(err)
		}
		for s, yes := range asked {
			if yes && len(backup.entries[s][0].Wrapped) > 0 {
				rt.Fatalf("a restored backup has the key of %x after the replay", s[:1])
			}
		}
	})
}

func erasuresHold(rt *rapid.T, t *testing.T, processes []*erasureProcess, keys *erasureKeys, states map[string]crypto.ErasureState) {
	var first []crypto.Erasure
	for i, p := range processes {
		if err := p.ledger.Sync(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if all := p.ledger.Erasures(); i == 0 {
			first = all
		} else if !reflect.DeepEqual(all, first) {
			rt.Fatalf("processes 0 and %d read different things:\n%+v\n%+v", i, first, all)
		}
	}
	alive := map[crypto.SubjectRef]int{}
	for _, e := range first {
		switch {
		case e.State < states[e.ID]:
			rt.Fatalf("%s went back from %s to %s", e.ID, states[e.ID], e.State)
		case e.State >= crypto.ErasurePurged && len(e.Missing()) > 0:
			rt.Fatalf("%s is %s, and %v are missing", e.ID, e.State, e.Missing())
		case e.State >= crypto.ErasureKeysDestroyed && !e.Reinstated && keys.gone[e.Subject].Erasure != e.ID:
			rt.Fatalf("%s is %s, and the key store says %+v", e.ID, e.State, keys.gone[e.Subject])
		case e.State >= crypto.ErasureKeysDestroyed && e.Receipt.Time != time.Unix(1, 0).UTC():
			rt.Fatalf("%s has no receipt: %+v", e.ID, e.Receipt)
		}
		states[e.ID] = e.State
		if !e.Reinstated {
			alive[e.Subject]++
		}
		if alive[e.Subject] > 1 {
			rt.Fatalf("%x has two erasures in one life", e.Subject[:1])
		}
	}
}
