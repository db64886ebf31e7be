package scenarios

import "fmt"

// difference are tests that fail for a reason which is known and is not the
// server's.
type difference struct {
	why   string
	tests []string // as Name gives them
}

// differences are all that is known. A test that passes in spite of being
// listed is as wrong as one that fails without.
var differences = []difference{
	{
		why:   "the Go driver refuses a hint with an unacknowledged write, also where the server takes it",
		tests: unacknowledgedHints(),
	},
	{
		why: "the Go driver sends bypassDocumentValidation only if it is true",
		tests: []string{
			"crud/bypassDocumentValidation.json: Aggregate with $out passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: BulkWrite passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: FindOneAndReplace passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: FindOneAndUpdate passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: InsertMany passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: InsertOne passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: ReplaceOne passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: UpdateMany passes bypassDocumentValidation: false",
			"crud/bypassDocumentValidation.json: UpdateOne passes bypassDocumentValidation: false",
		},
	},
	{
		why:   "the Go driver sends a batchSize that equals the limit as it is, not one more",
		tests: []string{"crud/find.json: Find with batchSize equal to limit"},
	},
}

// unacknowledgedHints are the tests of writes without acknowledgement that give
// a hint, as a name and as a document, each from the server version that has it.
func unacknowledgedHints() []string {
	var names []string
	for _, o := range []struct{ file, operation, since string }{
		{"bulkWrite-deleteMany", "deleteMany", "4.4"},
		{"bulkWrite-deleteOne", "deleteOne", "4.4"},
		{"bulkWrite-replaceOne", "replaceOne", "4.2"},
		{"bulkWrite-updateMany", "updateMany", "4.2"},
		{"bulkWrite-updateOne", "updateOne", "4.2"},
		{"deleteMany", "deleteMany", "4.4"},
		{"deleteOne", "deleteOne", "4.4"},
		{"findOneAndDelete", "findOneAndDelete", "4.4"},
		{"findOneAndReplace", "findOneAndReplace", "4.4"},
		{"findOneAndUpdate", "findOneAndUpdate", "4.4"},
		{"replaceOne", "replaceOne", "4.2"},
		{"updateMany", "updateMany", "4.2"},
		{"updateOne", "updateOne", "4.2"},
	} {
		for _, hint := range []string{"string", "document"} {
			names = append(names, fmt.Sprintf("crud/%s-hint-unacknowledged.json: Unacknowledged %s with hint %s on %s+ server",
				o.file, o.operation, hint, o.since))
		}
	}
	return names
}

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
