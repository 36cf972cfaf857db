package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// accessFlags returns the flags that restrict the requests of web pages, and those of the audit log.
func accessFlags() []flagSpec {
	return []flagSpec{
		{name: "host-whitelist", group: groupSecurity, arg: "HOSTS", def: "*",
			usage: "Names and IP addresses, separated by commas, by which clients may address this server, without ports; * for all. A request " +
				"with another Host is answered with 421. So a web page can't use this server by changing its own DNS name to the address of " +
				"this server.",
			example: "etcd.example.com,localhost,10.0.0.1",
			set:     func(c *Config, v string) (err error) { c.HostWhitelist, err = parseHosts(v); return err }},
		{name: "cors", group: groupSecurity, arg: "ORIGINS",
			usage: "Origins of web pages that may read and change keys, separated by commas. With * all pages may read, but only those of " +
				"listed origins may change anything. Without the flag, pages of other origins may do neither. Programs other than " +
				"browsers are not affected.",
			example: "http://app.example.com", set: func(c *Config, v string) (err error) { c.CORS, err = parseCORS(v); return err }},
		{name: "ui", group: groupSecurity, arg: "MODE", def: UIOn,
			usage: "The web page for people at /ui/ on the client URLs: \"on\", \"readonly\" to show no controls that change something, " +
				"or \"off\". The page has only the rights of the user who logs in, so \"readonly\" is no protection.",
			set: func(c *Config, v string) (err error) { c.UI, err = ParseChoice(v, UIOff, UIReadOnly, UIOn); return err }},
		{name: "audit-log", group: groupSecurity, arg: "FILE",
			usage: "Write one line of JSON for each operation of a client, with the address, the user and the outcome, to this file, or to " +
				"\"stdout\". SIGHUP opens the file again. Lines have no values and no passwords.",
			example: "/var/log/pando/audit.log", set: func(c *Config, v string) error { c.AuditLog = v; return nil }},
		{name: "audit-reads", group: groupSecurity, def: "true",
			usage: "Write reads and watches to --audit-log, too. Reads that were denied are always written.",
			set:   func(c *Config, v string) (err error) { c.AuditReads, err = parseBool(v); return err }},
	}
}

// requestLimitFlags returns the flags that limit the requests and watches of clients.
func requestLimitFlags() []flagSpec {
	return []flagSpec{
		{name: "max-inflight-requests", group: groupLimits, arg: "N", def: "0",
			usage: "Number of client requests that may be under way, watches not included; the answer to further ones is 503. 0: as many " +
				"as connections, but at least 50000.",
			set: setWhole(func(c *Config) *int { return &c.MaxInflightRequests })},
		{name: "max-watches", group: groupLimits, arg: "N", def: "0",
			usage: "Number of watches (long polls and streams) that may be open. A watch of several paths counts once for each. The answer to " +
				"further ones is 503. 0: as many as connections, but at least 50000.",
			set: setWhole(func(c *Config) *int { return &c.MaxWatches })},
		{name: "max-header-bytes", group: groupLimits, arg: "BYTES", def: "1048576",
			usage: "Length of the longest request line and headers together, of a client; the answer to longer ones is 431.",
			set:   setWhole(func(c *Config) *int { return &c.MaxHeaderBytes })},
	}
}

// quotaFlags returns the flags that limit the size of the tree.
func quotaFlags() []flagSpec {
	return []flagSpec{
		{name: "quota-bytes", group: groupLimits, arg: "BYTES", def: "0",
			usage: "Total bytes of keys and values from which on writes that add bytes are refused with error 111. Reads, removals, new TTLs " +
				"and shorter values go on. Use the same number on all members. 0: no limit.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, math.MaxInt64)
				c.QuotaBytes = int64(n)
				return err
			}},
	}
}

// pinFlags returns the flags that limit the states of the tree that are pinned for lists.
func pinFlags() []flagSpec {
	return []flagSpec{
		{name: "max-pinned-views", group: groupLimits, arg: "N", def: "16",
			usage: "Number of states of the tree that may be pinned for lists of several pages (atIndex); the answer to a request for a " +
				"further one is 503. Lists that begin at the same index share one. 0: none.",
			set: setWhole(func(c *Config) *int { return &c.MaxPinnedViews })},
		{name: "max-pinned-bytes", group: groupLimits, arg: "BYTES", def: "268435456",
			usage: "Memory that pinned states may keep, of what has been changed or deleted since. Beyond it the oldest are released, and " +
				"the next page of their lists is an error.",
			set: setBytes(func(c *Config) *int64 { return &c.MaxPinnedBytes })},
		{name: "pinned-view-timeout", group: groupLimits, arg: "MS", def: "60000",
			usage: "Milliseconds after which a pinned state is released that no request has read, at most an hour.",
			set: func(c *Config, v string) (err error) {
				c.PinnedViewTimeout, err = parseMillis(v)
				return err
			}},
	}
}

// setWhole returns a set function that parses a whole number into the field that pick returns.
func setWhole(pick func(*Config) *int) func(*Config, string) error {
	return func(c *Config, text string) error {
		n, err := parseWhole(text, math.MaxInt32)
		*pick(c) = int(n)
		return err
	}
}

// parseCORS parses the allowed origins.
func parseCORS(text string) ([]string, error) {
	origins := splitList(text)
	for _, o := range origins {
		if o == "*" {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || o != u.Scheme+"://"+u.Host {
			return nil, &valueError{fmt.Sprintf("%q is not an origin", o),
				"write it as http://HOST or http://HOST:PORT, without a path, or * to let all pages read"}
		}
	}
	return origins, nil
}

// parseHosts parses the hosts by which clients may address the server. An empty list means all, like *.
func parseHosts(text string) ([]string, error) {
	list := splitList(text)
	if len(list) == 0 || slices.Contains(list, "*") {
		return []string{"*"}, nil
	}
	for _, host := range list {
		if _, err := netip.ParseAddr(host); err == nil {
			continue
		}
		if _, _, err := net.SplitHostPort(host); err == nil || strings.ContainsAny(host, "/:[]* ") {
			return nil, &valueError{fmt.Sprintf("%q is not a host", host),
				"write a name or an IP address without scheme and port, for example etcd.example.com; * stands for all hosts, and can't be " +
					"a part of a name"}
		}
	}
	return list, nil
}
