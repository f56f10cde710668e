package planfile

import (
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"time"
)

// PullReport is what became of an import of alerts and threats.
type PullReport struct {
	FormatVersion string       `json:"format_version"`
	ExitCode      int          `json:"exit_code"`
	Summary       pull.Summary `json:"summary"`
	Cursor        time.Time    `json:"cursor,omitzero"` // every alert until then is dealt with
	Items         []pull.Item  `json:"items"`           // without the unchanged ones
	Problems      []string     `json:"problems"`
}
