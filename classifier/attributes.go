package classifier

import "math"

// scratch holds what the attributes of one account are computed in.
type scratch struct {
	seconds, minutes [60]int32
	hours            [24]int32
	days             [7]int32
	favorites        tally
	retweets         tally
}

// compute fills in the attributes of an account of at least two tweets, as the
// reference defines them, and the basis. It answers false where age+1 is 0, by
// which posting_intensity would be divided.
func (s *scratch) compute(a *Account, r *Result) bool {
	v := &r.Attributes
	n := s.count(a, r)
	own := float64(n.own + 1)
	v[InteractionMentions] = float64(n.mentions) / own
	v[InteractionReplies] = float64(n.replies) / own
	v[InteractionHashtags] = float64(n.hashtags) / own
	total := len(a.Tweets)
	v[Spreader] = round4(float64(total-n.own) / float64(total+1))

	age := floorDiv(int64(a.CrawledAt)-int64(a.CreatedAt), 86400*1e6)
	v[Age] = float64(age)
	v[PostingIntensity] = float64(a.Statuses) / float64(age+1)

	v[PostingAutomationSeconds] = logVariance(s.seconds[:], total)
	v[PostingAutomationMinutes] = logVariance(s.minutes[:], total)
	v[PostingAutomationHours] = logVariance(s.hours[:], total)
	v[PostingAutomationDays] = logVariance(s.days[:], total)

	v[Popularity] = log10(float64(a.Followers))
	v[ConfirmationMax], v[ConfirmationMean], v[ConfirmationH] = s.favorites.figures(n.own)
	v[SpreadMax], v[SpreadMean], v[SpreadH] = s.retweets.figures(n.own)
	v[LanguageVariation] = float64(len(a.Langs))
	v[Burst] = burst(a.Tweets, r.Basis.FirstAt, r.Basis.LastAt)
	v[Anonymity] = anonymity(a)
	v[StandardName] = standardName(a.ScreenName)
	return age != -1
}

// counts are the numbers that the interaction attributes are made of.
type counts struct{ own, replies, mentions, hashtags int }

// count walks the tweets once.
func (s *scratch) count(a *Account, r *Result) counts {
	s.seconds, s.minutes, s.hours, s.days = [60]int32{}, [60]int32{}, [24]int32{}, [7]int32{}
	s.favorites.reset(len(a.Tweets))
	s.retweets.reset(len(a.Tweets))
	var n counts
	first, last := a.Tweets[0].At, a.Tweets[0].At
	for i := range a.Tweets {
		t := &a.Tweets[i]
		first, last = min(first, t.At), max(last, t.At)

		// From MinMicros on, so that every quotient is one of unsigned numbers.
		second := uint64(t.At-MinMicros) / 1e6
		day := second / 86400
		clock := uint32(second - day*86400)
		minute := clock / 60
		s.seconds[clock-minute*60]++
		s.minutes[minute%60]++
		s.hours[minute/60]++
		s.days[day%7]++ // the first day of year 1 is a Monday

		if t.Kind&Retweet != 0 {
			continue
		}
		n.own++
		if t.Kind&Reply != 0 {
			n.replies++
		} else if t.Kind&Mentions != 0 {
			n.mentions++
		}
		if t.Kind&Hashtags != 0 {
			n.hashtags++
		}
		s.favorites.add(t.Favorites)
		s.retweets.add(t.Retweets)
	}
	r.Basis = Basis{Tweets: len(a.Tweets), OwnTweets: n.own, FirstAt: first, LastAt: last}
	return n
}

// tally gathers counts for their maximum, mean and h-index.
type tally struct {
	max  int64
	sum  float64
	size int
	at   []int32 // at[c] counts the values that are c, and at[size] those above
}

func (t *tally) reset(size int) {
	t.max, t.sum, t.size = 0, 0, size
	if cap(t.at) <= size {
		t.at = make([]int32, size+1)
		return
	}
	t.at = t.at[:size+1]
	clear(t.at)
}

func (t *tally) add(v int64) {
	t.max = max(t.max, v)
	t.sum += float64(v)
	t.at[min(v, int64(t.size))]++
}

// figures gives the logarithms of the maximum and of the mean, and the h-index
// as a share of n, the number of values. h is the largest i such that i of the
// values are ≥ i.
func (t *tally) figures(n int) (logMax, logMean, h float64) {
	if n == 0 {
		return log10(0), log10(0), 0
	}
	atLeast, i := 0, t.size
	for ; i > 0; i-- {
		atLeast += int(t.at[i])
		if atLeast >= i {
			break
		}
	}
	return log10(float64(t.max)), log10(t.sum / float64(n)), round4(float64(i) / float64(n))
}

// logVariance gives the logarithm of the population variance of the shares
// that bins have of total.
func logVariance(bins []int32, total int) float64 {
	var shares [60]float64
	s := shares[:len(bins)]
	for i, n := range bins {
		s[i] = float64(n) / float64(total)
	}
	mean := pairwiseSum(s) / float64(len(s))
	for i, x := range s {
		d := x - mean
		s[i] = float64(d * d)
	}
	return log10(pairwiseSum(s) / float64(len(s)))
}

// pairwiseSum adds up to 128 numbers in the order in which numpy does: eight
// running sums from eight numbers on, one after the other below.
func pairwiseSum(x []float64) float64 {
	if len(x) < 8 {
		sum := 0.0
		for _, v := range x {
			sum += v
		}
		return sum
	}
	r := [8]float64(x[:8])
	i := 8
	for ; i+8 <= len(x); i += 8 {
		y := (*[8]float64)(x[i:])
		for j := range r {
			r[j] += y[j]
		}
	}
	sum := ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
	for _, v := range x[i:] {
		sum += v
	}
	return sum
}

// burst gives how far the busiest of the bins between the first and the last
// tweet lies above the median one, in tweets a day. Conversions to float64
// keep compilers from fusing a product with a sum, which would round once less
// than the reference does.
func burst(tweets []Tweet, first, last Micros) float64 {
	start, stop := first.seconds(), last.seconds()
	step := (stop - start) / 10
	var edges [11]float64
	for i := range 10 {
		edges[i] = float64(float64(i)*step) + start
	}
	edges[10] = stop
	width := edges[1] - edges[0]
	if width == 0 { // one instant, as far as float64 can tell
		return 0
	}
	var bins [12]int
	for i := range tweets[1:] {
		t := tweets[i+1].At.seconds()
		bin := 0
		for _, e := range edges {
			if e <= t {
				bin++
			}
		}
		bins[bin]++
	}
	rates := make([]float64, 0, 11)
	n := 10
	if bins[11] > 0 {
		n = 11
	}
	for _, count := range bins[1 : n+1] {
		rate := float64(count) / width * 60 * 60 * 24
		rates = insertSorted(rates, math.RoundToEven(rate*1e4)/1e4)
	}
	median := rates[n/2]
	if n%2 == 0 {
		median = (rates[n/2-1] + rates[n/2]) / 2
	}
	return rates[n-1] - median
}

func insertSorted(s []float64, v float64) []float64 {
	s = append(s, v)
	for i := len(s) - 1; i > 0 && s[i-1] > v; i-- {
		s[i], s[i-1] = s[i-1], v
	}
	return s
}

func anonymity(a *Account) float64 {
	if a.Verified {
		return 0
	}
	v := 3.0
	if a.HasURL {
		v--
	}
	if a.HasLocation {
		v--
	}
	return v
}

// standardName gives 1 for a name as the platform proposes it, ending in eight
// digits.
func standardName(name string) float64 {
	if len(name) < 8 {
		return 0
	}
	for _, c := range []byte(name[len(name)-8:]) {
		if c < '0' || c > '9' {
			return 0
		}
	}
	return 1
}

// log10 gives the decimal logarithm, and -10 for 0.
func log10(x float64) float64 {
	if x == 0 {
		return -10
	}
	// log10(e) as the sum of two float64, which loses no digit of the quotient.
	const hi, lo = 0.4342944819032518, 1.098319650216765e-17
	l := math.Log(x)
	return math.FMA(l, lo, l*hi)
}

// round4 rounds x, 0 ≤ x ≤ 1, to the float64 nearest to its correctly rounded
// four-digit decimal: half to even, on the exact binary value.
func round4(x float64) float64 {
	p := x * 1e4
	rest := math.FMA(x, 1e4, -p) // what the product lost
	k := math.RoundToEven(p)
	switch d := p - k; {
	case d == 0.5 && rest > 0:
		k++
	case d == -0.5 && rest < 0:
		k--
	case math.Abs(d) == 0.5 && rest != 0:
		// rounded to even towards the side where the rest lies: right already
	}
	return k / 1e4
}

// floorDiv divides, rounding down; b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
