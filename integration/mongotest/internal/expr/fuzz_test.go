package expr_test

import (
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/valuetest"
)

var grower = valuetest.Grower{
	Operators: strings.Fields(`$add $subtract $multiply $divide $mod $abs $ceil $floor $round $trunc $pow $sqrt $exp $ln $log10 $log
		$eq $ne $lt $cmp $and $or $not $cond $ifNull $switch $let $size $map $filter $reduce $in $arrayElemAt $first $last $slice
		$concatArrays $isArray $indexOfArray $reverseArray $range $arrayToObject $objectToArray $setUnion $setIntersection $setDifference
		$setEquals $setIsSubset $sortArray $allElementsTrue $anyElementTrue $type $isNumber $toString $toInt $toLong $toDouble $toDecimal
		$toBool $toDate $toObjectId $convert $concat $substrCP $substrBytes $toLower $strLenCP $split $trim $indexOfCP $regexMatch
		$replaceOne $replaceAll $mergeObjects $getField $setField $unsetField $dateTrunc $dateToString $year $dayOfWeek $dateAdd
		$dateDiff $sum $avg $min $max $literal $strcasecmp $bsonSize`),
	Names: strings.Fields(`input in as cond initialValue vars branches case then default if else field value sortBy to onError onNull
		date unit binSize timezone startOfWeek startDate endDate amount format regex options chars find replacement limit k v`),
	Texts: strings.Fields(`$i $l $f $m $s $b $z $a $e $o.y $docs.k $t $id $big $int $nan $$this $$value $$ROOT $$lim $$REMOVE
		x $ day week month minute +02:00 Europe/Berlin %Y-%m ^a(b int bool 2024-01-01 é this`),
}

func FuzzExpr(f *testing.F) {
	for i := range grower.Operators {
		f.Add([]byte{0, byte(i), 2, 7, 0, 7, 4})
		f.Add([]byte{2, byte(i), 5, 3, 0, 7, 7, 1, 7, 16, 2, 9, 1})
	}
	in := doc(f, sample)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := expr.Compile(grower.Value(&data), env())
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
