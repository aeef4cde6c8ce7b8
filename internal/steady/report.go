package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// report is what a run leaves.
type report struct {
	Commit   string         `json:"commit,omitempty"`
	Machine  string         `json:"machine"`
	For      string         `json:"for"`
	Rate     int            `json:"rate"`
	Accounts int            `json:"accounts"`
	Clients  int            `json:"clients"`
	Compared compared       `json:"compared"`
	Fits     map[string]fit `json:"fits"`
	Samples  []sample       `json:"samples"`
}

func newReport(cfg *config) *report {
	return &report{
		Commit: cfg.commit, Machine: fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()),
		For: cfg.during.String(), Rate: cfg.rate, Accounts: cfg.accounts, Clients: cfg.clients, Fits: map[string]fit{},
	}
}

func readReport(path string) (*report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(r.Samples) < 8 {
		return nil, fmt.Errorf("%s has %d samples; at least eight are needed", path, len(r.Samples))
	}
	r.Fits = map[string]fit{}
	return r, nil
}

// conclude judges, tells and writes.
func (r *report) conclude(path string, out io.Writer) error {
	r.judge()
	r.print(out)
	return errors.Join(r.write(path), r.err())
}

// column gives the times and the values of one series.
func (r *report) column(s *series) (times, values []float64) {
	for i := range r.Samples {
		times, values = append(times, r.Samples[i].Seconds), append(values, s.of(&r.Samples[i]))
	}
	return times, values
}

// judge fits a line to each series.
func (r *report) judge() {
	for i := range all {
		times, values := r.column(&all[i])
		f := fitted(times, values, all[i].floor)
		switch {
		case all[i].most > 0:
			f.Bound, f.Flat = all[i].most, slices.Max(values) <= all[i].most
		case all[i].floor < 0:
			f.Flat = true
		}
		r.Fits[all[i].name] = f
	}
}

// err names the series that grow.
func (r *report) err() error {
	var faults []error
	for i := range all {
		if f := r.Fits[all[i].name]; !f.Flat {
			faults = append(faults, fmt.Errorf("%s grows: %.1f %s in the second half, around %.1f; %.1f is the bound", all[i].name, f.Rise, all[i].unit, f.Mean, f.Bound))
		}
	}
	return errors.Join(faults...)
}

func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "flat is what rises in the second half by at most %.0f%% of its mean, or by an amount that means nothing\n", 100*flatShare)
	fmt.Fprintf(out, "%-40s %10s %10s %10s\n", "second half", "mean", "rise", "bound")
	for i := range all {
		f, verdict := r.Fits[all[i].name], "flat"
		switch {
		case all[i].most > 0 && f.Flat:
			verdict = "never above its bound"
		case all[i].floor < 0:
			verdict = "not judged"
		case !f.Flat:
			verdict = "GROWS"
		}
		fmt.Fprintf(out, "%-40s %10.1f %+10.1f %10.1f  %s, %s\n", all[i].title, f.Mean, f.Rise, f.Bound, all[i].unit, verdict)
	}
	c := &r.Compared
	fmt.Fprintf(out, "made anew from the compacted journals: %d states and %d rows are those of before, and what %d answers add up to\n", c.States, c.Rows, c.Answered)
}

// write puts samples and plots beside each other; nothing without a path.
func (r *report) write(path string) error {
	if path == "" {
		return nil
	}
	path = strings.TrimSuffix(path, ".json")
	text, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path+".json", append(text, '\n'), 0o600)
	}
	for i := range all {
		if err != nil {
			return err
		}
		s := &all[i]
		times, values := r.column(s)
		f := r.Fits[s.name]
		err = os.WriteFile(path+"-"+s.name+".svg", plot(s.title, s.unit, times, values, &f), 0o600)
	}
	return err
}
