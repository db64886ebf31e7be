package classifier

import "time"

// Result is what a Classifier says of an account.
type Result struct {
	Status     Status
	Prediction int                 // 1 to NumClasses; 0 where Status is not Classified
	Scores     [NumClasses]float64 // 0 to 1 each: independent votes, not a distribution
	Margin     float64             // largest score less the second largest; 0 on a tie
	Support    Support
	Attributes Attributes // complete only where Status is Classified
	Basis      Basis
	Flags      Flags
	OutOfRange AttributeSet // inputs outside the model's training range

	// Base is the predicted forest's score before any split is looked at; Base
	// and the contributions of all Reasons add up to the predicted class's score.
	Base       float64
	NumReasons int
	AllReasons [NumAttributes]Reason // the first NumReasons count, largest contribution first
}

// Reasons gives the reasons for the predicted class, by falling size of their
// contribution. They belong to the Result.
func (r *Result) Reasons() []Reason { return r.AllReasons[:r.NumReasons] }

// Reason is what one attribute contributed to a class's score.
type Reason struct {
	Attribute    Attribute
	Value        float64
	Contribution float64 // -1 to 1; above 0 speaks for the class
}

// Status says whether an account could be classified.
type Status uint8

// The statuses of a Result.
const (
	Insufficient Status = iota // fewer than two tweets: no prediction
	Classified
)

// Support is how much evidence carries the class.
type Support uint8

// The grades of support: no verdict can be given; it rests on little; the rest.
const (
	SupportNone Support = iota
	SupportWeak
	SupportStrong
)

var supportNames = [...]string{"none", "weak", "strong"}

// String gives "none", "weak" or "strong".
func (s Support) String() string { return supportNames[s] }

// ParseSupport reads what String gives.
func ParseSupport(name string) (Support, bool) {
	for i, n := range supportNames {
		if n == name {
			return Support(i), true
		}
	}
	return 0, false
}

// Basis is what a result was computed from.
type Basis struct {
	Tweets          int
	OwnTweets       int
	FirstAt, LastAt Micros // of the tweets; 0 where there are none
}

// Flags is a set of reasons to read a result with care.
type Flags uint16

// The flags.
const (
	FlagFewerThanTwo  Flags = 1 << iota // fewer than two tweets
	FlagNoOwnTweets                     // retweets only: absent evidence reads as zero, and scores class 4
	FlagFewTweets                       // fewer than 20
	FlagSecondZero                      // all of at least 10 tweets sit at second 0: the source has minute resolution
	FlagOutOfRange                      // an input lies outside the model's training range
	FlagTie                             // the largest score is shared
	FlagLowScore                        // no score reaches 0.5
	FlagAfterTraining                   // crawled after mid-2020, when the training data end
	numFlags          int   = iota
)

var flagNames = [numFlags]string{
	"fewer_than_two_tweets", "no_own_tweets", "few_tweets", "second_zero", "out_of_range", "tie", "low_score", "after_training",
}

// TrainingEnd is the moment after which FlagAfterTraining is set: the model's
// accounts were crawled before mid-2020.
var TrainingEnd = Micros(time.Date(2020, 7, 1, 0, 0, 0, 0, time.UTC).UnixMicro())

// Names lists the names of the flags that are set, in a fixed order.
func (f Flags) Names() []string {
	var names []string
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// ParseFlag finds the flag of that name.
func ParseFlag(name string) (Flags, bool) {
	for i, n := range flagNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// AttributeSet is a set of attributes.
type AttributeSet uint32

// Has says whether a is in the set.
func (s AttributeSet) Has(a Attribute) bool { return s&(1<<a) != 0 }

// Names lists the names of the attributes in the set.
func (s AttributeSet) Names() []string {
	var names []string
	for i, n := range attributeNames {
		if s.Has(Attribute(i)) {
			names = append(names, n)
		}
	}
	return names
}
