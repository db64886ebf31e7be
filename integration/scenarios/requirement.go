package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// version is a server's or a schema's: major, minor, patch.
type version [3]int

func (v version) compare(w version) int { return slices.Compare(v[:], w[:]) }

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// parseVersion reads one to three numbers; what follows them is left out, as in
// "4.9.0-alpha4".
func parseVersion(s string) (version, error) {
	var v version
	for i, part := range strings.SplitN(s, ".", 4) {
		if i == len(v) {
			break
		}
		digits, _, _ := strings.Cut(part, "-")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 {
			return version{}, fmt.Errorf("version %q is not numbers with points between them", s)
		}
		v[i] = n
	}
	return v, nil
}

// Requirement says on which deployments a file or a test may run.
type Requirement struct {
	Min        string   `bson:"minServerVersion"`
	Max        string   `bson:"maxServerVersion"`
	Topologies []string `bson:"topologies"`
	Serverless string   `bson:"serverless"`
	Auth       *bool    `bson:"auth"`
	CSFLE      *bool    `bson:"csfle"`
}

// Facts are what requirements ask of a deployment.
type Facts struct {
	Version  version
	Topology string // "single", "replicaset", "sharded" or "load-balanced"
	Auth     bool
}

// unmet gives why a deployment does not meet any of the requirements: the
// reason of the one that comes nearest, in the order version, topology, rest.
// No requirements are met by all.
func unmet(requirements []Requirement, facts Facts) (Reason, error) {
	if len(requirements) == 0 {
		return InScope, nil
	}
	nearest := OtherVersion
	for _, r := range requirements {
		reason, err := r.unmet(facts)
		if err != nil || reason == InScope {
			return InScope, err
		}
		nearest = max(nearest, reason)
	}
	return nearest, nil
}

// unmet gives the first reason why a deployment does not meet the requirement.
func (r Requirement) unmet(facts Facts) (Reason, error) {
	low, err := parseVersion(cmp.Or(r.Min, "0"))
	if err != nil {
		return InScope, err
	}
	high, err := parseVersion(cmp.Or(r.Max, "999999"))
	if err != nil {
		return InScope, err
	}
	switch {
	case facts.Version.compare(low) < 0 || facts.Version.compare(high) > 0:
		return OtherVersion, nil
	case r.Topologies != nil && !slices.Contains(r.Topologies, facts.Topology):
		return OtherTopology, nil
	case r.Auth != nil && *r.Auth != facts.Auth:
		return OtherAuth, nil
	case r.CSFLE != nil && *r.CSFLE, r.Serverless == "require":
		return OtherSetUp, nil
	}
	return InScope, nil
}
