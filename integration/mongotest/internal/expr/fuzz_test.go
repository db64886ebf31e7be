package expr_test

import (
	"strconv"
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/value"
)

var (
	operators = strings.Fields(`$add $subtract $multiply $divide $mod $abs $ceil $floor $round $trunc $pow $sqrt $exp $ln $log10 $log
		$eq $ne $lt $cmp $and $or $not $cond $ifNull $switch $let $size $map $filter $reduce $in $arrayElemAt $first $last $slice
		$concatArrays $isArray $indexOfArray $reverseArray $range $arrayToObject $objectToArray $setUnion $setIntersection $setDifference
		$setEquals $setIsSubset $sortArray $allElementsTrue $anyElementTrue $type $isNumber $toString $toInt $toLong $toDouble $toDecimal
		$toBool $toDate $toObjectId $convert $concat $substrCP $substrBytes $toLower $strLenCP $split $trim $indexOfCP $regexMatch
		$replaceOne $replaceAll $mergeObjects $getField $setField $unsetField $dateTrunc $dateToString $year $dayOfWeek $dateAdd
		$dateDiff $sum $avg $min $max $literal $strcasecmp $bsonSize`)
	names = strings.Fields(`input in as cond initialValue vars branches case then default if else field value sortBy to onError onNull
		date unit binSize timezone startOfWeek startDate endDate amount format regex options chars find replacement limit k v`)
	texts = strings.Fields(`$a $b.c $$this $$value $$ROOT $$x $$REMOVE x $ day week month minute +02:00 Europe/Berlin %Y-%m ^a(b int bool 2024-01-01 é this`)
)

// grow makes a value of bytes: each one chooses what comes next.
func grow(data *[]byte, depth int) value.Value {
	if len(*data) == 0 || depth > 12 {
		return value.Int(1)
	}
	next := func() int {
		if len(*data) == 0 {
			return 0
		}
		c := (*data)[0]
		*data = (*data)[1:]
		return int(c)
	}
	list := func() value.Value {
		items := make([]value.Value, next()%5)
		for i := range items {
			items[i] = grow(data, depth+1)
		}
		return value.Array(items...)
	}
	object := func() value.Value {
		b := value.NewBuilder(nil)
		for range next() % 5 {
			b.Append(names[next()%len(names)], grow(data, depth+1))
		}
		return value.Document(b.Doc())
	}
	switch next() % 12 {
	case 0, 1, 2:
		return value.Document(value.D(operators[next()%len(operators)], list()))
	case 3, 4, 5:
		return value.Document(value.D(operators[next()%len(operators)], object()))
	case 6:
		return list()
	case 7:
		return object()
	case 8:
		return value.String(texts[next()%len(texts)])
	case 9:
		n, _ := strconv.ParseFloat([]string{"0", "1.5", "-2", "1e300", "NaN", "-Inf", "1e-300", "9.2e18"}[next()%8], 64)
		return value.Double(n)
	case 10:
		d := []value.Value{value.DateTime(-1 << 62), value.DateTime(1.7e12), value.Null(), value.Bool(true), value.Int64(1<<63 - 1), value.Int64(-1 << 63)}
		return d[next()%len(d)]
	}
	return value.Int(int64(next()) - 100)
}

func FuzzExpr(f *testing.F) {
	for i := range operators {
		f.Add([]byte{0, byte(i), 2, 8, 0, 11, 101})
		f.Add([]byte{3, byte(i), 2, 0, 8, 0, 1, 8, 2})
	}
	in := doc(f, sample)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := expr.Compile(grow(&data, 0), env())
		if err != nil {
			return
		}
		v, err := e.Eval(in)
		if err != nil || v.Type == 0 {
			return
		}
		if err := value.Validate(value.D("v", v)); err != nil && !strings.Contains(err.Error(), "nests deeper") {
			t.Errorf("%v: not valid: %v", v, err)
		}
	})
}
