package scenarios

// Reason says why a test is not run. The list is fixed: what is left out for
// any other reason is a failure.
type Reason int

// The reasons, those of requirements first and from the one that is farthest
// from being met.
const (
	InScope       Reason = iota
	OtherVersion         // the test is for other server versions
	OtherTopology        // the test is for other topologies (sharded, or single)
	OtherAuth            // the test is for a server with authentication
	OtherSetUp           // encryption in the client, or Atlas serverless
	GridFS               // files in buckets
	MapReduce            // the mapReduce command
	DriverMethod         // a method that the Go driver has not
	DriverOption         // an option that the Go driver has not
	DriverRetry          // a retry that the Go driver does not make: of a handshake
	Skipped              // the file itself says that the test is to be skipped
)

var reasonNames = [...]string{
	InScope:       "in scope",
	OtherVersion:  "server version",
	OtherTopology: "topology",
	OtherAuth:     "authentication",
	OtherSetUp:    "encryption or serverless",
	GridFS:        "GridFS",
	MapReduce:     "mapReduce",
	DriverMethod:  "method not in the Go driver",
	DriverOption:  "option not in the Go driver",
	DriverRetry:   "retry not in the Go driver",
	Skipped:       "skipped by the file",
}

func (r Reason) String() string { return reasonNames[r] }

// missing are the operations that cannot be run, by their names.
var missing = map[string]Reason{
	"download":              GridFS,
	"downloadByName":        GridFS,
	"mapReduce":             MapReduce,
	"count":                 DriverMethod, // deprecated; countDocuments and estimatedDocumentCount stay
	"listCollectionObjects": DriverMethod, // the driver lists names and specifications
	"listDatabaseObjects":   DriverMethod,
}

// missingOptions are arguments that cannot be given, as operation.argument.
var missingOptions = map[string]Reason{
	"estimatedDocumentCount.maxTimeMS": DriverOption, // version 2 of the driver has contexts for it
}

// handshakes is the name of the files about operations whose connection breaks
// while it is made, for servers with authentication.
const handshakes = "handshakeError.json"

// Scope tells whether a test can run against a deployment with these facts, and
// why not.
func Scope(f *File, t *Test, facts Facts) (Reason, error) {
	if t.SkipReason != "" {
		return Skipped, nil
	}
	for _, requirements := range [][]Requirement{f.Requirements, t.Requirements} {
		if reason, err := unmet(requirements, facts); reason != InScope || err != nil {
			return reason, err
		}
	}
	if f.Name == handshakes {
		return DriverRetry, nil
	}
	for _, o := range t.Operations {
		if reason := missing[o.Name]; reason != InScope {
			return reason, nil
		}
		arguments, err := o.Arguments.Elements()
		if err != nil && len(o.Arguments) > 0 {
			return InScope, err
		}
		for _, a := range arguments {
			if reason := missingOptions[o.Name+"."+a.Key()]; reason != InScope {
				return reason, nil
			}
		}
	}
	return InScope, nil
}
