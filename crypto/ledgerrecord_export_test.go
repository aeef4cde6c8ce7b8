package crypto

import "encoding/json"

// RewriteLedgerRecord decodes and encodes.
func RewriteLedgerRecord(value []byte) ([]byte, error) {
	r, err := decodeLedgerRecord(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}
