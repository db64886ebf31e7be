package main

import (
	"math"
	"strconv"
	"strings"

	"botwatch/classifier"
)

// inWords says in plain words what an attribute's value is. It only reads the
// value: whether that is much or little is the model's to say. What is computed
// from own tweets reads as 0 where there are none, and so it says that.
func inWords(attribute classifier.Attribute, v float64, b *classifier.Basis) string {
	if b.OwnTweets == 0 && ofOwnTweets[attribute] {
		return "no own tweets"
	}
	// The attributes are shares of one tweet more than there are.
	own, all := float64(b.OwnTweets), float64(max(b.Tweets, 1))
	switch attribute {
	case classifier.InteractionMentions:
		return share(v*(own+1)/own, "no mentions", " with mentions")
	case classifier.InteractionReplies:
		return share(v*(own+1)/own, "no replies", " replies")
	case classifier.InteractionHashtags:
		return share(v*(own+1)/own, "no hashtags", " with hashtags")
	case classifier.Spreader:
		return share(v*(all+1)/all, "no retweets of others", " retweets of others")
	case classifier.PostingIntensity:
		return number(v) + " posts a day"
	case classifier.PostingAutomationSeconds:
		return clustering(v, "second")
	case classifier.PostingAutomationMinutes:
		return clustering(v, "minute")
	case classifier.PostingAutomationHours:
		return clustering(v, "hour")
	case classifier.PostingAutomationDays:
		return clustering(v, "weekday")
	case classifier.Popularity:
		return count(v, "no followers", "1 follower", " followers")
	case classifier.ConfirmationMax:
		return count(v, "never liked", "at most 1 like", " likes at most")
	case classifier.ConfirmationMean:
		return mean(v, "never liked", "like")
	case classifier.ConfirmationH:
		return hIndex(v*own, "never liked", "h-index of likes ")
	case classifier.SpreadMax:
		return count(v, "never shared", "shared once at most", " shares at most")
	case classifier.SpreadMean:
		return mean(v, "never shared", "share")
	case classifier.SpreadH:
		return hIndex(v*own, "never shared", "h-index of shares ")
	case classifier.LanguageVariation:
		if v == 1 {
			return "1 language"
		}
		return number(v) + " languages"
	case classifier.Age:
		return grouped(v) + " days old"
	case classifier.Burst:
		return "bursts of " + number(v) + " tweets a day"
	case classifier.Anonymity:
		return "anonymity " + number(v) + " of 3"
	case classifier.StandardName:
		if v == 0 {
			return "name without 8 final digits"
		}
		return "name ends in 8 digits"
	}
	return attribute.String() + " " + number(v)
}

// ofOwnTweets are the attributes that are computed from own tweets alone.
var ofOwnTweets = [classifier.NumAttributes]bool{
	classifier.InteractionMentions: true, classifier.InteractionReplies: true, classifier.InteractionHashtags: true,
	classifier.ConfirmationMax: true, classifier.ConfirmationMean: true, classifier.ConfirmationH: true,
	classifier.SpreadMax: true, classifier.SpreadMean: true, classifier.SpreadH: true,
}

// zeroLog is what a logarithm of 0 is written as.
const zeroLog = -10

func share(v float64, none, what string) string {
	switch {
	case v == 0:
		return none
	case v < 0.005:
		return "under 1%" + what
	}
	return strconv.Itoa(int(math.Round(v*100))) + "%" + what
}

func count(log float64, none, one, many string) string {
	if log == zeroLog {
		return none
	}
	n := math.Round(math.Pow(10, log))
	if n == 1 {
		return one
	}
	return grouped(n) + many
}

func mean(log float64, none, what string) string {
	if log == zeroLog {
		return none
	}
	n := number(math.Pow(10, log))
	if n != "1" {
		what += "s"
	}
	return n + " " + what + " a tweet"
}

func hIndex(h float64, none, before string) string {
	if h == 0 {
		return none
	}
	return before + grouped(h)
}

func clustering(log float64, unit string) string {
	if log == zeroLog {
		return "no clustering by " + unit
	}
	return "clustering by " + unit + " " + strconv.FormatFloat(log, 'f', 1, 64)
}

// number gives two significant figures, or all before the point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 10:
		return grouped(v)
	case a >= 1:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// grouped gives a whole number with commas between thousands.
func grouped(v float64) string {
	if math.Abs(v) >= 1e15 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := strconv.FormatInt(int64(math.Round(math.Abs(v))), 10)
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for i, d := range []byte(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(d)
	}
	return b.String()
}

// arrow says whether a reason speaks for its class or against it.
func arrow(contribution float64) string {
	if contribution < 0 {
		return "▼"
	}
	return "▲"
}
