package vault_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// transit is a fake of Vault's transit engine at the mount "transit", as its API documentation says: create, read, configure and delete keys, encrypt and decrypt
// with associated data. Making a key that exists changes nothing; a key is deleted only when its configuration allows that; a deleted name is free again.
type transit struct {
	mu     sync.Mutex // guards keys
	keys   map[string]*transitKey
	token  string
	sealed bool
	paths  []string
}

type transitKey struct {
	aead      cipher.AEAD
	deletable bool
}

func (f *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, found := strings.CutPrefix(r.URL.Path, "/v1/transit/")
	f.paths = append(f.paths, r.Method+" "+path)
	switch {
	case f.sealed:
		refuse(w, http.StatusServiceUnavailable, "Vault is sealed")
	case r.Header.Get("X-Vault-Token") != f.token:
		refuse(w, http.StatusForbidden, "permission denied")
	case !found:
		refuse(w, http.StatusNotFound, "no handler for route")
	default:
		var in map[string]any
		if r.Body != nil && r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&in) != nil {
			refuse(w, http.StatusBadRequest, "error parsing JSON")
			return
		}
		verb, name, _ := strings.Cut(path, "/")
		f.serve(w, r.Method+" "+verb, name, in)
	}
}

func (f *transit) serve(w http.ResponseWriter, what, name string, in map[string]any) {
	if named, is := strings.CutSuffix(name, "/config"); is && what == "POST keys" {
		if key := f.keys[named]; key != nil {
			key.deletable, _ = in["deletion_allowed"].(bool)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		refuse(w, http.StatusBadRequest, "no existing key named "+named+" could be found")
		return
	}
	key := f.keys[name]
	switch what {
	case "POST keys":
		if key == nil {
			f.keys[name] = newTransitKey()
		}
		w.WriteHeader(http.StatusNoContent)
	case "GET keys":
		if key == nil {
			refuse(w, http.StatusNotFound)
			return
		}
		give(w, map[string]any{"name": name, "type": "aes256-gcm96", "deletion_allowed": key.deletable, "latest_version": 1})
	case "DELETE keys":
		switch {
		case key == nil:
			refuse(w, http.StatusBadRequest, "error deleting policy "+name+": could not delete key; not found")
		case !key.deletable:
			refuse(w, http.StatusBadRequest, "error deleting policy "+name+": deletion is not allowed for this key")
		default:
			delete(f.keys, name)
			w.WriteHeader(http.StatusNoContent)
		}
	case "POST encrypt", "POST decrypt":
		if key == nil {
			refuse(w, http.StatusBadRequest, "encryption key not found")
			return
		}
		key.use(w, what, in)
	default:
		refuse(w, http.StatusMethodNotAllowed, "unsupported operation")
	}
}

func (k *transitKey) use(w http.ResponseWriter, what string, in map[string]any) {
	text := func(name string) string { s, _ := in[name].(string); return s }
	aad, err := base64.StdEncoding.DecodeString(text("associated_data"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "failed to base64-decode associated_data")
		return
	}
	if what == "POST encrypt" {
		plain, err := base64.StdEncoding.DecodeString(text("plaintext"))
		if err != nil {
			refuse(w, http.StatusBadRequest, "failed to base64-decode plaintext")
			return
		}
		give(w, map[string]any{"ciphertext": "vault:v1:" + base64.StdEncoding.EncodeToString(k.aead.Seal(nil, nil, plain, aad)), "key_version": 1})
		return
	}
	ciphertext := text("ciphertext")
	if ciphertext == "" {
		refuse(w, http.StatusBadRequest, "missing ciphertext to decrypt")
		return
	}
	encoded, found := strings.CutPrefix(ciphertext, "vault:v1:")
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		refuse(w, http.StatusBadRequest, "invalid ciphertext: could not decode base64")
		return
	}
	plain, err := k.aead.Open(nil, nil, sealed, aad)
	if err != nil {
		refuse(w, http.StatusBadRequest, "cipher: message authentication failed")
		return
	}
	give(w, map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)})
}

func newTransitKey() *transitKey {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &transitKey{aead: aead}
}

func give(w http.ResponseWriter, data map[string]any) {
	_ = json.NewEncoder(w).Encode(map[string]any{"request_id": "1", "data": data})
}

func refuse(w http.ResponseWriter, status int, errors ...string) {
	w.WriteHeader(status)
	if errors == nil {
		errors = []string{}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": errors})
}
