// Package fault has the errors that mongotest answers with: a code, its
// published name, a message for people, and what some codes carry besides.
package fault

import (
	"errors"
	"fmt"
	"strconv"

	"botwatch/integration/mongotest/internal/value"
)

// Error is an error as a reply has it.
type Error struct {
	Code    Code
	Message string
	Labels  []string  // errorLabels
	Extra   value.Doc // further fields, such as keyPattern and keyValue
}

// New makes an error.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotOffered is the error for what real servers have and mongotest has not. It
// is told apart from what real servers refuse by its text alone.
func NotOffered(format string, args ...any) *Error {
	return New(CommandNotSupported, "mongotest does not offer "+format, args...)
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (%d): %s", e.Code.Name(), int32(e.Code), e.Message)
}

// Of gives an error as an Error; what is none becomes an InternalError.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return New(InternalError, "%v", err)
}

// Is says whether an error has a code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// Code is a server's error code.
type Code int32

// Name gives a code's published name; Location and the number where it has none.
func (c Code) Name() string {
	if name, ok := names[c]; ok {
		return name
	}
	return "Location" + strconv.Itoa(int(c))
}
