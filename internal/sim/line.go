package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// line is the network of one life of a process: all its clients dial through it.
type line struct {
	mu    sync.Mutex // guards what follows
	conns map[*wire]bool
	rules []*rule
	cut   bool          // no connection can be made
	still chan struct{} // nothing passes until it is closed; nil where all does
}

// rule is what happens to requests of a key.
type rule struct {
	key   kmsg.Key
	left  int           // how many it still concerns; negative: all
	late  time.Duration // by which they arrive late; zero: their answers are lost
	apply bool
	spent chan struct{} // closed when none is left
}

var errNoNetwork = errors.New("the network is down")

// option has a client dial through the line.
func (l *line) option() []kgo.Opt { return []kgo.Opt{kgo.Dialer(l.dial)} }

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.isCut() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errNoNetwork}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, line: l, closed: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut { // meanwhile
		_ = conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: errNoNetwork}
	}
	if l.conns == nil {
		l.conns = map[*wire]bool{}
	}
	l.conns[w] = true
	return w, nil
}

func (l *line) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// hangUp ends all connections; with cut there are no others until mended.
func (l *line) hangUp(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = l.cut || cut
	for w := range l.conns {
		_ = w.Conn.Close()
		w.once.Do(func() { close(w.closed) })
	}
	l.conns = nil
}

// mend lets connections be made again.
func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// freeze stops everything on the line until the function it gives is called.
func (l *line) freeze() (thaw func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.still == nil {
		l.still = make(chan struct{})
	}
	still := l.still
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.still == still {
			close(still)
			l.still = nil
		}
	}
}

// obey keeps to a rule until it is spent, or for a time.
func (l *line) obey(ctx context.Context, r *rule, limit time.Duration) {
	r.spent = make(chan struct{})
	l.mu.Lock()
	l.rules = append(l.rules, r)
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-r.spent:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.left = 0
}

// about gives what is to happen to a request: what it waits for, for how long it is held, whether its answer is lost.
func (l *line) about(key kmsg.Key) (still chan struct{}, late time.Duration, lose, apply bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rules {
		if r.key != key || r.left == 0 {
			continue
		}
		if r.left > 0 {
			if r.left--; r.left == 0 {
				close(r.spent)
			}
		}
		return l.still, r.late, r.late == 0, r.apply
	}
	return l.still, 0, false, false
}

func (l *line) stillness() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.still
}

// wire is one connection.
type wire struct {
	net.Conn
	line   *line
	closed chan struct{}
	once   sync.Once // closes closed
	mu     sync.Mutex
	dead   bool // guarded by mu: no answer comes through any more
}

// Write sees a whole request: length, key, version and so on.
func (w *wire) Write(b []byte) (int, error) {
	if len(b) < 6 {
		return w.Conn.Write(b)
	}
	still, late, lose, apply := w.line.about(kmsg.Key(binary.BigEndian.Uint16(b[4:])))
	if err := w.wait(still); err != nil {
		return 0, err
	}
	if late > 0 {
		timer := time.NewTimer(late)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-w.closed:
			return 0, net.ErrClosed
		}
	}
	if lose {
		w.mu.Lock()
		w.dead = true
		w.mu.Unlock()
		if !apply {
			_ = w.Conn.Close()
			return len(b), nil
		}
	}
	return w.Conn.Write(b)
}

// Read loses an answer after it has come, so that the request is known to be carried out.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.mu.Lock()
	dead := w.dead
	w.mu.Unlock()
	if dead {
		_ = w.Conn.Close()
		return 0, io.EOF
	}
	if stopped := w.wait(w.line.stillness()); stopped != nil {
		return 0, stopped
	}
	return n, err
}

// wait returns when something has happened that nothing passes before, or the connection has been closed.
func (w *wire) wait(still chan struct{}) error {
	if still == nil {
		return nil
	}
	select {
	case <-still:
		return nil
	case <-w.closed:
		return net.ErrClosed
	}
}

// Close ends the connection.
func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	w.line.mu.Lock()
	delete(w.line.conns, w)
	w.line.mu.Unlock()
	return w.Conn.Close()
}
