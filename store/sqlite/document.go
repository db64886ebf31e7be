package sqlite

import (
	"database/sql/driver"
	"fmt"

	"botwatch/classifier"
	"botwatch/store"
)

// The bounds of a batch: it ends with the account that reaches one of them.
const (
	batchDocs  = 500
	batchBytes = 8 << 20
)

// maxDoc is the size in bytes above which an account is not read.
const maxDoc = 64 << 20

// docColumns give an account's document, and why there may be none: its type,
// its size, and the bytes unless they are too many. Type and size are known
// without reading the document.
const docColumns = "typeof(doc), octet_length(doc), CASE WHEN octet_length(doc) <= 67108864 THEN CAST(doc AS BLOB) END"

// setDoc gives a change its document of docColumns.
func setDoc(ch *store.Change, v []driver.Value) {
	kind := text(v[0])
	size, _ := v[1].(int64)
	switch {
	case kind != "text" && kind != "blob":
		ch.Err = &classifier.FieldError{Code: classifier.CodeWrongType, Message: fmt.Sprintf("doc is %s; want the account as JSON text", kind)}
	case size == 0:
		ch.Err = &classifier.FieldError{Code: classifier.CodeSyntax, Message: "doc is empty; want the account as JSON text"}
	case size > maxDoc:
		ch.Err = &classifier.FieldError{Code: classifier.CodeTooLarge, Message: fmt.Sprintf("doc has %d bytes; at most %d are read", size, maxDoc)}
	default:
		ch.Doc, _ = v[2].([]byte)
	}
}
