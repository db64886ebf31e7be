package classifier

// The limits of the grades of support and of the flags.
const (
	MinTweets     = 2   // below, there is no prediction
	FewTweets     = 20  // below, FlagFewTweets
	SecondZeroMin = 10  // from here on, tweets all at second 0 set FlagSecondZero
	LowScore      = 0.5 // below, FlagLowScore
)

// Classifier classifies accounts with one model. It holds working memory: use
// one a goroutine.
type Classifier struct {
	model   *Model
	scratch scratch
}

// New makes a Classifier.
func New(m *Model) *Classifier { return &Classifier{model: m} }

// Model gives the model that the Classifier uses.
func (c *Classifier) Model() *Model { return c.model }

// Classify computes an account's Result into r, whose former content does not
// matter. The one error is a *FieldError of CodeBadAge.
func (c *Classifier) Classify(a *Account, r *Result) error {
	*r = Result{}
	if len(a.Tweets) < MinTweets {
		c.insufficient(a, r)
		return nil
	}
	if err := c.Attributes(a, r); err != nil {
		return err
	}
	k := c.model.keys(&r.Attributes)
	r.Scores, r.Prediction = c.model.score(&k)
	r.Status = Classified
	r.OutOfRange = c.model.outOfRange(&r.Attributes)
	c.grade(a, r)
	r.Base, r.NumReasons = c.model.explain(&k, r.Prediction, &r.Attributes, &r.AllReasons)
	return nil
}

// Attributes computes the attributes and the basis of an account of at least
// MinTweets tweets into r, and leaves the rest of r alone: it is the first step of
// Classify. The one error is a *FieldError of CodeBadAge.
func (c *Classifier) Attributes(a *Account, r *Result) error {
	if !c.scratch.compute(a, r) {
		return &FieldError{Code: CodeBadAge, Field: "crawled_at",
			Message: "lies within the day before user_data.created_at, which makes age -1 and posting_intensity a division by zero"}
	}
	return nil
}

// Explain gives the reasons for any class, 1 to NumClasses, of an account that
// Classify answered with r: the base and the reasons as in Result.
func (c *Classifier) Explain(r *Result, class int) (base float64, reasons []Reason) {
	k := c.model.keys(&r.Attributes)
	var all [NumAttributes]Reason
	base, n := c.model.explain(&k, class, &r.Attributes, &all)
	return base, append([]Reason(nil), all[:n]...)
}

func (c *Classifier) insufficient(a *Account, r *Result) {
	r.Flags = FlagFewerThanTwo | FlagFewTweets
	r.Basis.Tweets = len(a.Tweets)
	for i := range a.Tweets {
		r.Basis.FirstAt, r.Basis.LastAt = a.Tweets[i].At, a.Tweets[i].At
		if a.Tweets[i].Kind&Retweet == 0 {
			r.Basis.OwnTweets++
		}
	}
	if r.Basis.OwnTweets == 0 {
		r.Flags |= FlagNoOwnTweets
	}
	if a.CrawledAt >= TrainingEnd {
		r.Flags |= FlagAfterTraining
	}
}

// grade sets margin, flags and support.
func (c *Classifier) grade(a *Account, r *Result) {
	best := r.Scores[r.Prediction-1]
	second := 0.0
	for i, s := range r.Scores {
		if i != r.Prediction-1 {
			second = max(second, s)
		}
	}
	r.Margin = best - second
	secondZero := int(c.scratch.seconds[0]) == r.Basis.Tweets

	set := func(on bool, f Flags) {
		if on {
			r.Flags |= f
		}
	}
	set(r.Basis.OwnTweets == 0, FlagNoOwnTweets)
	set(r.Basis.Tweets < FewTweets, FlagFewTweets)
	set(secondZero && r.Basis.Tweets >= SecondZeroMin, FlagSecondZero)
	set(r.OutOfRange != 0, FlagOutOfRange)
	set(best == second, FlagTie)
	set(best < LowScore, FlagLowScore)
	set(a.CrawledAt >= TrainingEnd, FlagAfterTraining)

	const weak = FlagLowScore | FlagTie | FlagFewTweets
	switch {
	case r.Flags&FlagNoOwnTweets != 0:
		r.Support = SupportNone
	case r.Flags&weak != 0 || secondZero:
		r.Support = SupportWeak
	default:
		r.Support = SupportStrong
	}
}

// explain gives the base and the number of reasons for a class, and the
// reasons, largest contribution first. An attribute that is several inputs is
// one reason; one that no split asked for is none.
func (m *Model) explain(k *keys, class int, v *Attributes, reasons *[NumAttributes]Reason) (base float64, n int) {
	var changes [maxInputs]float64
	base = m.forests[class-1].explain(k, &changes)
	var sums Attributes
	for i := range m.inputs {
		sums[m.inputs[i].attribute] += changes[i]
	}
	for i, sum := range sums {
		if sum == 0 {
			continue
		}
		r := Reason{Attribute(i), v[i], sum}
		j := n
		for ; j > 0 && abs(reasons[j-1].Contribution) < abs(sum); j-- {
			reasons[j] = reasons[j-1]
		}
		reasons[j] = r
		n++
	}
	return base, n
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}
