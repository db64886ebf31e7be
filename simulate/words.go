package simulate

// The ids of invented users and tweets begin here. Twitter's user ids went from
// below 10^11 straight to above 10^17, so that nobody has one of 10^12 to 10^13;
// its tweet ids, which hold a time, reach 9×10^18 in 2078.
const (
	firstID      = 9_000_000_000_000
	firstTweetID = 9_000_000_000_000_000_000
)

// The vocabulary, all of it plain words and invented places.
var (
	plants = [...]string{"orchid", "fern", "clover", "willow", "thistle", "juniper", "moss", "bramble",
		"aster", "poppy", "sorrel", "heather", "laurel", "myrtle", "sedge", "yarrow"}
	places = [...]string{"", "", "Exampleton", "Placeholder Bay", "Nowhere Springs", "Fictional Falls", "Sampleville", "Upper Mockford"}
	words  = [...]string{"kettle", "garden", "morning", "train", "window", "recipe", "rain", "ladder", "tomato",
		"puzzle", "bicycle", "lantern", "market", "pencil", "river", "blanket", "coffee", "button", "melody", "harvest",
		"pillow", "compass", "marble", "orchard", "teapot", "violin", "cushion", "feather", "notebook", "harbour", "candle", "meadow"}
	langs = [...]string{"en", "es", "tl", "fr", "in", "pt", "de", "ht", "et", "nl", "it", "sv", "da", "no", "tr", "pl"}
)
