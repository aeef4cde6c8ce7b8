// Privacy shows what Muster does with personal data: two people sign up and order something; what is known of one is exported; she is erased, and
// what was hers is gone from state, journal and read model, while the other one, and the sums, are as they were.
//
//	go run ./examples/privacy                                  on a broker inside the process
//	MUSTER_BROKERS=host:9092 go run ./examples/privacy         on a real Kafka
//
// Where to read: peoplepb/people.proto says what is personal, people.go is an ordinary owner with an ordinary view, house.go has the few lines that turn
// encryption on, story.go says what happens in which order.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Main(ctx, os.Getenv("MUSTER_BROKERS"), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main is the program without its process: tests call it. No brokers means one inside the process. It gives the exit code: 0 when every step came out as
// it should, 1 when one did not.
func Main(ctx context.Context, brokers string, out, errs io.Writer) int {
	var addresses []string
	if brokers != "" {
		addresses = strings.Split(brokers, ",")
	}
	if err := tell(ctx, addresses, out); err != nil {
		fmt.Fprintf(errs, "privacy: %v\n", err)
		return 1
	}
	return 0
}
