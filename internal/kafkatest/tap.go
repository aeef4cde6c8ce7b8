package kafkatest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Tap sits on all connections of the clients that dial through it. It loses answers, or everything. The zero value lets all through. Its
// methods may be called by any goroutine.
type Tap struct {
	mu    sync.Mutex // guards what follows, also in connections; the test writes, they read
	key   kmsg.Key   // of the requests whose answers are lost
	lose  int        // how many are still to be lost
	apply bool       // whether the broker gets to see such a request
	until kmsg.Key   // the request that ends the losses, once there was one; zero is none
	lost  int
	cut   bool // nothing comes through in either direction
	conns map[*tapped]bool
}

var errCut = errors.New("the network is down")

// Option makes a client dial through the tap.
func (p *Tap) Option() []kgo.Opt { return []kgo.Opt{kgo.Dialer(p.dial)} }

func (p *Tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	cut := p.cut
	p.mu.Unlock()
	if cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errCut}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t := &tapped{Conn: conn, tap: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut { // meanwhile
		_ = conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: errCut}
	}
	if p.conns == nil {
		p.conns = map[*tapped]bool{}
	}
	p.conns[t] = true
	return t, nil
}

// Arm loses the answers to the next n requests, before or after the broker has carried them out.
func (p *Tap) Arm(key kmsg.Key, n int, apply bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.lose, p.apply, p.lost, p.until = key, n, apply, 0, 0
}

// ArmUntil loses the answers to all requests of a key until, after the first loss, one of another key is sent: what the client does next is not
// in a race with the test that mends.
func (p *Tap) ArmUntil(key, until kmsg.Key, apply bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.lose, p.apply, p.lost, p.until = key, math.MaxInt, apply, 0, until
}

// Losses is how many answers were lost since Arm.
func (p *Tap) Losses() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Sever ends all connections and lets none be made, until Mend.
func (p *Tap) Sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Conn.Close()
	}
	p.conns = nil
}

// Mend lets everything through again.
func (p *Tap) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.lose = false, 0
}

func (p *Tap) takes(key kmsg.Key) (lose, apply bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until != 0 && key == p.until && p.lost > 0 {
		p.lose = 0
	}
	if p.lose == 0 || key != p.key {
		return false, false
	}
	p.lose--
	p.lost++
	return true, p.apply
}

type tapped struct {
	net.Conn
	tap  *Tap
	mu   sync.Mutex // guards dead: the client writes and reads on two goroutines
	dead bool
}

// Write sees a whole request: length, key, version and so on.
func (c *tapped) Write(b []byte) (int, error) {
	if len(b) >= 6 {
		if lose, apply := c.tap.takes(kmsg.Key(binary.BigEndian.Uint16(b[4:]))); lose {
			c.mu.Lock()
			c.dead = true
			c.mu.Unlock()
			if !apply {
				_ = c.Conn.Close()
				return len(b), nil
			}
		}
	}
	return c.Conn.Write(b)
}

// Read loses the answer after it has come, so that the request is known to be carried out.
func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		_ = c.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// Close forgets the connection.
func (c *tapped) Close() error {
	c.tap.mu.Lock()
	delete(c.tap.conns, c)
	c.tap.mu.Unlock()
	return c.Conn.Close()
}
