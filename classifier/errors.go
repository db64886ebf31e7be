package classifier

// ErrorCode sorts the ways in which an account cannot be read or classified.
type ErrorCode string

// The codes of a FieldError.
const (
	CodeSyntax    ErrorCode = "syntax"     // not well-formed JSON, pickle or BSON
	CodeMissing   ErrorCode = "missing"    // a needed field is absent or null
	CodeWrongType ErrorCode = "wrong_type" // a field has a type it cannot have
	CodeBadTime   ErrorCode = "bad_time"   // a time in no known form, or outside the years 1 to 9999
	CodeBadNumber ErrorCode = "bad_number" // a count that is negative, fractional, NaN or too large
	CodeTooDeep   ErrorCode = "too_deep"   // nested beyond the reader's limit
	CodeTooLarge  ErrorCode = "too_large"  // larger than the reader's limit
	CodeBadAge    ErrorCode = "bad_age"    // crawled within the day before it was created: age+1 is 0
	CodePanic     ErrorCode = "panic"      // a fault of ours, caught
)

// FieldError says why an account could not be read or classified: where, and
// what is wrong.
type FieldError struct {
	Code    ErrorCode `json:"code"`
	Field   string    `json:"field"`   // path within the account, such as tweets[3].created_at; may be empty
	Message string    `json:"message"` // what is wrong and what would be right
}

// Error gives the field and the message.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}
