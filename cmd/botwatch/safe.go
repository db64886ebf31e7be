package main

import (
	"strings"
	"unicode"
)

// safeText makes foreign text safe to print: what could move the cursor, change
// colours or turn the direction of writing becomes U+FFFD.
func safeText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
