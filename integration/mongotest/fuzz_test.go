package mongotest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// FuzzServer: whatever comes over a connection, the server answers or ends the
// connection, and goes on. An input is a message with its frame, or the document
// of a command.
func FuzzServer(f *testing.F) {
	s := mongotest.Start(f, mongotest.Options{OplogMB: 1})
	for _, command := range []value.Doc{
		value.D("hello", 1, "$db", "admin"),
		value.D("insert", "c", "documents", []value.Doc{value.D("_id", 1, "a", []string{"x"})}, "$db", "d"),
		value.D("update", "c", "updates", []value.Doc{value.D("q", value.D("_id", 1), "u", value.D("$set", value.D("a.0", 2)), "upsert", true)}, "$db", "d"),
		value.D("delete", "c", "deletes", []value.Doc{value.D("q", value.D(), "limit", 0)}, "$db", "d"),
		value.D("findAndModify", "c", "query", value.D(), "remove", true, "$db", "d"),
		value.D("find", "c", "filter", value.D("a", value.D("$gt", 1)), "sort", value.D("a", 1), "$db", "d"),
		value.D("aggregate", "c", "pipeline", []value.Doc{value.D("$group", value.D("_id", "$a", "n", value.D("$sum", 1)))}, "cursor", value.D(), "$db", "d"),
		value.D("aggregate", 1, "pipeline", []value.Doc{value.D("$changeStream", value.D("allChangesForCluster", true))}, "cursor", value.D(), "$db", "admin"),
		value.D("createIndexes", "c", "indexes", []value.Doc{value.D("key", value.D("a", 1), "name", "a_1")}, "$db", "d"),
		value.D("create", "c", "$db", "d"), value.D("listCollections", 1, "$db", "d"), value.D("getParameter", "*", "$db", "admin"),
		value.D("bulkWrite", 1, "ops", []value.Doc{value.D("insert", 0, "document", value.D())}, "nsInfo", []value.Doc{value.D("ns", "d.c")}, "$db", "admin"),
		value.D("configureFailPoint", "failCommand", "mode", value.D("times", 1), "data", value.D("failCommands", []string{"x"}), "$db", "admin"),
		value.D("saslStart", 1, "mechanism", "SCRAM-SHA-256", "payload", value.Binary(0, []byte("n,,n=a,r=b")), "$db", "admin"),
	} {
		f.Add(false, []byte(command))
		f.Add(true, framed(wire.OpMsg, body(0, command)))
	}
	f.Add(true, framed(wire.OpQuery, append([]byte("\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\x01\x00\x00\x00"), value.D("isMaster", 1)...)))
	f.Fuzz(func(t *testing.T, whole bool, in []byte) {
		if !whole {
			in = framed(wire.OpMsg, body(0, in))
		}
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(c, bytes.NewReader(in))
		_ = c.(*net.TCPConn).CloseWrite() // so that nothing waits, and the connection ends
		_, err = io.Copy(io.Discard, c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server neither answers nor ends the connection")
		}
		s.KillCursors()
		w := dial(t, s)
		w.good("configureFailPoint", "failCommand", "mode", "off", "$db", "admin")
		w.good("ping", 1, "$db", "d")
		w.Close()
	})
}
