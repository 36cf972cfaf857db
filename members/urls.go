package members

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// ErrNoURLs is returned for an empty list of URLs.
var ErrNoURLs = errors.New("no valid URLs given")

// ParseURLs checks the URLs of a listener or a member, and returns them in a new slice,
// sorted and canonical: without blanks around them, and with the scheme in lower case. A
// URL must have the scheme http, https, unix or unixs, an address host:port (for unix
// sockets, too), and no path, not even a slash. The host may be empty. Names are not
// resolved, and ports are not checked. A URL may be given twice.
//
// /v2/members answers with the texts of the errors. A caller that parses a flag must add
// the name of the flag.
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
