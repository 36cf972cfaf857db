package users

import "slices"

// set is a set of names or of ranges.
type set[T comparable] map[T]struct{}

func newSet[T comparable](list []T) set[T] {
	s := make(set[T], len(list))
	for _, element := range list {
		s[element] = struct{}{}
	}
	return s
}

// add adds an element. It returns false if the set has it already.
func (s set[T]) add(element T) bool {
	_, has := s[element]
	s[element] = struct{}{}
	return !has
}

// remove removes an element. It returns false if the set does not have it.
func (s set[T]) remove(element T) bool {
	_, has := s[element]
	delete(s, element)
	return has
}

// sorted returns the elements in the order of compare. The list is never nil.
func (s set[T]) sorted(compare func(a, b T) int) []T {
	list := make([]T, 0, len(s))
	for element := range s {
		list = append(list, element)
	}
	slices.SortFunc(list, compare)
	return list
}
