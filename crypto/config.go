package crypto

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Config is what a [Codec] needs. Keys, KMS and SubjectKey must be set; everything else has a default.
type Config struct {
	Keys KeyStore
	KMS  KMS
	// SubjectKey makes references of subject ids, see [RefOf]: 32 bytes or more, secret, the same in all processes of a tenant, never changed.
	SubjectKey Secret
	// Tenant is bound to everything that is sealed. Empty is a tenant, too.
	Tenant string
	// Inner encodes what is sealed. Nil means [muster.PlainCodec].
	Inner muster.Codec
	// Types says what the types of payloads cannot say themselves; see [Whole] and [Remainder].
	Types []Declaration
	// RequireSealed refuses payloads in clear of types that have personal data, with [ErrUnknownFormat]. Without it they are read, as written
	// before encryption was switched on.
	RequireSealed bool

	CacheEntries     int           // subjects whose keys are kept open; 0 means 20,000, which take about 30 MB
	DestroyedEntries int           // destroyed keys remembered; 0 means 1,000,000, which take about 40 MB
	KeyAge           time.Duration // after which an open key is asked for and opened again; 0 means one hour
	KeyMessages      int64         // likewise, after so many sealed messages; 0 means 1,000,000, at most 8,000,000
	KeyBytes         int64         // likewise, after so many sealed bytes; 0 means 1 GiB, at most 512 GiB
	RenewMessages    int64         // a key that has sealed so many, in all processes, is followed by a new version; 0 means 2^30, which is also the most
	RenewAge         time.Duration // likewise, when it is that old; 0 means 90 days
	KeyTimeout       time.Duration // bound of one look-up, which Encode and Decode may wait for; 0 means 5 s
	Grace            time.Duration // how long a destroyed key may still be used where the watch of the key store is cut; 0 means 30 s

	Logger  *slog.Logger // nil means that nothing is logged
	Observe Observe
	Now     func() time.Time // nil means time.Now

	warned *atomic.Bool
	draw   func() float64 // an exponential variate of mean 1, see allow
}

// Validate reports everything wrong with the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("crypto: "+format, args...))
		}
	}
	refuse(c.Keys == nil, "Keys is nil; give it a key store")
	refuse(c.KMS == nil, "KMS is nil; give it a KMS")
	refuse(len(c.SubjectKey) < keySize, "SubjectKey has %d bytes; it needs %d or more", len(c.SubjectKey), keySize)
	refuse(c.CacheEntries < 0 || c.DestroyedEntries < 0 || c.KeyMessages < 0 || c.KeyBytes < 0, "a bound of the cache is negative")
	refuse(c.KeyMessages > 8_000_000 || c.KeyBytes > 512<<30, "KeyMessages is over 8,000,000 or KeyBytes over 512 GiB")
	refuse(c.RenewMessages < 0 || c.RenewMessages > maxRenewMessages || c.RenewAge < 0, "RenewMessages is negative or over 2^30, or RenewAge is negative")
	refuse(c.KeyAge < 0 || c.KeyTimeout < 0 || c.Grace < 0, "KeyAge, KeyTimeout or Grace is negative")
	return errors.Join(faults...)
}

// filled gives the configuration with its defaults in place.
func (c Config) filled() Config {
	c.CacheEntries, c.DestroyedEntries = cmp.Or(c.CacheEntries, 20_000), cmp.Or(c.DestroyedEntries, 1_000_000)
	c.KeyAge, c.KeyTimeout, c.Grace = cmp.Or(c.KeyAge, time.Hour), cmp.Or(c.KeyTimeout, 5*time.Second), cmp.Or(c.Grace, 30*time.Second)
	c.KeyMessages, c.KeyBytes = cmp.Or(c.KeyMessages, 1_000_000), cmp.Or(c.KeyBytes, 1<<30)
	c.RenewMessages, c.RenewAge = cmp.Or(c.RenewMessages, maxRenewMessages), cmp.Or(c.RenewAge, 90*24*time.Hour)
	if c.draw == nil {
		c.draw = rand.ExpFloat64
	}
	if c.Inner == nil {
		c.Inner = muster.PlainCodec{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.warned = new(atomic.Bool)
	return c
}

// warn tells once that ids look like something that tells who people are.
func (c *Config) warn(id string, ref SubjectRef) {
	if c.Logger != nil && LooksNatural(id) && !c.warned.Swap(true) {
		c.Logger.Warn("a subject's id looks like an e-mail address; ids are never sealed, make them with crypto.PseudonymousID", "subject_ref", fmt.Sprintf("%x", ref[:]))
	}
}
