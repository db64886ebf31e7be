package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"botwatch/store"
	"botwatch/store/memory"
	"botwatch/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, opts := range map[string]memory.Options{
		"plain":        {},
		"transactions": {OneSeqPerCall: true, DocsAtEvent: true, BatchSize: 40},
	} {
		t.Run(name, func(t *testing.T) { storetest.Run(t, harness(opts)) })
	}
}

func harness(opts memory.Options) storetest.Harness {
	of := func(s store.Store) *memory.Store { return s.(*memory.Store) }
	return storetest.Harness{
		Open:            func(*testing.T) store.Store { return memory.New(opts) },
		Connect:         func(_ *testing.T, s store.Store) store.Store { return of(s).Connect() },
		LoseHistory:     func(_ *testing.T, s store.Store) { of(s).LoseHistory() },
		ReplaceAccounts: func(_ *testing.T, s store.Store) { of(s).Replace() },
		Backup: func(_ *testing.T, s store.Store) func() {
			b := of(s).Snapshot()
			return func() { of(s).Restore(b) }
		},
		ExpireLease: func(_ *testing.T, s store.Store) { of(s).Expire() },
	}
}
