package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/secret"
)

func TestNothingPrintsASecret(t *testing.T) {
	const value = "flgrn_octi_tkn_abc"
	s := secret.Text(value)
	held := struct{ Token secret.Text }{s}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "token", s, "held", held)
	j, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v", held, held, held), fmt.Errorf("x: %w, %v", errFor(s), s).Error(),
		string(j), logged.String(),
	} {
		if strings.Contains(out, value) || strings.Contains(out, fmt.Sprintf("%x", value)) {
			t.Errorf("printed the secret: %s", out)
		}
		if !strings.Contains(out, "***") {
			t.Errorf("no mask in %s", out)
		}
	}
	if s.Reveal() != value || secret.Text("").String() != "" || secret.Text("").Set() {
		t.Error("Reveal, or an empty secret, is wrong")
	}
}

func errFor(s secret.Text) error { return fmt.Errorf("login %v", s) }
