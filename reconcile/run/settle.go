package run

import "github.com/harfangsync/harfangsync/reconcile"

// settle looks once, after all writes, for what may have been stored although no answer said so: a gateway in
// front may lose or replace each of them. What is there as planned counts as applied.
func (a *applying) settle() {
	var unsure []int
	for i := range a.did {
		if a.did[i].unsure {
			unsure = append(unsure, i)
		}
	}
	if len(unsure) == 0 {
		return
	}
	rows, err := a.reread(unsure, false, nil)
	for _, i := range unsure {
		it := &a.report.Items[i]
		if err != nil {
			it.Error += "; unknown whether it was stored: " + err.Error()
			a.report.Wrote = true
			continue
		}
		a.did[i].unsure = false
		ch := a.report.Changes.At(i)
		problem := a.unmade(ch, rows[i])
		if problem != "" {
			it.Error += "; " + problem
			continue
		}
		if rows[i] != nil {
			a.did[i].id = rows[i].ID
		}
		it.Error = "it was stored, although HarfangLab's answer was a failure: " + it.Error
		a.succeed(i, ch)
	}
}

// unmade says why a row shows that a change was not made, or not as planned; "" when it was.
func (a *applying) unmade(ch *reconcile.Change, row *reconcile.Row) string {
	if row != nil && ch.Before != nil && ch.Before.SameAs(row) {
		return "HarfangLab holds it as it was before"
	}
	problem := ch.Verify(row, a.job.Policy.Own, a.job.Canon, true).Problem
	a.report.Wrote = a.report.Wrote || problem != "" && row != nil
	return problem
}
