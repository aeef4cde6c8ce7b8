package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-3eec0498/muster/crypto"
)

// A notification is the subject in hexadecimal, a slash, and the place before the change; or "beat/" and a text that the watch has made itself.
func notice(subject crypto.SubjectRef, since int64) string {
	return hex.EncodeToString(subject[:]) + "/" + strconv.FormatInt(since, 10)
}

const beatPrefix = "beat/"

var errNotice = errors.New("a notification is not one of these keys; does something else use the channel?")

// Watch implements [crypto.Rows]. It has a connection of its own, and rows are read over it, too: what is told is as new as the notification at least.
func (r *rows) Watch(ctx context.Context, ready func(), f func(held []byte, since int64)) error {
	pooled, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack() // with LISTEN it is of no use to others
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it was only listening
	}()
	if _, err := conn.Exec(ctx, "listen "+r.channel); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "select set_config('application_name', $1, false)", "watch "+r.channel); err != nil { // so that operators see what it is
		return err
	}
	own := beatPrefix + rand.Text()
	for beats := 0; ; beats++ {
		text := own + "/" + strconv.Itoa(beats)
		if err := r.beatOnce(ctx, conn, text, f); err != nil {
			return err
		}
		if beats == 0 {
			ready()
		}
		if err := r.listen(ctx, conn, f); err != nil {
			return err
		}
	}
}

// beatOnce sends a notification and hands on what comes until it is back.
func (r *rows) beatOnce(ctx context.Context, conn *pgx.Conn, text string, f func(held []byte, since int64)) error {
	limited, cancel := context.WithTimeout(ctx, r.beat)
	defer cancel()
	_, err := conn.Exec(limited, "select pg_notify($1, $2)", r.channel, text)
	for err == nil {
		var payload string
		if payload, err = r.next(limited, conn, f); payload == text {
			return nil
		}
	}
	if ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("a notification on %s did not come back within %v; is a pooler between that does not keep sessions? %w", r.channel, r.beat, err)
	}
	return err
}

// listen hands on what comes until it is time for a beat.
func (r *rows) listen(ctx context.Context, conn *pgx.Conn, f func(held []byte, since int64)) error {
	until, cancel := context.WithTimeout(ctx, r.beat)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(until)
		if err != nil {
			if ctx.Err() == nil && until.Err() != nil && !conn.IsClosed() {
				return nil
			}
			return err
		}
		if err := r.tell(ctx, conn, n.Payload, f); err != nil {
			return err
		}
	}
}

func (r *rows) next(ctx context.Context, conn *pgx.Conn, f func(held []byte, since int64)) (string, error) {
	n, err := conn.WaitForNotification(ctx)
	if err != nil {
		return "", err
	}
	return n.Payload, r.tell(ctx, conn, n.Payload, f)
}

// tell reads the row that a notification is about and hands it on.
func (r *rows) tell(ctx context.Context, conn *pgx.Conn, payload string, f func(held []byte, since int64)) error {
	if strings.HasPrefix(payload, beatPrefix) {
		return nil
	}
	name, number, _ := strings.Cut(payload, "/")
	subject, err := hex.DecodeString(name)
	since, isNumber := strconv.ParseInt(number, 10, 64)
	if err != nil || isNumber != nil || len(subject) != 16 {
		return errNotice
	}
	var held []byte
	if err := conn.QueryRow(ctx, "select held from "+r.table+" where subject = $1", subject).Scan(&held); err != nil {
		return err
	}
	f(held, since)
	return nil
}
