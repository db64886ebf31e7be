package engine

import (
	"bytes"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// Query says which documents of a collection are meant.
type Query struct {
	Filter   *match.Filter
	Sort     value.Doc   // nil for any order
	Hint     value.Value // an index by name or key pattern; {$natural: ±1}; missing for none
	Min, Max value.Doc   // bounds of the hinted index
	Majority bool        // reads what is committed
	// Collated says that strings compare by a collation, which indexes do not have.
	Collated bool
}

// readAhead is how many records a scan takes from the store at once.
const readAhead = 128

// Scan walks over the documents of a collection that match a query. It reads the
// collection as it is at each step: it keeps its place, not a copy.
type Scan struct {
	store  *Store
	query  Query
	db     string
	name   string
	coll   *Collection
	index  string // the name of the index that gives the order; "" for natural order
	ranges []match.Interval
	back   bool
	sorted bool

	at    int   // of ranges
	begun bool  // whether place is one within ranges[at]
	place entry // the last record taken
	ahead []step
	seen  map[int64]bool // of an index with several keys a document
	done  bool           // nothing is left to be taken

	given bool // whether last is set
	last  step // the last record given, or passed over
	ended bool // whether the end was given
}

// step is a record that was taken, and where.
type step struct {
	entry
	at int // of ranges
}

// Open begins a scan. A collection that does not exist has no documents.
func (s *Store) Open(db, name string, q Query) (*Scan, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open(db, name, q)
}

func (s *Store) open(db, name string, q Query) (*Scan, error) {
	c := s.catalog[db+"."+name]
	if q.Majority {
		c = s.committed(db, name)
	}
	sc := &Scan{store: s, query: q, db: db, name: name, coll: c}
	if c == nil {
		sc.done = true
		return sc, nil
	}
	return sc, sc.plan()
}

// Sorted says that the scan itself gives the order that the query asks for.
func (sc *Scan) Sorted() bool { return sc.sorted || len(sc.query.Sort) <= 5 }

// Next gives the next document.
func (sc *Scan) Next() (value.Doc, bool, error) {
	rec, err := sc.next()
	if rec == nil {
		return nil, false, err
	}
	return rec.Doc, true, nil
}

func (sc *Scan) next() (*Record, error) {
	for {
		if len(sc.ahead) == 0 {
			if sc.done {
				sc.ended = true
				return nil, nil
			}
			if err := sc.read(); err != nil {
				return nil, err
			}
			continue
		}
		rec := sc.pop()
		if ok, err := sc.query.Filter.Match(rec.Doc); err != nil {
			return nil, err
		} else if ok {
			return rec, nil
		}
	}
}

// pop gives the first record that was read ahead.
func (sc *Scan) pop() *Record {
	sc.given, sc.last = true, sc.ahead[0]
	sc.ahead = sc.ahead[1:]
	return sc.last.rec
}

// Rest ends a batch: what was read ahead is read anew when the next one is
// asked for, from behind the last record that was given.
func (sc *Scan) Rest() {
	if sc.ended || sc.coll == nil {
		return
	}
	for _, s := range sc.ahead {
		delete(sc.seen, s.n)
	}
	sc.ahead, sc.done = nil, false
	sc.begun, sc.place, sc.at = sc.given, sc.last.entry, sc.last.at
}

// tree gives the index that the scan walks, as it is now; nil for natural order.
func (sc *Scan) tree() *Index {
	if sc.index == "" {
		return nil
	}
	return sc.coll.index(sc.index)
}

func (c *Collection) index(name string) *Index {
	if name == "_id_" {
		return c.ids
	}
	for _, x := range c.indexes {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// read takes some records from the store.
func (sc *Scan) read() error {
	s := sc.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	return sc.take(readAhead)
}

func (sc *Scan) take(n int) error {
	if sc.coll.dropped && !(sc.query.Majority && sc.store.frozen != nil) {
		return fault.New(fault.QueryPlanKilled, "collection dropped: %s.%s", sc.db, sc.name)
	}
	sc.ahead = sc.ahead[:0]
	if sc.index == "" {
		sc.takeNatural(n)
		return nil
	}
	x := sc.tree()
	if x == nil {
		return fault.New(fault.QueryPlanKilled, "index '%s' dropped", sc.index)
	}
	for !sc.done && len(sc.ahead) < n {
		sc.takeRange(x, n)
	}
	return nil
}

func (sc *Scan) takeNatural(n int) {
	took := 0
	each := func(rec *Record) bool {
		if sc.begun && (!sc.back && rec.N <= sc.place.n || sc.back && rec.N >= sc.place.n) {
			return true
		}
		if took == n {
			return false
		}
		took++
		sc.ahead = append(sc.ahead, step{entry{n: rec.N, rec: rec}, 0})
		return true
	}
	switch {
	case !sc.back:
		from := &Record{N: -1}
		if sc.begun {
			from.N = sc.place.n
		}
		sc.coll.natural.Ascend(from, each)
	case sc.begun:
		sc.coll.natural.Descend(&Record{N: sc.place.n}, each)
	default:
		sc.coll.natural.Reverse(each)
	}
	if took > 0 {
		sc.begun = true
		sc.place = sc.ahead[len(sc.ahead)-1].entry
	}
	sc.done = took < n
}

// takeRange takes records of the range that the scan is in, and goes on to the
// next range at its end.
func (sc *Scan) takeRange(x *Index, n int) {
	if sc.at == len(sc.ranges) {
		sc.done = true
		return
	}
	i := sc.at
	if sc.back {
		i = len(sc.ranges) - 1 - i
	}
	low, high := limits(sc.ranges[i])
	full := false
	each := func(e entry) bool {
		if e.key < low || high != "" && e.key >= high {
			return sc.back == (high != "" && e.key >= high) // before the range, as seen from here
		}
		if sc.begun && !sc.beyond(e) {
			return true
		}
		if len(sc.ahead) >= n {
			full = true
			return false
		}
		sc.begun, sc.place = true, e
		if x.multikey {
			if sc.seen == nil {
				sc.seen = map[int64]bool{}
			}
			if sc.seen[e.n] {
				return true
			}
			sc.seen[e.n] = true
		}
		sc.ahead = append(sc.ahead, step{e, sc.at})
		return true
	}
	switch {
	case !sc.back && sc.begun:
		x.tree.Ascend(sc.place, each)
	case !sc.back:
		x.tree.Ascend(entry{key: low, n: -1}, each)
	case sc.begun:
		x.tree.Descend(sc.place, each)
	case high == "":
		x.tree.Reverse(each)
	default:
		x.tree.Descend(entry{key: high, n: -1}, each)
	}
	if !full {
		sc.at++
		sc.begun = false
	}
}

func (sc *Scan) beyond(e entry) bool {
	if sc.back {
		return entryLess(e, sc.place)
	}
	return entryLess(sc.place, e)
}

// limits gives a range as entries have it: from low on, before high; an empty
// high is no limit. No byte of a key that follows another is 255.
func limits(r match.Interval) (low, high string) {
	low, high = r.Low, r.High
	if r.LowOpen {
		low += "\xff"
	}
	if high != "" && !r.HighOpen {
		high += "\xff"
	}
	return low, high
}

// plan chooses how to walk: by the hint, by _id, by an index that the filter
// bounds, by one that gives the order, or through everything.
func (sc *Scan) plan() error {
	q, c := sc.query, sc.coll
	everything := []match.Interval{{}}
	if !value.Missing(q.Hint) {
		if q.Hint.Type == bson.TypeEmbeddedDocument {
			if n, ok := value.Integer(value.Get(value.Doc(q.Hint.Value), "$natural")); ok {
				sc.back = n < 0
				return nil
			}
		}
		x := c.hinted(q.Hint)
		if x == nil {
			return fault.New(fault.BadValue, "error processing query: hint provided does not correspond to an existing index")
		}
		sc.index, sc.ranges = x.Name, everything
		if q.Min != nil || q.Max != nil {
			r, err := x.between(q.Min, q.Max)
			if err != nil {
				return err
			}
			sc.ranges = []match.Interval{r}
		} else if r, ok := sc.bounds(x); ok {
			sc.ranges = r
		}
		sc.order(x)
		return nil
	}
	if q.Min != nil || q.Max != nil {
		return fault.New(51173, "When using min()/max() a hint of which index to use must be provided")
	}
	for _, x := range append([]*Index{c.ids}, c.indexes...) {
		if r, ok := sc.bounds(x); ok && x.general() {
			sc.index, sc.ranges = x.Name, r
			sc.order(x)
			return nil
		}
	}
	for _, x := range append([]*Index{c.ids}, c.indexes...) {
		if x.general() && sc.order(x) {
			sc.index, sc.ranges = x.Name, everything
			return nil
		}
	}
	if n, ok := value.Integer(value.Get(q.Sort, "$natural")); ok {
		sc.back, sc.sorted = n < 0, true
	}
	return nil
}

// general says that an index has every document.
func (x *Index) general() bool { return x.Partial == nil && !x.Sparse && !x.Hidden }

func (c *Collection) hinted(hint value.Value) *Index {
	name, _ := value.Text(hint)
	for _, x := range append([]*Index{c.ids}, c.indexes...) {
		if x.Hidden {
			continue
		}
		if x.Name == name || hint.Type == bson.TypeEmbeddedDocument && value.Equal(hint, value.Document(x.Spec)) {
			return x
		}
	}
	return nil
}

// bounds gives the ranges of an index within which all matches are.
func (sc *Scan) bounds(x *Index) ([]match.Interval, bool) {
	if x.multikey || sc.query.Collated || sc.query.Filter == nil {
		return nil, false
	}
	ranges, ok := sc.query.Filter.Bounds(strings.Join(x.fields[0].path, "."))
	if !ok || !x.fields[0].descending {
		return ranges, ok
	}
	inverted := make([]match.Interval, 0, len(ranges))
	for _, r := range slices.Backward(ranges) {
		inverted = append(inverted, descending(r))
	}
	return inverted, true
}

// descending gives a range of the keys that invert makes: what begins with its
// high end comes first, what begins with its low end last.
func descending(r match.Interval) match.Interval {
	low, high := []byte(r.High), []byte(r.Low)
	invert(low)
	invert(high)
	if r.HighOpen {
		low = behind(low)
	}
	if r.LowOpen {
		high = append(high, keyEnd...)
	} else {
		high = behind(high)
	}
	return match.Interval{Low: string(low), High: string(high), HighOpen: true}
}

// behind gives the least key above all that begin with b; none where there is no
// such key.
func behind(b []byte) []byte {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return b[:i+1]
		}
	}
	return nil
}

// order says whether an index gives the order that is asked for, one way or the
// other, and turns the scan that way.
func (sc *Scan) order(x *Index) bool {
	if len(sc.query.Sort) <= 5 || x.multikey || sc.query.Collated {
		return false
	}
	i, forward, backward := 0, true, true
	for name, v := range value.Elements(sc.query.Sort) {
		n, ok := value.Integer(v)
		if !ok || i == len(x.fields) || name != strings.Join(x.fields[i].path, ".") {
			return false
		}
		forward = forward && (n < 0) == x.fields[i].descending
		backward = backward && (n < 0) != x.fields[i].descending
		i++
	}
	if !forward && !backward {
		return false
	}
	sc.back, sc.sorted = backward, true
	return true
}

// between gives the range from min, inclusive, to max, exclusive.
func (x *Index) between(low, high value.Doc) (match.Interval, error) {
	r := match.Interval{HighOpen: true}
	var err error
	if low != nil {
		if r.Low, err = x.bound(low); err != nil {
			return r, err
		}
	}
	if high != nil {
		if r.High, err = x.bound(high); err != nil {
			return r, err
		}
	}
	if high != nil && r.Low >= r.High {
		return r, fault.New(51175, "max() must be greater than min()")
	}
	return r, nil
}

func (x *Index) bound(d value.Doc) (string, error) {
	var key bytes.Buffer
	i := 0
	for name, v := range value.Elements(d) {
		if i == len(x.fields) || name != strings.Join(x.fields[i].path, ".") {
			return "", fault.New(51174, "The index chosen is not compatible with min/max")
		}
		k := value.AppendKey(nil, v)
		if x.fields[i].descending {
			invert(k)
		}
		key.Write(k)
		i++
	}
	if i != len(x.fields) {
		return "", fault.New(51174, "The index chosen is not compatible with min/max")
	}
	if !x.primary() {
		key.WriteString(keyEnd)
	}
	return key.String(), nil
}
