//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "soak: it needs Linux, for its ways to break processes and links; run it there")
	os.Exit(1)
}
