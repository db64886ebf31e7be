package sklearn

import "botwatch/classifier"

// Classes gives the slugs and the descriptions of the published model's six
// classes, in its order, without forests: the pickles hold no names. Each
// description says what the accounts of a cluster had in common in training,
// and so what an account's behaviour resembles; never what an account is. The
// text of unheard is the published report's own.
func Classes() []classifier.ClassSpec {
	return []classifier.ClassSpec{
		{
			Slug: "automated_dormant",
			Description: "Accounts whose posting times look as if software set them. Their tweets are seen and liked, but they post little " +
				"and were inactive for long. Their behaviour resembles that of social spambots used in campaigns.",
		},
		{
			Slug: "organic",
			Description: "Accounts that post at times which show no sign of automation and whose tweets get spread. " +
				"Their behaviour resembles that of genuine accounts run by people.",
		},
		{
			Slug: "automated_amplified",
			Description: "Accounts whose posting times look as if software set them, and whose tweets other accounts spread. " +
				"Their behaviour resembles that of accounts used in influence operations.",
		},
		{
			Slug: "unheard",
			Description: "Accounts getting no confirmation or spread at all i.e., they are tweeting for themselves. No other accounts are " +
				"interacting with accounts in this cluster in the term of sharing or liking their tweets. Accounts in this cluster show " +
				"similarities to accounts used in influence operations.",
		},
		{
			Slug: "liked_only",
			Description: "Accounts whose tweets are liked by others, but not shared at all. " +
				"Their behaviour resembles that of accounts used in influence operations.",
		},
		{
			Slug: "reply_heavy",
			Description: "Accounts that above all interact with others: about three quarters of their own tweets are replies. They are " +
				"relatively young and post at times which show no sign of automation. Their behaviour resembles that of accounts with hateful behaviour.",
		},
	}
}
