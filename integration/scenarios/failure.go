package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// answer is what servers said in an error; nil where the client alone made it.
type answer struct {
	codes     []int
	names     []string
	responses []bson.Raw
}

// serverAnswer finds what servers said. A connection that broke is the
// client's error, and so is what it refuses by itself.
func serverAnswer(err error) *answer {
	var command mongo.CommandError
	var write mongo.WriteException
	var bulk mongo.BulkWriteException
	var clientBulk mongo.ClientBulkWriteException
	a := new(answer)
	switch {
	case errors.As(err, &clientBulk):
		// Individual errors have assertions of their own.
		if e := clientBulk.WriteError; e != nil {
			if len(e.Raw) == 0 && e.Code == 0 {
				return nil
			}
			a.add(e.Code, "", e.Raw)
		}
	case errors.As(err, &bulk):
		for _, e := range bulk.WriteErrors {
			a.add(e.Code, "", e.Raw)
		}
		a.addConcern(bulk.WriteConcernError)
	case errors.As(err, &write):
		a.responses = append(a.responses, write.Raw)
		for _, e := range write.WriteErrors {
			a.add(e.Code, "", e.Raw)
		}
		a.addConcern(write.WriteConcernError)
	case errors.As(err, &command):
		if len(command.Raw) == 0 {
			return nil
		}
		a.add(int(command.Code), command.Name, command.Raw)
	default:
		return nil
	}
	return a
}

func (a *answer) add(code int, name string, response bson.Raw) {
	a.codes = append(a.codes, code)
	if name == "" && len(response) > 0 {
		name, _ = response.Lookup("codeName").StringValueOK()
	}
	a.names = append(a.names, name)
	a.responses = append(a.responses, response)
}

func (a *answer) addConcern(e *mongo.WriteConcernError) {
	if e != nil {
		a.add(e.Code, e.Name, e.Raw)
	}
}

// checkError compares an error, and the result that came with it, with the
// assertions of it.
func checkError(m matcher, expected bson.Raw, err error, r result) error {
	if err == nil {
		return errors.New("no error, but one is expected")
	}
	if u := (unknown{}); errors.As(err, &u) {
		return err
	}
	assertions, malformed := expected.Elements()
	if malformed != nil {
		return malformed
	}
	said := serverAnswer(err)
	for _, a := range assertions {
		if failed := checkErrorProperty(m, a, err, said, r); failed != nil {
			return fmt.Errorf("%s: %w; the error is %T: %w", a.Key(), failed, err, err)
		}
	}
	return nil
}

func checkErrorProperty(m matcher, a bson.RawElement, err error, said *answer, r result) error {
	expected := a.Value()
	switch a.Key() {
	case "isError":
		return nil
	case "isClientError":
		if expected.Boolean() == (said != nil) {
			return fmt.Errorf("expected %s", expected)
		}
		return nil
	case "errorContains":
		if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(expected.StringValue())) {
			return fmt.Errorf("expected %s", expected)
		}
		return nil
	case "errorLabelsContain", "errorLabelsOmit":
		return checkLabels(expected, err, a.Key() == "errorLabelsContain")
	case "expectResult":
		actual, malformed := r.raw()
		if malformed != nil {
			return malformed
		}
		return m.match(expected, actual, true)
	case "writeErrors":
		return checkWriteErrors(m, expected.Document(), err)
	case "writeConcernErrors":
		return checkConcernErrors(m, items(expected), err)
	}
	if said == nil {
		return errors.New("the server sent no error")
	}
	switch a.Key() {
	case "errorCode":
		if !slices.Contains(said.codes, int(expected.AsInt64())) {
			return fmt.Errorf("codes are %v, expected %s", said.codes, expected)
		}
	case "errorCodeName":
		if !slices.ContainsFunc(said.names, func(s string) bool { return strings.EqualFold(s, expected.StringValue()) }) {
			return fmt.Errorf("names are %q, expected %s", said.names, expected)
		}
	case "errorResponse":
		failed := errors.New("there is no response")
		for _, d := range said.responses {
			if failed = m.match(expected, document(d), true); failed == nil {
				return nil
			}
		}
		return failed
	default:
		return errors.New("unknown assertion of an error")
	}
	return nil
}

func checkLabels(labels bson.RawValue, err error, want bool) error {
	var labelled interface{ HasErrorLabel(string) bool }
	has := errors.As(err, &labelled)
	for _, l := range items(labels) {
		if (has && labelled.HasErrorLabel(l.StringValue())) != want {
			return fmt.Errorf("label %s: expected %t", l, want)
		}
	}
	return nil
}

func checkWriteErrors(m matcher, expected bson.Raw, err error) error {
	var bulk mongo.ClientBulkWriteException
	if !errors.As(err, &bulk) {
		return errors.New("the error is not of a client's bulk write")
	}
	elements, malformed := expected.Elements()
	if malformed != nil {
		return malformed
	}
	if len(elements) != len(bulk.WriteErrors) {
		return fmt.Errorf("there are %d, expected %d", len(bulk.WriteErrors), len(elements))
	}
	for _, e := range elements {
		i, malformed := strconv.Atoi(e.Key())
		if malformed != nil {
			return malformed
		}
		actual, ok := bulk.WriteErrors[i]
		if !ok {
			return fmt.Errorf("there is none of write %d", i)
		}
		if failed := matchFault(m, e.Value(), actual.Code, actual.Message); failed != nil {
			return failed
		}
	}
	return nil
}

func checkConcernErrors(m matcher, expected []bson.RawValue, err error) error {
	var bulk mongo.ClientBulkWriteException
	if !errors.As(err, &bulk) {
		return errors.New("the error is not of a client's bulk write")
	}
	if len(expected) != len(bulk.WriteConcernErrors) {
		return fmt.Errorf("there are %d, expected %d", len(bulk.WriteConcernErrors), len(expected))
	}
	for i, e := range expected {
		actual := bulk.WriteConcernErrors[i]
		if failed := matchFault(m, e, actual.Code, actual.Message); failed != nil {
			return failed
		}
	}
	return nil
}

// matchFault compares one of a bulk's errors.
func matchFault(m matcher, expected bson.RawValue, code int, message string) error {
	actual, err := rawValue(bson.D{{Key: "code", Value: code}, {Key: "message", Value: message}})
	if err != nil {
		return err
	}
	return m.match(expected, actual, true)
}
