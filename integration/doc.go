// Package integration has the end-to-end tests: they build botwatch, run it as
// processes of their own on real files, kill it, and look at what it left.
package integration
