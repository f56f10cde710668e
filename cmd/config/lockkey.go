package config

import (
	"crypto/sha256"
	"encoding/hex"
)

// LockKey names what two runs must not work on at once.
func LockKey(cfg *Config) string {
	h := sha256.Sum256([]byte(cfg.OpenCTI.URL + "\n" + cfg.HarfangLab.URL + "\n" + cfg.HarfangLab.ListName))
	return hex.EncodeToString(h[:8])
}
