package changes

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// token says a place in a stream: that of an event, or, as a high-water mark,
// that before all events of a time. Tokens order as places do, and so do their
// texts. Clients must not look inside; ours differ from a real server's.
type token struct {
	at       bson.Timestamp
	event    bool
	sub      byte // 1 for the invalidate event that follows another one of the same entry
	fragment byte // of a split event, from 1; 0 for a whole one
	mark     [8]byte
}

const (
	tokenStart = 0x82
	tokenEnd   = 0x04
	tokenSize  = 1 + 8 + 1 + 1 + 1 + 8 + 1
)

// tokenOf gives the token of an entry's event.
func tokenOf(e *engine.Entry, sub byte) token {
	h := fnv.New64a()
	h.Write(e.UUID[:])
	h.Write([]byte{byte(e.Kind), byte(e.ID.Type)})
	h.Write(e.ID.Value)
	t := token{at: e.TS, event: true, sub: sub}
	h.Sum(t.mark[:0])
	return t
}

func (t token) doc() value.Doc {
	b := make([]byte, 0, tokenSize)
	b = append(b, tokenStart)
	b = binary.BigEndian.AppendUint32(b, t.at.T)
	b = binary.BigEndian.AppendUint32(b, t.at.I)
	kind := byte(0)
	if t.event {
		kind = 0x80
	}
	b = append(b, kind, t.sub, t.fragment)
	b = append(b, t.mark[:]...)
	b = append(b, tokenEnd)
	return value.D("_data", strings.ToUpper(hex.EncodeToString(b)))
}

func parseToken(d value.Doc) (token, error) {
	var t token
	data := value.Get(d, "_data")
	text, ok := value.Text(data)
	if !ok {
		return t, fault.New(40647, "Bad resume token: _data of missing or of wrong type %s", d)
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return t, fault.New(fault.FailedToParse, "resume token string was not a valid hex string")
	}
	if len(b) != tokenSize || b[0] != tokenStart || b[tokenSize-1] != tokenEnd || b[9]&0x7f != 0 || b[10] > 1 {
		return t, fault.New(50811, "KeyString format error: the resume token cannot be decoded")
	}
	t.at = bson.Timestamp{T: binary.BigEndian.Uint32(b[1:]), I: binary.BigEndian.Uint32(b[5:])}
	t.event, t.sub, t.fragment = b[9] == 0x80, b[10], b[11]
	copy(t.mark[:], b[12:])
	return t, nil
}

// same says that two tokens are of one event, or of parts of one.
func (t token) same(u token) bool {
	return t.at == u.at && t.event == u.event && t.sub == u.sub && bytes.Equal(t.mark[:], u.mark[:])
}
