package reconcile

import (
	"encoding/json"

	"github.com/harfangsync/harfangsync/reconcile/spool"
)

// packer turns what plans list into records of a spool, and back.
type packer struct {
	words   words
	enc     spool.Encoder
	unasked string // why the impacts of some changes are
}

// head is what is known of a record without reading it.
type head struct {
	action, reason, also word
	kind                 Kind
	unasked              bool // the impact of a change, which its record does not say
	unseen               bool // an owner of what is held, likewise
}

// words numbers what many records say: the same few words.
type words struct {
	list []string
	at   map[string]word
}

type word uint32

func (w *words) of(s string) word {
	at, known := w.at[s]
	if !known {
		if w.at == nil {
			w.at = map[string]word{}
		}
		at = word(len(w.list))
		w.at[s], w.list = at, append(w.list, s)
	}
	return at
}

func (p *packer) word(s string) { p.enc.Int(int64(p.words.of(s))) }

// read gives a word back; one that a torn record names is none.
func (w *words) read(d *spool.Decoder) string {
	if at := d.Int(); at >= 0 && at < int64(len(w.list)) {
		return w.list[at]
	}
	return ""
}

func (ch *Change) write(p *packer) {
	e := &p.enc
	e.Int(int64(ch.Kind))
	p.word(ch.List)
	p.word(ch.Type)
	p.word(string(ch.Action))
	p.word(string(ch.Reason))
	p.word(string(ch.Cause))
	p.word(string(ch.Class))
	e.String(ch.Value)
	e.String(ch.Stored)
	e.String(ch.Name)
	e.String(ch.ID)
	p.body(ch.Before)
	p.body(ch.After)
	e.Int(int64(len(ch.Fields)))
	for _, f := range ch.Fields {
		p.word(f)
	}
	p.owners(ch.Owners)
	e.Strings(ch.Notes)
	if e.Bool(ch.Impact != nil); ch.Impact != nil {
		text, _ := json.Marshal(ch.Impact) // words, numbers and a time always encode
		e.String(string(text))
	}
	e.String(string(ch.Key[:]))
	e.String(ch.Sent)
	e.Int(int64(ch.Unnamed))
	e.Bool(ch.Blind)
}

func (ch *Change) read(p *packer, h head, d *spool.Decoder) {
	*ch = Change{Kind: Kind(d.Int()), List: p.words.read(d), Type: p.words.read(d), Action: Action(p.words.read(d)), Reason: Reason(p.words.read(d)),
		Cause: Cause(p.words.read(d)), Class: Class(p.words.read(d)), Value: d.String(), Stored: d.String(), Name: d.String(), ID: d.String(), Before: p.readBody(d), After: p.readBody(d)}
	ch.Fields = make([]string, 0, d.Len())
	for range cap(ch.Fields) {
		ch.Fields = append(ch.Fields, p.words.read(d))
	}
	ch.Owners = readOwners(d)
	if notes := d.Strings(); len(notes) > 0 {
		ch.Notes = notes
	}
	switch {
	case d.Bool():
		ch.Impact = &Impact{}
		_ = json.Unmarshal([]byte(d.String()), ch.Impact)
	case h.unasked:
		ch.Impact = &Impact{Status: ImpactNotAsked, Why: p.unasked}
	}
	copy(ch.Key[:], d.String())
	ch.Sent, ch.Unnamed, ch.Blind = d.String(), int(d.Int()), d.Bool()
}

func (h *Held) write(p *packer) {
	e := &p.enc
	e.Int(int64(h.Kind))
	p.word(h.List)
	p.word(h.Type)
	e.String(h.Value)
	e.String(h.Name)
	e.String(h.ID)
	p.word(string(h.Action))
	p.word(string(h.Reason))
	e.String(h.Detail)
	p.owners(h.Owners)
	p.word(h.Gate)
	if e.Bool(h.Change != nil); h.Change != nil {
		h.Change.write(p)
	}
}

func (h *Held) read(p *packer, known head, d *spool.Decoder) {
	*h = Held{Kind: Kind(d.Int()), List: p.words.read(d), Type: p.words.read(d), Value: d.String(), Name: d.String(), ID: d.String(),
		Action: Action(p.words.read(d)), Reason: Reason(p.words.read(d)), Detail: d.String(), Unseen: known.unseen}
	if owners := readOwners(d); len(owners) > 0 {
		h.Owners = owners
	}
	if h.Gate = p.words.read(d); d.Bool() {
		h.Change = &Change{}
		h.Change.read(p, head{}, d)
	}
}

func (s *Skip) write(p *packer) {
	e := &p.enc
	e.String(s.Indicator)
	e.String(s.Name)
	p.word(string(s.Reason))
	e.String(s.Detail)
	e.Bool(s.Compilable)
}

func (s *Skip) read(p *packer, _ head, d *spool.Decoder) {
	*s = Skip{Indicator: d.String(), Name: d.String(), Reason: Reason(p.words.read(d)), Detail: d.String(), Compilable: d.Bool()}
}

func (p *packer) owners(owners []Owner) {
	e := &p.enc
	e.Int(int64(len(owners)))
	for i := range owners {
		o := &owners[i]
		e.String(o.ID)
		e.String(o.StandardID)
		e.String(o.Name)
		if e.Bool(o.Score != nil); o.Score != nil {
			e.Int(int64(*o.Score))
		}
	}
}

func readOwners(d *spool.Decoder) []Owner {
	owners := make([]Owner, d.Len())
	for i := range owners {
		o := &owners[i]
		o.ID, o.StandardID, o.Name = d.String(), d.String(), d.String()
		if d.Bool() {
			score := int(d.Int())
			o.Score = &score
		}
	}
	return owners
}

// body packs one, nil too.
func (p *packer) body(b *Body) {
	e := &p.enc
	if e.Bool(b != nil); b == nil {
		return
	}
	e.Bool(b.Enabled)
	p.word(b.HLStatus)
	for _, text := range b.texts() {
		if e.Bool(*text != nil); *text != nil {
			e.String(**text)
		}
	}
}

func (p *packer) readBody(d *spool.Decoder) *Body {
	if !d.Bool() {
		return nil
	}
	b := &Body{Enabled: d.Bool(), HLStatus: p.words.read(d)}
	for _, text := range b.texts() {
		if d.Bool() {
			s := d.String()
			*text = &s
		}
	}
	return b
}

// texts are what a body may say.
func (b *Body) texts() [7]**string {
	return [...]**string{&b.Name, &b.Description, &b.Comment, &b.Content, &b.Level, &b.Confidence, &b.State}
}
