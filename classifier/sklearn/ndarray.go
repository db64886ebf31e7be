package sklearn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"botwatch/classifier/pickle"
)

// array is a pickled numpy array, its items in memory order.
type array struct {
	shape   []int
	fortran bool // the first index runs fastest
	dtype   pickle.Value
	size    int // of an item, in bytes
	data    []byte
}

// readArray reads an ndarray of at most three dimensions, none of them 0.
func readArray(v pickle.Value) (array, error) {
	var a array
	var shape, data pickle.Value
	switch args := v.Args(); {
	case isObject(v, tagReconstruct): // (class, (0,), b"b"), then (version, shape, dtype, fortran, data)
		state := v.State()
		if args.Index(0).Tag() != tagNdarray || state.Kind() != pickle.Tuple || state.Len() != 5 {
			return a, errors.New("is no plain ndarray")
		}
		shape, a.dtype, data = state.Index(1), state.Index(2), state.Index(4)
		a.fortran = truth(state.Index(3))
	case isObject(v, tagFromBuffer): // protocol 5: (data, dtype, shape, order)
		if args.Len() != 4 {
			return a, errors.New("is no plain ndarray")
		}
		data, a.dtype, shape = args.Index(0), args.Index(1), args.Index(2)
		a.fortran = string(args.Index(3).Text()) == "F"
	default:
		return a, fmt.Errorf("is %v; want an ndarray", v.Kind())
	}
	size, err := itemSize(a.dtype)
	if err != nil {
		return a, err
	}
	if data.Kind() != pickle.Bytes {
		return a, fmt.Errorf("an ndarray whose data is %v; want bytes", data.Kind())
	}
	a.size, a.data = size, data.Text()
	if shape.Kind() != pickle.Tuple || shape.Len() < 1 || shape.Len() > 3 {
		return a, errors.New("an ndarray without 1 to 3 dimensions")
	}
	want := size
	for i := range shape.Len() {
		n := shape.Index(i).Int()
		if n < 1 || n > int64(len(a.data)) {
			return a, fmt.Errorf("an ndarray of shape %v…; its data has %d bytes", append(a.shape, int(n)), len(a.data))
		}
		a.shape = append(a.shape, int(n))
		if want *= int(n); want > len(a.data) {
			break
		}
	}
	if want != len(a.data) {
		return a, fmt.Errorf("an ndarray of shape %v and %d bytes an item; its data has %d bytes", a.shape, size, len(a.data))
	}
	return a, nil
}

func truth(v pickle.Value) bool { return v.Bool() || v.Int() != 0 }

// dtypeState gives the name and the state of a dtype: (version, byte order,
// subarray, names, fields, size, alignment, flags, …).
func dtypeState(dtype pickle.Value) (name []byte, state pickle.Value, err error) {
	if !isObject(dtype, tagDtype) {
		return nil, state, fmt.Errorf("is %v; want a dtype", dtype.Kind())
	}
	name, state = dtype.Args().Index(0).Text(), dtype.State()
	if len(name) < 2 || state.Kind() != pickle.Tuple || state.Len() < 8 {
		return nil, state, errors.New("a dtype in an unknown form")
	}
	if state.Index(2).Kind() != pickle.None {
		return nil, state, errors.New("a dtype of subarrays")
	}
	return name, state, nil
}

// itemSize gives the size of a dtype's items in bytes, from 1.
func itemSize(dtype pickle.Value) (int, error) {
	name, state, err := dtypeState(dtype)
	if err != nil {
		return 0, err
	}
	if name[0] == 'V' {
		if size := state.Index(5).Int(); size > 0 && size <= 1<<16 {
			return int(size), nil
		}
		return 0, errors.New("a structured dtype without a size")
	}
	n, err := readNumber(dtype)
	return n.size, err
}

// number is the layout of a number.
type number struct {
	kind  byte // f, i, u or b, as numpy names them
	size  int  // in bytes
	order binary.ByteOrder
}

func readNumber(dtype pickle.Value) (number, error) {
	name, state, err := dtypeState(dtype)
	if err != nil {
		return number{}, err
	}
	n := number{order: binary.LittleEndian}
	switch order := string(state.Index(1).Text()); order {
	case "<", "|", "=": // a pickle says "=" on no machine; nearly all are little-endian
	case ">":
		n.order = binary.BigEndian
	default:
		return n, fmt.Errorf("a dtype of byte order %q", order)
	}
	switch string(name) {
	case "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1":
		n.kind, n.size = name[0], int(name[1]-'0')
		return n, nil
	}
	return n, fmt.Errorf("a dtype %q; want numbers", name)
}

// column is one number of each of an array's items.
type column struct {
	number
	array  array
	offset int // within an item, in bytes
}

// numbers gives the column of an array that holds plain numbers.
func (a array) numbers() (column, error) {
	n, err := readNumber(a.dtype)
	return column{n, a, 0}, err
}

// field gives a column of a structured array.
func (a array) field(name string) (column, error) {
	_, state, err := dtypeState(a.dtype)
	if err != nil {
		return column{}, err
	}
	field := get(state.Index(4), name) // (dtype, offset) or (dtype, offset, title)
	if field.Kind() != pickle.Tuple {
		return column{}, fmt.Errorf("has no field %q", name)
	}
	n, err := readNumber(field.Index(0))
	if err != nil {
		return column{}, fmt.Errorf("field %q: %w", name, err)
	}
	offset := field.Index(1).Int()
	if field.Index(1).Kind() != pickle.Int || offset < 0 || offset > int64(a.size-n.size) {
		return column{}, fmt.Errorf("field %q lies outside its items", name)
	}
	return column{n, a, int(offset)}, nil
}

// len gives the number of items.
func (c column) len() int { return len(c.array.data) / c.array.size }

// bits gives the number of the item at that place in memory.
func (c column) bits(i int) uint64 {
	b := c.array.data[i*c.array.size+c.offset:]
	switch c.size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(c.order.Uint16(b))
	case 4:
		return uint64(c.order.Uint32(b))
	}
	return c.order.Uint64(b)
}

// float gives a number as a float64; integers beyond 2^53 are rounded.
func (c column) float(i int) float64 {
	bits := c.bits(i)
	switch {
	case c.kind == 'f' && c.size == 4:
		return float64(math.Float32frombits(uint32(bits)))
	case c.kind == 'f':
		return math.Float64frombits(bits)
	case c.kind == 'i':
		shift := 64 - 8*c.size
		return float64(int64(bits<<shift) >> shift)
	}
	return float64(bits)
}

// index gives a signed integer, which the column must hold.
func (c column) index(i int) int {
	shift := 64 - 8*c.size
	return int(int64(c.bits(i)<<shift) >> shift)
}

// floats reads a short list of plain numbers.
func floats(v pickle.Value) ([]float64, error) {
	a, err := readArray(v)
	if err != nil {
		return nil, err
	}
	c, err := a.numbers()
	if err != nil {
		return nil, err
	}
	if len(a.shape) != 1 || a.shape[0] > maxInputs {
		return nil, fmt.Errorf("an ndarray of shape %v; want one dimension of at most %d", a.shape, maxInputs)
	}
	list := make([]float64, c.len())
	for i := range list {
		list[i] = c.float(i)
	}
	return list, nil
}

// whole reads an integer, plain or a numpy scalar.
func whole(v pickle.Value) (int64, bool) {
	if isObject(v, tagScalar) {
		n, err := readNumber(v.Args().Index(0))
		data := v.Args().Index(1).Text()
		if err != nil || n.kind != 'i' || len(data) != n.size {
			return 0, false
		}
		return int64(column{number: n, array: array{size: n.size, data: data}}.index(0)), true
	}
	return v.Int(), v.Kind() == pickle.Int
}
