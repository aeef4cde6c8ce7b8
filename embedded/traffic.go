package embedded

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Every listener is served by one goroutine of kfake's and every connection by two, a reader and a writer. Each of them closes what it
// serves as the last thing it does, besides the closing that ends it. Counting these closes tells when they are gone, which kfake itself
// does not say.
const (
	listenerCloses   = 2 // the cluster's Close and the accepting goroutine
	connectionCloses = 2 // the reading and the writing goroutine
)

// waitLimit bounds how long the end of a broker waits for its goroutines, should kfake ever close less often than counted here.
const waitLimit = 5 * time.Second

// traffic knows the listeners and connections of a broker and when the last of them is no longer served.
type traffic struct {
	mu    sync.Mutex // guards open and ended
	open  int        // listeners and connections still served
	ended bool       // set by wait: the next time open is zero, idle is closed
	idle  chan struct{}
}

func newTraffic() *traffic { return &traffic{idle: make(chan struct{})} }

// listen opens a listener whose connections are counted. An address outside loopback is refused: the broker has no authentication.
func (t *traffic) listen(network, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("address %s is not on loopback", address)
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &countedListener{Listener: listener, traffic: t, use: t.add(listenerCloses)}, nil
}

// add counts one more listener or connection that is gone after the given number of closes.
func (t *traffic) add(closes int) *use {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
	return &use{traffic: t, closes: closes}
}

// wait returns when nothing is served any more; to be called once, after the cluster was closed.
func (t *traffic) wait() {
	t.mu.Lock()
	t.ended = true
	t.closeIfIdleLocked()
	t.mu.Unlock()

	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	select {
	case <-t.idle:
	case <-limit.C:
	}
}

func (t *traffic) closeIfIdleLocked() {
	if !t.ended || t.open > 0 {
		return
	}
	select {
	case <-t.idle:
	default:
		close(t.idle)
	}
}

// use counts down the closes of one listener or connection.
type use struct {
	traffic *traffic
	closes  int // guarded by traffic.mu
}

func (u *use) closed() {
	u.traffic.mu.Lock()
	defer u.traffic.mu.Unlock()
	u.closes--
	if u.closes == 0 {
		u.traffic.open--
		u.traffic.closeIfIdleLocked()
	}
}

// countedListener is served by one goroutine, and counts the connections that it accepts.
type countedListener struct {
	net.Listener
	traffic *traffic
	use     *use
}

// Accept implements net.Listener.
func (l *countedListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConnection{Conn: connection, use: l.traffic.add(connectionCloses)}, nil
}

// Close implements net.Listener.
func (l *countedListener) Close() error {
	defer l.use.closed()
	return l.Listener.Close()
}

// countedConnection is served by two goroutines.
type countedConnection struct {
	net.Conn
	use *use
}

// Close implements net.Conn.
func (c *countedConnection) Close() error {
	defer c.use.closed()
	return c.Conn.Close()
}
