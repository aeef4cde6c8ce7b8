package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster/internal/pgtest"
)

// Every row runs, tiny, on embedded brokers: it measures nothing here, but it must not rot.
func TestEveryRow(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for some seconds what the tests of the packages run, too")
	}
	defer goleak.VerifyNone(t)
	file := filepath.Join(t.TempDir(), "out.json")
	var out strings.Builder
	args := []string{
		"-embedded", "-embedded-brokers=3", "-run=all", "-warm=false", "-json=" + file, "-dir=" + t.TempDir(), "-commit=abc", "-seed=7",
		"-n=500", "-aggregates=40", "-payload=60", "-clients=8", "-calls=20", "-window=500ms", "-recover=600", "-resident=300",
		"-events=900", "-keys=300", "-sql=400", "-rebuild=700",
	}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []result
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range got {
		names = append(names, r.Name)
		if r.Value <= 0 || r.Unit == "" || len(r.Passes) != 1 || !strings.Contains(out.String(), r.Name) {
			t.Errorf("%s: value %v %s in %d passes; want one pass and a value above zero, printed too", r.Name, r.Value, r.Unit, len(r.Passes))
		}
		if hasRaw := r.Raw > 0 && r.Ratio > 0; hasRaw != (r.Name != "resident" && r.Name != "rebuild") {
			t.Errorf("%s: raw %v, ratio %v", r.Name, r.Raw, r.Ratio)
		}
		if c := r.Config; c.Broker != "embedded" || c.Brokers != 3 || c.Seed != 7 || c.Commit != "abc" || c.Cores < 1 || c.Go == "" {
			t.Errorf("%s: config %+v", r.Name, c)
		}
	}
	want := []string{"drain", "call-1", "call-256", "call-1-transactional", "call-256-transactional", "call-hot", "call-skew", "call-256-rf3", "recover", "resident", "view-memory", "view-pebble", "view-pebble-fetched", "view-postgres", "rebuild", "seal-256", "seal-1k", "open-1k", "drain-sealed", "drain-ciphered", "keys-1m", "wait-for"}
	if strings.Contains(out.String(), "view-postgres          left out") {
		want = slices.DeleteFunc(want, func(name string) bool { return name == "view-postgres" })
	}
	if !slices.Equal(names, want) {
		t.Errorf("rows %v, want %v", names, want)
	}
}

// Without the bare loops there is the engine's value alone, and rows that find too few brokers are left out of all.
func TestEngineAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for some seconds what the tests of the packages run, too")
	}
	var out strings.Builder
	args := append(strings.Fields("-embedded -warm=false -raw=false -quick -n=60 -calls=5 -window=2s -recover=60 -resident=30 -events=60 -keys=30 -sql=60 -rebuild=60"), "-dir="+t.TempDir())
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	if text := out.String(); !strings.Contains(text, "call-256-rf3           left out") || strings.Contains(text, "ratio") {
		t.Errorf("printed:\n%s", text)
	}
}

// A row whose server this machine does not have is left out of all, and refused where it was asked for by name.
func TestMissingServer(t *testing.T) {
	rows := []row{{name: "view-postgres", pass: func(context.Context, *cluster, sizes) (pass, error) { return pass{}, pgtest.ErrMissing }}}
	var out strings.Builder
	got, err := measure(t.Context(), &cluster{cfg: config{rows: []string{"all"}, repeat: 1}}, rows, &out)
	if err != nil || len(got) != 0 || !strings.Contains(out.String(), "view-postgres          left out: there is no PostgreSQL server here") {
		t.Errorf("of all: %v, %v, printed %q", got, err, out.String())
	}
	_, err = measure(t.Context(), &cluster{cfg: config{rows: []string{"view-postgres"}, repeat: 1}}, rows, &out)
	if !errors.Is(err, pgtest.ErrMissing) {
		t.Errorf("by name: %v", err)
	}
}

func TestWrongFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                                   "either -brokers",
		"-embedded -brokers=127.0.0.1:1":     "either -brokers",
		"-embedded -run=drain,quench":        "the rows are drain,",
		"-embedded -compression=rar":         "choose none",
		"-embedded -run=call-256-rf3 -quick": "needs 3 brokers",
		"-embedded -repeat=-1":               "above zero",
		"-embedded -run=call-1-streams-10":   "make bench-peers",
	} {
		err := run(t.Context(), strings.Fields(args), &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
	}
}

func TestMedian(t *testing.T) {
	same := func(v float64) float64 { return v }
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(c.of, same); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.of, got, c.want)
		}
	}
}
