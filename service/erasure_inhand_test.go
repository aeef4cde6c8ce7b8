package service_test

import (
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
)

// Somebody is erased while the first command about them is in hand: its event is sealed, and even committed, and nothing is stored yet. The erasure waits for
// it, and takes what it has made.
func TestErasureBesideTheFirstCommand(t *testing.T) {
	for _, point := range []string{"decided", "committed"} {
		t.Run(point, func(t *testing.T) {
			h := newErasureHouse(t, oneErasurePartition)
			heard, inHand, proceed := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var once, told sync.Once
			release := sync.OnceFunc(func() { close(proceed) })
			t.Cleanup(release)
			arm := make(chan struct{})
			s := h.start(t.TempDir(), func(at string) {
				switch at {
				case "erasing-heard":
					told.Do(func() { close(heard) })
				case point:
					select {
					case <-arm:
						once.Do(func() {
							close(inHand)
							<-proceed
						})
					default:
					}
				}
			}, h.owner())
			h.signsUp(s, "bert", "Bert")
			close(arm)
			called := make(chan error, 1)
			go func() {
				_, err := h.signUp.Call(bounded(t), s.Client(), "anna", &peoplepb.SignUp{Name: "Anna", Email: "Anna@example.org", City: "Bern"})
				called <- err
			}()
			within(t, "her command is in hand", inHand)
			if _, err := s.Privacy().Erase(bounded(t), "anna", "gdpr-17", "desk"); err != nil {
				t.Fatal(err)
			}
			purged := make(chan struct{})
			go func() {
				defer close(purged)
				_, _ = s.Privacy().Await(bounded(t), "anna", crypto.ErasurePurged)
			}()
			select {
			case <-heard:
			case <-purged:
				t.Error("it is over, and her command is still in hand")
			}
			release()
			if err := <-called; err != nil {
				t.Logf("the command: %v", err)
			}
			h.await(s, "anna")
			h.wantErased(s, nil, "anna", "bert")
		})
	}
}
