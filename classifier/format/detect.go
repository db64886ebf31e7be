package format

import (
	"bytes"
	"fmt"

	"botwatch/classifier"
)

// wanted says what a reader takes.
const wanted = "want accounts as JSON, NDJSON or a pickle, or a raw v1.1 timeline as JSON or NDJSON, plain or gzip"

func unreadable(format string, args ...any) error {
	return &classifier.FieldError{Code: classifier.CodeSyntax, Message: fmt.Sprintf(format, args...) + "; " + wanted}
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	utf8Mark  = []byte{0xef, 0xbb, 0xbf}
)

// isPickle knows a pickle by its first bytes: the mark of protocols 2 and
// later, or the beginning of a dict or list as protocols 0 and 1 write it.
func isPickle(head []byte) bool {
	for _, start := range []string{"\x80", "(d", "(l", "}q", "]q", "}.", "]."} {
		if bytes.HasPrefix(head, []byte(start)) {
			return true
		}
	}
	return false
}

// foreign names what an input is that is no JSON, by its first bytes.
func foreign(head []byte) string {
	for _, known := range []struct{ magic, name string }{
		{"\xff\xfe", "text in UTF-16, which must be turned into UTF-8 first"},
		{"\xfe\xff", "text in UTF-16, which must be turned into UTF-8 first"},
		{"{\x00", "text in UTF-16, which must be turned into UTF-8 first"},
		{"[\x00", "text in UTF-16, which must be turned into UTF-8 first"},
		{"\x00{", "text in UTF-16, which must be turned into UTF-8 first"},
		{"\x00[", "text in UTF-16, which must be turned into UTF-8 first"},
		{"\x1f\x8b", "gzip within gzip"},
		{"PK\x03\x04", "a zip archive, which must be unpacked first"},
		{"PK\x05\x06", "an empty zip archive"},
		{"BZh", "bzip2, which must be unpacked first"},
		{"\xfd7zXZ", "xz, which must be unpacked first"},
		{"\x28\xb5\x2f\xfd", "zstd, which must be unpacked first"},
		{"7z\xbc\xaf", "a 7z archive, which must be unpacked first"},
		{"SQLite format 3", "an SQLite database"},
		{"PAR1", "a Parquet file"},
		{"%PDF", "a PDF"},
		{"<", "HTML or XML"},
		{`"`, "a JSON string or CSV"},
	} {
		if bytes.HasPrefix(head, []byte(known.magic)) {
			return known.name
		}
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if bytes.IndexByte(line, 0) >= 0 {
		return "binary data"
	}
	if bytes.ContainsAny(line, ",;\t") {
		return "CSV or other text"
	}
	return fmt.Sprintf("something that begins with %.20q", line)
}

// isLines tells NDJSON from a single document by what lies about the first line
// break: a brace follows there, where no document could go on.
func isLines(head []byte) bool {
	end := bytes.IndexByte(head, '\n')
	if end < 0 {
		return false
	}
	first, rest := bytes.TrimRight(head[:end], " \t\r"), bytes.TrimLeft(head[end:], " \t\r\n")
	if len(rest) == 0 || rest[0] != '{' {
		return false
	}
	return !bytes.ContainsAny(first[len(first)-1:], "{[,:")
}
