package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
)

// valueError is what is wrong with one value and what to write instead. The caller knows the flag and the place.
type valueError struct{ problem, fix string }

func (e *valueError) Error() string { return e.problem + "; " + e.fix }

// schemeRule is which URLs a list may hold.
type schemeRule int

const (
	urlsToListen    schemeRule = iota // this process binds them: an IP or localhost
	urlsToAdvertise                   // others dial them: any host
)

// parseURLs reads a comma-separated list of URLs. Repeated URLs count once; the order is kept.
func parseURLs(text string, rule schemeRule) ([]url.URL, error) {
	var urls []url.URL
	for _, item := range splitList(text) {
		u, err := parseURL(item, rule)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls, nil
}

func parseURL(text string, rule schemeRule) (url.URL, error) {
	wrong := func(problem, fix string) (url.URL, error) {
		return url.URL{}, &valueError{fmt.Sprintf("%q %s", text, problem), fix}
	}
	const form = "write it as http://HOST:PORT"
	if !strings.Contains(text, "://") {
		return wrong("has no scheme", form+", for example http://"+hostPortOf(text))
	}
	u, err := url.Parse(text)
	if err != nil {
		return wrong("is not a URL", form)
	}
	if err := checkScheme(u.Scheme, rule); err != nil {
		return wrong(err.problem, err.fix)
	}
	if u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || u.User != nil {
		return wrong("has more than a host and a port", form+" and nothing behind or before")
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || port == "" {
		return wrong("has no port", form+", for example "+u.Scheme+"://"+u.Host+":2379")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || (n == 0 && rule == urlsToAdvertise) {
		return wrong("has a port that cannot be dialled", "use a port from 1 to 65535")
	}
	if host == "" && rule == urlsToAdvertise {
		return wrong("has no host", "name the host that others reach this member by")
	}
	if host == "" {
		return wrong("has no host", "use 127.0.0.1 for this machine alone or 0.0.0.0 for all networks")
	}
	if rule == urlsToListen && host != "localhost" && net.ParseIP(host) == nil {
		return wrong("listens on a name", "use the IP address to bind, 0.0.0.0 for all; names belong in the --advertise URLs")
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func checkScheme(scheme string, rule schemeRule) *valueError {
	switch {
	case scheme == "http", scheme == "https" && rule == urlsToAdvertise:
		return nil
	case scheme == "https":
		return &valueError{"asks for TLS, which this version does not serve", "use http:// on a trusted network, or put a TLS proxy in front"}
	case scheme == "unix", scheme == "unixs":
		return &valueError{"is a unix socket, which this version does not support", "use http://127.0.0.1:PORT"}
	}
	return &valueError{"has an unknown scheme", "write it as http://HOST:PORT"}
}

// hostPortOf guesses the host and port that the writer of a URL without scheme meant.
func hostPortOf(text string) string {
	host, _, _ := strings.Cut(text, "/")
	if _, _, err := net.SplitHostPort(host); err != nil {
		return "127.0.0.1:2379"
	}
	return host
}

// URLStrings writes URLs as text, in order.
func URLStrings(urls []url.URL) []string {
	texts := make([]string, len(urls))
	for i := range urls {
		texts[i] = urls[i].String()
	}
	return texts
}

// splitList cuts a comma-separated list; spaces around items and empty items don't count.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// parseInitialCluster reads name=URL,name=URL; a name may come more than once.
func parseInitialCluster(text string) (map[string][]string, error) {
	cluster := map[string][]string{}
	for _, item := range splitList(text) {
		name, address, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, &valueError{fmt.Sprintf("%q is not NAME=URL", item), "write for example default=" + DefaultPeerURL}
		}
		u, err := parseURL(address, urlsToAdvertise)
		if err != nil {
			return nil, err
		}
		cluster[name] = append(cluster[name], u.String())
	}
	return cluster, nil
}

// parseCORS reads the allowed origins; nothing, like *, means all.
func parseCORS(text string) ([]string, error) {
	origins := splitList(text)
	if len(origins) == 0 || slices.Contains(origins, "*") {
		return []string{"*"}, nil
	}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return nil, &valueError{fmt.Sprintf("%q is not an origin", o), "write it as http://HOST or http://HOST:PORT, without a path, or * for all"}
		}
	}
	return origins, nil
}

// parseEntryID reads an entry of the log as errors name it.
func parseEntryID(text string) (LogEntry, error) {
	index, term, both := strings.Cut(text, "/")
	i, indexErr := strconv.ParseUint(index, 10, 64)
	t, termErr := strconv.ParseUint(term, 10, 64)
	if !both || indexErr != nil || termErr != nil || i == 0 || t == 0 {
		return LogEntry{}, &valueError{fmt.Sprintf("%q is not an entry of the log", text), "copy INDEX/TERM from the error that asks for the flag, for example 57/3"}
	}
	return LogEntry{Index: i, Term: t}, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "t", "yes", "on":
		return true, nil
	case "false", "0", "f", "no", "off":
		return false, nil
	}
	return false, &valueError{fmt.Sprintf("%q is neither true nor false", text), "write true or false"}
}

// parseWhole reads a whole number from 0 to limit.
func parseWhole(text string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, &valueError{fmt.Sprintf("%q is not a whole number from 0 up", text), "write digits alone, without unit or separators"}
	}
	if n > limit {
		return 0, &valueError{fmt.Sprintf("%s is too large", text), fmt.Sprintf("%d is the most it can be", limit)}
	}
	return n, nil
}

// parseMillis reads a number of milliseconds, or a duration with its unit such as 250ms or 1s.
func parseMillis(text string) (time.Duration, error) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		if n > math.MaxInt32 {
			return 0, &valueError{text + " milliseconds is too long", "write a number of milliseconds such as 100"}
		}
		return time.Duration(n) * time.Millisecond, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > math.MaxInt32*time.Millisecond {
		return 0, &valueError{fmt.Sprintf("%q is not a number of milliseconds", text), "write for example 100, or a duration such as 100ms"}
	}
	if d%time.Millisecond != 0 {
		return 0, &valueError{fmt.Sprintf("%q is not a whole number of milliseconds", text), "write for example 100"}
	}
	return d, nil
}

// ParseChoice accepts one of a few words.
func ParseChoice(text string, choices ...string) (string, error) {
	if slices.Contains(choices, text) {
		return text, nil
	}
	return "", &valueError{fmt.Sprintf("%q is not one of the choices", text), "use " + orList(choices)}
}

func parseLogLevel(text string) (zapcore.Level, error) {
	word, err := ParseChoice(text, "debug", "info", "warn", "error", "panic", "fatal")
	if err != nil {
		return 0, err
	}
	return zapcore.ParseLevel(word)
}

// parseLogOutputs reads where to log; default is standard error, as for the reference.
func parseLogOutputs(text string) ([]string, error) {
	var outputs []string
	for _, o := range splitList(text) {
		if o == "default" {
			o = "stderr"
		}
		if strings.HasPrefix(o, "systemd/") {
			return nil, &valueError{fmt.Sprintf("%q is not supported", o), "use stderr: systemd takes it into its journal"}
		}
		if !slices.Contains(outputs, o) {
			outputs = append(outputs, o)
		}
	}
	if len(outputs) == 0 {
		return nil, &valueError{"is empty", "use stderr, stdout or the path of a file"}
	}
	return outputs, nil
}

// orList writes words as "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
