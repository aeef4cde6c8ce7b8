//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"-brokers 1 -instances 2 -for 20s -faults kill,stop", ""},
		{"-faults net?,disk?", ""},
		{"-brokers 2", "choose 1 or 3"},
		{"-instances 0 -rate 0", "-rate is 0"},
		{"-faults kill,fire", `no class "fire"`},
		{"-faults kill,kill?", "twice"},
		{"-stall 0s", "-stall"},
		{"-faults kill, stop", "commas and no spaces"},
	} {
		var said strings.Builder
		_, err := parse(strings.Fields(c.args), &said)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.args, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
	}
	o, err := parse([]string{"-callers", "2", "-partitions", "3", "-rate", "60"}, t.Output())
	if err != nil || o.pace() != 100*time.Millisecond || o.seed == 0 {
		t.Errorf("six callers that make 60 calls a second wait %v, %v; the seed is %d", o.pace(), err, o.seed)
	}
}

func TestClassesThatMayBeLeftOut(t *testing.T) {
	got, err := parseClasses("kill, net?,")
	if want := []wanted{{classKill, false}, {classNet, true}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}
