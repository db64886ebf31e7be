package scenarios

// difference are tests that fail for a reason which is known and is not the
// server's.
type difference struct {
	why   string
	tests []string // as Name gives them
}

// differences are all that is known. A test that passes in spite of being
// listed is as wrong as one that fails without.
var differences = []difference{}

// Name gives a test's name in the table of known differences and in reports.
func Name(f *File, t *Test) string { return f.Folder + "/" + f.Name + ": " + t.Description }

// Known gives why a test is known to fail, or "".
func Known(name string) string { return knownByName[name] }

// KnownNames gives the names of all tests that are known to fail.
func KnownNames() []string {
	var names []string
	for _, d := range differences {
		names = append(names, d.tests...)
	}
	return names
}

var knownByName = func() map[string]string {
	byName := map[string]string{}
	for _, d := range differences {
		for _, name := range d.tests {
			byName[name] = d.why
		}
	}
	return byName
}()
