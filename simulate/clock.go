package simulate

import "math"

// A clock says when within its slot a tweet comes.
type clock struct {
	week    *week
	aligned float64 // share of tweets on the grid
	grid    int64   // minutes: 15 for :00, :15, :30 and :45
	delay   int64   // seconds, below which a tweet on the grid is late
}

// A week is when tweets come: the end of each hour, Monday's first one first,
// as a share of the week's tweets.
type week [168]float64

// newWeek makes a week of the weights of a day's hours, and of weekend days.
func newWeek(hours string, weekend float64) *week {
	var w week
	sum := 0.0
	for i := range w {
		weight := float64(hours[i%24] - '0')
		if i >= 5*24 {
			weight *= weekend
		}
		sum += weight + 0.001
		w[i] = sum
	}
	for i := range w {
		w[i] /= sum
	}
	return &w
}

// warp takes a moment in weeks of even flow to one in weeks of this rhythm.
func (w *week) warp(x float64) float64 {
	whole := math.Floor(x)
	x -= whole
	lo, hi := 0, len(w)-1 // the first hour that ends after x
	for lo < hi {
		if mid := (lo + hi) / 2; w[mid] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	begin := 0.0
	if lo > 0 {
		begin = w[lo-1]
	}
	return whole + (float64(lo)+(x-begin)/(w[lo]-begin))/float64(len(w))
}

var (
	human  = newWeek("100000134454556544578985", 1.4)
	office = newWeek("000000004888688884200000", 0.1)
	always = newWeek("111111111111111111111111", 1)
)
