package stats

import "strings"

// Version is Pando's own version. It never contains "0.4": old clients look for that text to recognise servers
// that speak the v1 API.
const Version = "0.1.0-dev"

// APILevel is the etcd release whose v2 API Pando speaks. Clients read it from /version and switch
// features on by it.
const APILevel = "3.4.23"

// ClusterAPILevel is the API level that all members of a cluster share: major and minor, as the reference says it.
func ClusterAPILevel() string {
	major, rest, _ := strings.Cut(APILevel, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor + ".0"
}
