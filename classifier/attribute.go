package classifier

import "fmt"

// Attribute names one of the figures that are computed from an account.
type Attribute uint8

// The attributes, in the order in which results list them.
const (
	InteractionMentions Attribute = iota
	InteractionReplies
	InteractionHashtags
	Spreader
	PostingIntensity
	PostingAutomationSeconds
	PostingAutomationMinutes
	PostingAutomationHours
	PostingAutomationDays
	Popularity
	ConfirmationMax
	ConfirmationMean
	ConfirmationH
	SpreadMax
	SpreadMean
	SpreadH
	LanguageVariation
	Age
	Burst
	Anonymity
	StandardName
	NumAttributes int = iota
)

var attributeNames = [NumAttributes]string{
	"interaction_mentions", "interaction_replies", "interaction_hashtags", "spreader", "posting_intensity",
	"posting_automation_seconds", "posting_automation_minutes", "posting_automation_hours", "posting_automation_days",
	"popularity", "confirmation_max", "confirmation_mean", "confirmation_h", "spread_max", "spread_mean", "spread_h",
	"language_variation", "age", "burst", "anonymity", "standard_name",
}

// String gives the attribute's name as the reference spells it.
func (a Attribute) String() string {
	if int(a) < NumAttributes {
		return attributeNames[a]
	}
	return fmt.Sprintf("attribute(%d)", uint8(a))
}

// ParseAttribute finds the attribute of that name.
func ParseAttribute(name string) (Attribute, bool) {
	for i, n := range attributeNames {
		if n == name {
			return Attribute(i), true
		}
	}
	return 0, false
}

// Attributes holds one value for each attribute, indexed by Attribute.
type Attributes [NumAttributes]float64
