package format

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// bracketsSlowly is the reference for brackets: byte by byte.
func bracketsSlowly(data string) (int, bool) {
	depth, inString, escaped := 0, false, false
	for i, c := range []byte(data) {
		was := escaped
		escaped = c == '\\' && !was
		switch {
		case c == '"' && !was:
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return i + 1, true
			}
		}
	}
	return len(data), false
}

func TestBrackets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		var text strings.Builder
		text.WriteByte("{["[rng.IntN(2)])
		alphabet := []string{`{["\x]}`, `\\\"`, `{}""[]ab\c,:1`, `a`, "\xfb\xdb\xa2{}\""}[rng.IntN(5)]
		for range rng.IntN(200) {
			text.WriteByte(alphabet[rng.IntN(len(alphabet))])
		}
		data := text.String()
		want, wantOK := bracketsSlowly(data)
		var b brackets
		got, ok := 0, false
		for got < len(data) && !ok { // in stretches of any length
			n := 1 + rng.IntN(len(data)-got)
			if rng.IntN(3) == 0 {
				n = len(data) - got
			}
			var m int
			m, ok = b.end([]byte(data[got : got+n]))
			got += m
		}
		if got != want || ok != wantOK {
			t.Fatalf("%q: got %d, %v; want %d, %v", data, got, ok, want, wantOK)
		}
	}
}

func BenchmarkBrackets(b *testing.B) {
	data := []byte("{" + strings.Repeat(`"created_at": "2020-05-20 09:18:42", "id": 1027430530550119522, "full_text": "road vote road world people news", "entities": {"hashtags": [{"text": "a\/b"}]}, `, 1000) + `"a": 1}`)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var s brackets
		if n, ok := s.end(data); !ok || n != len(data) {
			b.Fatal(n)
		}
	}
}
