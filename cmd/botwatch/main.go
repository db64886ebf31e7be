// Command botwatch keeps predictions of behaviour classes true to crawled
// social-media accounts, and classifies files of them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// main ends by the first signal in order, and by the second at once.
func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
