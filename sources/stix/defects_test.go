package stix_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/sources/stix"
)

// Defects of the importers before.

func TestDefectProcessHashesInsteadOfTheMatchedFiles(t *testing.T) {
	a := fileAlert()
	for _, h := range reader.Fired(a) {
		if h.Value == shellSHA256 {
			t.Errorf("the program that started the file is taken for what matched: %+v", h)
		}
	}
	files := ofType(made(t)(maker(t).Alert(a, []string{indicator}, none)), "file")
	want := []any{"tool.exe", "explorer.exe"}
	if len(files) != 2 || files[0]["name"] != want[0] || files[1]["name"] != want[1] {
		t.Errorf("files %v, want %v", files, want)
	}
	if h := files[0]["hashes"].(map[string]any); h["SHA-256"] != toolSHA256 || h["MD5"] != toolMD5 {
		t.Errorf("the matched file has the hashes %v", h)
	}
}

func TestDefectInventedPatternsAndDetectionOn(t *testing.T) {
	for name, a := range forms() {
		for _, o := range made(t)(maker(t).Alert(a, []string{indicator}, none)) {
			for _, bad := range []string{`"pattern"`, "x_opencti_detection", "x_opencti_create_indicator", "x_opencti_create_observables", "valid_from"} {
				if strings.Contains(string(o.JSON), bad) {
					t.Errorf("%s: %s in %s", name, bad, o.JSON)
				}
			}
		}
	}
}

func TestDefectRelationReversed(t *testing.T) {
	for _, r := range ofType(made(t)(maker(t).Alert(eventLogAlert(), []string{indicator}, none)), "relationship") {
		from, _, _ := strings.Cut(r["source_ref"].(string), "--")
		to, _, _ := strings.Cut(r["target_ref"].(string), "--")
		switch kind := r["relationship_type"]; {
		case kind == "indicates" && from == "indicator" && to == "incident":
		case kind == "uses" && from == "incident" && to == "attack-pattern":
		case kind == "targets" && from == "incident" && to == "identity":
		case kind == "related-to" && from != "incident" && to == "incident":
		case kind == "related-to" && from == "hostname" && to == "identity":
		default:
			t.Errorf("%s from %s to %s", kind, from, to)
		}
	}
}

func TestDefectEqualsSignInURLs(t *testing.T) {
	const url = "https://evil.example/a b?x=1&y==2:3"
	if got := ofType(made(t)(maker(t).Alert(networkAlert("url", url), nil, none)), "url"); len(got) != 1 || got[0]["value"] != url {
		t.Errorf("got %v, want %s", got, url)
	}
}

func TestDefectAbortOnAlertsWithoutAFile(t *testing.T) {
	for typ, v := range map[string]string{"ip_src": "198.51.100.7", "ip_dst": "198.51.100.7", "ip_both": "2001:db8::1", "domain_name": "c2.example.org", "url": "http://c2.example.org/", "filename": "x.exe", "filepath": `C:\x.exe`} {
		a := networkAlert(typ, v)
		a.Process = nil
		m := maker(t)
		checked(t, m, made(t)(m.Alert(a, []string{indicator}, none)))
	}
}

func TestDefectAbortOnMissingHashes(t *testing.T) {
	a := fileAlert()
	a.Detected, a.Process.File = alert.File{Path: `C:\x\tool.exe`}, alert.File{}
	m := maker(t)
	objects := made(t)(m.Alert(a, nil, none))
	checked(t, m, objects)
	if got := brief(objects); !slices.Contains(got, "file tool.exe") || !slices.Contains(got, "file explorer.exe") {
		t.Errorf("got %q", got)
	}
}

func TestDefectTLPClearOnInternalData(t *testing.T) {
	m, err := stix.New(stix.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range append(made(t)(m.Alert(fileAlert(), nil, none)), m.Author()) {
		if refs := members(o)["object_marking_refs"].([]any); len(refs) != 1 || refs[0] != "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82" {
			t.Errorf("%s is not TLP:AMBER", o.JSON)
		}
	}
}

func TestDefectShellBecomesMoreThanSomethingSeen(t *testing.T) {
	objects := made(t)(maker(t).Alert(fileAlert(), []string{indicator}, none))
	for _, line := range brief(objects) {
		if strings.Contains(line, "explorer.exe") && strings.Contains(line, ">") && !strings.Contains(line, "explorer.exe SHA-256 > related-to > incident") && !strings.Contains(line, `explorer.exe > related-to > incident`) {
			t.Errorf("%s", line)
		}
	}
}
