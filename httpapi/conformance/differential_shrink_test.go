package conformance

import (
	"errors"
	"slices"
	"time"
)

// shrinkTime bounds the search for a shorter sequence of a run.
const shrinkTime = 30 * time.Second

// shrink looks for a short sequence that still differs. It removes smaller and smaller pieces as long as a difference remains, for at
// most the given time. It returns the sequence and its difference.
func shrink(
	within time.Duration, steps []*differentialStep, found *unexplained, try func([]*differentialStep) error,
) ([]*differentialStep, *unexplained) {
	deadline := time.Now().Add(within)
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

// keepAll returns 1 if the steps after the one that differs must be kept: the events of a watch come from later steps.
func keepAll(steps []*differentialStep, found *unexplained) int {
	if steps[found.at].watch {
		return 1
	}
	return 0
}
