package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// BlindIndex gives what stands for a value of a personal field where it is looked for by equality: the key of a row, or an index of a view. It tells nothing of the value to
// who has not the key, which has 32 bytes or more, is one of its own for each tenant, and is none that subject references or pseudonymous ids are made with. Equal values of one field
// look equal, and values of another field do not. Delete the row when the subject is erased: whoever has the key can try values.
//
// Bring a value into one form before, such as an address into small letters.
func BlindIndex(key Secret, tenant, field, value string) string {
	text := []byte("muster blind index 1\x00")
	for _, s := range [...]string{tenant, field, value} {
		text = appendText(text, s)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
