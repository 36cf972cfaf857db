package conformance

import (
	"errors"
	"slices"
	"time"
)

// shrinkTime bounds the search for a shorter sequence.
const shrinkTime = 30 * time.Second

// shrink looks for the shortest sequence that still differs: it leaves out ever smaller pieces, as long as a
// difference remains. It returns that sequence and its difference.
func shrink(steps []*differentialStep, found *unexplained, try func([]*differentialStep) error) ([]*differentialStep, *unexplained) {
	deadline := time.Now().Add(shrinkTime)
	for size := max(1, len(steps)/2); ; size /= 2 {
		for begin := 0; begin < len(steps) && time.Now().Before(deadline); {
			end := min(begin+size, len(steps))
			shorter := slices.Concat(steps[:begin], steps[end:])
			if still, ok := errors.AsType[*unexplained](try(shorter)); ok {
				steps, found = shorter[:max(still.at+1, len(shorter)*keepAll(shorter, still))], still
				continue
			}
			begin = end
		}
		if size <= 1 {
			return steps, found
		}
	}
}

// keepAll is 1 when what follows the step that differs belongs to the difference: a watch differs by what happens
// after it.
func keepAll(steps []*differentialStep, found *unexplained) int {
	if steps[found.at].watch {
		return 1
	}
	return 0
}
