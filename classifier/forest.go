package classifier

import "math"

// maxInputs is the greatest number of inputs of a model.
const maxInputs = 64

// keys are a model's inputs, rounded to float32, as ordered integers.
type keys [maxInputs]int32

// node is a tree's node in eight bytes, so that a step reads one word:
// the threshold's key in the upper 32 bits, then 26 bits of the index of the
// left child, which the right one follows, then 6 bits of the input's index.
// A leaf leads to itself, whatever the input.
type node uint64

const (
	inputBits = 6
	leftBits  = 26
	inputMask = 1<<inputBits - 1
	leftMask  = 1<<leftBits - 1
)

func newNode(key int32, left, input int) node {
	return node(uint32(key))<<32 | node(left)<<inputBits | node(input)
}

// step gives the index of the child that an input leads to, without a branch:
// processors cannot guess the way through a forest.
func (n node) step(k *keys) uint32 {
	over := uint64(int64(int32(n>>32))-int64(k[n&inputMask])) >> 63 // 1 where input > threshold
	return uint32(n>>inputBits)&leftMask + uint32(over)
}

// forest is an ensemble of trees that is scored together.
type forest struct {
	nodes  []node
	shares []float64 // of class 1, beside nodes
	trees  []tree
}

// tree is where a tree's root is and how many steps lead to its deepest leaf.
type tree struct {
	root  uint32
	depth int
}

// newForest lays trees out breadth first, children side by side.
func newForest(specs []TreeSpec) forest {
	var f forest
	for i := range specs {
		f.add(&specs[i])
	}
	return f
}

func (f *forest) add(s *TreeSpec) {
	type entry struct{ from, to, depth int }
	root := len(f.nodes)
	f.nodes = append(f.nodes, 0)
	f.shares = append(f.shares, 0)
	queue := []entry{{0, root, 0}}
	t := tree{root: uint32(root)}
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		t.depth = max(t.depth, e.depth)
		f.shares[e.to] = s.Share[e.from]
		if s.Feature[e.from] < 0 {
			f.nodes[e.to] = newNode(math.MaxInt32, e.to, 0)
			continue
		}
		left := len(f.nodes)
		f.nodes = append(f.nodes, 0, 0)
		f.shares = append(f.shares, 0, 0)
		f.nodes[e.to] = newNode(thresholdKey(s.Threshold[e.from]), left, s.Feature[e.from])
		queue = append(queue, entry{s.Left[e.from], left, e.depth + 1}, entry{s.Right[e.from], left + 1, e.depth + 1})
	}
	f.trees = append(f.trees, t)
}

// score gives the mean of the leaves' shares, summed in the order of trees.
// Trees go in pairs of five, so that the processor works on five at once.
func (f *forest) score(k *keys) float64 {
	sum := 0.0
	trees, nodes := f.trees, f.nodes
	for len(trees) >= 5 {
		a, b, c, d, e := trees[0].root, trees[1].root, trees[2].root, trees[3].root, trees[4].root
		depth := max(trees[0].depth, trees[1].depth, trees[2].depth, trees[3].depth, trees[4].depth)
		for range depth {
			a, b, c, d, e = nodes[a].step(k), nodes[b].step(k), nodes[c].step(k), nodes[d].step(k), nodes[e].step(k)
		}
		sum += f.shares[a]
		sum += f.shares[b]
		sum += f.shares[c]
		sum += f.shares[d]
		sum += f.shares[e]
		trees = trees[5:]
	}
	for _, t := range trees {
		i := t.root
		for range t.depth {
			i = nodes[i].step(k)
		}
		sum += f.shares[i]
	}
	return sum / float64(len(f.trees))
}

// explain walks every tree again and adds each split's change in the share of
// class 1, over the number of trees, to the split's input. It gives the mean
// share of the roots: that and all changes add up to the score.
func (f *forest) explain(k *keys, changes *[maxInputs]float64) (base float64) {
	n := float64(len(f.trees))
	for _, t := range f.trees {
		i := t.root
		base += f.shares[i]
		for {
			next := f.nodes[i].step(k)
			if next == i {
				break
			}
			changes[f.nodes[i]&inputMask] += (f.shares[next] - f.shares[i]) / n
			i = next
		}
	}
	return base / n
}
