package wycheproof_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/crypto/internal/aesgcm"
)

// vectors is a file of the schema aead_test_schema_v1.
type vectors struct {
	Algorithm     string  `json:"algorithm"`
	NumberOfTests int     `json:"numberOfTests"`
	Groups        []group `json:"testGroups"`
}

type group struct {
	NonceBits int      `json:"ivSize"`
	KeyBits   int      `json:"keySize"`
	TagBits   int      `json:"tagSize"`
	Tests     []vector `json:"tests"`
}

// vector is one test; bytes are in hexadecimal.
type vector struct {
	ID      int      `json:"tcId"`
	Comment string   `json:"comment"`
	Flags   []string `json:"flags"`
	Key     text     `json:"key"`
	Nonce   text     `json:"iv"`
	AAD     text     `json:"aad"`
	Message text     `json:"msg"`
	Sealed  text     `json:"ct"`
	Tag     text     `json:"tag"`
	Result  string   `json:"result"`
}

type text []byte

func (b *text) UnmarshalText(hexadecimal []byte) (err error) {
	*b, err = hex.DecodeString(string(hexadecimal))
	return err
}

// read gives the vectors of a file in the module that go.mod names, which the go command has downloaded and checked.
func read(t *testing.T, name string) (v vectors) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/c2sp/wycheproof").Output()
	if err != nil || len(bytes.TrimSpace(dir)) == 0 {
		t.Fatalf("the vectors are not here (%v, %q); run go mod download in this directory", err, dir)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "testvectors_v1", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Of the 316 vectors those fit that have what every sealed part of Muster has: a key of 32 bytes, a nonce of 12 and a tag of 16. Shorter keys are
// refused; other nonces and tags cannot even be said, since they are taken from where the blob has them.
func TestVectorsOfAESGCM(t *testing.T) {
	all := read(t, "aes_gcm_test.json")
	if all.Algorithm != "AES-GCM" || all.NumberOfTests != 316 {
		t.Fatalf("%d vectors of %s, want 316 of AES-GCM", all.NumberOfTests, all.Algorithm)
	}
	valid, invalid, refused, other := 0, 0, 0, 0
	for _, g := range all.Groups {
		for _, v := range g.Tests {
			cipher, err := aesgcm.New(v.Key)
			switch {
			case len(v.Key) != aesgcm.KeySize:
				if refused++; err == nil {
					t.Errorf("vector %d: a key of %d bytes is taken", v.ID, len(v.Key))
				}
				continue
			case err != nil:
				t.Fatalf("vector %d: %v", v.ID, err)
			case g.NonceBits != 96 || g.TagBits != 128:
				other++
				continue
			}
			sealed := bytes.Join([][]byte{v.Nonce, v.Sealed, v.Tag}, nil)
			opened, err := cipher.Open(nil, nil, sealed, v.AAD)
			switch v.Result {
			case "valid":
				if valid++; err != nil || !bytes.Equal(opened, v.Message) {
					t.Errorf("vector %d (%s): opened %x, %v; want %x", v.ID, v.Comment, opened, err, v.Message)
				}
			case "invalid":
				if invalid++; err == nil || len(opened) > 0 {
					t.Errorf("vector %d (%s %v): it opens to %x", v.ID, v.Comment, v.Flags, opened)
				}
			default:
				t.Errorf("vector %d: result %q", v.ID, v.Result)
			}
		}
	}
	t.Logf("%d opened, %d refused to open, %d keys refused, %d with another nonce or tag", valid, invalid, refused, other)
	if valid+invalid+refused+other != all.NumberOfTests || valid < 30 || invalid < 20 {
		t.Errorf("%d opened, %d refused to open, %d keys refused, %d others of %d", valid, invalid, refused, other, all.NumberOfTests)
	}
}

// Where a vector opens, every message sealed by the same key opens too, and under no other associated data.
func TestWhatIsSealedUnderAVectorsKey(t *testing.T) {
	for _, g := range read(t, "aes_gcm_test.json").Groups {
		for _, v := range g.Tests {
			if len(v.Key) != aesgcm.KeySize {
				continue
			}
			cipher, err := aesgcm.New(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			sealed := cipher.Seal(nil, nil, v.Message, v.AAD)
			if len(sealed) != 12+len(v.Message)+16 {
				t.Fatalf("vector %d: %d bytes of %d", v.ID, len(sealed), len(v.Message))
			}
			if opened, err := cipher.Open(nil, nil, sealed, v.AAD); err != nil || !bytes.Equal(opened, v.Message) {
				t.Errorf("vector %d: %x, %v", v.ID, opened, err)
			}
			if _, err := cipher.Open(nil, nil, sealed, append(bytes.Clone(v.AAD), 0)); err == nil {
				t.Errorf("vector %d: it opens under other associated data", v.ID)
			}
		}
	}
}
