// Package scenarios runs MongoDB's published driver scenarios, written in the
// unified test format, through the official Go driver against a server. It is
// written from the format's specification
// (source/unified-test-format/unified-test-format.md in mongodb/specifications)
// and has what the scenarios of change streams, CRUD, retryable writes and
// retryable reads need: a runner, not a driver's conformance suite. What it does
// not know is an error, so that no assertion is passed over in silence.
//
// The scenario files are MongoDB's and stay where they are; see the tests of
// this package for where they are looked for.
package scenarios
