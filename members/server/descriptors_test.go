package server

import (
	"strings"
	"testing"

	"pando/httpapi"

	"pando/members/config"
)

func TestShares(t *testing.T) {
	for _, limit := range []int{1, 16, 64, 256, 1024, 4096, 20_000, 1 << 20, unlimited} {
		member, proxy := memberShares(limit), proxyShares(limit)
		if limit >= 64 {
			files := limit - member.clients - member.peers - member.metrics - 3*httpapi.RefusalDescriptors
			if least := min(reservedForFiles, limit/2-3*httpapi.RefusalDescriptors); files < least {
				t.Errorf("with %d open files a member keeps %d for its files: %+v", limit, files, member)
			}
			if used := 2*proxy.clients + proxy.idle + proxy.metrics; used > limit-limit/2 && used > limit-reservedForFiles {
				t.Errorf("with %d open files a proxy may use %d: %+v", limit, used, proxy)
			}
		}
		if member.clients < 1 || proxy.clients < 1 || (limit >= 1024 && member.clients < limit*3/4) {
			t.Errorf("with %d open files there is too little room for clients: %+v, %+v", limit, member, proxy)
		}
	}
	t.Run("chosen by a flag", func(t *testing.T) {
		has := shares{clients: 100}
		for _, test := range []struct{ flag, want int }{{0, 100}, {7, 7}, {100, 100}} {
			if got, err := has.withMaxConnections(&config.Config{MaxConnections: test.flag}); err != nil || got.clients != test.want {
				t.Errorf("--max-connections=%d gives %+v, %v", test.flag, got, err)
			}
		}
		if _, err := has.withMaxConnections(&config.Config{MaxConnections: 101}); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
			t.Errorf("more than there is room for: %v", err)
		}
	})
}
