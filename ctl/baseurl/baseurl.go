package baseurl

import (
	"fmt"
	"net/url"
	"strings"
)

// Parse returns the URL that text stands for. HOST:PORT and HOST without a scheme are taken for http. A URL may have a path,
// below which the server's API lies.
func Parse(text string) (*url.URL, error) {
	full := strings.TrimSpace(text)
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, err
	}
	if u.Host == "" {
		return nil, fmt.Errorf("endpoint %q names no host; write it as http://HOST:2379", text)
	}
	return u, nil
}

// ParseList reads several, leaving out blank ones.
func ParseList(texts []string) ([]*url.URL, error) {
	var urls []*url.URL
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		u, err := Parse(text)
		if err != nil {
			return nil, err
		}
		urls = append(urls, u)
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("%q names no endpoint; write it as http://HOST:2379", strings.Join(texts, ","))
	}
	return urls, nil
}
