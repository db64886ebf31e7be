package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/simulate"
)

// How many accounts are measured at most: from files, and invented.
const (
	benchAccounts  = 2000
	benchBytes     = 512 << 20
	inventAccounts = 400
	inventTweets   = 100
)

// benchRounds is how often each step gets its turn: what disturbs the machine for
// a while then disturbs all of them, and the median tells the least of it.
const benchRounds = 5

// benchClassify is one run of the command.
type benchClassify struct {
	a       *app
	model   string
	each    time.Duration
	files   []string
	samples []benchSample
	leftOut int
}

// benchSample is one account, in each form that a step starts from.
type benchSample struct {
	doc     []byte
	account *classifier.Account
	inputs  []float64
}

// classifyReport is what was measured.
type classifyReport struct {
	Machine  machine      `json:"machine"`
	Model    string       `json:"model"`
	Accounts int          `json:"accounts"`
	LeftOut  int          `json:"left_out"` // faulty, or without prediction
	Steps    []stepReport `json:"steps"`
}

// stepReport is the median of the rounds of one step, on one core.
type stepReport struct {
	Step              string  `json:"step"`
	Accounts          string  `json:"accounts"` // "one", repeated, or "varied", in turn
	Seconds           float64 `json:"seconds_per_account"`
	AccountsPerSecond float64 `json:"accounts_per_second"`
	BytesPerSecond    float64 `json:"bytes_per_second"`        // of JSON; 0 where the step reads none
	Allocations       float64 `json:"allocations_per_account"` // the mean
	PeakBytes         int64   `json:"peak_bytes"`              // resident; 0 where it cannot be known
}

func (a *app) benchClassifyCommand() *cobra.Command {
	b := &benchClassify{a: a}
	cmd := &cobra.Command{
		Use:   "classify [FILE...]",
		Short: "Measure reading and classifying on one core",
		Long: fmt.Sprintf(`bench classify measures the steps from an account's JSON to its result, each on
its own and all together, on one core:

  encoding/json  the needed fields, read by Go's standard library: the yardstick
  decode         the same by botwatch
  attributes     the figures that are computed from a decoded account
  forests        the six scores from ready attributes
  classify       attributes, forests, support, flags and reasons
  all            decode and classify

once with the first account over and over, and once with all of them in turn. It
measures invented accounts of %d tweets, or those in the files, at most %s,
in every form that the command classify knows.`, inventTweets, grouped(benchAccounts)),
		Example: `  botwatch bench classify
  botwatch bench classify accounts.json
  botwatch bench classify --format json > classify.json`,
	}
	form := formatFlag(cmd, formTable, formJSON)
	cmd.Flags().StringVar(&b.model, "model", "", "model `file`; the built-in one by default")
	completeFiles(cmd, "model", "json")
	cmd.Flags().DurationVar(&b.each, "for", time.Second, "how much `time` each step takes at least")
	wrapArgs(cmd, func() error {
		if b.each <= 0 {
			return fmt.Errorf("--for: is %v; want more than 0", b.each)
		}
		return nil
	})
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		b.files = files
		r, err := b.run(cmd.Context())
		if err != nil {
			return err
		}
		if *form == formJSON {
			return writeJSON(a.stdout, r)
		}
		return b.write(r)
	}
	return cmd
}

func (b *benchClassify) run(ctx context.Context) (*classifyReport, error) {
	m, err := loadModel(b.model)
	if err != nil {
		return nil, err
	}
	if err := b.load(ctx, m); err != nil {
		return nil, err
	}
	r := &classifyReport{Machine: thisMachine(), Model: m.Name(), Accounts: len(b.samples), LeftOut: b.leftOut}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, set := range []struct {
		name    string
		samples []benchSample
	}{{"one", b.samples[:1]}, {"varied", b.samples}} {
		steps, err := measure(ctx, m, set.samples, b.each/benchRounds)
		if err != nil {
			return nil, err
		}
		for i := range steps {
			steps[i].Accounts = set.name
		}
		r.Steps = append(r.Steps, steps...)
	}
	return r, nil
}

// errEnough ends the reading of files early.
var errEnough = errors.New("enough accounts")

// load reads the accounts, or invents them.
func (b *benchClassify) load(ctx context.Context, m *classifier.Model) error {
	c := classifier.New(m)
	if len(b.files) == 0 {
		g, builder := simulate.Generator{Seed: 1, Tweets: inventTweets}, new(classifier.Builder)
		for i := range inventAccounts {
			doc := g.Account(i, 0, b.a.now()).JSON
			builder.Reset()
			if err := format.DecodeJSON(doc, builder); err != nil {
				return err
			}
			account, err := builder.Finish()
			if err != nil {
				return err
			}
			b.add(c, doc, account)
		}
	}
	size := 0
	for _, name := range b.files {
		err := b.read(ctx, name, func(doc []byte, account *classifier.Account) error {
			if len(b.samples) == benchAccounts || size > benchBytes {
				return errEnough
			}
			size += len(doc)
			b.add(c, doc, account)
			return nil
		})
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(b.samples) == 0 {
		return fmt.Errorf("no account in the input can be classified; see '%s'", "botwatch classify")
	}
	return nil
}

// read gives the accounts of a file, as JSON too.
func (b *benchClassify) read(ctx context.Context, name string, use func(doc []byte, account *classifier.Account) error) error {
	in, err := b.a.openInput(ctx, name, func(int) {}, false)
	if err != nil {
		return err
	}
	defer in.close()
	r, err := format.Open(in, format.Options{})
	if err != nil {
		return err
	}
	var builder classifier.Builder
	for {
		frame, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		account, err := frame.Decode(&builder)
		if err != nil {
			b.leftOut++
			continue
		}
		doc := bytes.Clone(frame.Doc)
		if doc == nil { // the input is no JSON of accounts
			doc = format.AppendAccount(nil, account)
		}
		if err := use(doc, account); err != nil {
			return err
		}
	}
}

// add keeps an account that has a prediction.
func (b *benchClassify) add(c *classifier.Classifier, doc []byte, account *classifier.Account) {
	var r classifier.Result
	if err := c.Classify(account, &r); err != nil || r.Status != classifier.Classified {
		b.leftOut++
		return
	}
	s := benchSample{doc: doc, account: account.Clone()}
	for _, attribute := range c.Model().Inputs() {
		s.inputs = append(s.inputs, r.Attributes[attribute])
	}
	b.samples = append(b.samples, s)
}

// step is what is measured: do works on one sample.
type step struct {
	name  string
	reads bool // the sample's JSON
	do    func(s *benchSample) error
}

// stepsOf lists the steps, in the order in which they are told.
func stepsOf(m *classifier.Model) []step {
	c := classifier.New(m)
	var builder classifier.Builder
	var result classifier.Result
	decode := func(s *benchSample) (*classifier.Account, error) {
		builder.Reset()
		if err := format.DecodeJSON(s.doc, &builder); err != nil {
			return nil, err
		}
		return builder.Finish()
	}
	return []step{
		{"encoding/json", true, func(s *benchSample) error { return json.Unmarshal(s.doc, new(neededFields)) }},
		{"decode", true, func(s *benchSample) error { _, err := decode(s); return err }},
		{"attributes", false, func(s *benchSample) error { return c.Attributes(s.account, &result) }},
		{"forests", false, func(s *benchSample) error { m.Score(s.inputs); return nil }},
		{"classify", false, func(s *benchSample) error { return c.Classify(s.account, &result) }},
		{"all", true, func(s *benchSample) error {
			account, err := decode(s)
			if err != nil {
				return err
			}
			return c.Classify(account, &result)
		}},
	}
}

// neededFields are what classification needs, for encoding/json.
type neededFields struct {
	UserData struct {
		CreatedAt  any             `json:"created_at"`
		Followers  int64           `json:"followers_count"`
		Statuses   int64           `json:"statuses_count"`
		Verified   bool            `json:"verified"`
		URL        *string         `json:"url"`
		Location   string          `json:"location"`
		ScreenName string          `json:"screen_name"`
		ID         json.RawMessage `json:"id"`
	} `json:"user_data"`
	Tweets []struct {
		CreatedAt any             `json:"created_at"`
		Lang      string          `json:"lang"`
		ReplyTo   json.RawMessage `json:"in_reply_to_status_id"`
		Retweets  int64           `json:"retweet_count"`
		Favorites int64           `json:"favorite_count"`
		Entities  struct {
			Mentions []struct{} `json:"user_mentions"`
			Hashtags []struct{} `json:"hashtags"`
		} `json:"entities"`
		Retweeted json.RawMessage `json:"retweeted_status"`
	} `json:"tweets"`
	CrawledAt any `json:"crawled_at"`
}

// measure times each step in rounds of at least so long.
func measure(ctx context.Context, m *classifier.Model, samples []benchSample, round time.Duration) ([]stepReport, error) {
	steps := stepsOf(m)
	size := 0
	for i := range samples {
		size += len(samples[i].doc)
	}
	reports := make([]stepReport, len(steps))
	times := make([][]float64, len(steps))
	operations := make([]int, len(steps))
	mallocs := make([]uint64, len(steps))
	for range benchRounds {
		for i, s := range steps {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			runtime.GC() // what the step before left is not this one's
			resetPeak()
			n, took, allocated, err := timed(s, samples, round)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			times[i] = append(times[i], took.Seconds()/float64(n))
			operations[i] += n
			mallocs[i] += allocated
			reports[i].PeakBytes = max(reports[i].PeakBytes, peakResident())
		}
	}
	for i, s := range steps {
		r := &reports[i]
		slices.Sort(times[i])
		r.Step, r.Seconds = s.name, times[i][benchRounds/2]
		r.AccountsPerSecond = 1 / r.Seconds
		r.Allocations = float64(mallocs[i]) / float64(operations[i])
		if s.reads {
			r.BytesPerSecond = float64(size) / float64(len(samples)) / r.Seconds
		}
	}
	return reports, nil
}

// timed does a step with the samples in turn, each as often, until the time is up.
func timed(s step, samples []benchSample, limit time.Duration) (n int, took time.Duration, mallocs uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for turns := 1; took < limit; {
		for range turns {
			for i := range samples {
				if err := s.do(&samples[i]); err != nil {
					return 0, 0, 0, err
				}
			}
		}
		n += turns * len(samples)
		if took = time.Since(start); took < limit/16 {
			turns *= 2
		}
	}
	runtime.ReadMemStats(&after)
	return n, took, after.Mallocs - before.Mallocs, nil
}

func (b *benchClassify) write(r *classifyReport) error {
	out := b.a.stdout
	s := b.a.screenOf(out)
	what := "accounts of the input"
	if len(b.files) == 0 {
		what = fmt.Sprintf("invented accounts of %d tweets", inventTweets)
	}
	_, err := fmt.Fprintf(out, "%s %s, %s of JSON the first; model %s\n%s, one of them used\n\n",
		grouped(float64(r.Accounts)), what, bytesText(float64(len(b.samples[0].doc))), r.Model, r.Machine)
	if err != nil {
		return err
	}
	var rows [][]string
	decoded := make(map[string]stepReport)
	for _, v := range r.Steps {
		decoded[v.Step+" "+v.Accounts] = v
		speed := "–"
		if v.BytesPerSecond > 0 {
			speed = bytesText(v.BytesPerSecond) + "/s"
		}
		rows = append(rows, []string{
			v.Step, v.Accounts, fmt.Sprintf("%.2f µs", v.Seconds*1e6), grouped(v.AccountsPerSecond), speed,
			fmt.Sprintf("%.1f", v.Allocations), memoryText(v.PeakBytes),
		})
	}
	if err := s.writeColumns(out, []string{"STEP", "ACCOUNTS", "TIME EACH", "ACCOUNTS/S", "BYTES/S", "ALLOCATIONS", "PEAK MEMORY"}, rows); err != nil {
		return err
	}
	ratio := func(accounts string) float64 {
		return decoded["encoding/json "+accounts].Seconds / decoded["decode "+accounts].Seconds
	}
	_, err = fmt.Fprintf(out, "\ndecode is %.1f times as fast as encoding/json on one account, %.1f times on varied ones\n", ratio("one"), ratio("varied"))
	if err == nil && r.LeftOut > 0 {
		_, err = fmt.Fprintf(out, "%s accounts left out that have no prediction\n", grouped(float64(r.LeftOut)))
	}
	return err
}
