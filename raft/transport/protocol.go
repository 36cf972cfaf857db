package transport

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// protocolRange is the versions of the peer protocol that a program serves: of the framing, and of how the messages are
// used. Two members speak the highest version that both serve.
type protocolRange struct {
	lowest, highest int
}

// served is what this program serves. Protocol 1 was never released.
var served = protocolRange{lowest: 2, highest: 2}

func (r protocolRange) String() string { return fmt.Sprintf("%d-%d", r.lowest, r.highest) }

func (r protocolRange) overlaps(other protocolRange) bool {
	return r.lowest <= other.highest && other.lowest <= r.highest
}

// readProtocols reads the range that a member announces. What can't be read is a range that overlaps with no other.
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
