package migrate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/migrate"
)

// Whatever a compose file holds, reading it ends, with a connector or with an error.
func FuzzRead(f *testing.F) {
	f.Add(both)
	f.Add("x: &a {<<: *a}\nservices: {a: {environment: &b [*b], env_file: [{path: ''}], volumes: [':', {}]}}")
	f.Add("services:\n  a:\n    environment: {HARFANGLAB_TOKEN: '" + hlToken + "', A: '${B:-${C}}', D: }\n    networks: [*x]\n")
	f.Add("services: [HARFANGLAB_TOKEN=" + hlToken + "]\n")
	path := filepath.Join(f.TempDir(), "docker-compose.yml")
	f.Fuzz(func(t *testing.T, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		res, err := migrate.Read(migrate.Options{Files: []string{path}, Now: now})
		if err == nil && res.Names() == "" {
			t.Error("read, and nothing was found")
		}
	})
}
