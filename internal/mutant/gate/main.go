// Command gate plants each defect of package mutant and runs the test that has to find it. It prints a table and ends with status 1 when a
// defect is not found, when its test fails without it too, or when something cannot be built. Run it in the root of the repository:
//
//	go run ./internal/mutant/gate [-only pattern] [-beside n]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"time"
)

func main() {
	only := flag.String("only", "", "plant only the defects whose name this pattern matches")
	beside := flag.Int("beside", runtime.NumCPU(), "how many are tried beside each other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := gate(ctx, *only, *beside)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func gate(ctx context.Context, only string, beside int) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var chosen []defect
	for _, d := range defects {
		if pattern.MatchString(d.name) {
			chosen = append(chosen, d)
		}
	}
	if len(chosen) == 0 || beside < 1 {
		return fmt.Errorf("nothing to do: %d defects match, %d beside each other", len(chosen), beside)
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	began := time.Now()
	bad := hunt(ctx, dir, chosen, beside)
	fmt.Printf("%d defects, %d not as they should be, %v\n", len(chosen), bad, time.Since(began).Round(time.Second))
	if bad > 0 {
		return fmt.Errorf("%d of %d defects were not found as they should be; write the test that is missing", bad, len(chosen))
	}
	return ctx.Err()
}
