package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/seed-3eec0498/muster/crypto"
)

// refusal is an answer of Vault that is no success. Its text is not shown: it may tell of keys.
type refusal struct {
	status int
	told   []string
}

func (r *refusal) Error() string { return fmt.Sprintf("Vault answers with status %d", r.status) }

func (r *refusal) says(words ...string) bool {
	for _, told := range r.told {
		for _, word := range words {
			if strings.Contains(told, word) {
				return true
			}
		}
	}
	return false
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// call sends a request to the transit engine, and reads the data of the answer into into unless that is nil.
func (k *kms) call(ctx context.Context, method, path string, body map[string]any, into any) error {
	token, err := k.config.Token(ctx)
	if err != nil {
		return err
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, k.root+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Token", token)
	request.Header.Set("X-Vault-Request", "true")
	if k.config.Namespace != "" {
		request.Header.Set("X-Vault-Namespace", k.config.Namespace)
	}
	answer, err := k.config.Client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		var told struct{ Errors []string }
		_ = json.Unmarshal(read, &told) // a proxy answers with something else
		return &refusal{status: answer.StatusCode, told: told.Errors}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(read, &struct{ Data any }{into})
}

// fault makes an error of package crypto of one that says nothing about a key.
func fault(err error) error {
	if err == nil {
		return nil
	}
	if refused, is := errors.AsType[*refusal](err); is && refused.status == http.StatusForbidden && !refused.says("bad token", "invalid token") {
		return crypto.ErrNoAccess // a token that has run out is renewed sooner or later
	}
	return fmt.Errorf("%w: %w", crypto.ErrKeyUnavailable, err)
}
