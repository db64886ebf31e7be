package aggregate

import (
	"slices"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// CheckStream says what is wrong with the stages after $changeStream: one that
// may not stand there (20, IllegalOperation; 40324 where no server knows it),
// or a $changeStreamSplitLargeEvent that is not the last (7182802).
func CheckStream(stages []value.Doc) error {
	for i, doc := range stages {
		name, _, err := stageOf(doc)
		if err != nil {
			return err
		}
		switch name {
		case "$addFields", "$match", "$project", "$replaceRoot", "$replaceWith", "$redact", "$set", "$unset":
		case "$changeStreamSplitLargeEvent":
			if i != len(stages)-1 {
				return fault.New(7182802, "$changeStreamSplitLargeEvent must be the last stage in the pipeline")
			}
		case "$changeStream":
			return fault.New(40602, "$changeStream is only valid as the first stage in a pipeline")
		default:
			if !slices.Contains(offered, name) && !slices.Contains(notOffered, name) {
				return unrecognized(name)
			}
			return fault.New(fault.IllegalOperation, "%s is not permitted in a $changeStream pipeline", name)
		}
	}
	return nil
}
