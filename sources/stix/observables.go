package stix

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// file is a file as an object shows it.
type file struct {
	path   path
	names  []string // base names, the first one shown first
	hashes hashes
	hit    bool // it is what matched
}

func newFile(f alert.File) (file, bool) {
	out := file{path: splitPath(f.Path), hashes: hashes{
		MD5: hash(f.MD5, md5Digits), SHA1: hash(f.SHA1, sha1Digits), SHA256: hash(f.SHA256, sha256Digits),
	}}
	if out.path.base != "" {
		out.names = []string{out.path.base}
	}
	return out, out.hashed() || len(out.names) > 0
}

func (f *file) hashed() bool { return f.hashes != hashes{} }

// same says whether two are one file: they share a hash, or one of them has none and their paths are
// equal. Two objects for one file would meet on the platform, where the first hash alone makes the id.
func (f *file) same(o *file) bool {
	share := func(a, b string) bool { return a != "" && a == b }
	if share(f.hashes.MD5, o.hashes.MD5) || share(f.hashes.SHA1, o.hashes.SHA1) || share(f.hashes.SHA256, o.hashes.SHA256) {
		return true
	}
	equal := f.path.whole == o.path.whole || f.path.windows && strings.EqualFold(f.path.whole, o.path.whole)
	return equal && (!f.hashed() || !o.hashed())
}

// take adds what the same file is also known by.
func (f *file) take(o *file) {
	f.hit = f.hit || o.hit
	f.hashes.MD5 = cmp.Or(f.hashes.MD5, o.hashes.MD5)
	f.hashes.SHA1 = cmp.Or(f.hashes.SHA1, o.hashes.SHA1)
	f.hashes.SHA256 = cmp.Or(f.hashes.SHA256, o.hashes.SHA256)
	for _, n := range o.names {
		if !slices.Contains(f.names, n) {
			f.names = append(f.names, n)
		}
	}
}

// observables are what an alert shows, the most telling first, each once.
type observables struct {
	m     *Maker
	known alert.Known
	files []file
	dirs  []string
	out   []alert.Object
	hit   map[string]bool // ids of what matched; the rest was merely near
}

// observe gathers the observables of an alert: the file that matched, those that its event was about, the
// image of the process, the value that matched, the process, the host, the user, the folders, and what else
// the event shows of the network. A file alert's process may be another program than the file that matched,
// so it never lends it its hashes.
func (m *Maker) observe(a *alert.Alert, known alert.Known) *observables {
	o := &observables{m: m, known: known, hit: map[string]bool{}}
	matched := o.filesOf(a)
	for _, f := range o.files {
		o.addFile(&f)
	}
	o.out = append(o.out, matched...)
	if p := a.Process; p != nil {
		o.process(p.CommandLine)
	}
	o.value("hostname", m.spelledHost(a, known))
	if p := a.Process; p != nil {
		o.add(m.account(p.User, p.UserSID))
		o.dirs = append(o.dirs, splitPath(p.WorkingDirectory).whole)
	}
	for _, dir := range o.dirs {
		o.directory(dir)
	}
	for _, v := range a.Network {
		o.near(v)
	}
	o.out = unique(o.out)
	return o
}

// spelledHost is a host name as the manager spells it, since case makes another object on the platform; or in
// lower case, as it was once written here, where that alone is there.
func (m *Maker) spelledHost(a *alert.Alert, known alert.Known) string {
	ids := m.HostnameIDs(a)
	if name := hostName(a.Agent.Hostname); ids == nil || known.Hostname == nil || known.Hostname(ids[0]) || !known.Hostname(ids[1]) {
		return name
	}
	return lower(hostName(a.Agent.Hostname))
}

// HostnameIDs are those under which the platform may hold the host name of an alert: as it is spelled, and in
// lower case. They are none for a name that has no other spelling.
func (m *Maker) HostnameIDs(a *alert.Alert) []string {
	name := hostName(a.Agent.Hostname)
	if folded := lower(name); folded != name {
		return []string{valueID("hostname", "value", name), valueID("hostname", "value", folded)}
	}
	return nil
}

// near shows a value of the network that an event was about, unless it is of the endpoint itself.
func (o *observables) near(v reconcile.Value) {
	typ, s := networkValue(v.Type, v.Value)
	if a, err := netip.ParseAddr(s); err == nil && (a.IsLoopback() || a.IsUnspecified()) {
		return
	}
	o.value(typ, s)
}

// filesOf gathers the files, and gives what else IOC rules matched.
func (o *observables) filesOf(a *alert.Alert) (matched []alert.Object) {
	o.file(a.Detected, true)
	for _, f := range append([]alert.File{a.Written}, a.Files...) {
		o.file(f, false)
		o.dirs = append(o.dirs, splitPath(f.Path).dir)
	}
	o.dirs = append(o.dirs, splitPath(a.Detected.Path).dir)
	if p := a.Process; p != nil {
		image := p.File
		image.Path = cmp.Or(image.Path, p.Image, p.Name)
		o.file(image, false)
	}
	return o.matched(a)
}

// FileIDs are the ids by which the platform may know the files of an alert: it looks for a file by each of its
// hashes (contract opencti-api 10.4).
func (m *Maker) FileIDs(a *alert.Alert) (ids []string) {
	o := &observables{m: m, hit: map[string]bool{}}
	o.filesOf(a)
	for _, f := range o.files {
		for _, one := range f.hashes.each() {
			ids = append(ids, fileID(one, ""))
		}
	}
	return ids
}

func (o *observables) file(f alert.File, hit bool) {
	if f, ok := newFile(f); ok {
		f.hit = hit
		o.merge(f)
	}
}

// merge adds a file, or what is new of it to the one that it is. It may show two to be one.
func (o *observables) merge(f file) {
	i := slices.IndexFunc(o.files, func(known file) bool { return known.same(&f) })
	if i < 0 {
		o.files = append(o.files, f)
		return
	}
	o.files[i].take(&f)
	for j := len(o.files) - 1; j > i; j-- {
		if o.files[j].same(&o.files[i]) {
			o.files[i].take(&o.files[j])
			o.files = slices.Delete(o.files, j, j+1)
		}
	}
}

// matched are the values that IOC rules matched: of the network as objects, of files among the files
// unless a file that is shown anyway has them.
func (o *observables) matched(a *alert.Alert) []alert.Object {
	var out []alert.Object
	for _, v := range firedValues(a) {
		switch v.Type {
		case "hash":
			o.file(alert.File{MD5: v.Value, SHA1: v.Value, SHA256: v.Value}, true) // of which its length leaves one
		case "filename", "filepath":
			f, ok := newFile(alert.File{Path: v.Value})
			o.dirs = append(o.dirs, f.path.dir)
			if f.hit = true; ok && !o.called(f.names[0]) {
				o.merge(f)
			}
		case "ip_src", "ip_dst", "ip_both", "domain_name", "url":
			if typ, s := networkValue(v.Type, v.Value); typ != "" {
				out = append(out, o.m.simple(typ, s))
				o.hit[out[len(out)-1].ID] = true
			}
		}
	}
	return out
}

// called finds the files of a name, which are what matched then.
func (o *observables) called(name string) (found bool) {
	for i := range o.files {
		f := &o.files[i]
		if slices.ContainsFunc(f.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			f.hit, found = true, true
		}
	}
	return found
}

// networkValue is the type and the folded form of what a rule of the network blocks, by the type of the
// rule. Rules of type url may hold bare hosts and addresses too (contract harfanglab-api 4.2). Type is ""
// for what the platform would refuse.
func networkValue(rule, s string) (typ, folded string) {
	s = value(s)
	if typ, a := address(s); typ != "" || strings.HasPrefix(rule, "ip_") {
		return typ, a
	}
	if d := domain(s); d != "" {
		return "domain-name", d
	}
	if rule != "url" || strings.IndexAny(s, ":/") < 1 || strings.ContainsFunc(s, unicode.IsControl) {
		return "", ""
	}
	return "url", s
}

func (o *observables) add(obj alert.Object, ok bool) {
	if ok {
		o.out = append(o.out, obj)
	}
}

func (o *observables) value(typ, s string) { o.add(o.m.simple(typ, s), s != "") }

func (o *observables) directory(s string) {
	if s == "" {
		return
	}
	o.add(o.m.observable(observable{head: headOf("directory", valueID("directory", "path", s)), Path: s}), true)
}

// process is the process by its command line, without which the platform takes none. Its pid would make
// another object of each start.
func (o *observables) process(commandLine string) {
	const longest = 32767 // the longest that Windows knows
	s := value(commandLine)
	if s == "" || utf8.RuneCountInString(s) > longest {
		return
	}
	o.add(o.m.observable(observable{head: headOf("process", valueID("process", "command_line", s)), CommandLine: s}), true)
}

// addFile adds a file, or each file that an indicator is based on and it would be merged into: with the hashes
// that this one has, and no other.
func (o *observables) addFile(f *file) {
	var attached []file
	for _, one := range f.hashes.each() {
		if o.known.File == nil {
			break
		}
		if has := o.known.File(fileID(one, "")); has != nil {
			attached = append(attached, file{names: f.names, hashes: f.hashes.within(has), hit: f.hit})
		}
	}
	if len(attached) == 0 {
		attached = []file{*f}
	}
	for i := range attached {
		if attached[i].hashed() || !f.hashed() {
			o.addWhole(&attached[i])
		}
	}
}

func (o *observables) addWhole(f *file) {
	var v observable
	if f.hashed() {
		v.Hashes = &f.hashes
	}
	if len(f.names) > 0 {
		v.Name, v.MoreNames = f.names[0], f.names[1:]
	}
	v.head = headOf("file", fileID(f.hashes, v.Name))
	o.hit[v.ID] = f.hit
	o.add(o.m.observable(v), true)
}

// simple is an observable that is one value.
func (m *Maker) simple(typ, s string) alert.Object {
	return m.observable(observable{head: headOf(typ, valueID(typ, "value", s)), Value: s})
}

// account is a user account by name and SID; false when neither is known.
func (m *Maker) account(name, sid string) (alert.Object, bool) {
	name, sid = value(name), value(sid)
	return m.observable(observable{head: headOf("user-account", userAccountID(name, sid)), Login: name, UserID: sid}), name+sid != ""
}

// observable adds what all observables have.
func (m *Maker) observable(o observable) alert.Object {
	o.Score, o.CreatedBy, o.Markings = m.score, m.authorID, m.markings
	return object(o)
}

// unique keeps the first object of each id.
func unique(objects []alert.Object) []alert.Object {
	return firsts(objects, func(o alert.Object) string { return o.ID })
}

// firsts keeps the first of equal keys.
func firsts[T any](all []T, key func(T) string) []T {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(one T) bool {
		again := seen[key(one)]
		seen[key(one)] = true
		return again
	})
}
