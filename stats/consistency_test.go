package stats

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestConsistencyMetrics(t *testing.T) {
	m := NewMetrics(Build{Version: "test", APIVersion: "3.4.23"})
	m.ConsistencyHashed(20 * time.Millisecond)
	m.ConsistencyChecked(3, 0, 70, 2)
	m.ConsistencyChecked(2, 1, 90, 1)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		"\npando_consistency_checks_total 2\n", "\npando_consistency_checked_members 2\n",
		"\npando_consistency_checked_index 90\n", "\npando_consistency_differences 1\n",
		"\npando_consistency_hash_duration_seconds_count 1\n",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q is not in /metrics", want)
		}
	}
}
