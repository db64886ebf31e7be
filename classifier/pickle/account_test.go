package pickle_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/pickle"
)

// pushAll pushes every account of an upload, if it is one, and v itself.
func pushAll(v pickle.Value) {
	var b classifier.Builder
	b.Reset()
	pickle.Push(v, &b)
	b.Finish()
	upload, err := pickle.NewUpload(v)
	if err != nil {
		return
	}
	for _, entry := range upload.All() {
		b.Reset()
		entry.Push(&b)
		b.Finish()
	}
}

func micros(t time.Time) classifier.Micros { return classifier.Micros(t.UnixMicro()) }

// TestUpload reads the same accounts as Python wrote them in every protocol:
// each kind of key and of zone, and faults that leave their neighbours alone.
func TestUpload(t *testing.T) {
	wantAccount := func(name string, offset time.Duration) *classifier.Account {
		return &classifier.Account{
			UserID: "9223372036854775809", ScreenName: name,
			CreatedAt: micros(time.Date(2015, 1, 2, 3, 4, 5, 0, time.UTC).Add(-offset)),
			CrawledAt: micros(time.Date(2020, 5, 20, 9, 18, 42, 0, time.UTC)),
			Followers: 1 << 40, Statuses: 12, HasLocation: true,
			Tweets: []classifier.Tweet{
				{At: micros(time.Date(2020, 5, 20, 9, 18, 42, 123456000, time.UTC).Add(-offset)), Favorites: 4, Retweets: 3, Lang: 1, Kind: classifier.Mentions},
				{At: micros(time.Date(2020, 5, 20, 9, 18, 43, 0, time.UTC).Add(-offset)), Lang: 1, Kind: classifier.Retweet},
			},
			Langs: []string{"en"},
		}
	}
	const east = 330 * time.Minute
	for protocol := range 6 {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			data, err := os.ReadFile(fmt.Sprintf("testdata/accounts-%d.p", protocol))
			if err != nil {
				t.Fatal(err)
			}
			upload, err := pickle.DecodeUpload(data)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			got := map[string]*classifier.Account{}
			faults := map[string]string{}
			var b classifier.Builder
			for key, entry := range upload.All() {
				keys = append(keys, key)
				b.Reset()
				entry.Push(&b)
				account, err := b.Finish()
				if err != nil {
					faults[key] = err.Error()
					continue
				}
				got[key] = account.Clone()
			}
			if d := cmp.Diff([]string{"naive", "7", "8", "18446744073709551616", "bytes", "#5", "broken", "last"}, keys); d != "" {
				t.Errorf("keys (-want +got):\n%s", d)
			}
			want := map[string]*classifier.Account{
				"naive": wantAccount("a", 0), "7": wantAccount("b", 0), "8": wantAccount("c", 0),
				"18446744073709551616": wantAccount("d", east), "bytes": wantAccount("e", east), "last": wantAccount("h", 0),
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("accounts (-want +got):\n%s", d)
			}
			wantFaults := map[string]string{
				"#5":     "the user key is neither text nor an integer",
				"broken": "an account is an object with user_data, tweets and crawled_at",
			}
			if d := cmp.Diff(wantFaults, faults, cmp.Comparer(strings.HasPrefix)); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
		})
	}
}

func TestUploadIsADict(t *testing.T) {
	if _, err := pickle.DecodeUpload([]byte("].")); !errors.Is(err, pickle.ErrNotUpload) {
		t.Errorf("got %v, want ErrNotUpload", err)
	}
	if _, err := pickle.NewUpload(pickle.Value{}); !errors.Is(err, pickle.ErrNotUpload) {
		t.Errorf("got %v, want ErrNotUpload", err)
	}
}

func TestPushFaults(t *testing.T) {
	datetime := func(state, zone string) string {
		return "cdatetime\ndatetime\n(U" + string(rune(len(state))) + state + zone + "tR"
	}
	delta := func(days string) string { return "cdatetime\ntimedelta\n(I" + days + "\nI0\nI0\ntR" }
	tests := []struct{ name, crawledAt, want string }{
		{"a day that is none", datetime("\x07\xe4\x02\x1e\x00\x00\x00\x00\x00\x00", ""), "crawled_at: a pickled datetime that is none"},
		{"an hour that is none", datetime("\x07\xe4\x02\x01\x18\x00\x00\x00\x00\x00", ""), "crawled_at: a pickled datetime that is none"},
		{"a second too many", datetime("\x07\xe4\x02\x01\x00\x00\x00\x0f\x42\x40", ""), "crawled_at: a pickled datetime that is none"},
		{"year 0", datetime("\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00", ""), "crawled_at: a pickled datetime that is none"},
		{"too short", datetime("\x07\xe4", ""), "crawled_at: a pickled datetime that is none"},
		{"a zone that is none", datetime("\x07\xe4\x02\x01\x00\x00\x00\x00\x00\x00", "N"), "crawled_at: a pickled datetime with a zone other than"},
		{"a zone days away", datetime("\x07\xe4\x02\x01\x00\x00\x00\x00\x00\x00", "cdatetime\ntimezone\n("+delta("1")+"tR"), "crawled_at: a pickled datetime with a zone other than"},
		{"a zone of huge parts", datetime("\x07\xe4\x02\x01\x00\x00\x00\x00\x00\x00", "cdatetime\ntimezone\n("+delta("9223372036854775807")+"tR"), "crawled_at: a pickled datetime with a zone other than"},
		{"a timedelta for a time", delta("1"), "crawled_at: is an object; want a time"},
		{"a class for a time", "cdatetime\ntimedelta\n", "crawled_at: is an object; want a time"},
		{"a list for a time", "]", "crawled_at: want a time"},
		{"a bad text", "Vsoon\n", `crawled_at: is "soon"; want a time`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := pickle.Decode([]byte("(Vcrawled_at\n"+tt.crawledAt+"d."), pickle.AccountOptions())
			if err != nil {
				t.Fatal(err)
			}
			var b classifier.Builder
			b.Reset()
			pickle.Push(v, &b)
			if _, err := b.Finish(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}

// TestPushBombs pushes accounts that share their parts, so that walking them
// would take for ever.
func TestPushBombs(t *testing.T) {
	tweets := strings.Repeat("h\x02", 20_000)
	account := func(tweet string) string {
		return "(Vtweets\n](" + tweet + "q\x02" + tweets + "ed"
	}
	mentions := "(Ventities\n(Vuser_mentions\n](" + strings.Repeat("N", 20_000) + "edd"
	lang := "(Vlang\nX\x00\x00\x10\x00" + strings.Repeat("x", 1<<20) + "d"
	tests := []struct{ name, in string }{
		{"tweets with mentions", account(mentions) + "."},
		{"tweets with a long text", account(lang) + "."},
		{"tweets within themselves", "(Vtweets\n]q\x02(" + tweets[:60] + "ed."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := pickle.Decode([]byte(tt.in), pickle.AccountOptions())
			if err != nil {
				t.Fatal(err)
			}
			var b classifier.Builder
			b.Reset()
			pickle.Push(v, &b)
			var fault *classifier.FieldError
			if _, err := b.Finish(); !errors.As(err, &fault) {
				t.Errorf("got %v, want a FieldError", err)
			}
		})
	}
	t.Run("one account many times", func(t *testing.T) {
		in := "](" + strings.Repeat("Nq\x01", 1) + "e0" + account(mentions) + "q\x030(" + strings.Repeat("Nh\x03", 2000) + "d."
		upload, err := pickle.DecodeUpload([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		var b classifier.Builder
		for _, entry := range upload.All() {
			b.Reset()
			entry.Push(&b)
			if _, err := b.Finish(); err == nil {
				t.Fatal("got no error")
			}
		}
	})
}

// sharedFile gives the path of a reference file, or skips the test where there
// are none.
func sharedFile(t testing.TB, name string) string {
	dir := os.Getenv("BOTWATCH_SHARED")
	if dir == "" {
		dir = "../../../shared"
		if _, err := os.Stat(dir); err != nil {
			t.Skip("the reference files are not there: set BOTWATCH_SHARED")
		}
	}
	return filepath.Join(dir, "reference", name)
}

// TestExampleUpload reads the reference's example, whose keys stand in its
// JSON form too.
func TestExampleUpload(t *testing.T) {
	data, err := os.ReadFile(sharedFile(t, "example_data.p"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sharedFile(t, "example_data.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Tweets []json.RawMessage `json:"tweets"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	upload, err := pickle.DecodeUpload(data)
	if err != nil {
		t.Fatal(err)
	}
	if upload.Len() != len(want) {
		t.Errorf("got %d accounts, want %d", upload.Len(), len(want))
	}
	var b classifier.Builder
	for key, entry := range upload.All() {
		b.Reset()
		entry.Push(&b)
		account, err := b.Finish()
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if len(account.Tweets) != len(want[key].Tweets) || len(account.Tweets) == 0 {
			t.Errorf("%s: got %d tweets, want %d", key, len(account.Tweets), len(want[key].Tweets))
		}
	}
}

func BenchmarkDecodeExample(b *testing.B) {
	data, err := os.ReadFile(sharedFile(b, "example_data.p"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pickle.DecodeUpload(data); err != nil {
			b.Fatal(err)
		}
	}
}
