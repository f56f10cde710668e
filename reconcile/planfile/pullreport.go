package planfile

// PullReport is what became of an import of alerts and threats.
type PullReport struct {
	FormatVersion string      `json:"format_version"`
	ExitCode      int         `json:"exit_code"`
	Summary       PullSummary `json:"summary"`
	Cursor        string      `json:"cursor,omitempty"` // every alert until then is dealt with
	Items         []PullItem  `json:"items"`            // without the unchanged ones
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

// PullItem is one alert or threat and its result: imported, updated, failed, given_up, pending or
// not_attempted.
type PullItem struct {
	Kind       string   `json:"kind"`
	ID         string   `json:"id"`
	Name       string   `json:"name,omitempty"`
	Time       string   `json:"time,omitempty"`
	Object     string   `json:"object,omitempty"`
	Indicators []string `json:"indicators,omitempty"`
	Result     string   `json:"result"`
	Error      string   `json:"error,omitempty"`
}
