package auth

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// limits bounds the failed logins: of each user name, of each address, and of all suspect logins together. A login is suspect if
// another one with the same name or from the same address has failed a short time ago. The common limit prevents that attackers with
// many addresses occupy the processors. Users who log in for the first time during an attack are not suspect, so it does not delay them.
//
// Only failed logins take tokens. Any number of users may log in from one address.
type limits struct {
	users, addresses *buckets
	suspects         *rate.Limiter
}

// failureBurst is the number of logins with a name or from an address that may fail one after another.
const failureBurst = 10

// newLimits returns limits that allow perMinute failed logins per minute for each name and each address. With 0 it returns nil, which
// has no limits.
func newLimits(perMinute, processors int) *limits {
	if perMinute == 0 {
		return nil
	}
	each := rate.Limit(float64(perMinute) / 60)
	// Two hashes of 20 ms in a second take 4% of a processor.
	all := 2 * processors
	return &limits{
		users: newBuckets(each, failureBurst), addresses: newBuckets(each, failureBurst),
		suspects: rate.NewLimiter(rate.Limit(all), max(all, failureBurst)),
	}
}

// allow reports whether a password may be verified now.
func (l *limits) allow(name, address string, now time.Time) bool {
	if l == nil {
		return true
	}
	user, from := l.users.tokens(name, now), l.addresses.tokens(address, now)
	if user < 1 || from < 1 {
		return false
	}
	suspect := user < failureBurst || from < failureBurst
	return !suspect || l.suspects.TokensAt(now) >= 1
}

// fail counts a login that has failed.
func (l *limits) fail(name, address string, now time.Time) {
	if l == nil {
		return
	}
	l.users.take(name, now)
	l.addresses.take(address, now)
	l.suspects.AllowN(now, 1)
}

// addressOf returns the part of an address that the limits use: the address without its port, and of IPv6 the network of 64 bits,
// because one host usually has all of it.
func addressOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote // a unix socket
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
