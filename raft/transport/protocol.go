package transport

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// protocolRange is a range of versions of the peer protocol. The version covers the framing and the use of the messages.
// Two members speak the highest version that both serve.
type protocolRange struct {
	lowest, highest int
}

// servedProtocols are the versions that this program serves. Version 1 was never released.
var servedProtocols = protocolRange{lowest: 2, highest: 2}

func (r protocolRange) String() string { return fmt.Sprintf("%d-%d", r.lowest, r.highest) }

func (r protocolRange) overlaps(other protocolRange) bool {
	return r.lowest <= other.highest && other.lowest <= r.highest
}

// readProtocols reads the range that a member announces. It returns the range 0-0, which overlaps no other, if the headers
// are missing or malformed.
func readProtocols(h http.Header) protocolRange {
	lowest, highest, found := strings.Cut(h.Get(headerProtocols), "-")
	if !found { // a program without feature levels serves one protocol
		lowest = h.Get(headerProtocol)
		highest = lowest
	}
	low, err := strconv.Atoi(lowest)
	high, err2 := strconv.Atoi(highest)
	if err != nil || err2 != nil {
		return protocolRange{}
	}
	return protocolRange{low, high}
}
