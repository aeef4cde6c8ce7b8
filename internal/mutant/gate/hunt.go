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
	failed       []string // names of the tests that failed; with a hanging one, "hung"
	err          error    // the tests could not be built or run
	output       string
	built, taken time.Duration
}

// hunt tries the tests of all packages without a defect, then each defect, and gives the number of rows that are not as they should be.
func hunt(ctx context.Context, dir string, chosen []defect, beside int) (bad int) {
	fmt.Printf("%-28s %-44s %8s %8s\n", "defect", "found by", "test", "build")
	var mu sync.Mutex // guards bad, and printing
	row := func(name, verdict string, fine bool, t tried) {
		mu.Lock()
		defer mu.Unlock()
		if !fine {
			bad++
			verdict = "NOT AS IT SHOULD BE: " + verdict
		}
		fmt.Printf("%-28s %-44s %7.1fs %7.1fs\n", name, verdict, t.taken.Seconds(), t.built.Seconds())
		if !fine {
			fmt.Println(t.output)
		}
	}
	var packages []string
	patterns := map[string][]string{}
	for _, d := range chosen {
		if patterns[d.in] == nil {
			packages = append(packages, d.in)
		}
		if !slices.Contains(patterns[d.in], d.test) {
			patterns[d.in] = append(patterns[d.in], d.test)
		}
	}
	each(beside, packages, func(in string) {
		t := try(ctx, dir, in, "", strings.Join(patterns[in], "|"))
		switch {
		case t.err != nil:
			row("(none) in "+in, t.err.Error(), false, t)
		case len(t.failed) > 0:
			row("(none) in "+in, strings.Join(t.failed, " "), false, t)
		case strings.Count(t.output, "--- PASS: ") < len(patterns[in]):
			row("(none) in "+in, "a test of the table is not there or was skipped", false, t)
		default:
			row("(none) in "+in, "nothing, as it should be", true, t)
		}
	})
	each(beside, chosen, func(d defect) {
		t := try(ctx, dir, d.in, d.name, d.test)
		switch {
		case t.err != nil:
			row(d.name, t.err.Error(), false, t)
		case len(t.failed) == 0:
			row(d.name, "nothing: it survives", false, t)
		default:
			row(d.name, strings.TrimPrefix(d.in+".", "..")+strings.Join(t.failed, " "), true, t)
		}
	})
	return bad
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

// try builds the tests of a package with a defect, "" for none, and runs those that a pattern names.
func try(ctx context.Context, dir, in, name, pattern string) (t tried) {
	began := time.Now()
	program, err := filepath.Abs(filepath.Join(dir, filepath.Base(in)+"-"+name+".test"))
	if err != nil {
		return tried{err: err}
	}
	defer func() { _ = os.Remove(program) }()
	args := []string{"test", "-c", "-ldflags=-s -w", "-o", program}
	if name != "" {
		args = append(args, "-tags=mutant,mutant_"+name)
	}
	output, err := exec.CommandContext(ctx, "go", append(args, "./"+in)...).CombinedOutput()
	t.built, t.output = time.Since(began), string(output)
	if err != nil {
		t.err = fmt.Errorf("cannot be built: %w", err)
		return t
	}
	began = time.Now()
	run := exec.CommandContext(ctx, program, "-test.v", "-test.count=1", "-test.run=^("+pattern+")$", "-test.timeout="+limit.String())
	run.Dir = in
	output, err = run.CombinedOutput()
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
