package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// Tally counts how tests ended, by folder and by what they ran against. The
// zero value is ready; it is safe for concurrent use.
type Tally struct {
	mu      sync.Mutex
	counts  map[tallyKey]*count
	inScope map[string]int      // tests that ran, by folder/file, over all targets
	known   map[string][]string // names of tests that failed as known, by why
	failed  []string
}

type tallyKey struct{ target, folder string }

type count struct {
	pass, fail, known int
	out               map[Reason]int
}

func (t *Tally) at(target string, f *File) *count {
	if t.counts == nil {
		t.counts, t.inScope, t.known = map[tallyKey]*count{}, map[string]int{}, map[string][]string{}
	}
	key := tallyKey{target, f.Folder}
	if t.counts[key] == nil {
		t.counts[key] = &count{out: map[Reason]int{}}
	}
	return t.counts[key]
}

// Out counts a test that was not run.
func (t *Tally) Out(target string, f *File, reason Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at(target, f).out[reason]++
	t.inScope[f.Folder+"/"+f.Name] += 0
}

// Ran counts a test that was run, and tells whether it ended as it must: passed
// if it is not known to fail, failed if it is.
func (t *Tally) Ran(target string, f *File, test *Test, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.at(target, f)
	t.inScope[f.Folder+"/"+f.Name]++
	name := Name(f, test)
	why := Known(name)
	switch {
	case err == nil:
		c.pass++
		return why == ""
	case why != "":
		c.fail++
		c.known++
		if !slices.Contains(t.known[why], name) {
			t.known[why] = append(t.known[why], name)
		}
		return true
	}
	c.fail++
	t.failed = append(t.failed, target+" "+name)
	return false
}

// Share gives how many of the tests in scope passed, from 0 to 1; 1 if there
// were none.
func (t *Tally) Share() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	pass, all := 0, 0
	for _, c := range t.counts {
		pass += c.pass
		all += c.pass + c.fail
	}
	if all == 0 {
		return 1
	}
	return float64(pass) / float64(all)
}

// LeftOut gives the files of a folder of which no test was in scope anywhere.
func (t *Tally) LeftOut(folder string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for name, n := range t.inScope {
		if n == 0 && strings.HasPrefix(name, folder+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// String gives the table, then the known differences and the failures by name.
func (t *Tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "server\tscenarios\tpass\tfail\t(explained)\tin scope\tout of scope")
	total := map[string]*count{}
	keys := slices.SortedFunc(maps.Keys(t.counts), func(a, b tallyKey) int {
		return strings.Compare(a.target+"\x00"+a.folder, b.target+"\x00"+b.folder)
	})
	for _, k := range keys {
		c := t.counts[k]
		row(w, k.target, k.folder, c)
		if total[k.target] == nil {
			total[k.target] = &count{out: map[Reason]int{}}
		}
		total[k.target].add(c)
	}
	for _, target := range slices.Sorted(maps.Keys(total)) {
		row(w, target, "all", total[target])
	}
	w.Flush()
	for _, why := range slices.Sorted(maps.Keys(t.known)) {
		fmt.Fprintf(&b, "\nfails because %s:\n", why)
		for _, name := range slices.Sorted(slices.Values(t.known[why])) {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	if len(t.failed) > 0 {
		fmt.Fprintf(&b, "\nfails, unexplained:\n")
		for _, name := range slices.Sorted(slices.Values(t.failed)) {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	return b.String()
}

func (c *count) add(d *count) {
	c.pass += d.pass
	c.fail += d.fail
	c.known += d.known
	for reason, n := range d.out {
		c.out[reason] += n
	}
}

func row(w *tabwriter.Writer, target, folder string, c *count) {
	all := 0
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(c.out)) {
		all += c.out[reason]
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, c.out[reason]))
	}
	out := fmt.Sprint(all)
	if all > 0 {
		out += " (" + strings.Join(reasons, ", ") + ")"
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", target, folder, c.pass, c.fail, c.known, c.pass+c.fail, out)
}
