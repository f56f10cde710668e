package planfile

import (
	"harfangsync/reconcile/pull"
	"time"
)

// PullReport is what became of an import of alerts and threats.
type PullReport struct {
	FormatVersion string      `json:"format_version"`
	ExitCode      int         `json:"exit_code"`
	Summary       PullSummary `json:"summary"`
	Cursor        time.Time   `json:"cursor,omitzero"` // every alert until then is dealt with
	Items         []pull.Item `json:"items"`           // without the unchanged ones
	Problems      []string    `json:"problems"`
}

// PullSummary counts alerts and threats.
type PullSummary struct {
	Read            int `json:"read"`
	Unchanged       int `json:"unchanged"`
	Imported        int `json:"imported"`
	Updated         int `json:"updated"`
	ThreatsImported int `json:"threats_imported"`
	ThreatsUpdated  int `json:"threats_updated"`
	Sightings       int `json:"sightings"`
	Failed          int `json:"failed"`
	GivenUp         int `json:"given_up"`
	Pending         int `json:"pending"`
	NotAttempted    int `json:"not_attempted"`
}
