package simulate

import "botwatch/store"

// A population is which accounts exist, and at which revision.
type population struct {
	live []member
	gone []member // the latest of those deleted
	next int      // the number of the next new account
}

type member struct{ n, revision int }

// draw decides what happens next, and to whom.
func (p *population) draw(d *dice, o *Options) (member, store.Op) {
	u := d.unit()
	switch {
	case u < o.Deletes && len(p.live) > 0:
		m := take(&p.live, d.below(len(p.live)))
		if len(p.gone) >= o.Accounts {
			p.gone = p.gone[1:]
		}
		p.gone = append(p.gone, m)
		return m, store.OpDelete
	case u >= o.Deletes && u < o.Deletes+o.Reinserts && len(p.gone) > 0:
		m := take(&p.gone, d.below(len(p.gone)))
		m.revision++
		p.live = append(p.live, m)
		return m, store.OpUpsert
	case len(p.live) == 0 || len(p.live) < o.Accounts && u < 1-o.Updates:
		m := member{n: p.next}
		p.next++
		p.live = append(p.live, m)
		return m, store.OpUpsert
	}
	m := &p.live[d.below(len(p.live))]
	m.revision++
	return *m, store.OpUpsert
}

// take removes the member at i; the last one takes its place.
func take(list *[]member, i int) member {
	s := *list
	m := s[i]
	s[i] = s[len(s)-1]
	*list = s[:len(s)-1]
	return m
}
