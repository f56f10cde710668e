package harfanglab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

const base = "/api/data/threat_intelligence/"

func sourcePath(k reconcile.Kind) string {
	return base + map[reconcile.Kind]string{reconcile.IOC: "IOCSource/", reconcile.Sigma: "SigmaSource/", reconcile.YARA: "YaraSource/"}[k]
}

func rulePath(k reconcile.Kind) string {
	return base + map[reconcile.Kind]string{reconcile.IOC: "IOCRule/", reconcile.Sigma: "SigmaRule/", reconcile.YARA: "YaraFile/"}[k]
}

type wireSource struct {
	ID      text  `json:"id"`
	Name    loose `json:"name"`
	Enabled *bool `json:"enabled"`
}

// FindList finds the list of a kind by its exact name; nil when there is none. Managers that ignore
// the filter are read to the end. An answer whose rows are not as many as it counts is asked for once
// more, and is then an *IncompleteError: a list that is taken for absent would be filled a second time.
func (c *Client) FindList(ctx context.Context, k reconcile.Kind, name string) (*reconcile.List, error) {
	l, err := c.findList(ctx, k, name)
	if _, incomplete := errors.AsType[*IncompleteError](err); incomplete {
		l, err = c.findList(ctx, k, name)
	}
	return l, err
}

func (c *Client) findList(ctx context.Context, k reconcile.Kind, name string) (*reconcile.List, error) {
	var found *reconcile.List
	path := sourcePath(k)
	n, err := each(ctx, c, path, url.Values{"name__exact": {name}}, nil, func(sources []wireSource, _ int) error {
		for _, s := range sources {
			if s.ID == "" {
				return shapeError(path, "a list without an id")
			}
			if string(s.Name) != name {
				continue
			}
			if found != nil && found.ID != string(s.ID) {
				return &Error{Method: http.MethodGet, Path: path, Status: http.StatusOK, Words: fmt.Sprintf("two lists are named %q; rename one of them in the console", name)}
			}
			found = &reconcile.List{ID: string(s.ID), Name: name, Enabled: s.Enabled}
		}
		return nil
	})
	if err == nil && !n.whole() {
		err = &IncompleteError{Path: path, Why: n.why()}
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// CreateList makes a list. One that exists already, or that an earlier attempt made although its
// answer was lost, is found instead.
func (c *Client) CreateList(ctx context.Context, k reconcile.Kind, name string) (*reconcile.List, error) {
	body, err := c.do(ctx, call{method: http.MethodPost, path: sourcePath(k), repeatable: true,
		body: map[string]any{"name": name, "description": "Managed by harfangsync from OpenCTI", "enabled": true}})
	e, failed := errors.AsType[*Error](err)
	if err != nil && (!failed || !e.Exists && !e.Unsure) {
		return nil, err
	}
	var s wireSource
	if err == nil && remote.Decode(body, &s) == nil && s.ID != "" && (s.Name == "" || string(s.Name) == name) {
		return &reconcile.List{ID: string(s.ID), Name: name, Enabled: s.Enabled}, nil
	}
	found, ferr := c.FindList(ctx, k, name)
	switch {
	case ferr != nil && failed && e.Unsure:
		return nil, fmt.Errorf("%w; unknown whether it was made: %v", err, ferr)
	case ferr != nil:
		return nil, ferr
	case found == nil:
		if failed {
			e.Unsure = false // it was not made
		}
		if err == nil {
			err = &Error{Method: http.MethodPost, Path: sourcePath(k), Status: http.StatusCreated, Shape: true, Words: "no id of the new list"}
		}
		return nil, err
	}
	found.Found = true
	return found, nil
}
