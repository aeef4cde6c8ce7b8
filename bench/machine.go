package main

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine describes what the benchmark ran on, without names of hosts.
type machine struct {
	CPU       string `json:"cpu"`
	Cores     int    `json:"cores"` // shared with the brokers, when they run here
	MemoryMiB int    `json:"memory_mib"`
	System    string `json:"system"`
	Go        string `json:"go"`
}

func thisMachine() machine {
	return machine{
		CPU: procValue("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), MemoryMiB: kibibytes("/proc/meminfo", "MemTotal") / 1024,
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
	}
}

// residentMiB is the memory of this process that is in RAM, 0 where the system does not tell.
func residentMiB() float64 { return float64(kibibytes("/proc/self/status", "VmRSS")) / 1024 }

// loadAverage is that of the last minute, 0 where the system does not tell.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

// cpuSeconds is the time all cores have spent on this process, 0 where the system does not tell. On a machine that does other things
// too it says more than the clock.
func cpuSeconds() float64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // the first one is the third of the line
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticksPerSecond
}

// ticksPerSecond is Linux's USER_HZ, the unit of times under /proc.
const ticksPerSecond = 100

func kibibytes(file, key string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(procValue(file, key), " kB"))
	return n
}

// procValue reads "key : value" from a file of /proc, "" where there is none.
func procValue(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
