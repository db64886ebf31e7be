package expr_test

import (
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func doc(t testing.TB, json string) value.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(json), false, &d); err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// val reads one value; an empty text is the missing one.
func val(t testing.TB, json string) value.Value {
	t.Helper()
	if json == "" {
		return value.Value{}
	}
	return value.Get(doc(t, `{"v": `+json+`}`), "v")
}

func env() *expr.Env {
	return &expr.Env{
		Now: time.UnixMilli(1_700_000_000_123), ClusterTime: bson.Timestamp{T: 5, I: 6},
		Let: map[string]value.Value{"lim": value.Int(7), "d": value.Document(value.D("x", 8))},
	}
}

const sample = `{"i": 5, "n": -3, "l": {"$numberLong": "9007199254740993"}, "f": 2.5, "m": {"$numberDecimal": "1.10"}, "s": "Héllo",
	"b": true, "z": null, "a": [1, 2, 3], "e": [], "o": {"x": 1, "y": {"z": 2}}, "docs": [{"k": 1, "v": "a"}, 5, {"k": 2}, [{"k": 3}]],
	"t": {"$date": "2024-02-29T13:14:15.678Z"}, "id": {"$oid": "65a000000102030405060708"},
	"big": {"$numberLong": "9223372036854775807"}, "int": 2147483647, "nan": {"$numberDouble": "NaN"}}`

type test struct{ rule, expression, want string }

func run(t *testing.T, tests []test) {
	t.Helper()
	in := doc(t, sample)
	for _, c := range tests {
		e, err := expr.Compile(val(t, c.expression), env())
		if err != nil {
			t.Errorf("%s: %s: %v", c.rule, c.expression, err)
			continue
		}
		got, err := e.Eval(in)
		if want := val(t, c.want); err != nil || got.Type != want.Type || got.String() != want.String() {
			t.Errorf("%s: %s = %v (%s) %v, want %v (%s)", c.rule, c.expression, got, value.TypeName(got.Type), err, want, value.TypeName(want.Type))
		}
	}
}

func TestPaths(t *testing.T) {
	run(t, []test{
		{"a field", `"$i"`, `5`},
		{"a missing field", `"$nope"`, ``},
		{"a nested field", `"$o.y.z"`, `2`},
		{"below a scalar", `"$i.x"`, ``},
		{"through an array: its documents' values", `"$docs.k"`, `[1, 2]`},
		{"below an array of scalars", `"$a.x"`, `[]`},
		{"numbers are no positions", `"$a.0"`, `[]`},
		{"the document", `"$$ROOT.i"`, `5`},
		{"$$CURRENT is the document", `"$$CURRENT.i"`, `5`},
		{"$$REMOVE is missing", `"$$REMOVE"`, ``},
		{"$$NOW", `"$$NOW"`, `{"$date": {"$numberLong": "1700000000123"}}`},
		{"$$CLUSTER_TIME", `"$$CLUSTER_TIME"`, `{"$timestamp": {"t": 5, "i": 6}}`},
		{"variables of the operation", `["$$lim", "$$d.x"]`, `[7, 8]`},
		{"objects; what is missing stays out", `{"p": "$i", "q": "$nope", "r": {"s": "$f"}}`, `{"p": 5, "r": {"s": 2.5}}`},
		{"arrays; what is missing is null", `["$i", "$nope", "x"]`, `[5, null, "x"]`},
		{"an empty object", `{}`, `{}`},
		{"$literal", `{"$literal": {"$add": ["$i", 1]}}`, `{"$add": ["$i", 1]}`},
		{"$let: variables do not see each other", `{"$let": {"vars": {"lim": 1, "y": "$$lim"}, "in": ["$$lim", "$$y"]}}`, `[1, 7]`},
		{"$let may set $$CURRENT", `{"$let": {"vars": {"CURRENT": "$o"}, "in": ["$x", "$$ROOT.i"]}}`, `[1, 5]`},
	})
}

func TestControl(t *testing.T) {
	run(t, []test{
		{"$eq across numeric types", `{"$eq": ["$i", 5.0]}`, `true`},
		{"missing is not null", `{"$eq": ["$nope", null]}`, `false`},
		{"missing is below null", `{"$lt": ["$nope", null]}`, `true`},
		{"types compare in their order", `{"$gt": ["$s", "$i"]}`, `true`},
		{"$cmp", `[{"$cmp": [1, 2]}, {"$cmp": [2, 2]}, {"$cmp": ["a", 2]}]`, `[-1, 0, 1]`},
		{"$ne $lte $gte", `[{"$ne": [1, 1]}, {"$lte": [1, 1]}, {"$gte": [1, 2]}]`, `[false, true, false]`},
		{"$and of nothing, and of what counts", `[{"$and": []}, {"$and": [1, "x", []]}, {"$and": [1, 0]}, {"$and": [null]}]`, `[true, true, false, false]`},
		{"$or", `[{"$or": []}, {"$or": [false, "$i"]}, {"$or": ["$nope"]}]`, `[false, true, false]`},
		{"$or stops", `{"$or": [true, {"$divide": [1, 0]}]}`, `true`},
		{"$not", `[{"$not": ["$b"]}, {"$not": "$z"}]`, `[false, true]`},
		{"$cond as an array", `{"$cond": ["$b", "yes", {"$divide": [1, 0]}]}`, `"yes"`},
		{"$cond with names", `{"$cond": {"if": "$z", "then": 1, "else": 2}}`, `2`},
		{"$ifNull: the first that is not null", `[{"$ifNull": ["$z", "$nope", 3]}, {"$ifNull": ["$i", 3]}]`, `[3, 5]`},
		{"$ifNull: the last otherwise", `{"$ifNull": ["$i.x", "$nope"]}`, ``},
		{"$switch", `{"$switch": {"branches": [{"case": "$z", "then": 1}, {"case": {"$eq": ["$i", 5]}, "then": 2}], "default": 3}}`, `2`},
		{"$switch: default", `{"$switch": {"branches": [{"case": false, "then": 1}], "default": 3}}`, `3`},
		{"$type", `[{"$type": "$nope"}, {"$type": "$l"}, {"$type": "$o"}, {"$type": "$z"}, {"$type": ["$a"]}, {"$type": "$id"}]`, `["missing", "long", "object", "null", "array", "objectId"]`},
		{"$isNumber", `[{"$isNumber": "$m"}, {"$isNumber": "$s"}]`, `[true, false]`},
	})
}

func TestArithmetic(t *testing.T) {
	run(t, []test{
		{"$add", `[{"$add": ["$i", 1]}, {"$add": ["$i", "$f"]}, {"$add": []}, {"$add": [1, "$nope"]}]`, `[6, 7.5, 0, null]`},
		{"null decides before what follows it", `[{"$add": [null, "x"]}, {"$multiply": ["$nope", "x"]}, {"$concatArrays": [null, 1]}]`, `[null, null, null]`},
		{"an int becomes a long", `{"$add": ["$int", 1]}`, `{"$numberLong": "2147483648"}`},
		{"a long stays one", `{"$add": [{"$numberLong": "1"}, 1]}`, `{"$numberLong": "2"}`},
		{"a long becomes a double", `{"$add": ["$big", 1]}`, `9223372036854775808.0`},
		{"decimals", `{"$add": ["$m", 1]}`, `{"$numberDecimal": "2.10"}`},
		{"a double in decimals has 15 digits", `{"$add": ["$m", 0.5]}`, `{"$numberDecimal": "1.600000000000000"}`},
		{"dates", `{"$add": ["$t", 1000]}`, `{"$date": "2024-02-29T13:14:16.678Z"}`},
		{"$subtract", `[{"$subtract": ["$i", 7]}, {"$subtract": ["$i", 0.5]}]`, `[-2, 4.5]`},
		{"$subtract dates: milliseconds", `{"$subtract": ["$t", {"$subtract": ["$t", 5]}]}`, `{"$numberLong": "5"}`},
		{"$multiply", `[{"$multiply": ["$i", "$n"]}, {"$multiply": ["$int", 2]}, {"$multiply": []}]`, `[-15, {"$numberLong": "4294967294"}, 1]`},
		{"$multiply of decimals", `{"$multiply": ["$m", "$m"]}`, `{"$numberDecimal": "1.2100"}`},
		{"$divide is double", `[{"$divide": [6, 3]}, {"$divide": [1, 4]}]`, `[2.0, 0.25]`},
		{"$divide of decimals", `{"$divide": [{"$numberDecimal": "1"}, 3]}`, `{"$numberDecimal": "0.3333333333333333333333333333333333"}`},
		{"$divide of decimals that comes out even", `{"$divide": ["$m", 4]}`, `{"$numberDecimal": "0.275"}`},
		{"$mod: sign of the dividend", `[{"$mod": ["$n", 2]}, {"$mod": [5.5, 2]}, {"$mod": ["$l", 10]}]`, `[-1, 1.5, {"$numberLong": "3"}]`},
		{"$mod of decimals", `{"$mod": [{"$numberDecimal": "5.5"}, 2]}`, `{"$numberDecimal": "1.5"}`},
		{"$abs", `[{"$abs": "$n"}, {"$abs": [-2.5]}, {"$abs": null}]`, `[3, 2.5, null]`},
		{"$ceil $floor", `[{"$ceil": 2.1}, {"$floor": -2.1}, {"$ceil": "$i"}, {"$floor": {"$numberDecimal": "-1.5"}}]`, `[3.0, -3.0, 5, {"$numberDecimal": "-2"}]`},
		{"$round: half to even", `[{"$round": 2.5}, {"$round": 3.5}, {"$round": [19.25, 1]}, {"$round": [28.73, -1]}, {"$round": [1234, -2]}]`, `[2.0, 4.0, 19.2, 30.0, 1200]`},
		{"$trunc", `[{"$trunc": -2.7}, {"$trunc": [2.79, 1]}, {"$trunc": [1299, -2]}]`, `[-2.0, 2.7, 1200]`},
		{"$pow: whole where it fits", `[{"$pow": [2, 10]}, {"$pow": [2, 40]}, {"$pow": [2, -1]}, {"$pow": [2, 0.5]}]`, `[1024, {"$numberLong": "1099511627776"}, 0.5, 1.4142135623730951]`},
		{"$sqrt $exp $ln $log10 $log", `[{"$sqrt": 9}, {"$exp": 0}, {"$ln": 1}, {"$log10": 1000}, {"$log": [8, 2]}]`, `[3.0, 1.0, 0.0, 3.0, 3.0]`},
		{"$sum $avg of arguments", `[{"$sum": ["$i", 1, "x", null]}, {"$avg": [1, 2]}, {"$sum": "$a"}, {"$avg": "$a"}, {"$avg": "$e"}, {"$sum": "$s"}]`, `[6, 1.5, 6, 2.0, null, 0]`},
		{"$sum compensates", `{"$sum": [1e100, 1.0, -1e100]}`, `1.0`},
		{"$sum of longs beyond 64 bits and back", `{"$sum": ["$big", "$big", {"$multiply": ["$big", -1]}]}`, `{"$numberLong": "9223372036854775807"}`},
		{"$min $max", `[{"$min": "$a"}, {"$max": [1, null, "x"]}, {"$min": "$e"}]`, `[1, "x", null]`},
	})
}

func TestArrays(t *testing.T) {
	run(t, []test{
		{"$size", `[{"$size": "$a"}, {"$size": [[1, 2]]}]`, `[3, 2]`},
		{"$isArray", `[{"$isArray": "$a"}, {"$isArray": [[1]]}, {"$isArray": "$s"}]`, `[true, true, false]`},
		{"$arrayElemAt", `[{"$arrayElemAt": ["$a", 0]}, {"$arrayElemAt": ["$a", -1]}, {"$arrayElemAt": ["$z", 0]}]`, `[1, 3, null]`},
		{"$arrayElemAt beyond the end", `{"$arrayElemAt": ["$a", 3]}`, ``},
		{"$first $last", `[{"$first": "$a"}, {"$last": "$a"}, {"$last": [[7]]}]`, `[1, 3, 7]`},
		{"$in", `[{"$in": [2.0, "$a"]}, {"$in": [9, "$a"]}]`, `[true, false]`},
		{"$slice", `[{"$slice": ["$a", 2]}, {"$slice": ["$a", -2]}, {"$slice": ["$a", 1, 1]}, {"$slice": ["$a", -5, 2]}, {"$slice": ["$z", 1]}]`, `[[1, 2], [2, 3], [2], [1, 2], null]`},
		{"$concatArrays", `[{"$concatArrays": ["$a", [4]]}, {"$concatArrays": ["$a", null]}]`, `[[1, 2, 3, 4], null]`},
		{"$indexOfArray", `[{"$indexOfArray": ["$a", 2]}, {"$indexOfArray": ["$a", 9]}, {"$indexOfArray": ["$a", 1, 1]}, {"$indexOfArray": ["$z", 1]}]`, `[1, -1, -1, null]`},
		{"$reverseArray", `{"$reverseArray": "$a"}`, `[3, 2, 1]`},
		{"$range", `[{"$range": [0, 6, 2]}, {"$range": [3, 0, -1]}, {"$range": [0, 0]}]`, `[[0, 2, 4], [3, 2, 1], []]`},
		{"$map", `{"$map": {"input": "$a", "as": "x", "in": {"$add": ["$$x", "$i"]}}}`, `[6, 7, 8]`},
		{"$map: $$this; what is missing is null", `{"$map": {"input": "$docs", "in": "$$this.v"}}`, `["a", null, null, []]`},
		{"$map of null", `{"$map": {"input": "$z", "in": 1}}`, `null`},
		{"$map within $map", `{"$map": {"input": [[1, 2], [3]], "as": "r", "in": {"$map": {"input": "$$r", "in": ["$$this", {"$size": "$$r"}]}}}}`, `[[[1, 2], [2, 2]], [[3, 1]]]`},
		{"$filter", `{"$filter": {"input": "$a", "cond": {"$gt": ["$$this", 1]}}}`, `[2, 3]`},
		{"$filter with a limit", `{"$filter": {"input": "$a", "as": "x", "cond": {"$gt": ["$$x", 1]}, "limit": 1}}`, `[2]`},
		{"$reduce", `{"$reduce": {"input": "$a", "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}`, `6`},
		{"$objectToArray", `{"$objectToArray": {"p": 1}}`, `[{"k": "p", "v": 1}]`},
		{"$arrayToObject of pairs", `{"$arrayToObject": [[["p", 1], ["q", 2], ["p", 3]]]}`, `{"p": 3, "q": 2}`},
		{"$arrayToObject of k and v", `{"$arrayToObject": {"$literal": [{"k": "p", "v": 1}]}}`, `{"p": 1}`},
		{"$setUnion $setIntersection $setDifference", `[{"$setUnion": ["$a", [3, 4, 4.0]]}, {"$setIntersection": ["$a", [3, 2, 9]]}, {"$setDifference": ["$a", [2]]}]`, `[[1, 2, 3, 4], [2, 3], [1, 3]]`},
		{"$setEquals $setIsSubset", `[{"$setEquals": ["$a", [3, 2, 1, 1]]}, {"$setIsSubset": [[1], "$a"]}, {"$setIsSubset": [[9], "$a"]}]`, `[true, true, false]`},
		{"$allElementsTrue $anyElementTrue", `[{"$allElementsTrue": ["$a"]}, {"$allElementsTrue": [[1, 0]]}, {"$anyElementTrue": [[null, 1]]}, {"$anyElementTrue": ["$e"]}]`, `[true, false, true, false]`},
		{"$sortArray", `[{"$sortArray": {"input": [3, 1, 2], "sortBy": -1}}, {"$sortArray": {"input": [{"p": 2}, {"p": 1, "q": 1}], "sortBy": {"p": 1}}}]`, `[[3, 2, 1], [{"p": 1, "q": 1}, {"p": 2}]]`},
		{"$mergeObjects", `[{"$mergeObjects": ["$o", {"x": 2, "n": 1}, null]}, {"$mergeObjects": "$nope"}]`, `[{"x": 2, "y": {"z": 2}, "n": 1}, {}]`},
		{"$getField", `[{"$getField": "i"}, {"$getField": {"field": "x", "input": "$o"}}, {"$getField": {"$literal": "$p"}}]`, `[5, 1, null]`},
		{"$setField $unsetField", `[{"$setField": {"field": "a.b", "input": {"p": 1}, "value": 2}}, {"$unsetField": {"field": "p", "input": {"p": 1, "q": 2}}}]`, `[{"p": 1, "a.b": 2}, {"q": 2}]`},
	})
}

func TestTexts(t *testing.T) {
	run(t, []test{
		{"$concat", `[{"$concat": ["a", "$s"]}, {"$concat": ["a", null]}, {"$concat": []}]`, `["aHéllo", null, ""]`},
		{"$toLower $toUpper: ASCII; null is empty", `[{"$toLower": "$s"}, {"$toUpper": "$s"}, {"$toUpper": "$z"}, {"$toLower": "$i"}]`, `["héllo", "HéLLO", "", "5"]`},
		{"$strLenCP $strLenBytes", `[{"$strLenCP": "$s"}, {"$strLenBytes": "$s"}]`, `[5, 6]`},
		{"$substrCP", `[{"$substrCP": ["$s", 1, 2]}, {"$substrCP": ["$s", 9, 2]}]`, `["él", ""]`},
		{"$substrBytes", `[{"$substrBytes": ["$s", 0, 1]}, {"$substrBytes": ["$s", 3, -1]}, {"$substr": [123, 1, 1]}]`, `["H", "llo", "2"]`},
		{"$split", `[{"$split": ["a-b--c", "-"]}, {"$split": ["$z", "-"]}]`, `[["a", "b", "", "c"], null]`},
		{"$trim", `[{"$trim": {"input": " a \n"}}, {"$ltrim": {"input": "xxay", "chars": "xy"}}, {"$rtrim": {"input": "xay", "chars": "xy"}}]`, `["a", "ay", "xa"]`},
		{"$indexOfCP", `[{"$indexOfCP": ["$s", "l"]}, {"$indexOfCP": ["$s", "l", 3]}, {"$indexOfCP": ["$s", "x"]}, {"$indexOfCP": ["$z", "x"]}]`, `[2, 3, -1, null]`},
		{"$regexMatch", `[{"$regexMatch": {"input": "$s", "regex": "^h", "options": "i"}}, {"$regexMatch": {"input": "$z", "regex": "a"}}]`, `[true, false]`},
		{"$replaceOne $replaceAll", `[{"$replaceOne": {"input": "aa", "find": "a", "replacement": "b"}}, {"$replaceAll": {"input": "aa", "find": "a", "replacement": "b"}}]`, `["ba", "bb"]`},
		{"$toString", `[{"$toString": "$f"}, {"$toString": 3.0}, {"$toString": "$b"}, {"$toString": "$id"}, {"$toString": "$t"}, {"$toString": 1e20}, {"$toString": 1000000.0}, {"$toString": "$z"}]`,
			`["2.5", "3", "true", "65a000000102030405060708", "2024-02-29T13:14:15.678Z", "1e+20", "1000000", null]`},
		{"$toInt $toLong $toDouble", `[{"$toInt": 2.9}, {"$toInt": "12"}, {"$toLong": "$t"}, {"$toDouble": "2.5"}, {"$toInt": true}]`, `[2, 12, {"$numberLong": "1709212455678"}, 2.5, 1]`},
		{"$toDecimal of a double has 15 digits", `{"$toDecimal": "$f"}`, `{"$numberDecimal": "2.50000000000000"}`},
		{"$toBool", `[{"$toBool": 0}, {"$toBool": "false"}, {"$toBool": "$t"}, {"$toBool": "$nope"}]`, `[false, true, true, null]`},
		{"$toDate", `[{"$toDate": "2024-02-29"}, {"$toDate": "2024-02-29T13:14:15.678+01:00"}, {"$toDate": {"$numberLong": "5"}}, {"$toDate": "$id"}]`,
			`[{"$date": "2024-02-29T00:00:00Z"}, {"$date": "2024-02-29T12:14:15.678Z"}, {"$date": {"$numberLong": "5"}}, {"$date": "2024-01-11T14:49:36Z"}]`},
		{"$toObjectId", `{"$toObjectId": "65a000000102030405060708"}`, `{"$oid": "65a000000102030405060708"}`},
		{"$convert", `[{"$convert": {"input": "x", "to": "int", "onError": "bad"}}, {"$convert": {"input": null, "to": 16, "onNull": "none"}}, {"$convert": {"input": 1, "to": "bool"}}]`, `["bad", "none", true]`},
	})
}

func TestDates(t *testing.T) {
	run(t, []test{
		{"parts", `[{"$year": "$t"}, {"$month": "$t"}, {"$dayOfMonth": "$t"}, {"$hour": "$t"}, {"$minute": "$t"}, {"$second": "$t"}, {"$millisecond": "$t"}, {"$dayOfWeek": "$t"}, {"$dayOfYear": "$t"}]`,
			`[2024, 2, 29, 13, 14, 15, 678, 5, 60]`},
		{"parts in a zone", `[{"$hour": {"date": "$t", "timezone": "+05:30"}}, {"$hour": {"date": "$t", "timezone": "America/New_York"}}, {"$hour": {"date": "$nope"}}]`, `[18, 8, null]`},
		{"$dateToString", `[{"$dateToString": {"date": "$t"}}, {"$dateToString": {"date": "$t", "format": "%d/%m/%Y %j %U %V %u %w %z %%", "timezone": "+01:00"}}, {"$dateToString": {"date": "$z", "onNull": "-"}}]`,
			`["2024-02-29T13:14:15.678Z", "29/02/2024 060 08 09 4 5 +0100 %", "-"]`},
		{"$dateTrunc", `[{"$dateTrunc": {"date": "$t", "unit": "hour"}}, {"$dateTrunc": {"date": "$t", "unit": "month"}}, {"$dateTrunc": {"date": "$t", "unit": "year"}}, {"$dateTrunc": {"date": "$t", "unit": "quarter"}}]`,
			`[{"$date": "2024-02-29T13:00:00Z"}, {"$date": "2024-02-01T00:00:00Z"}, {"$date": "2024-01-01T00:00:00Z"}, {"$date": "2024-01-01T00:00:00Z"}]`},
		{"$dateTrunc to weeks, bins, zones", `[{"$dateTrunc": {"date": "$t", "unit": "week"}}, {"$dateTrunc": {"date": "$t", "unit": "week", "startOfWeek": "Mon"}}, {"$dateTrunc": {"date": "$t", "unit": "minute", "binSize": 5}}, {"$dateTrunc": {"date": "$t", "unit": "day", "timezone": "+05:00"}}]`,
			`[{"$date": "2024-02-25T00:00:00Z"}, {"$date": "2024-02-26T00:00:00Z"}, {"$date": "2024-02-29T13:10:00Z"}, {"$date": "2024-02-28T19:00:00Z"}]`},
		{"$dateAdd: months end at their last day", `[{"$dateAdd": {"startDate": "$t", "unit": "year", "amount": 1}}, {"$dateAdd": {"startDate": "$t", "unit": "month", "amount": 12}}, {"$dateSubtract": {"startDate": "$t", "unit": "day", "amount": 1}}]`,
			`[{"$date": "2025-02-28T13:14:15.678Z"}, {"$date": "2025-02-28T13:14:15.678Z"}, {"$date": "2024-02-28T13:14:15.678Z"}]`},
		{"$dateAdd: days keep the time of day in a zone", `[{"$dateAdd": {"startDate": {"$date": "2024-03-30T12:00:00Z"}, "unit": "day", "amount": 1, "timezone": "Europe/Berlin"}}, {"$dateAdd": {"startDate": {"$date": "2024-03-30T12:00:00Z"}, "unit": "hour", "amount": 24, "timezone": "Europe/Berlin"}}]`,
			`[{"$date": "2024-03-31T11:00:00Z"}, {"$date": "2024-03-31T12:00:00Z"}]`},
		{"$dateDiff counts boundaries", `[{"$dateDiff": {"startDate": {"$date": "2023-12-31T23:59:59Z"}, "endDate": {"$date": "2024-01-01T00:00:00Z"}, "unit": "year"}}, {"$dateDiff": {"startDate": {"$date": "2023-12-31T23:59:59Z"}, "endDate": "$t", "unit": "day"}}, {"$dateDiff": {"startDate": "$t", "endDate": {"$date": "2024-02-25T00:00:00Z"}, "unit": "week"}}, {"$dateDiff": {"startDate": "$t", "endDate": {"$date": "2024-02-29T14:00:00Z"}, "unit": "hour"}}]`,
			`[{"$numberLong": "1"}, {"$numberLong": "60"}, {"$numberLong": "0"}, {"$numberLong": "1"}]`},
	})
}

func TestErrors(t *testing.T) {
	in := doc(t, sample)
	for _, c := range []struct {
		rule, expression string
		code             fault.Code
	}{
		{"unknown operators", `{"$nope": 1}`, fault.InvalidPipelineOperator},
		{"real ones that are not offered", `{"$zip": {"inputs": []}}`, fault.CommandNotSupported},
		{"two operators", `{"$add": [1], "$size": 1}`, 15983},
		{"an operator behind a name", `{"a": 1, "$size": 1}`, 16410},
		{"names with dots", `{"a.b": 1}`, 16412},
		{"$ alone", `"$"`, 16872},
		{"a path that ends with a dot", `"$a."`, 40353},
		{"a path with an empty name", `"$a..b"`, 15998},
		{"unknown variables", `"$$nope"`, 17276},
		{"variables that are not offered", `"$$DESCEND"`, fault.CommandNotSupported},
		{"names of variables", `{"$let": {"vars": {"Up": 1}, "in": 1}}`, 16867},
		{"too few arguments", `{"$eq": [1]}`, 16020},
		{"too many arguments", `{"$slice": [1, 2, 3, 4]}`, 28667},
		{"$cond without else", `{"$cond": {"if": 1, "then": 2}}`, 17082},
		{"$switch without branches", `{"$switch": {"branches": []}}`, 40068},
		{"$switch with no branch that holds", `{"$switch": {"branches": [{"case": false, "then": 1}]}}`, 40066},
		{"$add of strings", `{"$add": [1, "$s"]}`, fault.TypeMismatch},
		{"$add of two dates", `{"$add": ["$t", "$t"]}`, 16612},
		{"$divide by zero", `{"$divide": [1, 0]}`, fault.BadValue},
		{"$mod by zero", `{"$mod": [1, 0.0]}`, 16610},
		{"$abs of a string", `{"$abs": "$s"}`, 28765},
		{"$sqrt below zero", `{"$sqrt": -1}`, 28714},
		{"$ln of zero", `{"$ln": 0}`, 28766},
		{"$pow of zero", `{"$pow": [0, -1]}`, 28764},
		{"$size of no array", `{"$size": "$nope"}`, 17124},
		{"$in of no array", `{"$in": [1, "$s"]}`, 40081},
		{"$arrayElemAt with a fraction", `{"$arrayElemAt": ["$a", 1.5]}`, 28691},
		{"$range without a step", `{"$range": [0, 1, 0]}`, 34449},
		{"$map of no array", `{"$map": {"input": "$s", "in": 1}}`, 16883},
		{"$filter without cond", `{"$filter": {"input": "$a"}}`, 28650},
		{"$reduce of no array", `{"$reduce": {"input": 1, "initialValue": 1, "in": 1}}`, 40080},
		{"$concat of a number", `{"$concat": ["a", 1]}`, 16702},
		{"$strLenCP of null", `{"$strLenCP": "$z"}`, 34471},
		{"$substrBytes within a character", `{"$substrBytes": ["$s", 2, 1]}`, 28656},
		{"$substrBytes from NaN", `{"$substrBytes": ["$s", "$nan", 1]}`, 50752},
		{"$mergeObjects of a scalar", `{"$mergeObjects": [1]}`, 40400},
		{"$toInt of a text", `{"$toInt": "x"}`, fault.ConversionFailure},
		{"$toInt beyond 32 bits", `{"$toInt": "$l"}`, fault.ConversionFailure},
		{"$toDate of an int", `{"$toDate": 1}`, fault.ConversionFailure},
		{"$year of a string", `{"$year": "$s"}`, 16006},
		{"zones that are none", `{"$year": {"date": "$t", "timezone": "No/Where"}}`, 40485},
		{"formats that are none", `{"$dateToString": {"date": "$t", "format": "%q"}}`, 18536},
		{"units that are none", `{"$dateTrunc": {"date": "$t", "unit": "eon"}}`, fault.FailedToParse},
		{"texts that double without end", `{"$reduce": {"input": {"$range": [0, 100]}, "initialValue": "x", "in": {"$concat": ["$$value", "$$value"]}}}`, 146},
		{"arrays that double without end", `{"$reduce": {"input": {"$range": [0, 100]}, "initialValue": ["` + strings.Repeat("x", 1000) + `"], "in": {"$concatArrays": ["$$value", "$$value"]}}}`, 146},
		{"values that nest without end", `{"$reduce": {"input": {"$range": [0, 1000]}, "initialValue": 1, "in": ["$$value"]}}`, fault.Overflow},
		{"ranges without end", `{"$range": [0, 2147483647]}`, 146},
	} {
		e, err := expr.Compile(val(t, c.expression), env())
		if err == nil {
			_, err = e.Eval(in)
		}
		if !fault.Is(err, c.code) {
			t.Errorf("%s: %s: %v, want code %d", c.rule, c.expression, err, c.code)
		}
	}
	for _, name := range []string{"NOW", "CLUSTER_TIME"} {
		if _, err := expr.Compile(value.String("$$"+name), nil); !fault.Is(err, 51144) {
			t.Errorf("$$%s without one: %v", name, err)
		}
	}
}

func TestVariables(t *testing.T) {
	at := env()
	e, err := expr.Compile(val(t, `["$$lim", "$i"]`), at)
	if err != nil {
		t.Fatal(err)
	}
	in := doc(t, sample)
	show := func(vars map[string]value.Value) string {
		v, err := e.EvalIn(in, vars)
		if err != nil {
			t.Fatal(err)
		}
		return v.String()
	}
	if got, want := show(nil), val(t, `[7, 5]`).String(); got != want {
		t.Errorf("from Env: %s, want %s", got, want)
	}
	if got, want := show(map[string]value.Value{"lim": value.Int(8)}), val(t, `[8, 5]`).String(); got != want {
		t.Errorf("from vars: %s, want %s", got, want)
	}
	at.Let["lim"] = value.Int(9)
	if got, want := show(nil), val(t, `[9, 5]`).String(); got != want {
		t.Errorf("changed since: %s, want %s", got, want)
	}
	if _, ok := e.Constant(); ok {
		t.Error("a path is constant")
	}
	if e, err = expr.Compile(val(t, `{"a": [1, {"$literal": "$x"}]}`), nil); err != nil {
		t.Fatal(err)
	}
	if v, ok := e.Constant(); !ok || v.String() != val(t, `{"a": [1, "$x"]}`).String() {
		t.Errorf("Constant = %v, %v", v, ok)
	}
}

func TestCollation(t *testing.T) {
	by, err := collation.Parse(value.D("locale", "en", "strength", 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"$eq": ["a", "A"]}`, `{"$in": ["a", ["A"]]}`, `{"$eq": [{"$size": {"$setUnion": [["a"], ["A"]]}}, 1]}`,
		`{"$eq": [{"$indexOfArray": [["x", "A"], "a"]}, 1]}`, `{"$eq": [{"$max": ["a", "B"]}, "B"]}`,
	} {
		e, err := expr.Compile(val(t, text), &expr.Env{Collation: by})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := e.Eval(nil); err != nil || !value.Truthy(v) {
			t.Errorf("%s = %v, %v", text, v, err)
		}
	}
}
