package service

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// instanceName gives the replica's name: the configured one, the one kept in the data directory, or a new one that is kept there. It must
// outlive a restart, because the transactions and the membership of the process before are settled under it.
func instanceName(cfg Config) (string, error) {
	if cfg.Instance != "" {
		return cfg.Instance, nil
	}
	var random [6]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("service %s: no instance name could be made: %w; set Config.Instance", cfg.Name, err)
	}
	fresh := cfg.Name + "-" + hex.EncodeToString(random[:])
	if cfg.DataDir == "" {
		return fresh, nil
	}
	file := filepath.Join(cfg.DataDir, "instance")
	kept, err := os.ReadFile(file)
	switch {
	case err == nil && serviceName.MatchString(strings.TrimSpace(string(kept))):
		return strings.TrimSpace(string(kept)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("service %s: read %s: %w", cfg.Name, file, err)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return "", fmt.Errorf("service %s: DataDir: %w", cfg.Name, err)
	}
	if err := os.WriteFile(file, []byte(fresh+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("service %s: keep the instance name: %w; make DataDir writable or set Config.Instance", cfg.Name, err)
	}
	return fresh, nil
}
