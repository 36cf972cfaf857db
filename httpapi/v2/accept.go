package v2

import (
	"strconv"
	"strings"
)

const (
	octetStream = "application/octet-stream"
	eventStream = "text/event-stream"
)

// acceptsRaw reports whether the Accept headers of a request ask for the value alone: they name application/octet-stream, and not JSON with
// the same or a larger weight.
func acceptsRaw(accept []string) bool {
	raw := weightIn(accept, octetStream)
	return raw > 0 && raw > weightIn(accept, "application/json")
}

// acceptsEvents reports whether the Accept headers of a request ask for server-sent events, as those of a browser's EventSource do.
func acceptsEvents(accept []string) bool { return weightIn(accept, eventStream) > 0 }

// weightIn returns the largest weight that Accept headers give to a media type by its name. It is 0 if they do not name it.
func weightIn(accept []string, media string) (weight float64) {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), media) {
				weight = max(weight, weightOf(parameters))
			}
		}
	}
	return weight
}

// weightOf returns the parameter q of a media range in an Accept header. It is 1 if it is missing, and 0 if it is invalid.
func weightOf(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
