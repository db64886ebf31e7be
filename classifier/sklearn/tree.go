package sklearn

import (
	"fmt"
	"math"

	"botwatch/classifier"
	"botwatch/classifier/pickle"
)

// Bounds for pickles that name one tree many times.
const (
	maxNodes = 1 << 20 // of a tree, and of all forests together
	maxTrees = 1 << 12 // of a forest
)

// readTree reads a sklearn.tree._tree.Tree over that many inputs.
func readTree(v pickle.Value, inputs int) (classifier.TreeSpec, error) {
	var none classifier.TreeSpec
	if !isObject(v, tagTree) {
		return none, fmt.Errorf("is %v; want a Tree", v.Kind())
	}
	if n, ok := whole(v.Args().Index(0)); !ok || n != int64(inputs) {
		return none, fmt.Errorf("n_features: is %d; want %d", n, inputs)
	}
	nodes, err := readArray(get(v.State(), "nodes"))
	if err != nil {
		return none, fmt.Errorf("nodes: %w", err)
	}
	if n := nodes.shape[0]; len(nodes.shape) != 1 || n > maxNodes {
		return none, fmt.Errorf("nodes: shape %v; want one dimension, 1 to %d nodes", nodes.shape, maxNodes)
	}
	var ints [3]column
	for i, name := range [...]string{"left_child", "right_child", "feature"} {
		if ints[i], err = nodes.field(name); err != nil {
			return none, fmt.Errorf("nodes: %w", err)
		}
		if ints[i].kind != 'i' {
			return none, fmt.Errorf("nodes: field %q is no signed integer", name)
		}
	}
	left, right, feature := ints[0], ints[1], ints[2]
	threshold, err := nodes.field("threshold")
	if err != nil {
		return none, fmt.Errorf("nodes: %w", err)
	}
	weight, err := nodes.field("weighted_n_node_samples")
	if err != nil {
		return none, fmt.Errorf("nodes: %w", err)
	}
	share, err := readShares(get(v.State(), "values"), left.len(), weight.float(0))
	if err != nil {
		return none, fmt.Errorf("values: %w", err)
	}
	order, err := preOrder(left, right)
	if err != nil {
		return none, fmt.Errorf("nodes%w", err)
	}

	n := len(order)
	place := make([]int, n) // of a node in the Spec
	for i, node := range order {
		place[node] = i
	}
	t := classifier.TreeSpec{
		Feature: make([]int, n), Threshold: make([]float64, n), Left: make([]int, n), Right: make([]int, n), Share: make([]float64, n),
	}
	for i, node := range order {
		t.Share[i] = share[node]
		if left.index(node) == leaf {
			t.Feature[i], t.Left[i], t.Right[i] = -1, -1, -1
			continue
		}
		t.Feature[i], t.Threshold[i] = feature.index(node), threshold.float(node)
		t.Left[i], t.Right[i] = place[left.index(node)], place[right.index(node)]
		if t.Feature[i] < 0 || t.Feature[i] >= inputs {
			return none, fmt.Errorf("nodes[%d].feature: is %d; want 0 to %d", node, t.Feature[i], inputs-1)
		}
		if x := t.Threshold[i]; math.IsNaN(x) || math.IsInf(x, 0) {
			return none, fmt.Errorf("nodes[%d].threshold: is %v; want a finite number", node, x)
		}
	}
	return t, nil
}

// leaf is what stands for a leaf's children.
const leaf = -1

// preOrder gives the nodes from the root on, parents before children, left
// before right: the order in which scikit-learn grows most trees itself. It
// makes sure that every node is reached, and only once.
func preOrder(left, right column) ([]int, error) {
	n := left.len()
	order := make([]int, 0, n)
	seen := make([]bool, n)
	seen[0] = true
	for next := []int{0}; len(next) > 0; {
		node := next[len(next)-1]
		next = next[:len(next)-1]
		order = append(order, node)
		l, r := left.index(node), right.index(node)
		if l == leaf && r == leaf {
			continue
		}
		for _, child := range [...]int{r, l} {
			if child < 0 || child >= n {
				return nil, fmt.Errorf("[%d]: children %d and %d; want 0 to %d, or %d both", node, l, r, n-1, leaf)
			}
			if seen[child] {
				return nil, fmt.Errorf("[%d]: child %d was reached before", node, child)
			}
			seen[child] = true
			next = append(next, child)
		}
	}
	if len(order) < n {
		return nil, fmt.Errorf(": %d of %d are reached from the root", len(order), n)
	}
	return order, nil
}

// readShares gives the share of class 1 in each node. Old versions of
// scikit-learn store the classes' weights, whose sum in the root is its weight,
// and divide by the sum; new ones store shares, and use them as they are.
func readShares(v pickle.Value, nodes int, rootWeight float64) ([]float64, error) {
	a, err := readArray(v)
	if err != nil {
		return nil, err
	}
	if len(a.shape) != 3 || a.shape[0] != nodes || a.shape[1] != 1 || a.shape[2] != 2 {
		return nil, fmt.Errorf("shape %v; want [%d 1 2]", a.shape, nodes)
	}
	c, err := a.numbers()
	if err != nil {
		return nil, err
	}
	at := func(node, class int) float64 {
		if a.fortran {
			return c.float(node + class*nodes)
		}
		return c.float(2*node + class)
	}
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-6*math.Abs(y) }
	root := at(0, 0) + at(0, 1)
	weights := near(root, rootWeight)
	if !weights && !near(root, 1) {
		return nil, fmt.Errorf("the root's sum is %v; want 1 or its weight, %v", root, rootWeight)
	}
	list := make([]float64, nodes)
	for i := range list {
		v0, v1 := at(i, 0), at(i, 1)
		sum := v0 + v1
		if !(v0 >= 0 && v1 >= 0 && sum > 0) || math.IsInf(sum, 0) {
			return nil, fmt.Errorf("[%d]: is [%v %v]; want numbers from 0, not both 0", i, v0, v1)
		}
		switch {
		case weights:
			list[i] = v1 / sum
		case near(sum, 1):
			list[i] = math.Min(v1, 1)
		default:
			return nil, fmt.Errorf("[%d]: is [%v %v]; want shares", i, v0, v1)
		}
	}
	return list, nil
}

// readForest reads a RandomForestClassifier of the classes 0 and 1. budget is
// the number of nodes that may still come.
func readForest(v pickle.Value, inputs int, budget *int) ([]classifier.TreeSpec, error) {
	if !isObject(v, tagForest) {
		return nil, fmt.Errorf("is %v; want a RandomForestClassifier", v.Kind())
	}
	if err := checkClasses(v.State()); err != nil {
		return nil, err
	}
	trees := get(v.State(), "estimators_")
	if trees.Kind() != pickle.List || trees.Len() == 0 || trees.Len() > maxTrees {
		return nil, fmt.Errorf("estimators_: want a list of 1 to %d trees", maxTrees)
	}
	var forest []classifier.TreeSpec
	for i := range trees.Len() {
		fail := func(err error) error { return fmt.Errorf("estimators_[%d].%w", i, err) }
		tree := trees.Index(i)
		if !isObject(tree, tagDecisionTree) {
			return nil, fmt.Errorf("estimators_[%d]: is %v; want a DecisionTreeClassifier", i, tree.Kind())
		}
		if err := checkClasses(tree.State()); err != nil {
			return nil, fail(err)
		}
		t, err := readTree(get(tree.State(), "tree_"), inputs)
		if err != nil {
			return nil, fail(fmt.Errorf("tree_: %w", err))
		}
		if *budget -= len(t.Feature); *budget < 0 {
			return nil, fail(fmt.Errorf("tree_: more than %d nodes in all", maxNodes))
		}
		forest = append(forest, t)
	}
	return forest, nil
}

// checkClasses makes sure that an estimator has one output, the classes 0 and 1.
func checkClasses(state pickle.Value) error {
	if n, ok := whole(get(state, "n_outputs_")); !ok || n != 1 {
		return fmt.Errorf("n_outputs_: is %d; want 1", n)
	}
	classes, err := floats(get(state, "classes_"))
	if err != nil {
		return fmt.Errorf("classes_: %w", err)
	}
	if len(classes) != 2 || classes[0] != 0 || classes[1] != 1 {
		return fmt.Errorf("classes_: are %v; want [0 1]", classes)
	}
	return nil
}
