package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"
)

// RefOf names a subject: the first 16 bytes of HMAC-SHA-256 over tenant and subject id, each behind its length. Whoever has the key can find out
// whose reference one is by trying ids, and nobody else can. All processes of a tenant need the same key, for as long as its data lives.
func RefOf(key []byte, tenant, subject string) SubjectRef {
	mac := hmac.New(sha256.New, key)
	var text []byte
	for _, s := range [...]string{"muster subject 1", tenant, subject} {
		text = appendText(text, s)
	}
	mac.Write(text)
	return SubjectRef(mac.Sum(nil)[:16])
}

// PseudonymousID makes an id that is safe to be seen of one that is not, such as an e-mail address or a customer number: ids of aggregates and
// of subjects are never sealed, they lie in every record in clear. It is 26 letters and digits of HMAC-SHA-256 (RFC 2104) over naturalID, so equal
// ids give equal ones, and only who has the key can tell which id it was, by trying. The key has 32 bytes or more and is never changed:
// another key gives other ids. naturalID is taken as it is; bring it to one form first, such as an address in lower case.
func PseudonymousID(key []byte, naturalID string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("muster pseudonym 1\x00" + naturalID))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:16]))
}

// LooksNatural tells whether an id looks like an e-mail address, which tells who somebody is and should be made a [PseudonymousID].
func LooksNatural(id string) bool {
	at := strings.IndexByte(id, '@')
	if at < 1 || strings.Count(id, "@") != 1 || strings.ContainsFunc(id, unicode.IsSpace) {
		return false
	}
	dot := strings.LastIndexByte(id[at:], '.')
	return dot > 1 && at+dot < len(id)-2
}

// Ref gives the reference of a subject as this codec makes it.
func (c *Codec) Ref(subject string) SubjectRef {
	return RefOf(c.cfg.SubjectKey, c.cfg.Tenant, subject)
}
