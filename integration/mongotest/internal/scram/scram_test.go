package scram_test

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
	xdg "github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/scram"
	"botwatch/integration/mongotest/internal/value"
)

func newServer(t testing.TB, user, password string) *scram.Server {
	t.Helper()
	s, err := scram.New(user, password)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newClient makes the client that the Go driver makes, which prepares the
// password (here by its caller) and leaves the name.
func newClient(t testing.TB, user, prepared, authzID string) *xdg.ClientConversation {
	t.Helper()
	c, err := xdg.SHA256.NewClientUnprepped(user, prepared, authzID)
	if err != nil {
		t.Fatal(err)
	}
	return c.WithMinIterations(4096).NewConversation()
}

func step(t testing.TB, c *xdg.ClientConversation, challenge string) []byte {
	t.Helper()
	s, err := c.Step(challenge)
	if err != nil {
		t.Fatalf("the client refuses %q: %v", challenge, err)
	}
	return []byte(s)
}

func TestConversation(t *testing.T) {
	tests := []struct {
		rule           string
		user, password string // the server's
		name, prepared string // the client's
		authzID        string
		start          bool // the error is that of Start
		fails          bool
	}{
		{rule: "the right password", user: "u", password: "pencil", name: "u", prepared: "pencil"},
		{rule: "a wrong password", user: "u", password: "pencil", name: "u", prepared: "pen", fails: true},
		{rule: "an unknown user is told at once, as by real servers", user: "u", password: "p", name: "v", prepared: "p", start: true, fails: true},
		{rule: "a password is prepared (RFC 4013: soft hyphen vanishes, Ⅸ is IX)", user: "u", password: "I\u00ADX\u2168", name: "u", prepared: "IXIX"},
		{rule: "a name is not prepared", user: "\u2168", password: "p", name: "\u2168", prepared: "p"},
		{rule: "a name that differs in its preparation alone is another one", user: "\u2168", password: "p", name: "IX", prepared: "p", start: true, fails: true},
		{rule: "= and , in names are escaped on the wire", user: "a=b,c", password: "p", name: "a=b,c", prepared: "p"},
		{rule: "a user may act as itself", user: "u", password: "p", name: "u", prepared: "p", authzID: "u"},
		{rule: "and not as others", user: "u", password: "p", name: "u", prepared: "p", authzID: "root", start: true, fails: true},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			for _, skip := range []bool{true, false} {
				s := newServer(t, test.user, test.password)
				client := newClient(t, test.name, test.prepared, test.authzID)
				c, reply, err := s.Start(step(t, client, ""), skip)
				if test.start {
					if !fault.Is(err, fault.AuthenticationFailed) {
						t.Fatalf("Start: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				reply, done, err := c.Step(step(t, client, string(reply)))
				if test.fails {
					if !fault.Is(err, fault.AuthenticationFailed) || c.Done() {
						t.Fatalf("Step: %v, done %v", err, c.Done())
					}
					if _, _, err = c.Step(nil); !fault.Is(err, fault.ProtocolError) {
						t.Fatalf("Step of a conversation that failed: %v", err)
					}
					continue
				}
				if err != nil || done != skip || c.Done() != skip {
					t.Fatalf("Step: done %v and %v, want %v; error %v", done, c.Done(), skip, err)
				}
				last := step(t, client, string(reply)) // verifies the server's signature
				if !client.Valid() {
					t.Fatal("the client does not believe the server")
				}
				if !skip {
					if reply, done, err = c.Step(last); err != nil || !done || len(reply) > 0 {
						t.Fatalf("the empty exchange: %q, %v, %v", reply, done, err)
					}
				}
				if c.User() != test.user {
					t.Errorf("User() = %q", c.User())
				}
				if _, _, err := c.Step(nil); !fault.Is(err, fault.ProtocolError) {
					t.Errorf("one step too many: %v", err)
				}
			}
		})
	}
}

// TestDocuments: a conversation as commands, and what they refuse.
func TestDocuments(t *testing.T) {
	s := newServer(t, "u", "pencil")
	for _, text := range []bool{false, true} {
		payload := func(b []byte) value.Value {
			if text {
				return value.String(base64.StdEncoding.EncodeToString(b))
			}
			return value.Binary(0, b)
		}
		read := func(d value.Doc) string {
			v := value.Get(d, "payload")
			if !text {
				return string(v.Value[5:])
			}
			s, _ := value.Text(v)
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		client := newClient(t, "u", "pencil", "")
		c, reply, err := s.SASLStart(value.D("saslStart", 1, "mechanism", "SCRAM-SHA-256", "payload", payload(step(t, client, "")),
			"options", value.D("skipEmptyExchange", true)), "admin")
		if err != nil {
			t.Fatal(err)
		}
		if value.Truthy(value.Get(reply, "done")) {
			t.Error("done after the first message")
		}
		id := value.Get(reply, "conversationId")
		reply, err = c.SASLContinue(value.D("saslContinue", 1, "conversationId", id, "payload", payload(step(t, client, read(reply)))))
		if err != nil {
			t.Fatal(err)
		}
		if !value.Truthy(value.Get(reply, "done")) || !c.Done() {
			t.Error("not done")
		}
		step(t, client, read(reply))
		if !client.Valid() {
			t.Error("the client does not believe the server")
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newServer(t, "u", "pencil")
	first := value.Binary(0, []byte("n,,n=u,r=abcdefgh"))
	starts := []struct {
		rule string
		cmd  value.Doc
		db   string
		code fault.Code
	}{
		{"no mechanism", value.D("payload", first), "admin", fault.BadValue},
		{"another mechanism", value.D("mechanism", "SCRAM-SHA-1", "payload", first), "admin", fault.MechanismUnavailable},
		{"another database knows no such user", value.D("mechanism", scram.Mechanism, "payload", first), "test", fault.AuthenticationFailed},
		{"no payload", value.D("mechanism", scram.Mechanism), "admin", fault.BadValue},
		{"a payload that is no base64", value.D("mechanism", scram.Mechanism, "payload", "?"), "admin", fault.BadValue},
		{"old binary data without its second length", value.D("mechanism", scram.Mechanism, "payload", value.Binary(2, nil)), "admin", fault.AuthenticationFailed},
		{"an empty payload", value.D("mechanism", scram.Mechanism, "payload", value.Binary(0, nil)), "admin", fault.AuthenticationFailed},
		{"a malformed name", value.D("mechanism", scram.Mechanism, "payload", value.Binary(0, []byte("n,,n==,r=x"))), "admin", fault.AuthenticationFailed},
		{"channel binding", value.D("mechanism", scram.Mechanism, "payload", value.Binary(0, []byte("p=tls-unique,,n=u,r=x"))), "admin", fault.AuthenticationFailed},
	}
	for _, test := range starts {
		if _, _, err := s.SASLStart(test.cmd, test.db); !fault.Is(err, test.code) {
			t.Errorf("%s: %v, want %v", test.rule, err, test.code.Name())
		}
	}
	continues := []struct {
		rule string
		cmd  value.Doc
		code fault.Code
	}{
		{"another conversation", value.D("conversationId", 7, "payload", value.Binary(0, nil)), fault.ProtocolError},
		{"no conversation", value.D("payload", value.Binary(0, nil)), fault.ProtocolError},
		{"no payload", value.D("conversationId", 1), fault.BadValue},
		{"no proof", value.D("conversationId", 1, "payload", value.Binary(0, []byte("c=biws,r=x"))), fault.AuthenticationFailed},
		{"another nonce", value.D("conversationId", 1, "payload", value.Binary(0, []byte("c=biws,r=x,p=eA=="))), fault.AuthenticationFailed},
	}
	for _, test := range continues {
		c, _, err := s.SASLStart(value.D("mechanism", scram.Mechanism, "payload", first), "admin")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SASLContinue(test.cmd); !fault.Is(err, test.code) || c.Done() {
			t.Errorf("%s: %v, want %v", test.rule, err, test.code.Name())
		}
	}
	for _, name := range [][2]string{{"", "p"}, {"u", "a\x00b"}} {
		if _, err := scram.New(name[0], name[1]); err == nil {
			t.Errorf("New(%q, %q) gives no error", name[0], name[1])
		}
	}
}

func TestMechanisms(t *testing.T) {
	s := newServer(t, "a.b", "p")
	tests := []struct {
		rule, name string
		want       []string
		code       fault.Code
	}{
		{"the user, whose name begins behind the first point", "admin.a.b", []string{"SCRAM-SHA-256"}, 0},
		{"another user", "admin.c", nil, 0},
		{"another database", "test.a.b", nil, 0},
		{"no database", "c", nil, fault.BadValue},
	}
	for _, test := range tests {
		got, err := s.Mechanisms(test.name)
		if (err != nil) != (test.code != 0) || err != nil && !fault.Is(err, test.code) {
			t.Errorf("%s: %v", test.rule, err)
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: %s", test.rule, d)
		}
	}
}

// FuzzCommands: no panic, and nobody gets in who does not know the password.
func FuzzCommands(f *testing.F) {
	s := newServer(f, "u", "pencil")
	for _, c := range []string{"n,,n=u,r=abcdefgh", "y,a=u,n=u,r=x,", "p=tls-exporter,,n=u,r=", ",,,"} {
		f.Add([]byte(value.D("mechanism", scram.Mechanism, "payload", value.Binary(0, []byte(c)))),
			[]byte(value.D("conversationId", 1, "payload", value.Binary(0, []byte("c=biws,r=x,p=eA==")))))
	}
	f.Fuzz(func(t *testing.T, start, next []byte) {
		if value.Validate(start) != nil || value.Validate(next) != nil {
			return
		}
		c, reply, err := s.SASLStart(start, "admin")
		if err != nil {
			return
		}
		if bson.Raw(reply).Validate() != nil {
			t.Errorf("the reply is %x", reply)
		}
		for range 2 {
			if _, err := c.SASLContinue(next); err == nil || c.Done() {
				t.Error("authenticated without a proof")
			}
		}
	})
}
