package mongo

import (
	"fmt"
	"math"
	"math/bits"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/classifier"
)

// decode resets b and pushes into it the account that doc holds, one BSON
// document, whole or as neededFields leaves it; the caller finishes b. It keeps
// no reference to doc.
//
// The first fault is that of an order of our own (the user, the tweets, …), not
// of the order in which a crawler wrote the fields or a projection gave them.
// Where a name comes twice the first counts, as in the server's own expressions.
//
// The error is a *classifier.FieldError of CodeSyntax, whose message gives the
// byte within doc, and counts for more than what Finish says. It tells bytes that
// are no BSON as far as they are read: every length on the way to a needed field,
// and the bytes of that field. What lies beside, embedded documents above all,
// is passed by its length and not looked into: a document comes from a server,
// which stores valid BSON alone, or is harmless where it does not.
func decode(doc []byte, b *classifier.Builder) error {
	d := decoder{walker: walker{doc: doc}, b: b}
	if d.account(); d.err == nil {
		if _, err := b.Finish(); err == nil { // which the caller may ask again
			return nil
		}
		d.ordered = true
		d.account()
	}
	if d.err != nil { // a nil *FieldError is no nil error
		return d.err
	}
	return nil
}

// crawledAt reads the crawled_at of an account of which perhaps nothing else was
// asked for. It answers 0 and false where decode would find a fault in it, or nothing.
func crawledAt(doc []byte) (classifier.Micros, bool) {
	d := decoder{walker: walker{doc: doc}, ordered: true}
	var at [maxFields]element
	if !d.whole() || !d.find(0, &keyFields, &at) {
		return 0, false
	}
	switch e := at[0]; bson.Type(e.kind) {
	case bson.TypeDateTime:
		if at := dateMicros(d.int64(e.value)); at <= classifier.MaxMicros {
			return at, true
		}
	case bson.TypeString, bson.TypeSymbol:
		if text, ok := d.text(e); ok {
			if at, ok := classifier.ParseTime(string(text)); ok {
				return at, true
			}
		}
	case bson.TypeEmbeddedDocument:
		// Extended JSON, which the Builder knows. It misses the rest of the account.
		d.b = new(classifier.Builder)
		d.b.Reset()
		d.b.BeginObject()
		if !d.push(&keyFields, &at) {
			return 0, false
		}
		d.b.EndObject()
		account, err := d.b.Finish()
		if fault, ok := err.(*classifier.FieldError); ok && fault.Field == "user_data" {
			return account.CrawledAt, true
		}
	}
	return 0, false
}

var (
	accountFields = newWanted(
		wantedField{name: "user_data", inner: &userFields},
		wantedField{name: "tweets", inner: &tweetFields},
		wantedField{name: "crawled_at"},
	)
	keyFields  = newWanted(wantedField{name: "crawled_at"})
	userFields = newWanted(
		wantedField{name: "id_str"}, wantedField{name: "id"}, wantedField{name: "screen_name"}, wantedField{name: "created_at"},
		wantedField{name: "followers_count"}, wantedField{name: "statuses_count"},
		wantedField{name: "verified"}, wantedField{name: "url", presence: true}, wantedField{name: "location"},
	)
	tweetFields = newWanted(
		wantedField{name: "created_at"}, wantedField{name: "lang"}, wantedField{name: "in_reply_to_status_id", presence: true},
		wantedField{name: "retweet_count"}, wantedField{name: "favorite_count"},
		wantedField{name: "entities", inner: &entityFields}, wantedField{name: "retweeted_status", null: true},
	)
	entityFields = newWanted(wantedField{name: "user_mentions"}, wantedField{name: "hashtags"})
)

// A decoder pushes what its walker passes.
type decoder struct {
	walker
	b       *classifier.Builder
	ordered bool // push fields in the order in which they are listed
}

// account pushes the whole document.
func (d *decoder) account() {
	d.b.Reset()
	if d.whole() {
		d.b.BeginObject()
		d.document(0, &accountFields)
	}
}

// document pushes the fields of the document at i, which BeginObject has opened,
// and closes it.
func (d *decoder) document(i int, w *wanted) bool {
	if d.ordered {
		return d.inOrder(i, w)
	}
	last, ok := d.last(i)
	if !ok {
		return false
	}
	var seen uint
	for i, next := i+4, 0; i < last; {
		n, e := d.next(i, last, w, next)
		if e.end == 0 {
			return false
		}
		if n >= 0 {
			next = n + 1
			if seen>>n&1 == 0 && !d.member(e, &w.list[n]) {
				return false
			}
			seen |= 1 << n
		}
		i = int(e.end)
	}
	d.b.EndObject()
	return true
}

// inOrder is document, in the order of the list.
func (d *decoder) inOrder(i int, w *wanted) bool {
	var at [maxFields]element
	if !d.find(i, w, &at) || !d.push(w, &at) {
		return false
	}
	d.b.EndObject()
	return true
}

// push pushes what find has found.
func (d *decoder) push(w *wanted, at *[maxFields]element) bool {
	for i := range w.list {
		if at[i].end > 0 && !d.member(at[i], &w.list[i]) {
			return false
		}
	}
	return true
}

// member pushes a field.
func (d *decoder) member(e element, f *wantedField) bool {
	if e.null() && !f.null {
		return true
	}
	return !d.b.Key(f.key) || d.value(e, f)
}

// value pushes the value of a field.
func (d *decoder) value(e element, f *wantedField) bool {
	switch bson.Type(e.kind) {
	case bson.TypeDouble:
		d.b.Float(math.Float64frombits(d.uint64(e.value)))
	case bson.TypeString, bson.TypeSymbol:
		text, ok := d.text(e)
		if !ok {
			return false
		}
		d.b.String(text)
	case bson.TypeEmbeddedDocument:
		switch {
		case !d.b.BeginObject():
		case f.inner != nil:
			return d.document(int(e.value), f.inner)
		default:
			return d.extended(int(e.value))
		}
	case bson.TypeArray:
		return !d.b.BeginArray() || d.array(int(e.value), f)
	case bson.TypeUndefined, bson.TypeNull:
		d.b.Null()
	case bson.TypeBoolean:
		v := d.doc[e.value]
		if v > 1 {
			return d.fail(int(e.value), fmt.Sprintf("a boolean of %d", v))
		}
		d.b.Bool(v == 1)
	case bson.TypeDateTime:
		d.b.Time(dateMicros(d.int64(e.value)))
	case bson.TypeInt32:
		d.b.Int(int64(d.int32(e.value)))
	case bson.TypeInt64:
		d.b.Int(d.int64(e.value))
	case bson.TypeDecimal128:
		d.decimal(d.uint64(e.value+8), d.uint64(e.value))
	default:
		if f.presence {
			d.b.Bool(true)
		} else {
			d.b.Fail(classifier.CodeWrongType, "is of BSON's type "+foreignType(e.kind)+", which it cannot be")
		}
	}
	return true
}

// array pushes the array at i, which BeginArray has opened, and closes it: of
// tweets each, of others whether there is anything in it.
func (d *decoder) array(i int, f *wantedField) bool {
	last, ok := d.last(i)
	if !ok {
		return false
	}
	if f.inner == nil {
		if i+4 < last {
			d.b.Null() // it counts as an element, as all do
		}
		d.b.EndArray()
		return true
	}
	tweet := wantedField{inner: f.inner}
	for i += 4; i < last; {
		e := d.element(i, last)
		if e.end == 0 {
			return false
		}
		atOnce := !d.ordered && e.kind == byte(bson.TypeEmbeddedDocument) && d.tweet(int(e.value))
		if !atOnce && !d.value(e, &tweet) {
			return false
		}
		i = int(e.end)
	}
	d.b.EndArray()
	return true
}

// inExtended is what the values of extended JSON are.
var inExtended wantedField

// extended pushes an object that BeginObject has opened in place of a simple
// value, extended JSON if anything, in its own order, which a projection keeps.
func (d *decoder) extended(i int) bool {
	last, ok := d.last(i)
	if !ok {
		return false
	}
	for i += 4; i < last; {
		e := d.element(i, last)
		if e.end == 0 || d.b.Key(d.doc[i+1:e.value-1]) && !d.value(e, &inExtended) {
			return false
		}
		i = int(e.end)
	}
	d.b.EndObject()
	return true
}

// decimal pushes a decimal128 as the integer that it is, or else as text, so that
// none passes through a float64 that need not. Its digits are an integer of 113
// bits, its exponent is the 14 bits above, biased.
func (d *decoder) decimal(high, low uint64) {
	if high>>61&3 != 3 { // else it is no number, or of a form that is not used
		exponent := int(high>>49&(1<<14-1)) - 6176
		h, l := high&(1<<49-1), low
		for ; exponent < 0 && h|l != 0; exponent++ {
			quotient, rest := bits.Div64(h%10, l, 10)
			if rest != 0 {
				break
			}
			h, l = h/10, quotient
		}
		for ; exponent > 0 && h == 0 && l != 0 && l <= math.MaxInt64/10; exponent-- {
			l *= 10
		}
		if h == 0 && (l == 0 || exponent == 0 && l <= math.MaxInt64) {
			if high>>63 == 1 {
				l = -l
			}
			d.b.Int(int64(l))
			return
		}
	}
	d.b.Number([]byte(bson.NewDecimal128(high, low).String()))
}

// dateMicros converts a date; one that Micros cannot hold becomes one out of range.
func dateMicros(ms int64) classifier.Micros {
	if ms < int64(classifier.MinMicros)/1000 || ms > int64(classifier.MaxMicros)/1000 {
		return classifier.MaxMicros + 1
	}
	return classifier.Micros(ms * 1000)
}

// foreignType gives the name by which $type knows a type that no account has.
func foreignType(kind byte) string {
	switch bson.Type(kind) {
	case bson.TypeBinary:
		return "binData"
	case bson.TypeObjectID:
		return "objectId"
	case bson.TypeRegex:
		return "regex"
	case bson.TypeDBPointer:
		return "dbPointer"
	case bson.TypeJavaScript:
		return "javascript"
	case bson.TypeCodeWithScope:
		return "javascriptWithScope"
	case bson.TypeTimestamp:
		return "timestamp"
	case bson.TypeMinKey:
		return "minKey"
	}
	return "maxKey"
}
