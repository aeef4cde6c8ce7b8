package producer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// tap sits on the connections of the producer under test.
type tap struct {
	mu    sync.Mutex // guards what follows; the test writes, connections read
	cut   bool
	conns []net.Conn
	lose  int  // how many answers to EndTxn are still to be lost
	apply bool // whether the broker gets to see the request whose answer is lost
	lost  int
}

var errCut = errors.New("the network is down")

func (p *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errCut}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p.conns = append(p.conns, conn)
	return &tapped{Conn: conn, tap: p}, nil
}

// sever ends all connections and lets no new one be made.
func (p *tap) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

func (p *tap) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.lose = false, 0
}

// loseEnds loses the next n answers to EndTxn, before or after the broker has carried the request out.
func (p *tap) loseEnds(n int, apply bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose, p.apply = n, apply
}

func (p *tap) losses() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *tap) takeLoss() (lose, apply bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lose == 0 {
		return false, false
	}
	p.lose--
	p.lost++
	return true, p.apply
}

type tapped struct {
	net.Conn
	tap  *tap
	mu   sync.Mutex // guards dead: the client writes and reads on two goroutines
	dead bool
}

// Write sees a whole request: length, key, version and so on.
func (c *tapped) Write(b []byte) (int, error) {
	if len(b) >= 6 && int16(binary.BigEndian.Uint16(b[4:])) == int16(kmsg.EndTxn) {
		if lose, apply := c.tap.takeLoss(); lose {
			c.mu.Lock()
			c.dead = true
			c.mu.Unlock()
			if !apply {
				_ = c.Close()
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
		_ = c.Close()
		return 0, io.EOF
	}
	return n, err
}
