// Package scram is the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) for
// one user, in the form that MongoDB gives it: saslStart and saslContinue, by
// themselves or in a handshake (speculativeAuthenticate), as the manual and the
// authentication specification (mongodb/specifications, source/auth) have them.
package scram

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Mechanism is the only one that is offered.
const Mechanism = "SCRAM-SHA-256"

// Database is where the user is kept.
const Database = "admin"

const (
	iterations = 15000 // the published scramSHA256IterationCount
	saltSize   = 28
)

// Server knows one user. It is safe for concurrent use.
type Server struct {
	user   string
	server *scram.Server
}

// New makes a server that knows one user. The error says that the name is
// empty, or that SASLprep refuses the password.
func New(user, password string) (*Server, error) {
	if user == "" {
		return nil, errors.New("the user has no name")
	}
	// Passwords are prepared, and names are not: so the specification.
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil {
		return nil, errors.New("prepare the password: it has characters that SASLprep refuses") // no part of it in the text
	}
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	client, err := scram.SHA256.NewClientUnprepped(user, prepared, "")
	if err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	server, err := scram.SHA256.NewServer(func(name string) (scram.StoredCredentials, error) {
		if name != user {
			return scram.StoredCredentials{}, errors.New("unknown user")
		}
		return stored, nil
	})
	if err != nil {
		return nil, fmt.Errorf("make a server: %w", err)
	}
	return &Server{user: user, server: server}, nil
}

// Mechanisms answers a handshake's saslSupportedMechs, which names a user as
// "database.user". For a user that is unknown the reply has no such field, and
// the answer is nil.
func (s *Server) Mechanisms(name string) ([]string, error) {
	db, user, ok := strings.Cut(name, ".")
	if !ok {
		return nil, fault.New(fault.BadValue, "saslSupportedMechs wants \"database.user\"")
	}
	if db != Database || user != s.user {
		return nil, nil
	}
	return []string{Mechanism}, nil
}

// refused is the one answer to whatever is wrong with a proof or a name, so
// that it tells nothing.
func refused() error { return fault.New(fault.AuthenticationFailed, "Authentication failed.") }

// Conversation is one attempt to authenticate, of one connection: it belongs
// there, and goes with the next saslStart. It is not safe for concurrent use.
type Conversation struct {
	conv      *scram.ServerConversation
	skipEmpty bool
	text      bool // payloads as base64 in strings, as the first one came
	step      int
	user      string
}

// Start begins a conversation with the client's first message. Its reply is the
// server's. With skipEmptyExchange the conversation is done with the server's
// second message; else one more empty step follows it.
func (s *Server) Start(payload []byte, skipEmptyExchange bool) (conv *Conversation, reply []byte, err error) {
	c := &Conversation{conv: s.server.NewConversation(), skipEmpty: skipEmptyExchange}
	first, err := c.conv.Step(string(payload))
	if err != nil {
		return nil, nil, refused()
	}
	if id := c.conv.AuthzID(); id != "" && id != s.user {
		return nil, nil, refused() // nobody acts for others
	}
	c.step = 1
	return c, []byte(first), nil
}

// Step takes the client's next message. After an error the conversation is over.
func (c *Conversation) Step(payload []byte) (reply []byte, done bool, err error) {
	switch c.step {
	case 1:
		c.step = over
		final, err := c.conv.Step(string(payload))
		if err != nil || !c.conv.Valid() {
			return nil, false, refused()
		}
		if c.skipEmpty {
			c.user = c.conv.Username()
			return []byte(final), true, nil
		}
		c.step = 2
		return []byte(final), false, nil
	case 2:
		c.step = over
		if len(payload) > 0 {
			return nil, false, refused()
		}
		c.user = c.conv.Username()
		return []byte{}, true, nil
	}
	return nil, false, fault.New(fault.ProtocolError, "there is no SASL conversation to continue")
}

const over = -1

// Done says that the client is authenticated.
func (c *Conversation) Done() bool { return c.user != "" }

// User gives who is authenticated; "" before that.
func (c *Conversation) User() string { return c.user }

// conversationID is every conversation's: a connection has one at a time.
const conversationID = 1

// SASLStart does the command saslStart on a database, or what a handshake's
// speculativeAuthenticate holds (which names its database in "db"). The reply
// has no "ok" yet. An error within a handshake is not told: its reply then has
// no speculativeAuthenticate.
func (s *Server) SASLStart(cmd value.Doc, db string) (*Conversation, value.Doc, error) {
	mechanism, ok := value.Text(value.Get(cmd, "mechanism"))
	if !ok {
		return nil, nil, fault.New(fault.BadValue, "saslStart wants a mechanism")
	}
	if mechanism != Mechanism {
		return nil, nil, fault.New(fault.MechanismUnavailable, "the mechanism %q is not enabled; %s is", mechanism, Mechanism)
	}
	payload, text, err := payloadOf(cmd)
	if err != nil {
		return nil, nil, err
	}
	if db != Database {
		return nil, nil, refused()
	}
	skip := false
	if options := value.Get(cmd, "options"); value.IsDocument(options) {
		skip = value.Truthy(value.Get(value.Doc(options.Value), "skipEmptyExchange"))
	}
	c, reply, err := s.Start(payload, skip)
	if err != nil {
		return nil, nil, err
	}
	c.text = text
	return c, c.reply(reply, false), nil
}

// SASLContinue does the command saslContinue. The reply has no "ok" yet.
func (c *Conversation) SASLContinue(cmd value.Doc) (value.Doc, error) {
	if id, ok := value.Integer(value.Get(cmd, "conversationId")); !ok || id != conversationID {
		c.step = over
		return nil, fault.New(fault.ProtocolError, "the conversationId is not that of this connection's conversation")
	}
	payload, _, err := payloadOf(cmd)
	if err != nil {
		c.step = over
		return nil, err
	}
	reply, done, err := c.Step(payload)
	if err != nil {
		return nil, err
	}
	return c.reply(reply, done), nil
}

func (c *Conversation) reply(payload []byte, done bool) value.Doc {
	p := value.Binary(0, payload)
	if c.text {
		p = value.String(base64.StdEncoding.EncodeToString(payload))
	}
	return value.D("conversationId", conversationID, "done", done, "payload", p)
}

// payloadOf gives a command's payload: binary data, or base64 in a string.
func payloadOf(cmd value.Doc) (payload []byte, text bool, err error) {
	v := value.Get(cmd, "payload")
	if v.Type == bson.TypeBinary {
		return v.Value[5:], false, nil // behind length and subtype
	}
	if s, ok := value.Text(v); ok {
		if payload, err = base64.StdEncoding.DecodeString(s); err == nil {
			return payload, true, nil
		}
	}
	return nil, false, fault.New(fault.BadValue, "a SASL command wants a payload of binary data, or of base64 in a string")
}
