package v2

import (
	"net/http"

	"pando/stats"
)

// SelfStats serves /v2/stats/self.
func (a *API) SelfStats(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	return writeStats(w, a.Service.SelfStats())
}

// StoreStats serves /v2/stats/store.
func (a *API) StoreStats(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	return writeStats(w, a.Service.StoreStats())
}

// LeaderStats serves /v2/stats/leader.
func (a *API) LeaderStats(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	body, err := a.Service.LeaderStats()
	if err != nil {
		return stats.OpStats, writeMessage(w, messageStatus(err), "not current leader")
	}
	return writeStats(w, body)
}

func writeStats(w http.ResponseWriter, body []byte) (stats.Op, error) {
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body) // an error means that the client is gone
	return stats.OpStats, nil
}
