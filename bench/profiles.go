package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"runtime"
	"runtime/pprof"
)

// profiles are the files that receive profiles of the whole run; empty means none.
type profiles struct{ cpu, block, mutex, allocs string }

func (p *profiles) flags(flags *flag.FlagSet) {
	flags.StringVar(&p.cpu, "cpuprofile", "", "file for a CPU profile; use -raw=false to see the engine alone")
	flags.StringVar(&p.block, "blockprofile", "", "file for a profile of blocked goroutines")
	flags.StringVar(&p.mutex, "mutexprofile", "", "file for a profile of contended locks")
	flags.StringVar(&p.allocs, "memprofile", "", "file for a profile of allocations")
}

// side labels what this goroutine does and starts until the function given back is called: -tagfocus=engine shows the engine's part of a
// profile without the loops around it.
func side(ctx context.Context, name string) (end func()) {
	pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("side", name)))
	return func() { pprof.SetGoroutineLabels(ctx) }
}

// start begins to record; stop writes the files.
func (p *profiles) start() (stop func() error, err error) {
	var cpu *os.File
	if p.cpu != "" {
		if cpu, err = os.Create(p.cpu); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(err, cpu.Close())
		}
	}
	if p.block != "" {
		runtime.SetBlockProfileRate(10_000)
	}
	if p.mutex != "" {
		runtime.SetMutexProfileFraction(10)
	}
	return func() error {
		var faults []error
		if cpu != nil {
			pprof.StopCPUProfile()
			faults = append(faults, cpu.Close())
		}
		for name, file := range map[string]string{"block": p.block, "mutex": p.mutex, "allocs": p.allocs} {
			if file != "" {
				faults = append(faults, dump(name, file))
			}
		}
		return errors.Join(faults...)
	}, nil
}

func dump(profile, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(profile).WriteTo(f, 0), f.Close())
}
