package projector_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/projector"
)

// The view of these tests and its events: event i changes a row, moves another one through an index, and counts.
const killEvents = 5_000

func killView() *projector.View[balance] {
	v := projector.NewView[balance]("kill")
	projector.Index(v, "owner", func(_ string, row balance) []string { return []string{row.Owner} })
	return v
}

func killEvent(r *projector.Rows[balance], i int) error {
	rng := rand.New(rand.NewPCG(uint64(i), 7))
	key := fmt.Sprint("key-", rng.IntN(200))
	if rng.IntN(5) == 0 {
		if err := r.Delete(key); err != nil {
			return err
		}
		return r.Add("deleted", 1)
	}
	if err := r.Add("updated", int64(i)); err != nil {
		return err
	}
	return r.Update(key, func(row balance) balance {
		return balance{fmt.Sprint("owner-", rng.IntN(10)), append(row.Tags[max(0, len(row.Tags)-3):], strconv.Itoa(i))}
	})
}

// killRun applies events from where the store is up to the end. at is called at the points where a process can die.
func killRun(ctx context.Context, s *projector.Store, v *projector.View[balance], at func(point string, batch int)) error {
	h, err := s.Claim(ctx, shardOf(v, 0))
	if err != nil {
		return err
	}
	stored, err := h.Stored(ctx)
	if err != nil {
		return err
	}
	next := 0
	for _, c := range stored.Checkpoints {
		next = int(c.Next)
	}
	for batch := 1; next < killEvents; batch++ {
		b, err := h.Begin(ctx)
		if err != nil {
			return err
		}
		for range min(10, killEvents-next) {
			b.Before(&projector.Running{ID: strconv.Itoa(next)})
			if err := killEvent(v.Hand(b.Tx()), next); err != nil {
				return err
			}
			next++
		}
		at("applied", batch)
		c := projector.Checkpoint{Source: shardOf(v, 0).Sources[0], Next: int64(next), LastEvent: strconv.Itoa(next - 1), LastAt: int64(next - 1)}
		if err := b.Commit(ctx, projector.Change{Checkpoints: []projector.Checkpoint{c}}); err != nil {
			return err
		}
		at("committed", batch)
	}
	return nil
}

// TestStoreChild is the other process of TestStoreKilled: it says so at the point it is told, and waits there for its end; or it never stops.
func TestStoreChild(t *testing.T) {
	dir := os.Getenv("MUSTER_TEST_VIEWS")
	if dir == "" {
		t.Skip("it is a part of TestStoreKilled, which starts it in a process of its own")
	}
	point, _ := strings.CutPrefix(os.Getenv("MUSTER_TEST_POINT"), " ")
	v := killView()
	s, err := projector.OpenStore(projector.StoreConfig{Views: []projector.AnyView{v}, Dir: dir, WriteBufferBytes: 64 << 10})
	noError(t, err)
	noError(t, killRun(t.Context(), s, v, func(at string, batch int) {
		if fmt.Sprint(at, batch) == point {
			fmt.Println("ready")
			select {}
		}
		fmt.Println("batch")
	}))
	fmt.Println("end")
	select {}
}

// A process that is killed at any point leaves rows, index, counters and checkpoint that agree: after any number of kills the view is the one that
// is made from the beginning.
func TestStoreKilled(t *testing.T) {
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(3, 3))
	for round := range 8 {
		point, lines := "", rng.IntN(60)
		switch round % 4 {
		case 0:
			point = fmt.Sprint("applied", 1+rng.IntN(20))
		case 1:
			point = fmt.Sprint("committed", 1+rng.IntN(20))
		}
		killStoreChild(t, dir, point, lines)
	}
	v := killView()
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}, Dir: dir, Observe: projector.StoreObserve{Rebuilt: func(r projector.StoreRebuilt) {
		t.Errorf("the store was given up: %+v", r)
	}}})
	stored, err := claim(t, s, shardOf(v, 0)).Stored(t.Context())
	if err != nil || len(stored.Checkpoints) == 0 || stored.Checkpoints[0].Next < 100 {
		t.Fatalf("of what the killed processes have done %+v is left: %v", stored, err)
	}
	noError(t, killRun(t.Context(), s, v, func(string, int) {}))
	fresh := killView()
	whole := openStore(t, projector.StoreConfig{Views: []projector.AnyView{fresh}})
	noError(t, killRun(t.Context(), whole, fresh, func(string, int) {}))
	if got, want := everything(t, v, s), everything(t, fresh, whole); got != want {
		t.Fatalf("after kills the view is\n%s\nmade from the beginning it is\n%s", got, want)
	}
}

// killStoreChild runs the child until its point, or for some batches and a moment more, and kills it.
func killStoreChild(t *testing.T, dir, point string, lines int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestStoreChild$", "-test.v")
	cmd.Env = append(os.Environ(), "MUSTER_TEST_VIEWS="+dir, "MUSTER_TEST_POINT="+point)
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	text := bufio.NewScanner(out)
	for n := 0; text.Scan(); {
		switch line := text.Text(); {
		case line == "ready", line == "end", strings.HasPrefix(line, "--- FAIL"):
			if strings.HasPrefix(line, "---") {
				t.Fatal("the child failed")
			}
			return
		case line == "batch" && point == "":
			if n++; n > lines {
				return
			}
		}
	}
}

// everything prints all rows, the index and the counters of a view.
func everything(t *testing.T, v *projector.View[balance], s *projector.Store) string {
	t.Helper()
	var b strings.Builder
	for row, err := range v.All(t.Context(), s) {
		noError(t, err)
		fmt.Fprintln(&b, row)
	}
	for row, err := range v.AllByIndex(t.Context(), s, "owner", "", projector.Prefix("owner-")) {
		noError(t, err)
		fmt.Fprintln(&b, row.Key, row.Value.Owner)
	}
	for _, name := range []string{"updated", "deleted"} {
		n, err := v.Count(t.Context(), s, name)
		noError(t, err)
		fmt.Fprintln(&b, name, n)
	}
	return b.String()
}
