package pickle_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier/pickle"
)

// show writes a value roughly as Python does, to a bounded depth.
func show(v pickle.Value, depth int) string {
	if depth == 0 {
		return "…"
	}
	list := func(open, end string) string {
		var parts []string
		for i := range v.Len() {
			parts = append(parts, show(v.Index(i), depth-1))
		}
		return open + strings.Join(parts, " ") + end
	}
	switch v.Kind() {
	case pickle.None:
		return "None"
	case pickle.Bool:
		return fmt.Sprint(v.Bool())
	case pickle.Int:
		return strconv.FormatInt(v.Int(), 10)
	case pickle.BigInt:
		return "big " + string(v.Text())
	case pickle.Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64) + "f"
	case pickle.String:
		return strconv.Quote(string(v.Text()))
	case pickle.Bytes:
		return "b" + strconv.Quote(string(v.Text()))
	case pickle.List:
		return list("[", "]")
	case pickle.Tuple:
		return list("(", ")")
	case pickle.Set:
		return list("{", "}")
	case pickle.Dict:
		var parts []string
		for i := range v.Len() {
			key, val := v.Pair(i)
			parts = append(parts, show(key, depth-1)+":"+show(val, depth-1))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case pickle.Global:
		return fmt.Sprintf("global%d", v.Tag())
	case pickle.Object:
		s := fmt.Sprintf("object%d%s", v.Tag(), show(v.Args(), depth-1))
		if v.State().Kind() != pickle.Invalid {
			s += "+" + show(v.State(), depth-1)
		}
		return s
	}
	return "invalid"
}

var allowPoint = pickle.Options{Globals: map[string]pickle.Tag{"geo Point": 7}}

// TestDecodePlainValues reads the same values as Python wrote them in every
// protocol.
func TestDecodePlainValues(t *testing.T) {
	want := strings.Join([]string{
		`None true false 0 -1 255 256 65535 65536 -2147483648 2147483648 -9223372036854775808 9223372036854775807`,
		`big 9223372036854775808 big -1180591620717411303424 big 10000000000000000000000000000000000000000`,
		`0.1f -0f +Inff "" "text" "größer" "😀\\u0041\n\r\x00\x1a" "\\\\u0041" "` + strings.Repeat("x", 300) + `"`,
		`b"" b"bytes" b"` + strings.Repeat(`\xff\x00`, 200) + `" b"ba\xff" () (1) (1 2) (1 2 3) (1 2 3 4) [] [1 2]`,
		`[1 2] {} {"k":"v" 1:[2.5f]} {} {1} {"f"} {"o":1 "p":2}`,
	}, " ")
	for protocol := range 6 {
		data, err := os.ReadFile(fmt.Sprintf("testdata/plain-%d.p", protocol))
		if err != nil {
			t.Fatal(err)
		}
		v, err := pickle.Decode(data, pickle.Options{})
		if err != nil {
			t.Fatalf("protocol %d: %v", protocol, err)
		}
		if d := cmp.Diff("["+want+"]", show(v, 5)); d != "" {
			t.Errorf("protocol %d (-want +got):\n%s", protocol, d)
		}
	}
}

func TestDecodeOpcodes(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"INT's booleans", "(I00\nI01\nI1\nl.", "[false true 1]"},
		{"LONG without and with L", "(L5\nL-5L\nL99999999999999999999L\nl.", "[5 -5 big 99999999999999999999]"},
		{"LONG1 of nothing", "\x8a\x00.", "0"},
		{"LONG1 with needless bytes", "\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\xff.", "-1"},
		{"LONG4", "\x8b\x02\x00\x00\x00\xff\x7f.", "32767"},
		{"FLOAT", "F-1.5e3\n.", "-1500f"},
		{"STRING escapes", `S'a\\\'\x00\n\t\r"'` + "\n.", `b"a\\'\x00\n\t\r\""`},
		{"STRING in double quotes", "S\"it's\"\n.", `b"it's"`},
		{"BINSTRING and SHORT_BINSTRING", "(T\x02\x00\x00\x00abU\x01cl.", `[b"ab" b"c"]`},
		{"UNICODE surrogate pair", `V\ud83d\ude00` + "\n.", `"😀"`},
		{"UNICODE lone surrogate", `V\ud83dx` + "\n.", `"�x"`},
		{"UNICODE latin1", "V\xe4\n.", `"ä"`},
		{"BINUNICODE8, BINBYTES8, BYTEARRAY8", "(\x8d\x01\x00\x00\x00\x00\x00\x00\x00a\x8e\x01\x00\x00\x00\x00\x00\x00\x00b\x96\x01\x00\x00\x00\x00\x00\x00\x00cl.", `["a" b"b" b"c"]`},
		{"DICT", "(K\x01K\x02d.", "{1:2}"},
		{"PUT and GET", "(I5\np3\ng3\nl.", "[5 5]"},
		{"LONG_BINPUT and LONG_BINGET", "(K\x05r\x02\x00\x00\x00j\x02\x00\x00\x00l.", "[5 5]"},
		{"MEMOIZE", "(K\x05\x94h\x00l.", "[5 5]"},
		{"POP, POP_MARK, DUP", "K\x01K\x020(K\x03K\x0412\x86.", "(1 1)"},
		{"POP takes a mark", "K\x01(0.", "1"},
		{"FRAME", "\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x01..", "1"},
		{"EMPTY_SET, ADDITEMS, FROZENSET", "(\x8f(K\x01\x90(K\x02\x91t.", "({1} {2})"},
		{"two lists grow in turn", "(]q\x00]q\x01t0h\x00K\x01ah\x01K\x02ah\x00K\x03ah\x01K\x04a\x86\x86\x86.", "([1 3] ([2 4] ([1 3] [2 4])))"},
		{"GLOBAL and REDUCE", "cgeo\nPoint\n(K\x01tR.", "object7(1)"},
		{"STACK_GLOBAL, NEWOBJ and BUILD", "\x8c\x03geo\x8c\x05Point\x93)\x81}b.", "object7()+{}"},
		{"NEWOBJ_EX without keywords", "cgeo\nPoint\n)}\x92.", "object7()"},
		{"INST", "(K\x01igeo\nPoint\n.", "object7(1)"},
		{"OBJ", "(cgeo\nPoint\nK\x01o.", "object7(1)"},
		{"a class as a value", "cgeo\nPoint\n.", "global7"},
		{"protocol 0 objects", "ccopy_reg\n_reconstructor\n(cgeo\nPoint\nc__builtin__\nobject\nNtR(dS'x'\nI1\nsb.", `object7()+{b"x":1}`},
		{"what follows STOP is ignored", "N.junk", "None"},
		{"a list that holds itself", "]q\x00h\x00a.", "[[[[[…]]]]]"},
		{"a key set twice", "}(K\x01K\x02K\x01K\x03u.", "{1:2 1:3}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := pickle.Decode([]byte(tt.in), allowPoint)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, show(v, 5)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("]", n) + strings.Repeat("a", n-1) + "." }
	tests := []struct {
		name, in string
		is       error
		message  string
	}{
		{"a global that runs commands", "cos\nsystem\n(S'true'\ntR.", pickle.ErrRefused, "pickle: byte 0, GLOBAL: global os.system: refused; it is none of those allowed"},
		{"the same by STACK_GLOBAL", "\x8c\x02os\x8c\x06system\x93.", pickle.ErrRefused, "os.system"},
		{"the same by INST", "(S'true'\nios\nsystem\n.", pickle.ErrRefused, "os.system"},
		{"builtins", "cbuiltins\neval\n.", pickle.ErrRefused, "builtins.eval"},
		{"a codec other than latin1", "c_codecs\nencode\n(Vx\nVrot13\ntR.", pickle.ErrRefused, "_codecs.encode"},
		{"PERSID", "Pid\n.", pickle.ErrRefused, "PERSID"},
		{"BINPERSID", "NQ.", pickle.ErrRefused, "BINPERSID"},
		{"EXT1", "\x82\x01.", pickle.ErrRefused, "EXT1"},
		{"EXT2", "\x83\x01\x00.", pickle.ErrRefused, "EXT2"},
		{"EXT4", "\x84\x01\x00\x00\x00.", pickle.ErrRefused, "EXT4"},
		{"NEXT_BUFFER", "\x97.", pickle.ErrRefused, "NEXT_BUFFER"},
		{"READONLY_BUFFER", "N\x98.", pickle.ErrRefused, "READONLY_BUFFER"},
		{"protocol 6", "\x80\x06N.", pickle.ErrRefused, "protocol 6"},
		{"a call of something else", "N)R.", pickle.ErrRefused, "REDUCE: calls a None"},
		{"APPEND to a tuple", ")Na.", pickle.ErrRefused, "APPEND: on a tuple instead of a list"},
		{"BUILD on a list", "]Nb.", pickle.ErrRefused, "BUILD: sets the state of a list"},
		{"keyword arguments", "cgeo\nPoint\n)}(Vx\nK\x01u\x92.", pickle.ErrRefused, "keyword arguments"},
		{"no input", "", pickle.ErrMalformed, "byte 0, END: ends before STOP"},
		{"an opcode that is none", "\xff.", pickle.ErrMalformed, "opcode 0xff"},
		{"STOP on nothing", ".", pickle.ErrMalformed, "STOP: the stack is empty"},
		{"a pop below a mark", "K\x01(\x85.", pickle.ErrMalformed, "wants 1 values, the stack has 0"},
		{"TUPLE without a mark", "t.", pickle.ErrMalformed, "no mark"},
		{"a key without a value", "}(Nu.", pickle.ErrMalformed, "a key has no value"},
		{"a memo entry never set", "K\x01q\x02h\x01.", pickle.ErrMalformed, "memo entry 1 was never set"},
		{"a huge string", "X\xff\xff\xff\xffab.", pickle.ErrMalformed, "wants 4294967295 bytes, 3 are left"},
		{"a string of negative length", "T\xff\xff\xff\xff.", pickle.ErrMalformed, "wants"},
		{"a huge string of 8 bytes", "\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.", pickle.ErrMalformed, "wants 18446744073709551615 bytes"},
		{"a huge frame", "\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.", pickle.ErrMalformed, "FRAME"},
		{"a huge memo index", "Nr\xff\xff\xff\xff.", pickle.ErrLimit, "memo entry 4294967295 in 7 bytes of input"},
		{"a huge memo index as text", "Np99999999999999\n.", pickle.ErrLimit, "memo entry 99999999999999"},
		{"a huge integer", "\x8b\x01\x01\x00\x00" + strings.Repeat("x", 257) + ".", pickle.ErrLimit, "an integer of 257 bytes"},
		{"a huge number", "F" + strings.Repeat("1", 1001) + "\n.", pickle.ErrLimit, "a number of 1001 characters"},
		{"a huge name", "c" + strings.Repeat("a", 1<<16) + "\nb\n.", pickle.ErrRefused, "aaa….b: refused"},
		{"a huge memo name", "Np" + strings.Repeat("1", 1000) + "\n.", pickle.ErrMalformed, "memo entry"},
		{"deep lists", deep(101), pickle.ErrLimit, "nests deeper than 100"},
		{"deep marks", strings.Repeat("(", 101) + strings.Repeat("t", 101) + ".", pickle.ErrLimit, "nests deeper than 100"},
		{"deep lists filled from outside", "]q\x00" + strings.Repeat("h\x00\x85q\x000", 1) + strings.Repeat("h\x00\x85q\x00", 101) + ".", pickle.ErrLimit, "nests deeper than 100"},
		{"a number that is none", "I1x\n.", pickle.ErrMalformed, `number "1x"`},
		{"latin1 that is none", "c_codecs\nencode\n(V\\u20ac\nVlatin1\ntR.", pickle.ErrMalformed, "text that latin1 cannot hold"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := pickle.Decode([]byte(tt.in), allowPoint)
			var at *pickle.Error
			if !errors.As(err, &at) || !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got %v; want %v with %q", err, tt.is, tt.message)
			}
		})
	}
	if _, err := pickle.Decode([]byte(deep(100)), pickle.Options{}); err != nil {
		t.Errorf("lists just within the depth: %v", err)
	}
}

// TestDecodeCutShort cuts a pickle at every byte.
func TestDecodeCutShort(t *testing.T) {
	for protocol := range 6 {
		data, err := os.ReadFile(fmt.Sprintf("testdata/plain-%d.p", protocol))
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			if _, err := pickle.Decode(data[:n:n], pickle.Options{}); !errors.Is(err, pickle.ErrMalformed) {
				t.Fatalf("protocol %d, %d of %d bytes: got %v; want ErrMalformed", protocol, n, len(data), err)
			}
		}
	}
}

// allocated measures what f allocates, in bytes.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestDecodeMemory feeds bombs: each must be read or refused within the bound.
func TestDecodeMemory(t *testing.T) {
	const n = 1 << 20
	long := strings.Repeat("a", n/2)
	x := fmt.Sprintf("X%c%c%c%c", n/2&0xff, n/2>>8&0xff, n/2>>16&0xff, n/2>>24)
	bombs := map[string]string{
		"empty lists":      "(" + strings.Repeat("]", n) + "l.",
		"Nones":            "(" + strings.Repeat("N", n) + "l.",
		"memoized Nones":   "(" + strings.Repeat("N\x94", n) + "l.",
		"DUP":              "(N" + strings.Repeat("2", n) + "l.",
		"doubling lists":   "]" + strings.Repeat("\x940]h\x00a", n/5) + ".",
		"lists in turn":    "]q\x00]q\x01" + strings.Repeat("h\x00Nah\x01Na", n/8) + "\x86.",
		"latin1 again":     "c_codecs\nencode\nq\x00" + x + long + "Vlatin1\n\x86q\x01" + strings.Repeat("0h\x00h\x01R", n/6) + ".",
		"sets of one list": "c__builtin__\nset\nq\x00](" + strings.Repeat("N", n/4) + "e\x85q\x01" + strings.Repeat("0h\x00h\x01R", n/6) + ".",
		"sparse memo":      "N" + "r\x00\x00\x0f\x00" + strings.Repeat("0N", n/2) + ".",
	}
	for name, in := range bombs {
		t.Run(name, func(t *testing.T) {
			const limit = 8 << 20
			var err error
			got := allocated(func() { _, err = pickle.Decode([]byte(in), pickle.Options{MaxMemory: limit}) })
			if err != nil && !errors.Is(err, pickle.ErrLimit) {
				t.Errorf("got %v; want a value or ErrLimit", err)
			}
			// Copies that growing leaves behind are garbage, at most 2 for each byte
			// in use; the input is copied once, from the string.
			if most := 3*limit + len(in) + 1<<16; got > most {
				t.Errorf("allocated %d bytes in all, want at most %d", got, most)
			}
		})
	}
}

// TestDoublingLists reads a list of two lists of two lists…: small in memory,
// endless to walk, and cut by MaxDepth.
func TestDoublingLists(t *testing.T) {
	in := "]" + strings.Repeat("q\x000](h\x00h\x00e", 99) + "."
	v, err := pickle.Decode([]byte(in), pickle.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 99 {
		if v.Len() != 2 {
			t.Fatalf("got %d elements, want 2", v.Len())
		}
		v = v.Index(1)
	}
}

func FuzzDecode(f *testing.F) {
	for protocol := range 6 {
		for _, name := range []string{"plain", "accounts"} {
			data, err := os.ReadFile(fmt.Sprintf("testdata/%s-%d.p", name, protocol))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("]q\x00h\x00a."))
	opts := pickle.AccountOptions()
	f.Fuzz(func(t *testing.T, data []byte) {
		limit := 24*len(data) + 4<<20
		var v pickle.Value
		var err error
		if got := allocated(func() { v, err = pickle.Decode(data, opts) }); got > 3*limit+1<<20 {
			t.Errorf("allocated %d bytes for %d of input", got, len(data))
		}
		if (err == nil) != (v.Kind() != pickle.Invalid) {
			t.Errorf("got a %v and %v", v.Kind(), err)
		}
		show(v, 2)
		pushAll(v)
	})
}
