package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialer opens the connections of one client: all of them, encrypted where the configuration says so.
type dialer struct {
	tls  TLS
	link *Link // may be nil

	mu   sync.Mutex  // guards good
	good *tls.Config // what could be loaded last; used while the files do not fit together, as in the middle of their replacement
}

// dial gives a connection that is ready for the first request. Its errors are [ConnectError], but for the plain failure to dial, which the
// client library knows how to go about.
func (d *dialer) dial(ctx context.Context, network, broker string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, broker)
	if err != nil {
		return nil, err
	}
	if d.tls.Enabled {
		if conn, err = d.encrypt(ctx, conn, broker); err != nil {
			return nil, err
		}
	}
	return &watched{Conn: conn, broker: broker, link: d.link, tls: &d.tls}, nil
}

func (d *dialer) encrypt(ctx context.Context, conn net.Conn, broker string) (net.Conn, error) {
	config, err := d.load()
	if err == nil {
		if config.ServerName == "" {
			host, _, split := net.SplitHostPort(broker)
			if split != nil {
				host = broker
			}
			config.ServerName = host
		}
		encrypted := tls.Client(conn, config)
		if err = encrypted.HandshakeContext(ctx); err == nil {
			return encrypted, nil
		}
	}
	if closing := conn.Close(); closing != nil && !errors.Is(closing, net.ErrClosed) {
		err = errors.Join(err, closing)
	}
	switch {
	case errors.Is(err, context.Canceled): // the client was closed
		return nil, err
	case errors.Is(err, context.DeadlineExceeded): // said in words of its own, because the client library tries again after a timeout
		err = errNoHello
	}
	return nil, &ConnectError{Broker: broker, Cause: CauseTLS, Err: plainly(err, d.tls.shows())}
}

// errNoHello is what a port answers that waits for something else than TLS.
var errNoHello = fmt.Errorf("no answer to the TLS hello within %v", dialTimeout)

// load gives a configuration of the caller's own. Files that cannot be used leave the last good ones in use, unless there never were any.
func (d *dialer) load() (*tls.Config, error) {
	fresh, err := d.tls.load(time.Now())
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.good = fresh
	case d.good == nil:
		return nil, err
	default:
		d.link.reloadFailed(err)
	}
	return d.good.Clone(), nil
}

// plainly takes the dress of a network error off what is the other side's verdict: the client library would try again where that cannot help.
func plainly(err error, shown bool) error {
	if op, is := errors.AsType[*net.OpError](err); is && op.Op == "remote error" {
		return alertError{text: op.Err.Error(), shown: shown}
	}
	return err
}

// What a TLS port says to who does not speak TLS begins with these (RFC 8446, 5.1). As the size of a Kafka response it would be 352 MB.
const (
	alertRecord = 21
	tlsMajor    = 3
)

// errAlert is found when a connection in clear was answered with a TLS alert.
var errAlert = errors.New("the answer is a TLS alert")

// watched is a connection that tells its [Link] when it works, and that names alerts which come after the handshake: with TLS 1.3 a
// client certificate is judged only then.
type watched struct {
	net.Conn
	broker string
	link   *Link
	tls    *TLS        // read-only
	read   bool        // something has been; used by the one goroutine that reads
	works  atomic.Bool // set by Write when the first request is sent that needs an authenticated connection
}

// Write implements net.Conn. The client library writes a request in one piece and begins with ApiVersions and SASL; whatever follows is
// sent only after those have succeeded.
func (w *watched) Write(b []byte) (int, error) {
	if !w.works.Load() && len(b) >= 6 {
		switch key := kmsg.Key(binary.BigEndian.Uint16(b[4:])); key {
		case kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate:
		default:
			w.works.Store(true)
			w.link.connected()
		}
	}
	return w.Conn.Write(b)
}

// Read implements net.Conn.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if !w.read && n > 1 {
		w.read = true
		if !w.tls.Enabled && b[0] == alertRecord && b[1] == tlsMajor {
			return 0, &ConnectError{Broker: w.broker, Cause: CauseTLS, Err: errAlert}
		}
	}
	if err != nil {
		if op, is := errors.AsType[*net.OpError](err); is && op.Op == "remote error" {
			err = &ConnectError{Broker: w.broker, Cause: CauseTLS, Err: plainly(err, w.tls.shows())}
		}
	}
	return n, err
}
