package scenarios

import (
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// result is what an operation gave.
type result struct {
	value  any     // what is compared and saved, as anything that is BSON; absent{} if nothing
	each   bool    // the value is an array of root-level documents
	cursor *cursor // what is saved in place of the value
}

// absent is the value of an operation that gives none.
type absent struct{}

var nothing = result{value: absent{}}

// raw gives the value as BSON, or as missing.
func (r result) raw() (bson.RawValue, error) {
	switch v := r.value.(type) {
	case absent:
		return missingValue, nil
	case nil:
		return bson.RawValue{Type: bson.TypeNull}, nil
	case bson.RawValue:
		return v, nil
	}
	return rawValue(r.value)
}

// documents are a cursor's, all of them.
func documents(docs []bson.Raw) result {
	array := bson.A{}
	for _, d := range docs {
		array = append(array, d)
	}
	return result{value: array, each: true}
}

// acknowledgement is the result of a write that the server did not answer.
func acknowledgement() result { return result{value: bson.D{{Key: "acknowledged", Value: false}}} }

func insertOneResult(r *mongo.InsertOneResult) result {
	switch {
	case r == nil:
		return nothing
	case !r.Acknowledged:
		return acknowledgement()
	}
	return result{value: bson.D{{Key: "insertedId", Value: r.InsertedID}}}
}

// insertManyResult is a bulk's: the specification has one result for both.
func insertManyResult(r *mongo.InsertManyResult, err error) result {
	switch {
	case r == nil:
		return nothing
	case !r.Acknowledged && err == nil:
		return acknowledgement()
	}
	ids := bson.D{}
	for i, id := range r.InsertedIDs {
		ids = append(ids, bson.E{Key: strconv.Itoa(i), Value: id})
	}
	return result{value: bson.D{
		{Key: "insertedCount", Value: len(ids)},
		{Key: "insertedIds", Value: ids},
		{Key: "matchedCount", Value: 0},
		{Key: "modifiedCount", Value: 0},
		{Key: "deletedCount", Value: 0},
		{Key: "upsertedCount", Value: 0},
		{Key: "upsertedIds", Value: bson.D{}},
	}}
}

func updateResult(r *mongo.UpdateResult) result {
	switch {
	case r == nil:
		return nothing
	case !r.Acknowledged:
		return acknowledgement()
	}
	d := bson.D{
		{Key: "matchedCount", Value: r.MatchedCount},
		{Key: "modifiedCount", Value: r.ModifiedCount},
		{Key: "upsertedCount", Value: r.UpsertedCount},
	}
	if r.UpsertedID != nil {
		d = append(d, bson.E{Key: "upsertedId", Value: r.UpsertedID})
	}
	return result{value: d}
}

func deleteResult(r *mongo.DeleteResult) result {
	switch {
	case r == nil:
		return nothing
	case !r.Acknowledged:
		return acknowledgement()
	}
	return result{value: bson.D{{Key: "deletedCount", Value: r.DeletedCount}}}
}

// bulkResult has no insertedIds, which the Go driver does not give. With an
// error the result is what came before it, and does not say whether it is
// acknowledged.
func bulkResult(r *mongo.BulkWriteResult, err error) result {
	switch {
	case r == nil:
		return nothing
	case !r.Acknowledged && err == nil:
		return acknowledgement()
	}
	ids := bson.D{}
	for i, id := range r.UpsertedIDs {
		ids = append(ids, bson.E{Key: strconv.FormatInt(i, 10), Value: id})
	}
	return result{value: bson.D{
		{Key: "insertedCount", Value: r.InsertedCount},
		{Key: "matchedCount", Value: r.MatchedCount},
		{Key: "modifiedCount", Value: r.ModifiedCount},
		{Key: "deletedCount", Value: r.DeletedCount},
		{Key: "upsertedCount", Value: r.UpsertedCount},
		{Key: "upsertedIds", Value: ids},
	}}
}

func clientBulkResult(r *mongo.ClientBulkWriteResult, err error) result {
	switch {
	case r == nil:
		return nothing
	case !r.Acknowledged && err == nil:
		return acknowledgement()
	}
	inserts, updates, deletes := bson.D{}, bson.D{}, bson.D{}
	for i, one := range r.InsertResults {
		inserts = append(inserts, bson.E{Key: strconv.Itoa(i), Value: bson.D{{Key: "insertedId", Value: one.InsertedID}}})
	}
	for i, one := range r.UpdateResults {
		d := bson.D{{Key: "matchedCount", Value: one.MatchedCount}, {Key: "modifiedCount", Value: one.ModifiedCount}}
		if one.UpsertedID != nil {
			d = append(d, bson.E{Key: "upsertedId", Value: one.UpsertedID})
		}
		updates = append(updates, bson.E{Key: strconv.Itoa(i), Value: d})
	}
	for i, one := range r.DeleteResults {
		deletes = append(deletes, bson.E{Key: strconv.Itoa(i), Value: bson.D{{Key: "deletedCount", Value: one.DeletedCount}}})
	}
	return result{value: bson.D{
		{Key: "insertedCount", Value: r.InsertedCount},
		{Key: "upsertedCount", Value: r.UpsertedCount},
		{Key: "matchedCount", Value: r.MatchedCount},
		{Key: "modifiedCount", Value: r.ModifiedCount},
		{Key: "deletedCount", Value: r.DeletedCount},
		{Key: "insertResults", Value: inserts},
		{Key: "updateResults", Value: updates},
		{Key: "deleteResults", Value: deletes},
	}}
}
