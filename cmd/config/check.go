package config

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"

	"harfangsync/sources/exclude"
)

// together checks what settings say of each other.
func (l *loader) together() {
	c := l.c
	if !c.Connector.ListenDelete && !l.invalid["connector.live_stream_listen_delete"] {
		l.problem(&Problem{
			Setting: "connector.live_stream_listen_delete", Origin: c.origins["connector.live_stream_listen_delete"], Value: "false",
			Message: "would leave rules in place whose indicators are gone", Remedy: "remove it or set it to true; to keep rules, set sync.policy to upsert-only",
		})
	}
	hl := &c.HarfangLab
	if hl.ImportThreats && !hl.ImportEvents && !l.invalid["harfanglab.import_security_events_as_incidents"] {
		l.problem(&Problem{
			Setting: "harfanglab.import_threats_as_case_incidents", Origin: c.origins["harfanglab.import_threats_as_case_incidents"], Value: "true",
			Message: "needs the import of alerts", Remedy: "set harfanglab.import_security_events_as_incidents to true as well",
		})
	}
	if _, said := c.origins["harfanglab.import_security_events_as_incidents"]; !said && !hl.ImportEvents {
		l.forgottenImport()
	}
	if c.Sync.Lock == "" && !l.invalid["sync.lock"] {
		c.Sync.Lock = c.Sync.State
	}
	l.gateway()
}

// forgottenImport warns of settings that the alert connector required while nothing is imported.
func (l *loader) forgottenImport() {
	for _, path := range []string{"harfanglab_incidents.alert_statuses", "harfanglab_incidents.alert_types"} {
		_, inFile := l.inFile[path]
		if inFile || strings.TrimSpace(l.vars[env(path)]) != "" {
			l.c.Warnings = append(l.c.Warnings, path+" is set and no alert is imported; "+
				"set harfanglab.import_security_events_as_incidents to true to import them, as that connector did")
			return
		}
	}
}

// files checks the files that settings name.
func (l *loader) files() {
	l.exclusions()
	if path := l.c.Sync.MappingFile; path != "" {
		l.mapping(path)
	}
	l.authorities("opencti.ca_bundle", l.c.OpenCTI.CABundle, l.c.OpenCTI.SSLVerify)
	l.authorities("harfanglab.ca_bundle", l.c.HarfangLab.CABundle, l.c.HarfangLab.SSLVerify)
}

// exclusions reads the values that are never deployed. A file is read once, so that its digest is that of
// the entries in effect, whoever writes to it meanwhile.
func (l *loader) exclusions() {
	const path = "sync.exclusions"
	s, g := &l.c.Sync, given{origin: l.c.origins["sync.exclusions"]}
	var files []exclude.File
	h := sha256.New()
	for _, name := range s.Exclusions {
		content, err := l.in.ReadFile(name)
		if err != nil {
			l.faulty(row(path), g, bad("a file cannot be read: "+reason(err, name), ""))
			continue
		}
		sum := sha256.Sum256(content)
		h.Write(sum[:])
		files = append(files, exclude.File{Name: name, Content: content})
	}
	if len(s.Exclusions) > 0 {
		s.ExclusionsDigest = hex.EncodeToString(h.Sum(nil))
	}
	list, err := exclude.New(s.BuiltinExclusions, files...)
	l.faulty(row(path), g, err)
	s.Excluded = list
}

// mapping reads the file that holds the mapping.
func (l *loader) mapping(path string) {
	g := given{origin: l.c.origins["sync.mapping"]}
	content, err := l.in.ReadFile(path)
	if err != nil {
		l.problem(problemOf(row("sync.mapping"), g, &fault{message: "its file cannot be read: " + reason(err, path)}))
		return
	}
	r := mapReader{file: path}
	r.text(content)
	l.faulty(row("sync.mapping"), g, errors.Join(r.faults...))
	l.c.Sync.Mapping = r.mapping
}

func (l *loader) authorities(path, bundle string, verify bool) {
	if bundle == "" {
		return
	}
	if !verify {
		l.c.Warnings = append(l.c.Warnings, path+" has no effect while "+strings.TrimSuffix(path, "ca_bundle")+"ssl_verify is false")
		return
	}
	p := &Problem{Setting: path, Origin: l.c.origins[path], Value: bundle}
	content, err := l.in.ReadFile(bundle)
	switch {
	case err != nil:
		p.Message, p.Value = "the file cannot be read: "+reason(err, bundle), ""
	case !x509.NewCertPool().AppendCertsFromPEM(content):
		p.Message, p.Remedy = "holds no certificate", "name a file with certificates in PEM form (BEGIN CERTIFICATE)"
	default:
		return
	}
	l.problem(p)
}
