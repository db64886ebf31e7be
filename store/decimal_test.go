package store_test

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/store"
)

// A decimal is the number of 64 bits or the double that it equals, two decimals
// are one ID just if they are equal, and the ID's decimal is equal to it.
func TestIDsOfDecimals(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	ids := make(map[store.ID]*big.Rat)
	values := make(map[string]store.ID)
	for range 20_000 {
		d := anyDecimal(random)
		id := decimalID(t, d)
		n, exponent, err := d.BigInt()
		if err != nil {
			continue
		}
		if abs := new(big.Int).Abs(n); abs.Cmp(new(big.Int).Exp(big.NewInt(10), big.NewInt(34), nil)) >= 0 {
			n = new(big.Int)
		}
		value := ratOf(n, exponent)
		f, exact := value.Float64()
		switch {
		case value.IsInt() && value.Num().IsInt64():
			if id != store.IntID(value.Num().Int64()) {
				t.Fatalf("%s: %s, want %s", d, id, value)
			}
		case exact && !math.IsInf(f, 0):
			if id != store.FloatID(f) {
				t.Fatalf("%s: %s, want %v", d, id, f)
			}
		default:
			kind, raw, err := id.AppendBSON(nil)
			if err != nil || kind != byte(bson.TypeDecimal128) {
				t.Fatalf("%s: type 0x%02x (%v)", d, kind, err)
			}
			back := bson.NewDecimal128(binary.LittleEndian.Uint64(raw[8:]), binary.LittleEndian.Uint64(raw))
			n, exponent, err := back.BigInt()
			if err != nil || ratOf(n, exponent).Cmp(value) != 0 {
				t.Fatalf("%s: came back as %s (%v)", d, back, err)
			}
			if want := `{"$numberDecimal":"` + back.String() + `"}`; id.String() != want {
				t.Fatalf("%s: %s, want %s", d, id, want)
			}
		}
		if len(value.Num().String())+len(value.Denom().String()) > 200 {
			continue // big ones are slow to compare
		}
		if other, there := ids[id]; there && other.Cmp(value) != 0 {
			t.Fatalf("%s and %s: one ID", other, value)
		}
		if other, there := values[value.String()]; there && other != id {
			t.Fatalf("%s: %x and %x", d, string(id), string(other))
		}
		ids[id], values[value.String()] = value, id
		checkForms(t, id)
	}
}

// Doubles and whole numbers that a decimal holds are its ID too.
func TestIDsOfNumbersAsDecimals(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 20_000 {
		n := int64(random.Uint64()) >> random.IntN(64)
		f := math.Ldexp(float64(int64(random.Uint64())>>random.IntN(64)), random.IntN(60)-40)
		for _, test := range []struct {
			value *big.Rat
			want  store.ID
		}{{new(big.Rat).SetInt64(n), store.IntID(n)}, {new(big.Rat).SetFloat64(f), store.FloatID(f)}} {
			exponent := 0
			for v := test.value; !v.IsInt(); exponent-- {
				v = new(big.Rat).Mul(v, big.NewRat(10, 1))
				test.value = v
			}
			d, ok := bson.ParseDecimal128FromBigInt(test.value.Num(), exponent)
			if !ok {
				continue
			}
			if got := decimalID(t, d); got != test.want {
				t.Fatalf("%s: %s, want %s", d, got, test.want)
			}
		}
	}
}

func decimalID(t *testing.T, d bson.Decimal128) store.ID {
	t.Helper()
	high, low := d.GetBytes()
	id, err := store.BSONID(byte(bson.TypeDecimal128), binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, low), high))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// ratOf gives n × 10^exponent.
func ratOf(n *big.Int, exponent int) *big.Rat {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	if exponent < 0 {
		return new(big.Rat).SetFrac(n, power)
	}
	return new(big.Rat).SetInt(new(big.Int).Mul(n, power))
}

// anyDecimal draws a decimal: any bits, or a number of few digits and a power.
func anyDecimal(random *rand.Rand) bson.Decimal128 {
	if random.IntN(10) == 0 {
		return bson.NewDecimal128(random.Uint64(), random.Uint64())
	}
	n := big.NewInt(int64(random.Uint64()) >> random.IntN(64))
	n.Mul(n, new(big.Int).Exp(big.NewInt([]int64{2, 5, 10}[random.IntN(3)]), big.NewInt(random.Int64N(40)), nil))
	n.Rem(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(34), nil))
	exponent := random.IntN(80) - 60
	if random.IntN(20) == 0 {
		exponent = random.IntN(6111+6176+1) - 6176
	}
	d, ok := bson.ParseDecimal128FromBigInt(n, exponent)
	if !ok {
		panic("a decimal out of bounds")
	}
	return d
}
