package format

import "io"

// OpenInBlocks is Open for a Reader that reads in blocks of that size.
func OpenInBlocks(r io.Reader, o Options, block int) (*Reader, error) {
	rd, err := Open(r, o)
	if err == nil {
		rd.block = block
	}
	return rd, err
}
