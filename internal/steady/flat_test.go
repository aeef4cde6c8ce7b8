package main

import (
	"bytes"
	"math"
	"os"
	"testing"
)

// times gives n seconds, and values of a function of them.
func times(n int, of func(i int) float64) (at, values []float64) {
	for i := range n {
		at, values = append(at, float64(i)), append(values, of(i))
	}
	return at, values
}

func TestFlat(t *testing.T) {
	for name, c := range map[string]struct {
		of    func(i int) float64
		floor float64
		flat  bool
	}{
		"constant":                   {func(int) float64 { return 50 }, 0, true},
		"zero":                       {func(int) float64 { return 0 }, 0, true},
		"fills up in the first half": {func(i int) float64 { return math.Min(float64(i), 60) }, 0, true},
		"noise":                      {func(i int) float64 { return 100 + 20*math.Sin(float64(i)) }, 0, true},
		"saw":                        {func(i int) float64 { return 50 + float64(i%10)*5 }, 0, true},
		"falls":                      {func(i int) float64 { return 1000 - float64(i) }, 0, true},
		"rises":                      {func(i int) float64 { return 100 + float64(i) }, 0, false},
		"rises from nothing":         {func(i int) float64 { return float64(i) / 100 }, 0, false},
		"rises below the floor":      {func(i int) float64 { return float64(i) / 100 }, 2, true},
		"rises under noise":          {func(i int) float64 { return 100 + float64(i) + 20*math.Sin(float64(i)) }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			at, values := times(240, c.of)
			if f := fitted(at, values, c.floor); f.Flat != c.flat {
				t.Errorf("%+v", f)
			}
		})
	}
	at, values := times(100, func(i int) float64 { return 3 + 2*float64(i) })
	if f := fitted(at, values, 0); math.Abs(f.Rise-98) > 1e-9 || math.Abs(f.at(10)-23) > 1e-9 || math.Abs(f.Mean-152) > 1e-9 {
		t.Errorf("of 3+2t: %+v, %v at 10", f, f.at(10))
	}
}

// A series that grows fails the run, unless it is one that is only shown.
func TestGrowthIsAnError(t *testing.T) {
	r := newReport(&config{})
	for i := range 100 {
		r.Samples = append(r.Samples, sample{Seconds: float64(i), Live: 100 + float64(i), Calls: float64(i), Journals: float64(i)})
	}
	r.judge()
	if err := r.err(); err == nil || err.Error() != "live grows: 49.0 MiB in the second half, around 174.5; 17.4 is the bound" {
		t.Errorf("got %v", err)
	}
}

// A series with a bound is judged by that, whatever its slope.
func TestBoundIsAnError(t *testing.T) {
	for most, fine := range map[float64]bool{mostLogs: true, mostLogs + 1: false} {
		r := newReport(&config{})
		for i := range 100 {
			r.Samples = append(r.Samples, sample{Seconds: float64(i), Logs: most * float64(i) / 99})
		}
		r.judge()
		if err := r.err(); (err == nil) != fine {
			t.Errorf("up to %v: %v", most, err)
		}
	}
}

// MUSTER_TEST_UPDATE=1 writes the golden file anew; look at it in a browser.
func TestPlot(t *testing.T) {
	at, values := times(12, func(i int) float64 { return 30 + float64(i%3) })
	for i := range at {
		at[i] *= 30
	}
	f := fitted(at, values, 0)
	got := plot("Memory", "MiB", at, values, &f)
	const path = "testdata/plot.svg"
	if os.Getenv("MUSTER_TEST_UPDATE") == "1" {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v; got\n%s", err, got)
	}
}

func TestAxisEndsAtARoundNumber(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 1: 1, 31: 35, 100: 100, 101: 150, 0.21: 0.25, 1234: 1500} {
		if got := roundUp(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v ends at %v, want %v", v, got, want)
		}
	}
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{{"-for", "1s"}, {"-every", "1ms"}, {"-rate", "0"}, {"-clients", "0"}, {"-accounts", "3"}, {"-trim", "0"}} {
		if _, err := parse(args, t.Output()); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	if cfg, err := parse(nil, t.Output()); err != nil || cfg.during.Minutes() != 20 {
		t.Errorf("%+v, %v", cfg, err)
	}
}
