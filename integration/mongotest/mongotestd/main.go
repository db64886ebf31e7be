// Command mongotestd serves mongotest until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"botwatch/integration/mongotest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run serves until ctx is done: 0 for that, 1 where the server cannot start, 2
// for a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("mongotestd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, `mongotestd serves a MongoDB server for tests, in memory, and prints its URI.

  mongotestd --addr 127.0.0.1:27017
  mongotestd --replset none --version 6.0
  mongotestd --auth crawler:secret

`)
		flags.PrintDefaults()
	}
	var o mongotest.Options
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:0", "`HOST:PORT` to listen on; port 0 takes a free one")
	flags.StringVar(&o.ReplicaSet, "replset", "rs0", "`NAME` of the replica set, or none for a standalone")
	flags.StringVar(&o.Version, "version", "8.0", "server `VERSION`: 6.0, 7.0 or 8.0")
	flags.IntVar(&o.OplogMB, "oplog-mb", 1024, "bound of the oplog in `MiB`")
	auth := flags.String("auth", "", "`USER:PASSWORD` that clients must give (SCRAM-SHA-256)")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "mongotestd: unexpected argument %q; see --help\n", flags.Arg(0))
		return 2
	}
	if o.ReplicaSet == "none" {
		o.Standalone = true
	}
	if *auth != "" {
		var found bool
		if o.User, o.Password, found = strings.Cut(*auth, ":"); !found || o.User == "" || o.Password == "" {
			fmt.Fprintln(stderr, "mongotestd: --auth wants USER:PASSWORD")
			return 2
		}
	}
	server, err := mongotest.Listen(o)
	if err != nil {
		fmt.Fprintf(stderr, "mongotestd: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, server.URI())
	<-ctx.Done()
	server.Close()
	return 0
}
