package h2

import (
	"slices"

	"golang.org/x/net/http2"
)

const (
	// maxSettings is the largest number of settings in a frame, as in net/http.
	maxSettings = 100
	// lastSetting is the largest ID of a setting that HTTP/2 defines. Servers must ignore settings that they do not support.
	lastSetting = 9
)

// clientSettings are the SETTINGS frames of a client before its first request.
//
// The Front has acknowledged each of them, and the server acknowledges what it reads: net/http sends one acknowledgement for several
// frames that arrive together. So the server reads one frame in place of all.
type clientSettings struct {
	frames int
	list   []http2.Setting // the settings of all frames; at most one for each ID up to lastSetting
}

// validSettings reports whether both servers accept the frame.
func validSettings(f *http2.SettingsFrame) bool {
	return f.NumSettings() <= maxSettings && !f.HasDuplicates() && f.ForeachSetting(http2.Setting.Valid) == nil
}

// add adds the settings of a valid frame. The last value of a setting applies. For the size of the table of HPACK it is the smallest one:
// a server that does not see a smaller size in between would not report it to the client, as HPACK demands. A server may always use
// less than the client allows.
func (s *clientSettings) add(f *http2.SettingsFrame) {
	s.frames++
	for n := range f.NumSettings() {
		one := f.Setting(n)
		if one.ID > lastSetting {
			continue
		}
		i := slices.IndexFunc(s.list, func(old http2.Setting) bool { return old.ID == one.ID })
		switch {
		case i < 0:
			s.list = append(s.list, one)
		case one.ID == http2.SettingHeaderTableSize:
			s.list[i].Val = min(s.list[i].Val, one.Val)
		default:
			s.list[i].Val = one.Val
		}
	}
}
