package mongotest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// TestCompression: a compressor is agreed on in the client's order, and a reply
// comes as its request did.
func TestCompression(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	for name, id := range map[string]byte{"zlib": wire.Zlib, "zstd": wire.Zstd, "snappy": wire.Snappy} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, s)
			h := w.good("hello", 1, "compression", []string{"unheard of", name, "noop"}, "$db", "admin")
			if agreed := value.Items(at(h, "compression")); len(agreed) != 1 || text(h, "compression", "0") != name {
				t.Fatalf("agreed on %v", agreed)
			}
			for i := range 3 {
				m := &wire.Message{RequestID: int32(i), Body: value.D("echo"+strings.Repeat("x", i*10_000), 1, "$db", "d")}
				if err := w.out.WriteCompressed(m, id); err != nil {
					t.Fatal(err)
				}
				reply := w.receive()
				if reply.Compressor != id || reply.ResponseTo != int32(i) || refused(reply.Body) != 59 {
					t.Errorf("compressor %d: %v", reply.Compressor, reply.Body)
				}
			}
			if m := w.receive2(0, value.D("ping", 1, "$db", "d")); m.Compressor != wire.None {
				t.Error("the reply to what was not compressed is")
			}
			c := connected(t, s, func(o *options.ClientOptions) { o.SetCompressors([]string{name}) })
			coll := c.Database("d").Collection(name)
			want := strings.Repeat("all work and no play ", 10_000)
			if _, err := coll.InsertOne(within(t), bson.M{"_id": 1, "text": want}); err != nil {
				t.Fatal(err)
			}
			var got struct{ Text string }
			if err := coll.FindOne(within(t), bson.M{}).Decode(&got); err != nil || got.Text != want {
				t.Errorf("%d bytes: %v", len(got.Text), err)
			}
		})
	}
	h := dial(t, s).good("hello", 1, "compression", []string{"zstd", "zlib", "snappy"}, "$db", "admin")
	if got := fmt.Sprint(text(h, "compression", "0"), text(h, "compression", "1"), text(h, "compression", "2")); got != "zstdzlibsnappy" {
		t.Errorf("agreed on %s", got)
	}
	if h := dial(t, s).good("hello", 1, "$db", "admin"); !value.Missing(at(h, "compression")) {
		t.Errorf("agreed on %v, which nobody proposed", at(h, "compression"))
	}
}

// receive2 gives the reply to a command with flags.
func (w *wired) receive2(flags wire.Flags, command value.Doc) *wire.Message {
	w.t.Helper()
	w.send(flags, command)
	return w.receive()
}

// TestChecksum: a message with a checksum gets a reply with one, which the
// reader verifies; a wrong one ends the connection.
func TestChecksum(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	if m := w.receive2(wire.ChecksumPresent, value.D("ping", 1, "$db", "d")); m.Flags != wire.ChecksumPresent || refused(m.Body) != 0 {
		t.Errorf("flags %x: %v", m.Flags, m.Body)
	}
	if m := w.receive2(0, value.D("ping", 1, "$db", "d")); m.Flags != 0 {
		t.Errorf("flags %x without being asked", m.Flags)
	}
	if _, err := w.Write(framed(wire.OpMsg, append(body(wire.ChecksumPresent, value.D("ping", 1, "$db", "d")), 1, 2, 3, 4))); err != nil {
		t.Fatal(err)
	}
	w.ended()
}

// TestPipelined: requests that come together are answered in their order, also
// where the client has no more to say; what is no message ends the connection
// after that.
func TestPipelined(t *testing.T) {
	for _, end := range []string{"nothing", "the end", "no message"} {
		t.Run(end, func(t *testing.T) {
			s := mongotest.Start(t, mongotest.Options{})
			w := dial(t, s)
			const n = 100
			var all bytes.Buffer
			out := wire.NewWriter(&all)
			for i := range n {
				m := &wire.Message{RequestID: int32(i), Body: value.D("insert", "c", "documents", one(i), "$db", "d")}
				if i%2 == 1 {
					m.Body = value.D("count", "c", "$db", "d")
				}
				if err := out.WriteMessage(m, false); err != nil {
					t.Fatal(err)
				}
			}
			if end == "no message" {
				all.Write(bytes.Repeat([]byte("\xff"), 100))
			}
			if _, err := all.WriteTo(w); err != nil {
				t.Fatal(err)
			}
			if end == "the end" {
				if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			for i := range n {
				m := w.receive()
				if m.ResponseTo != int32(i) || refused(m.Body) != 0 {
					t.Fatalf("reply %d is to %d: %v", i, m.ResponseTo, m.Body)
				}
				if got := number(m.Body, "n"); i%2 == 1 && got != i/2+1 {
					t.Errorf("%d documents, want %d", got, i/2+1)
				}
			}
			if end != "nothing" {
				w.ended()
			}
		})
	}
}

// TestUnacknowledged: a write with moreToCome has no reply, not even where it
// fails, and is done although its client goes at once.
func TestUnacknowledged(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	none := value.D("w", 0)
	w.send(wire.MoreToCome, value.D("insert", "c", "documents", one(1), "writeConcern", none, "$db", "d"))
	w.send(wire.MoreToCome, value.D("insert", "c", "documents", one(1), "writeConcern", none, "$db", "d"))
	w.send(wire.MoreToCome, value.D("nonsense", "c", "$db", "d"))
	counted := w.good("count", "c", "$db", "d")
	if n := number(counted, "n"); n != 1 {
		t.Errorf("%d documents, want 1", n)
	}
	var now bson.Timestamp
	now.T, now.I = at(counted, "operationTime").Timestamp()
	const clients = 30
	for i := range clients {
		w := dial(t, s)
		w.send(wire.MoreToCome, value.D("insert", "gone", "documents", one(i), "writeConcern", none, "$db", "d"))
		w.Close()
	}
	db := connected(t, s).Database("d")
	events, err := db.Collection("gone").Watch(within(t), bson.A{}, options.ChangeStream().SetStartAtOperationTime(&now))
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close(within(t))
	for i := range clients {
		if !events.Next(within(t)) {
			t.Fatalf("%d of %d writes were done: %v", i, clients, events.Err())
		}
	}
	c := db.Collection("driver", options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
	if _, err := c.InsertOne(within(t), bson.M{"_id": 1}); err != nil {
		t.Error(err)
	}
}

// TestExhaustHello: a hello that may be answered many times is, as the topology
// changes; each reply is to the one before.
func TestExhaustHello(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	h := w.good("hello", 1, "$db", "admin")
	version := at(h, "topologyVersion")
	first := w.send(wire.ExhaustAllowed, value.D("hello", 1, "topologyVersion", value.D("processId", bson.NewObjectID(), "counter", int64(0)),
		"maxAwaitTimeMS", 1_000_000, "$db", "admin"))
	m := w.receive()
	if m.ResponseTo != first || m.Flags != wire.MoreToCome || !value.Equal(at(m.Body, "topologyVersion"), version) {
		t.Errorf("the first reply is to %d with the flags %x: %v", m.ResponseTo, m.Flags, m.Body)
	}
	for i := range 10 {
		if down := i%2 == 0; down {
			s.StepDown()
		} else {
			s.Elect()
		}
		last := m
		m = w.receive()
		if m.ResponseTo != last.RequestID || m.Flags != wire.MoreToCome {
			t.Errorf("reply %d is to %d with the flags %x", i, m.ResponseTo, m.Flags)
		}
		if value.Truthy(at(m.Body, "isWritablePrimary")) != (i%2 == 1) {
			t.Errorf("reply %d: %v", i, m.Body)
		}
		if got, was := number(m.Body, "topologyVersion", "counter"), number(last.Body, "topologyVersion", "counter"); got != was+1 {
			t.Errorf("the counter is %d after %d", got, was)
		}
	}
	// Half an end is an end: there is nobody to tell of changes.
	if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	w.ended()
}

// TestHelloAwait: the rules of topologyVersion and maxAwaitTimeMS.
func TestHelloAwait(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	h := w.good("hello", 1, "$db", "admin")
	id, _ := at(h, "topologyVersion", "processId").ObjectIDOK()
	counter := number(h, "topologyVersion", "counter")
	version := func(id bson.ObjectID, n int) value.Doc { return value.D("processId", id, "counter", int64(n)) }
	tests := []struct {
		rule    string
		version any
		wait    any
		code    int
	}{
		{"the current version waits for the time", version(id, counter), 1, 0},
		{"an older version does not wait", version(id, counter-1), 1_000_000, 0},
		{"that of another process does not wait", version(bson.NewObjectID(), counter), 1_000_000, 0},
		{"a version from the future", version(id, counter+1), 1_000_000, 31382},
		{"a negative version", version(id, -1), 1_000_000, 31372},
		{"a version alone", version(id, counter), nil, 31368},
		{"a time alone", nil, 1, 31368},
		{"a negative time", version(id, counter), -2, 51024},
		{"a version that is none", value.D("counter", int64(1)), 1, 14},
		{"a version of the wrong type", 3, 1, 14},
	}
	for _, test := range tests {
		command := []any{"hello", 1, "$db", "admin"}
		if test.version != nil {
			command = append(command, "topologyVersion", test.version)
		}
		if test.wait != nil {
			command = append(command, "maxAwaitTimeMS", test.wait)
		}
		if got := refused(w.ask(command...)); got != test.code {
			t.Errorf("%s: got the code %d, want %d", test.rule, got, test.code)
		}
	}
}

// TestExhaustGetMore: a getMore that may be answered many times is, to the
// cursor's end.
func TestExhaustGetMore(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	var docs []value.Doc
	for i := range 10 {
		docs = append(docs, value.D("_id", i))
	}
	w.good("insert", "c", "documents", docs, "$db", "d")
	found := w.good("find", "c", "batchSize", 3, "$db", "d")
	to := w.send(wire.ExhaustAllowed, value.D("getMore", at(found, "cursor", "id"), "collection", "c", "batchSize", 3, "$db", "d"))
	for _, want := range []struct {
		docs  int
		flags wire.Flags
	}{{3, wire.MoreToCome}, {3, wire.MoreToCome}, {1, 0}} {
		m := w.receive()
		if got := len(value.Items(at(m.Body, "cursor", "nextBatch"))); got != want.docs || m.Flags != want.flags || m.ResponseTo != to {
			t.Errorf("%d documents, flags %x, to %d; want %d, %x, to %d", got, m.Flags, m.ResponseTo, want.docs, want.flags, to)
		}
		to = m.RequestID
	}
	w.good("ping", 1, "$db", "d")
	// One that fails ends it.
	if m := w.receive2(wire.ExhaustAllowed, value.D("getMore", int64(7), "collection", "c", "$db", "d")); m.Flags != 0 || refused(m.Body) != 43 {
		t.Errorf("flags %x: %v", m.Flags, m.Body)
	}
}

// TestOpQuery: the legacy hello is answered by an OP_REPLY, and nothing else is
// done by it.
func TestOpQuery(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	query := func(command value.Doc) value.Doc {
		t.Helper()
		b := append([]byte("\x04\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\xff\xff\xff\xff"), command...)
		if _, err := w.Write(framed(wire.OpQuery, b)); err != nil {
			t.Fatal(err)
		}
		var header [36]byte
		if _, err := io.ReadFull(w, header[:]); err != nil {
			t.Fatal(err)
		}
		if code, to := binary.LittleEndian.Uint32(header[12:]), binary.LittleEndian.Uint32(header[8:]); code != uint32(wire.OpReply) || to != 77 {
			t.Errorf("the opcode is %d, to %d", code, to)
		}
		reply := make(value.Doc, binary.LittleEndian.Uint32(header[:])-36)
		if _, err := io.ReadFull(w, reply); err != nil {
			t.Fatal(err)
		}
		if err := value.Validate(reply); err != nil {
			t.Fatal(err)
		}
		return reply
	}
	for _, name := range []string{"isMaster", "ismaster"} {
		if h := query(value.D(name, 1, "helloOk", true)); !value.Truthy(at(h, "ismaster")) || number(h, "maxWireVersion") != 25 {
			t.Errorf("%s: %v", name, h)
		}
	}
	if h := query(value.D("hello", 1)); !value.Truthy(at(h, "isWritablePrimary")) {
		t.Errorf("hello: %v", h)
	}
	if reply := query(value.D("find", "c")); refused(reply) != 352 {
		t.Errorf("find by OP_QUERY: %v", reply)
	}
	if reply := query(value.D()); refused(reply) != 352 {
		t.Errorf("nothing by OP_QUERY: %v", reply)
	}
	w.good("ping", 1, "$db", "d") // by OP_MSG as ever
}

// TestLarge: 48 MB are a message; more are none.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("48 MB")
	}
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	if err := w.SetDeadline(time.Now().Add(5 * patience)); err != nil {
		t.Fatal(err)
	}
	var docs []value.Doc
	for i, size := range []int{15_900_000, 15_900_000, 15_900_000} {
		docs = append(docs, value.D("_id", i, "x", value.Binary(0, make([]byte, size))))
	}
	command := value.D("insert", "c", "documents", docs, "writeConcern", value.D("w", 1), "$db", "d")
	room := 48_000_000 - (16 + 5 + len(command))
	docs = append(docs, value.D("_id", 3, "x", value.Binary(0, make([]byte, room-32))))
	command = value.D("insert", "c", "documents", docs, "writeConcern", value.D("w", 1), "$db", "d")
	if n := 16 + 5 + len(command); n < 47_999_000 || n > 48_000_000 {
		t.Fatalf("the message has %d bytes", n)
	}
	w.send(0, command)
	if reply := w.receive().Body; number(reply, "n") != 4 {
		t.Errorf("a message of 48 MB: %v", reply)
	}
	w.good("ping", 1, "$db", "d")
	header := framed(wire.OpMsg, nil)
	binary.LittleEndian.PutUint32(header, 48_000_000+1<<20)
	if _, err := w.Write(header); err != nil {
		t.Fatal(err)
	}
	w.ended()
}

// TestHostile: what is no message, and no document, ends the connection or gets
// an error; the server goes on.
func TestHostile(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	deep := value.D()
	for range 500 {
		deep = value.D("a", deep)
	}
	squeezed := snappy.Encode(nil, body(0, value.D("ping", 1, "$db", "d")))
	for rule, b := range map[string][]byte{
		"HTTP":                   []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"zeros":                  make([]byte, 64),
		"a negative length":      []byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00"),
		"an unknown opcode":      framed(4711, value.D("ping", 1)),
		"a document's length":    framed(wire.OpMsg, body(0, []byte("\xff\xff\xff\x7f\x00"))),
		"compressed, of no size": framed(wire.OpCompressed, append([]byte("\xdd\x07\x00\x00\xff\xff\xff\x7f\x01"), squeezed...)),
		"compressed, not so":     framed(wire.OpCompressed, append([]byte("\xdd\x07\x00\x00\x30\x00\x00\x00\x02"), squeezed...)),
		"unknown required flags": framed(wire.OpMsg, body(0x40, value.D("ping", 1, "$db", "d"))),
		"a section of no kind":   framed(wire.OpMsg, []byte("\x00\x00\x00\x00\x09")),
		"a length of the sequence": framed(wire.OpMsg, append(body(0, value.D("insert", "c", "$db", "d")),
			"\x01\xff\xff\xff\x0fdocuments\x00"...)),
	} {
		w := dial(t, s)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		t.Run(rule, func(*testing.T) { w.ended() })
	}
	w := dial(t, s)
	for rule, payload := range map[string][]byte{
		"a document that nests deep": body(0, value.D("find", "c", "filter", deep, "$db", "d")),
		"a broken document":          body(0, []byte("\x09\x00\x00\x00\x08a\x00\x02\x00")),
		"a text without an end":      body(0, []byte("\x0f\x00\x00\x00\x02a\x00\x03\x00\x00\x00xyz\x00")),
		"no command":                 body(0, value.D()),
		"two bodies":                 append(body(0, value.D("ping", 1, "$db", "d")), append([]byte{0}, value.D()...)...),
		"no body":                    append([]byte("\x00\x00\x00\x00\x01\x0e\x00\x00\x00documents"), 0)[:19],
		"no database":                body(0, value.D("ping", 1)),
		"a database of no text":      body(0, value.D("ping", 1, "$db", 1)),
	} {
		t.Run(rule, func(t *testing.T) {
			if _, err := w.Write(framed(wire.OpMsg, payload)); err != nil {
				t.Fatal(err)
			}
			if m := w.receive(); refused(m.Body) == 0 || m.ResponseTo != 77 {
				t.Errorf("answered %v", m.Body)
			}
		})
	}
	w.good("ping", 1, "$db", "d")
	random := rand.New(rand.NewPCG(1, 2))
	message := framed(wire.OpMsg, body(0, value.D("insert", "c", "documents", one(1), "$db", "d")))
	for range 300 {
		b := bytes.Clone(message)
		for range random.IntN(4) {
			b[random.IntN(len(b))] ^= byte(1 << random.IntN(8))
		}
		b = b[:len(b)-random.IntN(2)*random.IntN(len(b))]
		w := dial(t, s)
		_, _ = w.Write(b)
		_ = w.Conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, w)
		w.Close()
	}
	dial(t, s).good("ping", 1, "$db", "d")
}
