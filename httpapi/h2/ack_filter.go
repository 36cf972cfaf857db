package h2

import "golang.org/x/net/http2"

// frameHeader is the length of the header of a frame: three bytes with the length of its payload, type, flags, stream.
const frameHeader = 9

// isSettingsAck reports whether the header of a frame is that of an acknowledgement of SETTINGS. Such a frame has no payload.
func isSettingsAck(header []byte) bool {
	return http2.FrameType(header[3]) == http2.FrameSettings && http2.Flags(header[4]).Has(http2.FlagSettingsAck)
}

// payloadLength returns the length of the payload that follows a header.
func payloadLength(header []byte) int { return int(header[0])<<16 | int(header[1])<<8 | int(header[2]) }

// ackFilter removes the first acknowledgement of SETTINGS from frames that are cut at any place.
type ackFilter struct {
	header     [frameHeader]byte // of the frame that is incomplete
	headerRead int               // the number of its bytes that have arrived
	payload    int               // the rest of the frame
}

// filter returns p without the acknowledgement, in a new slice. It keeps back the incomplete header at the end of p and returns it with
// the next p. found is true if the acknowledgement was in p. The filter must then not be used any more.
func (f *ackFilter) filter(p []byte) (rest []byte, found bool) {
	rest = make([]byte, 0, len(p)+f.headerRead)
	for len(p) > 0 {
		if f.payload > 0 {
			n := min(len(p), f.payload)
			rest = append(rest, p[:n]...)
			p, f.payload = p[n:], f.payload-n
			continue
		}
		n := copy(f.header[f.headerRead:], p)
		p, f.headerRead = p[n:], f.headerRead+n
		if f.headerRead < frameHeader {
			break
		}
		f.headerRead = 0
		if isSettingsAck(f.header[:]) {
			return append(rest, p...), true
		}
		rest = append(rest, f.header[:]...)
		f.payload = payloadLength(f.header[:])
	}
	return rest, false
}
