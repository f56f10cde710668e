package render

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// pageFiles are the parts of the page that HTML writes: a template, a style sheet and scripts.
//
//go:embed page
var pageFiles embed.FS

// scripts are the page's scripts, which run as one, in this order.
var scripts = []string{"plan.js", "rows.js", "detail.js", "diff.js", "view.js", "keys.js"}

// pageParts is what is the same on every page.
type pageParts struct {
	template *template.Template
	style    template.CSS
	script   template.JS
	policy   string // the Content-Security-Policy
}

var page = sync.OnceValue(func() pageParts {
	read := func(name string) string {
		b, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			panic(err) // it is in the binary
		}
		return string(b)
	}
	var script strings.Builder
	for _, name := range scripts {
		script.WriteString(read(name))
	}
	style := read("page.css")
	return pageParts{
		template: template.Must(template.New("page").Parse(read("page.html"))),
		style:    template.CSS(style), script: template.JS(script.String()),
		policy: fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
			sourceHash(script.String()), sourceHash(style)),
	}
})

// sourceHash is how a policy names the one text that it lets through.
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// HTML writes a plan as one page that needs nothing else: its style, its script and its data stand in
// it, and its policy lets it load nothing and run nothing but that script. Gates, summary and every
// removal are HTML and need no script; the other changes, what is held and what is skipped stand in the
// page as JSON and become rows when they are looked at, so that a page of ten thousand changes opens at
// once. Whatever comes from outside is escaped, as by Escape, before it is put in. Nothing is folded,
// so Options.Full changes nothing; with SummaryOnly nothing is listed.
func HTML(w io.Writer, d *planfile.Document, o Options) error {
	view := newPageView(d, o)
	if err := d.Err(); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	if err := page().template.Execute(b, view); err != nil {
		return err
	}
	return b.Flush()
}
