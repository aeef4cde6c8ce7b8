package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
)

// face is what the bank shows to those who speak HTTP: each request is one command or query.
type face struct {
	client *muster.Client
}

// newFace gives the routes. operations is the service's own handler; a bank on the internet would give it an address of its own.
func newFace(client *muster.Client, operations http.Handler) http.Handler {
	f := &face{client: client}
	routes := http.NewServeMux()
	routes.Handle("POST /accounts/{id}", command(f, bank.Open, http.StatusCreated, inPath))
	routes.Handle("POST /accounts/{id}/deposits", command(f, bank.Deposit, http.StatusOK, inPath))
	routes.Handle("POST /accounts/{id}/withdrawals", command(f, bank.Withdraw, http.StatusOK, inPath))
	routes.Handle("POST /transfers", command(f, bank.Transfer, http.StatusOK, byKey))
	routes.HandleFunc("GET /accounts/{id}", f.balance)
	routes.Handle("GET /accounts/{id}/commands/{key}", result(f, bank.Deposit, inPath)) // of any type: all answer with the account
	routes.Handle("GET /transfers/{key}", result(f, bank.Transfer, byKey))
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/status"} {
		routes.Handle("GET "+path, operations)
	}
	return routes
}

// inPath takes the aggregate id from the path.
func inPath(r *http.Request, _ string) string { return r.PathValue("id") }

// byKey makes a transfer's id of its command id, so that a request that is sent again means the same transfer.
func byKey(_ *http.Request, key string) string { return key }

const (
	headTimeout  = 5 * time.Second  // for the head of a request
	answerBudget = 30 * time.Second // for a request and its answer; a call takes 5 s at most
	lastAnswers  = 6 * time.Second  // for the answers under way at the end
)

// serveHTTP answers until ctx ends or the owner does, and then finishes the answers under way. The owner still runs then.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler, ownerEnded <-chan struct{}) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headTimeout, ReadTimeout: answerBudget, WriteTimeout: answerBudget}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	case <-ownerEnded:
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	err := server.Shutdown(last)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// reachable gives the address to type, also where the listener takes any.
func reachable(listener net.Listener) string {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return listener.Addr().String()
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
