package mongotest_test

// Expressions: the manual's "Aggregation Operators".
var expressionParts = []part{
	{"arithmetic expressions", arithmeticExpressions},
	{"comparisons and conditions", conditionExpressions},
	{"expressions on arrays and objects", arrayExpressions},
	{"expressions on texts, types and dates", textExpressions},
	{"expressions that fail", badExpressions},
}

func arithmeticExpressions(x *trial) {
	x.insert(`{"_id": 1, "i": 7, "l": {"$numberLong": "7"}, "d": 7.5, "m": {"$numberDecimal": "7.5"}, "n": null, "t": {"$date": "2020-01-01T00:00:00Z"}, "big": 2147483647}`)
	for _, c := range [][2]string{
		{`{"$add": ["$i", 1]}`, `8`}, {`{"$add": ["$i", "$l"]}`, `{"$numberLong": "14"}`}, {`{"$add": ["$i", "$d"]}`, `14.5`}, {`{"$add": ["$i", "$m"]}`, `{"$numberDecimal": "14.5"}`},
		{`{"$add": ["$big", 1]}`, `{"$numberLong": "2147483648"}`}, {`{"$add": ["$i", "$n"]}`, `null`}, {`{"$add": ["$i", "$zz"]}`, `null`}, {`{"$add": []}`, `0`},
		{`{"$add": ["$t", 1000]}`, `{"$date": "2020-01-01T00:00:01Z"}`}, {`{"$subtract": ["$t", "$t"]}`, `{"$numberLong": "0"}`}, {`{"$subtract": ["$i", 10]}`, `-3`},
		{`{"$multiply": ["$big", 2]}`, `{"$numberLong": "4294967294"}`}, {`{"$multiply": ["$i", 0.5]}`, `3.5`}, {`{"$divide": ["$i", 2]}`, `3.5`}, {`{"$divide": [6, 2]}`, `3.0`},
		{`{"$mod": ["$i", 4]}`, `3`}, {`{"$mod": [-7, 4]}`, `-3`}, {`{"$abs": -3}`, `3`}, {`{"$ceil": 1.2}`, `2.0`}, {`{"$floor": -1.2}`, `-2.0`}, {`{"$trunc": -1.7}`, `-1.0`},
		{`{"$round": [2.5, 0]}`, `2.0`}, {`{"$round": [1.2345, 2]}`, `1.23`}, {`{"$sum": [1, "x", 2]}`, `3`}, {`{"$avg": [1, 2]}`, `1.5`}, {`{"$max": [1, "a", null]}`, `"a"`}, {`{"$min": [3, null, 1]}`, `1`},
	} {
		x.evaluates(c[0], c[1])
	}
}

func conditionExpressions(x *trial) {
	x.insert(`{"_id": 1, "a": 1, "s": "x", "n": null, "l": [1, 2], "z": 0}`)
	for _, c := range [][2]string{
		{`{"$eq": ["$a", 1.0]}`, `true`}, {`{"$ne": ["$a", "1"]}`, `true`}, {`{"$gt": ["$s", "$a"]}`, `true`}, {`{"$lt": ["$n", "$a"]}`, `true`}, {`{"$lt": ["$zz", null]}`, `true`}, // no bracketing here
		{`{"$eq": ["$zz", null]}`, `false`}, {`{"$cmp": [1, 2]}`, `-1`}, {`{"$cmp": ["a", 2]}`, `1`}, {`{"$gte": ["$l", 5]}`, `true`},
		{`{"$and": [1, "$s", "$l"]}`, `true`}, {`{"$and": []}`, `true`}, {`{"$or": []}`, `false`}, {`{"$or": ["$n", "$z", "$zz"]}`, `false`}, {`{"$not": ["$n"]}`, `true`}, {`{"$not": [""]}`, `false`},
		{`{"$cond": [{"$gt": ["$a", 0]}, "yes", "no"]}`, `"yes"`}, {`{"$cond": {"if": "$n", "then": 1, "else": "$s"}}`, `"x"`}, {`{"$cond": [false, 1, "$zz"]}`, ``},
		{`{"$ifNull": ["$n", "$zz", 5]}`, `5`}, {`{"$ifNull": ["$a", 5]}`, `1`}, {`{"$ifNull": ["$zz", "$zz"]}`, ``},
		{`{"$switch": {"branches": [{"case": {"$eq": ["$a", 2]}, "then": "two"}, {"case": {"$eq": ["$a", 1]}, "then": "one"}], "default": "none"}}`, `"one"`},
		{`{"$switch": {"branches": [{"case": false, "then": 1}], "default": "none"}}`, `"none"`},
		{`{"$in": [2, "$l"]}`, `true`}, {`{"$let": {"vars": {"q": {"$add": ["$a", 1]}}, "in": {"$multiply": ["$$q", 10]}}}`, `20`}, {`{"$literal": "$a"}`, `"$a"`}, {`"$l.a"`, `[]`}, {`"$$ROOT.a"`, `1`}, {`"$$CURRENT.s"`, `"x"`},
	} {
		x.evaluates(c[0], c[1])
	}
}

func arrayExpressions(x *trial) {
	x.insert(`{"_id": 1, "l": [3, 1, 2], "o": [{"a": 1}, {"a": 2}, {"b": 3}], "e": [], "d": {"x": 1, "y": {"z": 2}}, "s": "no array", "n": null}`)
	for _, c := range [][2]string{
		{`{"$size": "$l"}`, `3`}, {`{"$isArray": "$l"}`, `true`}, {`{"$isArray": ["$s"]}`, `false`}, {`{"$arrayElemAt": ["$l", 0]}`, `3`}, {`{"$arrayElemAt": ["$l", -1]}`, `2`}, {`{"$arrayElemAt": ["$l", 9]}`, ``},
		{`{"$first": "$l"}`, `3`}, {`{"$last": "$l"}`, `2`}, {`{"$first": "$e"}`, ``}, {`"$o.a"`, `[1, 2]`}, {`{"$slice": ["$l", 2]}`, `[3, 1]`}, {`{"$slice": ["$l", -2]}`, `[1, 2]`}, {`{"$slice": ["$l", 1, 1]}`, `[1]`},
		{`{"$map": {"input": "$l", "as": "v", "in": {"$add": ["$$v", 1]}}}`, `[4, 2, 3]`}, {`{"$map": {"input": "$n", "in": "$$this"}}`, `null`},
		{`{"$filter": {"input": "$l", "cond": {"$gt": ["$$this", 1]}}}`, `[3, 2]`}, {`{"$filter": {"input": "$o", "as": "v", "cond": {"$gte": ["$$v.a", 2]}}}`, `[{"a": 2}]`}, {`{"$filter": {"input": "$l", "cond": true, "limit": 1}}`, `[3]`},
		{`{"$reduce": {"input": "$l", "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}`, `6`}, {`{"$concatArrays": ["$l", [9], "$e"]}`, `[3, 1, 2, 9]`}, {`{"$concatArrays": ["$l", "$n"]}`, `null`},
		{`{"$reverseArray": "$l"}`, `[2, 1, 3]`}, {`{"$range": [0, 5, 2]}`, `[0, 2, 4]`}, {`{"$indexOfArray": ["$l", 2]}`, `2`}, {`{"$indexOfArray": ["$l", 7]}`, `-1`},
		{`{"$objectToArray": "$d"}`, `[{"k": "x", "v": 1}, {"k": "y", "v": {"z": 2}}]`}, {`{"$arrayToObject": [[["a", 1], ["b", 2]]]}`, `{"a": 1, "b": 2}`},
		{`{"$mergeObjects": ["$d", {"x": 5}, "$n"]}`, `{"x": 5, "y": {"z": 2}}`}, {`{"$setUnion": [[1], [1]]}`, `[1]`}, {`{"$setIsSubset": [[1, 2], "$l"]}`, `true`}, {`{"$allElementsTrue": [[true, 1]]}`, `true`}, {`{"$anyElementTrue": [[0, false]]}`, `false`},
		{`"$d.y.z"`, `2`}, {`"$s.x"`, ``}, {`{"a": "$d.x", "b": "$zz"}`, `{"a": 1}`}, {`["$d.x", "$zz"]`, `[1, null]`}, {`{"$sum": "$l"}`, `6`}, {`{"$max": "$l"}`, `3`},
		{`{"$sortArray": {"input": "$l", "sortBy": 1}}`, `[1, 2, 3]`}, {`{"$getField": {"field": "x", "input": "$d"}}`, `1`},
	} {
		x.evaluates(c[0], c[1])
	}
}

func textExpressions(x *trial) {
	x.insert(`{"_id": 1, "s": "Hello", "i": 5, "d": 1.5, "t": {"$date": "2020-03-15T10:20:30.456Z"}, "o": {"$oid": "5f0000000000000000000000"}, "n": null, "b": true}`)
	for _, c := range [][2]string{
		{`{"$concat": ["$s", " ", "world"]}`, `"Hello world"`}, {`{"$concat": ["$s", "$n"]}`, `null`}, {`{"$toUpper": "$s"}`, `"HELLO"`}, {`{"$toLower": "$s"}`, `"hello"`}, {`{"$toUpper": "$n"}`, `""`},
		{`{"$strLenCP": "$s"}`, `5`}, {`{"$substrCP": ["$s", 1, 3]}`, `"ell"`}, {`{"$split": ["a-b-c", "-"]}`, `["a", "b", "c"]`}, {`{"$indexOfCP": ["$s", "l"]}`, `2`}, {`{"$trim": {"input": "  x "}}`, `"x"`},
		{`{"$strcasecmp": ["$s", "HELLO"]}`, `0`}, {`{"$regexMatch": {"input": "$s", "regex": "^h", "options": "i"}}`, `true`}, {`{"$replaceAll": {"input": "aXbX", "find": "X", "replacement": "-"}}`, `"a-b-"`},
		{`{"$type": "$s"}`, `"string"`}, {`{"$type": "$i"}`, `"int"`}, {`{"$type": "$zz"}`, `"missing"`}, {`{"$type": "$n"}`, `"null"`}, {`{"$type": "$t"}`, `"date"`}, {`{"$type": "$o"}`, `"objectId"`}, {`{"$isNumber": "$d"}`, `true`},
		{`{"$toString": "$i"}`, `"5"`}, {`{"$toString": "$o"}`, `"5f0000000000000000000000"`}, {`{"$toString": "$t"}`, `"2020-03-15T10:20:30.456Z"`}, {`{"$toString": "$b"}`, `"true"`}, {`{"$toString": "$n"}`, `null`},
		{`{"$toInt": "12"}`, `12`}, {`{"$toInt": 1.9}`, `1`}, {`{"$toLong": "$i"}`, `{"$numberLong": "5"}`}, {`{"$toDouble": "$i"}`, `5.0`}, {`{"$toBool": "$i"}`, `true`}, {`{"$toObjectId": "5f0000000000000000000000"}`, `{"$oid": "5f0000000000000000000000"}`},
		{`{"$toDate": {"$numberLong": "0"}}`, `{"$date": "1970-01-01T00:00:00Z"}`}, {`{"$convert": {"input": "x", "to": "int", "onError": -1}}`, `-1`}, {`{"$convert": {"input": "$n", "to": "int", "onNull": 0}}`, `0`}, {`{"$toLong": "$t"}`, `{"$numberLong": "1584267630456"}`},
		{`{"$year": "$t"}`, `2020`}, {`{"$month": "$t"}`, `3`}, {`{"$dayOfMonth": "$t"}`, `15`}, {`{"$hour": "$t"}`, `10`}, {`{"$millisecond": "$t"}`, `456`}, {`{"$dayOfWeek": "$t"}`, `1`},
		{`{"$dateTrunc": {"date": "$t", "unit": "hour"}}`, `{"$date": "2020-03-15T10:00:00Z"}`}, {`{"$dateTrunc": {"date": "$t", "unit": "month"}}`, `{"$date": "2020-03-01T00:00:00Z"}`},
		{`{"$dateTrunc": {"date": "$t", "unit": "minute", "binSize": 15}}`, `{"$date": "2020-03-15T10:15:00Z"}`}, {`{"$dateToString": {"date": "$t", "format": "%Y-%m-%d"}}`, `"2020-03-15"`},
		{`{"$dateAdd": {"startDate": "$t", "unit": "day", "amount": 20}}`, `{"$date": "2020-04-04T10:20:30.456Z"}`}, {`{"$dateDiff": {"startDate": {"$dateTrunc": {"date": "$t", "unit": "year"}}, "endDate": "$t", "unit": "day"}}`, `{"$numberLong": "74"}`},
	} {
		x.evaluates(c[0], c[1])
	}
}

func badExpressions(x *trial) {
	x.insert(`{"_id": 1, "s": "x", "i": 1}`)
	refuses := func(code int, expressions ...string) {
		x.Helper()
		for _, e := range expressions {
			x.refuses(code, `{"aggregate": "c", "pipeline": [{"$project": {"v": `+e+`}}], "cursor": {}}`)
		}
	}
	refuses(241, `{"$toInt": "$s"}`, `{"$toObjectId": "$s"}`, `{"$toDouble": "$s"}`)
	refuses(17124, `{"$size": "$i"}`)
	refuses(someCode, `{"$add": ["$s", 1]}`, `{"$multiply": ["$s", 2]}`, `{"$divide": ["$i", 0]}`, `{"$in": [1, "$i"]}`, `{"$concat": ["$i"]}`, `{"$arrayElemAt": ["$i", 0]}`,
		`{"$concatArrays": ["$i"]}`, `{"$map": {"input": "$i", "in": 1}}`, `{"$filter": {"input": "$i", "cond": true}}`, `{"$switch": {"branches": [{"case": false, "then": 1}]}}`,
		`{"$divide": [1]}`, `{"$cond": {"if": 1, "then": 1}}`, `{"$mod": [1, 0]}`, `{"$dateTrunc": {"date": "$s", "unit": "day"}}`)
}
