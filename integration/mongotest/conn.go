package mongotest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/scram"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// pipelined is how many requests of a connection are read before they are
// answered.
const pipelined = 16

// conn is a client's connection. Its requests are answered in order.
type conn struct {
	net.Conn
	server *Server
	id     int64
	in     *wire.Reader
	out    *wire.Writer
	ctx    context.Context
	cancel context.CancelFunc
	nextID int32

	app          atomic.Pointer[string] // the client's appName
	introduced   bool                   // the client said who it is
	conversation *scram.Conversation
	user         string // who is authenticated
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		Conn: nc, server: s, id: s.total.Add(1),
		in: wire.NewReader(nc, wire.MaxMessage), out: wire.NewWriter(nc),
	}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	return c
}

func (c *conn) appName() string {
	if p := c.app.Load(); p != nil {
		return *p
	}
	return ""
}

type request struct {
	message *wire.Message
	err     error // a fault to be answered
}

// serve answers requests until the connection ends. What waits for something is
// given up as soon as it does.
func (c *conn) serve() {
	defer c.cancel()
	requests := make(chan request, pipelined)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		defer c.cancel()
		if err := c.read(requests); errors.Is(err, wire.ErrMalformed) {
			// What came before is answered yet, while its client is there.
			_, _ = io.Copy(io.Discard, c.Conn)
		}
	}()
	for r := range requests {
		if !c.answer(r) {
			break
		}
	}
	c.Close()
	c.cancel()
	<-reading
}

// read reads requests until the connection ends, or what comes is none.
func (c *conn) read(requests chan<- request) error {
	defer close(requests)
	for {
		m, err := c.in.Read()
		var f *fault.Error
		if err != nil && !errors.As(err, &f) {
			return err
		}
		select {
		case requests <- request{m, err}:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

// answer answers one request, and says whether the connection goes on.
func (c *conn) answer(r request) bool {
	m := r.message
	if r.err != nil {
		return m.Flags&wire.MoreToCome != 0 || c.write(m, failure(fault.Of(r.err)), 0)
	}
	if m.OpCode == wire.OpQuery {
		return c.answerQuery(m)
	}
	reply, alive := c.server.dispatch(c, m)
	if !alive {
		return false
	}
	if m.Flags&wire.MoreToCome != 0 {
		return true
	}
	for m.Flags&wire.ExhaustAllowed != 0 && goesOn(m.Body, reply) {
		if !c.write(m, reply, wire.MoreToCome) {
			return false
		}
		m = &wire.Message{
			RequestID: c.nextID, Flags: m.Flags, Compressor: m.Compressor,
			Body: following(m.Body, reply), Sequences: m.Sequences,
		}
		if reply, alive = c.server.dispatch(c, m); !alive || c.ctx.Err() != nil {
			return false
		}
	}
	return c.write(m, reply, 0)
}

// goesOn says whether an exhaust request has another reply: a hello that waits
// for changes, and a getMore whose cursor is open.
func goesOn(request, reply value.Doc) bool {
	if !value.Truthy(value.Get(reply, "ok")) {
		return false
	}
	switch command(request) {
	case "hello", "isMaster", "ismaster":
		return !value.Missing(value.Get(reply, "topologyVersion")) && !value.Missing(value.Get(request, "topologyVersion"))
	case "getMore":
		id, _ := value.Integer(value.Get(value.Doc(value.Get(reply, "cursor").Value), "id"))
		return id != 0
	}
	return false
}

// following gives the request that an exhaust request stands for after a reply.
func following(request, reply value.Doc) value.Doc {
	version := value.Get(reply, "topologyVersion")
	b := value.NewBuilder(nil)
	for name, v := range value.Elements(request) {
		if name == "topologyVersion" && !value.Missing(version) {
			v = version
		}
		b.Append(name, v)
	}
	return b.Doc()
}

// command gives a request's command: the name of its first field.
func command(request value.Doc) string {
	for name := range value.Elements(request) {
		return name
	}
	return ""
}

func (c *conn) write(m *wire.Message, reply value.Doc, flags wire.Flags) bool {
	c.nextID++
	answer := &wire.Message{RequestID: c.nextID, ResponseTo: m.RequestID, Flags: flags, Body: reply}
	if m.Compressor != wire.None {
		return c.out.WriteCompressed(answer, m.Compressor) == nil
	}
	return c.out.WriteMessage(answer, m.Flags&wire.ChecksumPresent != 0) == nil
}

// answerQuery answers an OP_QUERY: the first hello of older drivers.
func (c *conn) answerQuery(m *wire.Message) bool {
	var reply value.Doc
	switch command(m.Body) {
	case "isMaster", "ismaster", "hello":
		db, _, _ := cutNamespace(m.FullCollection)
		b := value.NewBuilder(nil)
		for name, v := range value.Elements(m.Body) {
			b.Append(name, v)
		}
		b.Append("$db", value.String(db))
		var alive bool
		if reply, alive = c.server.dispatch(c, &wire.Message{RequestID: m.RequestID, Body: b.Doc()}); !alive {
			return false
		}
	default:
		reply = failure(fault.New(fault.UnsupportedOpQueryCommand, "Unsupported OP_QUERY command: %s. The client driver may require an upgrade", command(m.Body)))
	}
	c.nextID++
	return c.out.WriteReply(&wire.Message{RequestID: c.nextID, ResponseTo: m.RequestID, Body: reply}) == nil
}

// introduce reads who the client says that it is, which it can do once.
func (c *conn) introduce(call *call) error {
	client := call.doc("client")
	if client == nil {
		return nil
	}
	if c.introduced {
		return fault.New(fault.ClientMetadataCannotBeMutated, "The client metadata document may only be sent in the first hello")
	}
	c.introduced = true
	name := applicationName(client)
	c.app.Store(&name)
	return nil
}

// applicationName gives the appName in a client's description of itself.
func applicationName(client value.Doc) string {
	application := value.Get(client, "application")
	if !value.IsDocument(application) {
		return ""
	}
	name, _ := value.Text(value.Get(value.Doc(application.Value), "name"))
	return name
}

// compression agrees on compressors: those of the client's that are known here.
func (c *conn) compression(call *call) []string {
	var names []string
	v := value.Get(call.body, "compression")
	if !value.IsArray(v) {
		return nil
	}
	for _, item := range value.Items(v) {
		name, _ := value.Text(item)
		if _, ok := wire.Compressor(name); ok && name != "noop" {
			names = append(names, name)
		}
	}
	return names
}
