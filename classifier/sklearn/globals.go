package sklearn

import "botwatch/classifier/pickle"

// The tags of the globals in model pickles.
const (
	tagForest pickle.Tag = 1 + iota
	tagDecisionTree
	tagTree
	tagScaler
	tagNdarray
	tagDtype
	tagReconstruct
	tagFromBuffer
	tagScalar
)

// globals lists what model pickles may refer to, under the names of old and
// new versions of scikit-learn (renamed in 0.22) and numpy (renamed in 2.0).
var globals = map[string]pickle.Tag{
	"sklearn.ensemble.forest RandomForestClassifier":  tagForest,
	"sklearn.ensemble._forest RandomForestClassifier": tagForest,
	"sklearn.tree.tree DecisionTreeClassifier":        tagDecisionTree,
	"sklearn.tree._classes DecisionTreeClassifier":    tagDecisionTree,
	"sklearn.tree._tree Tree":                         tagTree,
	"sklearn.preprocessing.data MinMaxScaler":         tagScaler,
	"sklearn.preprocessing._data MinMaxScaler":        tagScaler,
	"numpy ndarray":                       tagNdarray,
	"numpy dtype":                         tagDtype,
	"numpy.core.multiarray _reconstruct":  tagReconstruct,
	"numpy._core.multiarray _reconstruct": tagReconstruct,
	"numpy.core.multiarray scalar":        tagScalar,
	"numpy._core.multiarray scalar":       tagScalar,
	"numpy.core.numeric _frombuffer":      tagFromBuffer,
	"numpy._core.numeric _frombuffer":     tagFromBuffer,
}

// isObject reports whether v is what the global of that tag was called with.
func isObject(v pickle.Value, tag pickle.Tag) bool {
	return v.Kind() == pickle.Object && v.Tag() == tag
}

// get gives the value of a dict's key, or the zero Value. Estimators have some
// dozens of attributes; a dict of more is left alone, so that one which a
// pickle shares among many trees cannot make the look-ups slow.
func get(dict pickle.Value, key string) pickle.Value {
	if dict.Len() > 256 {
		return pickle.Value{}
	}
	return dict.Get(key)
}
