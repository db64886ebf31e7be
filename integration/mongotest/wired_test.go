package mongotest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// patience bounds what must not take long; nothing waits for it to pass.
const patience = 20 * time.Second

// wired is a client that sees messages as they are. Its methods fail the test,
// and so belong to the test's own goroutine.
type wired struct {
	net.Conn
	t    testing.TB
	in   *wire.Reader
	out  *wire.Writer
	last int32
}

func dial(t testing.TB, s *mongotest.Server) *wired {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wired{Conn: c, t: t, in: wire.NewReader(c, wire.MaxMessage+1<<20), out: wire.NewWriter(c)}
}

// named is dial, with an appName.
func named(t testing.TB, s *mongotest.Server, app string) *wired {
	t.Helper()
	w := dial(t, s)
	w.good("hello", 1, "client", value.D("application", value.D("name", app)), "$db", "admin")
	return w
}

// send sends a command and gives its number.
func (w *wired) send(flags wire.Flags, command value.Doc) int32 {
	w.t.Helper()
	w.last++
	m := &wire.Message{RequestID: w.last, Flags: flags, Body: command}
	if err := w.out.WriteMessage(m, flags&wire.ChecksumPresent != 0); err != nil {
		w.t.Fatal(err)
	}
	return w.last
}

func (w *wired) receive() *wire.Message {
	w.t.Helper()
	m, err := w.in.Read()
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// ask gives the reply to a command of names and values.
func (w *wired) ask(command ...any) value.Doc {
	w.t.Helper()
	id := w.send(0, value.D(command...))
	m := w.receive()
	if m.ResponseTo != id || m.Flags != 0 {
		w.t.Fatalf("the reply to %d has the flags %x and is to %d", id, m.Flags, m.ResponseTo)
	}
	return m.Body
}

// good is ask, of what must succeed.
func (w *wired) good(command ...any) value.Doc {
	w.t.Helper()
	reply := w.ask(command...)
	if refused(reply) != 0 || !value.Missing(value.Get(reply, "writeErrors")) {
		w.t.Fatalf("%v: %v", value.D(command...), reply)
	}
	return reply
}

// bad is ask, of what must fail with a code.
func (w *wired) bad(code int, command ...any) value.Doc {
	w.t.Helper()
	reply := w.ask(command...)
	if got := refused(reply); got != code {
		w.t.Errorf("%v: got the code %d, want %d: %v", value.D(command...), got, code, reply)
	}
	return reply
}

// ended waits until the server ends the connection, without a word.
func (w *wired) ended() {
	w.t.Helper()
	n, err := io.Copy(io.Discard, w.Conn)
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatalf("%d bytes instead of an end: %v", n, err)
	}
}

// refused gives the code of an error; 0 for none.
func refused(reply value.Doc) int {
	if value.Truthy(value.Get(reply, "ok")) {
		return 0
	}
	return number(reply, "code")
}

// number gives a whole number within a document, by the names that lead to it;
// -1 for none.
func number(doc value.Doc, path ...string) int {
	n, ok := value.Integer(at(doc, path...))
	if !ok {
		return -1
	}
	return int(n)
}

func text(doc value.Doc, path ...string) string {
	s, _ := value.Text(at(doc, path...))
	return s
}

func at(doc value.Doc, path ...string) value.Value {
	v := value.Document(doc)
	for _, name := range path {
		if v.Type != bson.TypeEmbeddedDocument && v.Type != bson.TypeArray {
			return value.Value{}
		}
		v = value.Get(value.Doc(v.Value), name)
	}
	return v
}

// labelled gives a reply's errorLabels.
func labelled(reply value.Doc) []string {
	names := []string{}
	for _, v := range value.Items(value.Get(reply, "errorLabels")) {
		name, _ := value.Text(v)
		names = append(names, name)
	}
	return names
}

// one is a document for whoever wants one.
func one(id int) []value.Doc { return []value.Doc{value.D("_id", id)} }

// session gives an lsid of its own.
func session() value.Doc {
	id := make([]byte, 16)
	oid := bson.NewObjectID()
	copy(id, oid[:])
	return value.D("id", value.Binary(4, id))
}

// failing sets a fail point by a connection of its own, and gives the count.
func failing(t testing.TB, s *mongotest.Server, mode any, data ...any) int {
	t.Helper()
	w := dial(t, s)
	defer w.Close()
	return number(w.good("configureFailPoint", "failCommand", "mode", mode, "data", value.D(data...), "$db", "admin"), "count")
}

// connected is a driver's client, by options on top of the server's URI.
func connected(t testing.TB, s *mongotest.Server, set ...func(*options.ClientOptions)) *mongo.Client {
	t.Helper()
	o := options.Client().ApplyURI(s.URI()).SetHeartbeatInterval(heartbeat)
	for _, set := range set {
		set(o)
	}
	c, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = c.Disconnect(ctx)
		}()
		select {
		case <-done:
		case <-time.After(4 * heartbeat): // a monitor waits for a long heartbeat
			s.Close()
			<-done
		}
	})
	return c
}

// within is a context that ends with the test, or when patience does.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// framed makes a message of any payload.
func framed(code wire.OpCode, payload []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(16+len(payload)))
	b = binary.LittleEndian.AppendUint32(b, 77)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(code))
	return append(b, payload...)
}

// body makes the payload of an OP_MSG of one document.
func body(flags wire.Flags, doc []byte) []byte {
	return append(append(binary.LittleEndian.AppendUint32(nil, uint32(flags)), 0), doc...)
}
