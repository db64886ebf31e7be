package store_test

import (
	"cmp"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"botwatch/store"
)

func TestVersionOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	epochs := []int64{0, 1, 2, math.MaxInt64}
	seqs := []uint64{0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64, 1 << 63, math.MaxUint64}
	draw := func() store.Version {
		return store.Version{Epoch: epochs[random.IntN(len(epochs))], Seq: seqs[random.IntN(len(seqs))]}
	}
	for range 10_000 {
		v, w := draw(), draw()
		order := cmp.Or(cmp.Compare(v.Epoch, w.Epoch), cmp.Compare(v.Seq, w.Seq))
		if v.Less(w) != (order < 0) || w.Less(v) != (order > 0) {
			t.Fatalf("%v.Less(%v) = %v, the other way %v", v, w, v.Less(w), w.Less(v))
		}
	}
}

func TestVersionJSON(t *testing.T) {
	v := store.Version{Epoch: 3, Seq: math.MaxUint64}
	text, err := json.Marshal(v)
	if want := `{"epoch":3,"seq":"18446744073709551615"}`; err != nil || string(text) != want {
		t.Errorf("%s (%v), want %s", text, err, want)
	}
	var back store.Version
	if err := json.Unmarshal(text, &back); err != nil || back != v {
		t.Errorf("came back as %v (%v)", back, err)
	}
}
