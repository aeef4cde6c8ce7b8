// Command sbom lists the modules that a Go module is built from, as a CycloneDX 1.6 bill of materials in JSON, with their licences as far as their text
// tells. It asks `go list -m`, so it needs no network beyond what a build needs. Two runs on the same go.mod write the same bytes.
//
//	go run ./internal/sbom [-dir module] [-o file]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	dir := flag.String("dir", ".", "directory of the module")
	file := flag.String("o", "", "file that is written; empty is the standard output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := write(ctx, *dir, *file)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(ctx context.Context, dir, file string) error {
	all, err := modules(ctx, dir)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(billOf(all), "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if file == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
