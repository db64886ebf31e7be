package simulate

// The profiles, one for each class of the published model and two at its
// limits. The figures were tuned until the model mostly sees what was meant;
// the fewer the tweets, the more automated everything looks to it, so that some
// organic and reply_heavy accounts come out as automated_amplified. That human
// ones are in many languages is what language detection makes of short texts.
var (
	dormant = profile{
		slug: "automated_dormant", age: span{3300, 4200}, intensity: span{0.02, 0.1}, followers: span{3000, 20000}, langs: span{8, 12},
		idle: span{400, 1200}, gap: span{2, 8},
		habits: habits{retweets: 0.01, mentions: 0.04, hashtags: 0.1},
		clock:  clock{week: office, aligned: 1, grid: 30, delay: 60},
		echo:   echo{likes: counts{0.6, 15, 1.3}, shares: counts{0.2, 3, 1}},
		later:  &echo{likes: counts{0.3, 3, 1}, shares: counts{1, 400, 0.6}}, // a campaign takes it up
	}
	organic = profile{
		slug: "organic", age: span{3000, 4600}, intensity: span{0.3, 10}, followers: span{15, 1500}, langs: span{11, 15},
		idle: span{0.01, 2}, gap: span{0.25, 3},
		habits: habits{retweets: 0.25, replies: 0.2, mentions: 0.16, hashtags: 0.03},
		clock:  clock{week: human},
		echo:   echo{likes: counts{0.95, 25, 2}, shares: counts{0.58, 25, 2}},
	}
	amplified = profile{
		slug: "automated_amplified", age: span{100, 1000}, intensity: span{2, 50}, followers: span{50, 9000}, langs: span{2, 5},
		idle: span{0.01, 1}, gap: span{0.05, 0.5},
		habits: habits{retweets: 0.15, mentions: 0.1, hashtags: 0.4},
		clock:  clock{week: always, aligned: 0.95, grid: 15, delay: 3},
		echo:   echo{likes: counts{0.5, 5, 1}, shares: counts{0.95, 40, 0.8}},
	}
	unheard = profile{
		slug: "unheard", age: span{60, 1500}, intensity: span{1, 20}, followers: span{1, 200}, langs: span{1, 4},
		idle: span{0.01, 60}, gap: span{0.1, 1},
		habits: habits{retweets: 0.3, mentions: 0.1, hashtags: 0.3},
		clock:  clock{week: always, aligned: 0.7, grid: 5, delay: 20},
		later:  &liked.echo,
	}
	liked = profile{
		slug: "liked_only", age: span{60, 1500}, intensity: span{1, 20}, followers: span{20, 2000}, langs: span{2, 8},
		idle: span{0.01, 20}, gap: span{0.1, 1},
		habits: habits{retweets: 0.1, replies: 0.15, mentions: 0.2, hashtags: 0.2},
		clock:  clock{week: human},
		echo:   echo{likes: counts{0.6, 4, 1}},
		later:  &amplified.echo,
	}
	replying = profile{
		slug: "reply_heavy", age: span{15, 60}, intensity: span{20, 70}, followers: span{7, 80}, langs: span{13, 15},
		idle: span{0.01, 0.5}, gap: span{0.02, 0.3},
		habits: habits{retweets: 0.12, replies: 0.85, mentions: 0.4, hashtags: 0.05},
		clock:  clock{week: human},
		echo:   echo{likes: counts{0.58, 15, 1.8}, shares: counts{0.25, 4.5, 2}},
	}
	thin = profile{
		slug: "thin", age: span{3, 300}, intensity: span{0.01, 0.1}, followers: span{1, 20}, langs: span{1, 2},
		idle: span{0.01, 1}, gap: span{0.02, 0.5},
		clock: clock{week: human},
		echo:  echo{likes: counts{0.3, 2, 1}, shares: counts{0.1, 2, 1}},
	}
	retweeting = profile{
		slug: "retweets_only", age: span{60, 1500}, intensity: span{2, 50}, followers: span{1, 300}, langs: span{1, 6},
		idle: span{0.01, 1}, gap: span{0.02, 0.5},
		habits: habits{retweets: 10},
		clock:  clock{week: human},
	}
)

// classes are the profiles that are drawn evenly for most accounts.
var classes = [...]*profile{&dormant, &organic, &amplified, &unheard, &liked, &replying}
