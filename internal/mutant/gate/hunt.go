package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// limit bounds one run of tests. A test that hangs because of a defect has found it, though later than one would like.
const limit = 2 * time.Minute

// tried is what became of one run of tests.
type tried struct {
	failed []string // names of the tests that failed; with a hanging one, "hung"
	err    error    // the tests could not be built or run
	output string
	taken  time.Duration
}

// suite is the tests of one package, built for all defects.
type suite struct {
	in      string
	program string // its path
	built   time.Duration
	defects []defect
}

// hunt builds the tests of all packages, tries them without a defect, then with each, and gives the number of rows that are not as they should be.
func hunt(ctx context.Context, dir string, chosen []defect, beside int) (bad int) {
	fmt.Printf("%-28s %-60s %8s\n", "defect", "found by", "time")
	var mu sync.Mutex // guards bad, and printing
	row := func(name, verdict string, fine bool, t tried) {
		mu.Lock()
		defer mu.Unlock()
		if !fine {
			bad++
			verdict = "NOT AS IT SHOULD BE: " + verdict
		}
		fmt.Printf("%-28s %-60s %7.1fs\n", name, verdict, t.taken.Seconds())
		if !fine {
			fmt.Println(t.output)
		}
	}
	suites := sorted(dir, chosen)
	// Of packages that are built one after another, the next one finds built what they share.
	for _, s := range suites {
		if t := s.build(ctx); t.err != nil {
			row("(none) in "+s.in, t.err.Error(), false, t)
			s.defects = nil
		}
	}
	each(beside, suites, func(s *suite) {
		patterns := s.patterns()
		if len(patterns) == 0 {
			return
		}
		t := s.try(ctx, "", strings.Join(patterns, "|"))
		verdict, fine := fmt.Sprintf("nothing, as it should be; built in %.1fs", s.built.Seconds()), false
		switch {
		case t.err != nil:
			verdict = t.err.Error()
		case len(t.failed) > 0:
			verdict = strings.Join(t.failed, " ")
		case strings.Count(t.output, "\n--- PASS: ") < len(patterns):
			verdict = "a test of the table is not there or was skipped"
		default:
			fine = true
		}
		row("(none) in "+s.in, verdict, fine, t)
	})
	for _, s := range suites {
		each(beside, s.defects, func(d defect) {
			t := s.try(ctx, d.name, d.test)
			switch {
			case t.err != nil:
				row(d.name, t.err.Error(), false, t)
			case len(t.failed) == 0:
				row(d.name, "nothing: it survives", false, t)
			default:
				row(d.name, strings.TrimPrefix(d.in+".", "..")+strings.Join(t.failed, " "), true, t)
			}
		})
	}
	return bad
}

// sorted puts defects together whose tests are in one package.
func sorted(dir string, chosen []defect) (suites []*suite) {
	by := map[string]*suite{}
	for _, d := range chosen {
		if by[d.in] == nil {
			by[d.in] = &suite{in: d.in, program: filepath.Join(dir, strings.ReplaceAll(d.in, "/", "-")+".test")}
			suites = append(suites, by[d.in])
		}
		by[d.in].defects = append(by[d.in].defects, d)
	}
	return suites
}

// patterns are the tests of the suite's defects, each once.
func (s *suite) patterns() (patterns []string) {
	for _, d := range s.defects {
		if !slices.Contains(patterns, d.test) {
			patterns = append(patterns, d.test)
		}
	}
	return patterns
}

// each calls f for all, so many beside each other, and returns when every call has.
func each[T any](beside int, all []T, f func(T)) {
	room := make(chan struct{}, beside)
	var running sync.WaitGroup
	for _, one := range all {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			f(one)
		})
	}
	running.Wait()
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// build makes the test program.
func (s *suite) build(ctx context.Context) (t tried) {
	began := time.Now()
	output, err := exec.CommandContext(ctx, "go", "test", "-c", "-tags=mutant", "-ldflags=-s -w", "-o", s.program, "./"+s.in).CombinedOutput()
	s.built, t.taken, t.output = time.Since(began), time.Since(began), string(output)
	if err != nil {
		t.err = fmt.Errorf("cannot be built: %w", err)
	}
	return t
}

// try runs those tests that a pattern names with a defect, "" for none.
func (s *suite) try(ctx context.Context, name, pattern string) (t tried) {
	began := time.Now()
	program, err := filepath.Abs(s.program)
	if err != nil {
		return tried{err: err}
	}
	run := exec.CommandContext(ctx, program, "-test.v", "-test.count=1", "-test.failfast", "-test.run=^("+pattern+")$", "-test.timeout="+limit.String())
	run.Dir, run.Env = s.in, append(os.Environ(), "MUSTER_TEST_MUTANT="+name)
	output, err := run.CombinedOutput()
	t.taken, t.output = time.Since(began), string(output)
	for _, found := range failedTest.FindAllStringSubmatch(t.output, -1) {
		t.failed = append(t.failed, found[1])
	}
	exit := &exec.ExitError{}
	switch {
	case err == nil:
	case !errors.As(err, &exit) || ctx.Err() != nil:
		t.err = fmt.Errorf("cannot be run: %w", err)
	case strings.Contains(t.output, "panic: test timed out"):
		t.failed = append(t.failed, pattern+" (hung)")
	case len(t.failed) == 0 && strings.Contains(t.output, "panic: "):
		t.failed = append(t.failed, pattern+" (panicked)")
	case len(t.failed) == 0:
		t.failed = append(t.failed, "the end of the test program, such as goroutines left behind")
	}
	return t
}
