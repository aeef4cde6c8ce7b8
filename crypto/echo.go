package crypto

import (
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// Echo implements [muster.Echoer]: into is read from what the inner codec made, before it is sealed. What a reader gets out of an envelope is the same
// message, put together again, so one opening less is needed. Nothing is withheld from who has just sealed it.
func (c *Codec) Echo(dst []byte, place muster.Place, v, into any) ([]byte, string, muster.Redaction, error) {
	s := c.pool.Get().(*scratch)
	dst, content, err := c.encode(dst, s, &place, v, into)
	c.pool.Put(s)
	return dst, content, muster.Redaction{}, err
}

// readBack decodes what was encoded a moment ago.
func (c *Codec) readBack(place *muster.Place, data []byte, content string, into any) error {
	back, decode := *place, c.inner.Decode
	back.ContentType = content
	if content == muster.ContentSealed { // raw bytes that look like an envelope are put into one
		decode = c.Decode
	}
	if err := decode(back, data, into); err != nil {
		return fmt.Errorf("cannot be read back: %w", err)
	}
	return nil
}

var _ muster.Echoer = (*Codec)(nil)
