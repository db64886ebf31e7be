package collation

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// bases are the languages whose order is known.
var bases = func() map[language.Base]bool {
	known := map[language.Base]bool{}
	for _, tag := range collate.Supported() {
		base, _ := tag.Base()
		known[base] = true
	}
	return known
}()

// options are those of a collation, with the values of one that says nothing.
type options struct {
	locale      string
	caseLevel   bool
	caseFirst   string
	strength    int64
	numeric     bool
	alternate   string
	maxVariable string
	normalize   bool
	backwards   bool
}

// Parse reads a collation as commands have it; nil for locale "simple", and for
// an empty document. Options that cannot be honoured are not offered.
func Parse(doc value.Doc) (*Collation, error) {
	if len(doc) <= 5 {
		return nil, nil
	}
	o, err := read(doc)
	if err != nil {
		return nil, err
	}
	if o.locale == "simple" {
		return nil, nil
	}
	name, variant, _ := strings.Cut(o.locale, "@")
	tag, err := language.Parse(name)
	base, confidence := tag.Base()
	if err != nil || !bases[base] || confidence == language.No || len(name) > 20 {
		return nil, fault.New(fault.BadValue, "Field 'locale' is invalid in: %v", doc)
	}
	switch {
	case variant != "":
		return nil, fault.NotOffered("variants of a locale's collation (%s)", o.locale)
	case o.caseLevel:
		return nil, fault.NotOffered("a collation with caseLevel")
	case o.caseFirst != "off":
		return nil, fault.NotOffered("a collation with caseFirst %q", o.caseFirst)
	case o.alternate != "non-ignorable":
		return nil, fault.NotOffered("a collation with alternate %q", o.alternate)
	case o.backwards:
		return nil, fault.NotOffered("a collation with backwards")
	}
	var how []collate.Option
	if o.strength <= 2 {
		how = append(how, collate.IgnoreCase)
	}
	if o.strength == 1 {
		how = append(how, collate.IgnoreDiacritics)
	}
	if o.numeric {
		how = append(how, collate.Numeric)
	}
	c := &Collation{identical: o.strength == 5, doc: o.doc()}
	c.collators.New = func() any {
		// A new slice each time: New sorts it.
		return &collator{Collator: collate.New(tag, append([]collate.Option(nil), how...)...)}
	}
	return c, nil
}

func read(doc value.Doc) (options, error) {
	o := options{caseFirst: "off", strength: 3, alternate: "non-ignorable", maxVariable: "punct"}
	texts := map[string]*string{
		"locale": &o.locale, "caseFirst": &o.caseFirst, "alternate": &o.alternate, "maxVariable": &o.maxVariable, "version": new(string),
	}
	flags := map[string]*bool{
		"caseLevel": &o.caseLevel, "numericOrdering": &o.numeric, "normalization": &o.normalize, "backwards": &o.backwards,
	}
	for name, v := range value.Elements(doc) {
		wrong := fault.New(fault.TypeMismatch, "BSON field 'collation.%s' is the wrong type '%s'", name, value.TypeName(v.Type))
		switch text, flag := texts[name], flags[name]; {
		case text != nil:
			var ok bool
			if *text, ok = value.Text(v); !ok {
				return o, wrong
			}
		case flag != nil:
			if v.Type != bson.TypeBoolean && !value.IsNumber(v) {
				return o, wrong
			}
			*flag = value.Truthy(v)
		case name == "strength":
			if !value.IsNumber(v) {
				return o, wrong
			}
			n, ok := value.Integer(v)
			if !ok || n < 1 || n > 5 {
				return o, fault.New(fault.BadValue, "Enumeration value '%v' for field 'collation.strength' is not a valid value.", v)
			}
			o.strength = n
		default:
			return o, fault.New(40415, "BSON field 'collation.%s' is an unknown field.", name)
		}
	}
	if value.Missing(value.Get(doc, "locale")) {
		return o, fault.New(40414, "BSON field 'collation.locale' is missing but a required field")
	}
	for name, allowed := range map[string]string{
		"caseFirst": "off upper lower", "alternate": "non-ignorable shifted", "maxVariable": "punct space",
	} {
		if v := *texts[name]; v == "" || !strings.Contains(" "+allowed+" ", " "+v+" ") {
			return o, fault.New(fault.BadValue, "Enumeration value '%s' for field 'collation.%s' is not a valid value.", v, name)
		}
	}
	return o, nil
}

// version is the one that servers since 3.4 show: that of their ICU.
const version = "57.1"

func (o options) doc() value.Doc {
	return value.D("locale", o.locale, "caseLevel", o.caseLevel, "caseFirst", o.caseFirst, "strength", value.Int32(int32(o.strength)),
		"numericOrdering", o.numeric, "alternate", o.alternate, "maxVariable", o.maxVariable,
		"normalization", o.normalize, "backwards", o.backwards, "version", version)
}
