package config

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/sources/exclude"
)

func deletesAreHeard(l *loader, _ *setting) error {
	if l.c.Connector.ListenDelete {
		return nil
	}
	return &Problem{Value: "false", Message: "would leave rules in place whose indicators are gone",
		Remedy: "remove it or set it to true; to keep rules, set sync.policy to upsert-only"}
}

// eventsImported turns the import of alerts on where the successor connector's name for threats is used:
// that connector always imported alerts. What is said of alerts elsewhere counts more. Without it, settings
// that this connector required are a warning.
func eventsImported(l *loader, s *setting) error {
	if s.origin.Given() {
		return nil
	}
	for _, g := range l.c.row(threatsAsCases).given {
		if g.name == importThreats || g.name == env(importThreats) {
			l.c.HarfangLab.ImportEvents = true
			s.origin = Origin{implied, g.origin.String()}
			return nil
		}
	}
	for _, path := range []string{alertStatuses, alertTypes} {
		_, inFile := l.inFile[path]
		if inFile || strings.TrimSpace(l.vars[env(path)]) != "" {
			l.warn("%s is set and no alert is imported; set %s to true to import them, as that connector did", path, importEvents)
			return nil
		}
	}
	return nil
}

func threatsNeedEvents(l *loader, _ *setting) error {
	if hl := &l.c.HarfangLab; hl.ImportThreats && !hl.ImportEvents {
		return &Problem{Value: "true", Message: "needs the import of alerts", Remedy: "set " + importEvents + " to true as well"}
	}
	return nil
}

// follows gives a setting that is not set the value of another one.
func follows(path string) func(*loader, *setting) error {
	return func(l *loader, s *setting) error {
		if s.origin.source != unset {
			return nil
		}
		s.origin = Origin{followed, path}
		return s.set(given{text: l.c.row(path).value().(string)})
	}
}

// paired asks for another setting beside one that is set.
func paired(path, what string) func(*loader, *setting) error {
	return func(l *loader, s *setting) error {
		if other := l.c.row(path); !empty(s.value()) && empty(other.value()) {
			return bad("is set, but its "+what+" is not", other.howToSet())
		}
		return nil
	}
}

func loginIsUsed(l *loader, s *setting) error {
	if m := &l.c.Sync.Metrics; m.PushGateway == "" && m.Login != "" && m.Password.Set() {
		l.warn("%s has no effect while %s is not set", gatewayLogin, s.path)
	}
	return nil
}

// authorities reads a bundle, which counts only while certificates are checked.
func authorities(t *TLS) func(*loader, *setting) error {
	return func(l *loader, s *setting) error {
		if t.CABundle == "" {
			return nil
		}
		content, err := []byte(t.CABundle), error(nil)
		inline := isPEM(t.CABundle)
		if !inline {
			content, err = l.in.ReadFile(t.CABundle)
		}
		for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
			if c, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
				t.Authorities = append(t.Authorities, c)
			}
		}
		switch {
		case !t.SSLVerify && slices.Contains(s.others, s.origin.at): // set for other programs
		case !t.SSLVerify:
			l.warn("%s has no effect while %sssl_verify is false", s.path, strings.TrimSuffix(s.path, "ca_bundle"))
		case err != nil:
			return bad("the file cannot be read: "+reason(err, t.CABundle), "")
		case len(t.Authorities) == 0:
			p := &Problem{Value: t.CABundle, Message: "holds no certificate", Remedy: "name a file with certificates in PEM form (BEGIN CERTIFICATE)"}
			if inline {
				p.Value = ""
			}
			return p
		}
		return nil
	}
}

// showing reads the certificate that we show, and its key, the setting with the path key.
func showing(t *TLS, key string) func(*loader, *setting) error {
	return func(l *loader, s *setting) error {
		if err := paired(key, "key")(l, s); err != nil || t.ClientCert == "" {
			return err
		}
		shown := [...]string{t.ClientCert, ofSecret(t.ClientKey)}
		var content [2][]byte
		for i, path := range []string{t.ClientCert, t.ClientKey} {
			var err error
			if content[i], err = l.in.ReadFile(path); err != nil {
				return bad("a file of the pair cannot be read: "+reason(err, shown[i]), "")
			}
		}
		pair, err := tls.X509KeyPair(content[0], content[1])
		if err != nil {
			return bad("and its key ("+key+") are no pair: "+strings.TrimPrefix(err.Error(), "tls: "), "name a certificate and its own unencrypted key, both in PEM form")
		}
		if ends := pair.Leaf.NotAfter; time.Now().After(ends) {
			return bad("ended on "+ends.UTC().Format(time.DateOnly), "have it renewed")
		}
		t.ours = &pair
		return nil
	}
}

// exclusions reads the values that are never deployed. A file is read once, so that its digest is that of
// the entries in effect, whoever writes to it meanwhile.
func exclusions(l *loader, _ *setting) error {
	s := &l.c.Sync
	var files []exclude.File
	var problems []error
	h := sha256.New()
	for _, name := range s.Exclusions {
		names, folder, err := within(name)
		if err != nil {
			problems = append(problems, bad("a folder cannot be read: "+reason(err, name), ""))
		} else if len(names) == 0 {
			problems = append(problems, bad("a folder without any .txt or .json file: "+name, ""))
		}
		for _, name := range names {
			content, err := l.in.ReadFile(name)
			if err != nil {
				problems = append(problems, bad("a file cannot be read: "+reason(err, name), ""))
				continue
			}
			sum := sha256.Sum256(content)
			h.Write(sum[:])
			files = append(files, exclude.File{Name: name, Content: content, OneOf: folder})
		}
	}
	if len(s.Exclusions) > 0 {
		s.ExclusionsDigest = hex.EncodeToString(h.Sum(nil))
	}
	list, err := exclude.New(s.BuiltinExclusions, files...)
	if s.Excluded = list; err == nil && len(list.Passed()) > 0 {
		l.warn("sync.exclusions: warning lists that cannot be used are passed over: %s", strings.Join(list.Passed(), ", "))
	}
	return errors.Join(append(problems, err)...)
}

// within are the files of exclusions that a name stands for: itself, or all .txt and .json of a folder. Of a checkout of
// MISP's warning lists the lists count, and none of the files that make them.
func within(name string) (files []string, folder bool, err error) {
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return []string{name}, false, nil
	}
	err = filepath.WalkDir(name, func(path string, e fs.DirEntry, err error) error {
		if lists := checkout(path); err == nil && len(lists) > 0 {
			files = append(files, lists...)
			return fs.SkipDir
		}
		if ext := filepath.Ext(path); err == nil && !e.IsDir() && (ext == ".txt" || ext == ".json") {
			files = append(files, path)
		}
		return err
	})
	return files, true, err
}

// mappingFile reads the file that holds the mapping.
func mappingFile(l *loader, _ *setting) error {
	s := &l.c.Sync
	if s.MappingFile == "" {
		return nil
	}
	content, err := l.in.ReadFile(s.MappingFile)
	if err != nil {
		return bad("its file cannot be read: "+reason(err, s.MappingFile), "")
	}
	s.Mapping, err = readMapping(content, Origin{fromFile, s.MappingFile})
	return err
}

// checkout are the lists of a folder that is a checkout of MISP's warning lists, none of any other.
func checkout(folder string) []string {
	if _, err := os.Stat(filepath.Join(folder, "schema.json")); err != nil {
		return nil
	}
	lists, _ := filepath.Glob(filepath.Join(folder, "lists", "*", "list.json"))
	return lists
}
