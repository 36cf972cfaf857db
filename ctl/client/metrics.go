package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Metrics are the samples at /metrics of one member. The key is the name, with the labels as the member writes them:
// name{label="value"}.
type Metrics map[string]float64

// Metrics requests /metrics. c must have one endpoint.
func (c *Client) Metrics(ctx context.Context) (Metrics, error) {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: "/metrics", bareError: true})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("%s/metrics: status code %d", c.config.Endpoints[0], a.status)
	}
	m := Metrics{}
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	for lines.Scan() {
		line := lines.Text()
		end := strings.LastIndexByte(line, '}') + 1 // a label may have blanks
		blank := strings.IndexByte(line[end:], ' ')
		if strings.HasPrefix(line, "#") || blank < 0 {
			continue
		}
		if value, err := strconv.ParseFloat(strings.TrimSpace(line[end+blank:]), 64); err == nil {
			m[line[:end+blank]] = value
		}
	}
	return m, nil
}

// Label returns the value of a label in a key of Metrics, or an empty text.
func Label(key, name string) string {
	_, rest, _ := strings.Cut(key, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// StoreStats requests /v2/stats/store: the numbers of requests by kind and success, and of watchers. c must have one endpoint.
func (c *Client) StoreStats(ctx context.Context) (map[string]float64, error) {
	stats := map[string]float64{}
	return stats, c.getJSON(ctx, "/v2/stats/store", &stats)
}
