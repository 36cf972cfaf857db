package members

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// ErrNoURLs says that a list of URLs is empty.
var ErrNoURLs = errors.New("no valid URLs given")

// ParseURLs checks the URLs of a listener or a member and returns them
// canonical (blanks around them and upper-case schemes gone) and sorted, in a
// slice of its own. A URL has the scheme http, https, unix or unixs, an address
// host:port, for unix sockets too, and no path, not even a slash. A host may be
// empty; names are not resolved and ports not looked into. Twice the same URL
// is accepted.
//
// The texts of the errors are the API's: /v2/members answers with them as they
// are. A caller that reads a flag puts the flag's name before them.
func ParseURLs(raw []string) ([]string, error) {
	if len(raw) == 0 {
		return nil, ErrNoURLs
	}
	urls := make([]string, len(raw))
	for i, s := range raw {
		canonical, err := parseURL(strings.TrimSpace(s))
		if err != nil {
			return nil, err
		}
		urls[i] = canonical
	}
	slices.Sort(urls)
	return urls, nil
}

func parseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "http", "https", "unix", "unixs":
	default:
		return "", fmt.Errorf("URL scheme must be http, https, unix, or unixs: %s", s)
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return "", fmt.Errorf("URL address does not have the form \"host:port\": %s", s)
	}
	if u.Path != "" {
		return "", fmt.Errorf("URL must not contain a path: %s", s)
	}
	return u.String(), nil
}
