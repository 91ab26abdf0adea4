package definition

import (
	"slices"
)

// staying picks the longest run of children that keep their order, so that as few as possible move.
func staying(before, children []*Part) map[string]bool {
	index := map[string]int{}
	for i, child := range before {
		index[child.ID] = i
	}
	var ids []string
	var order []int
	for _, child := range children {
		if i, ok := index[child.ID]; ok {
			ids, order = append(ids, child.ID), append(order, i)
		}
	}
	stay := map[string]bool{}
	for _, i := range longestIncreasing(order) {
		stay[ids[i]] = true
	}
	return stay
}

// longestIncreasing returns the indices of a longest increasing subsequence, by patience sorting.
func longestIncreasing(values []int) []int {
	previous := make([]int, len(values))
	var tails []int // index of the smallest last value of a run of each length
	for i, v := range values {
		at, _ := slices.BinarySearchFunc(tails, v, func(tail, v int) int { return values[tail] - v })
		previous[i] = -1
		if at > 0 {
			previous[i] = tails[at-1]
		}
		tails = append(tails[:at], append([]int{i}, tails[min(at+1, len(tails)):]...)...)
	}
	var run []int
	for i := len(tails) - 1; i >= 0; i-- {
		if i == len(tails)-1 {
			run = append(run, tails[i])
		} else {
			run = append(run, previous[run[len(run)-1]])
		}
	}
	return run
}
