package simulate_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/simulate"
)

// A judge classifies with the embedded model.
type judge struct {
	*classifier.Classifier
	slugs   *[classifier.NumClasses]string
	builder classifier.Builder
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	spec, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	m, err := classifier.NewModel(spec)
	if err != nil {
		t.Fatal(err)
	}
	return &judge{Classifier: classifier.New(m), slugs: m.Slugs()}
}

// class gives the class that an account comes out as, "" for none.
func (j *judge) class(t *testing.T, doc simulate.Doc) (string, classifier.Support) {
	t.Helper()
	a, err := decode(&j.builder, doc.JSON)
	if err != nil {
		t.Fatal(err)
	}
	var r classifier.Result
	if err := j.Classify(a, &r); err != nil {
		t.Fatal(err)
	}
	if r.Status != classifier.Classified {
		return "", r.Support
	}
	return j.slugs[r.Prediction-1], r.Support
}

// Each profile comes out as its own class more often than as any other, and
// the sample has every class and every grade of support.
func TestClasses(t *testing.T) {
	j := newJudge(t)
	for name, g := range map[string]simulate.Generator{
		"default": {Seed: 1}, "another seed, another epoch": {Seed: 2, Lean: true, Epoch: time.Date(2020, 5, 20, 9, 18, 42, 0, time.UTC)},
		"lean, 20 tweets": {Seed: 3, Tweets: 20, Lean: true}, "lean, 200 tweets": {Seed: 4, Tweets: 200, Lean: true},
	} {
		t.Run(name, func(t *testing.T) {
			now := g.Epoch
			if now.IsZero() {
				now = epoch
			}
			as := make(map[string]map[string]int) // profile, class: number
			support := make(map[classifier.Support]int)
			for n := range 600 {
				profile := g.Profile(n)
				if as[profile] == nil {
					as[profile] = make(map[string]int)
				}
				class, grade := j.class(t, g.Account(n, 0, now))
				as[profile][class]++
				support[grade]++
			}
			for _, slug := range j.slugs {
				got := as[slug]
				if len(got) == 0 {
					t.Fatalf("no account of profile %s", slug)
				}
				most := slices.MaxFunc(slices.Collect(maps.Keys(got)), func(a, b string) int { return got[a] - got[b] })
				if most != slug {
					t.Errorf("profile %s mostly comes out as %s: %v", slug, most, got)
				}
			}
			if g.Tweets == 0 && len(as["thin"]) == 0 {
				t.Error("no thin accounts")
			}
			if len(support) != 3 {
				t.Errorf("grades of support: %v, want all 3", support)
			}
			t.Logf("%v, support %v", as, support)
		})
	}
}

// Updates change the class of some accounts, and that of most they leave.
func TestUpdatesChangeClasses(t *testing.T) {
	j := newJudge(t)
	g := simulate.Generator{Seed: 1, Lean: true}
	moves := make(map[string]int)
	changed := 0
	for n := range 600 {
		was, _ := j.class(t, g.Account(n, 0, epoch))
		is, _ := j.class(t, g.Account(n, 5, epoch.Add(time.Hour)))
		if is != was {
			changed++
			moves[was+" → "+is]++
		}
	}
	t.Log(moves)
	if changed < 30 || changed > 200 {
		t.Errorf("%d of 600 accounts changed their class, want 30 to 200", changed)
	}
	for _, move := range []string{"automated_dormant → automated_amplified", "unheard → liked_only", "liked_only → automated_amplified"} {
		if moves[move] == 0 {
			t.Errorf("no account went %s", move)
		}
	}
}
