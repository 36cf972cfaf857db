package stats

import "strings"

// Version is the version of Pando, without a leading v. A release sets it to that of the tag, with the linker (docs/deploy/build.sh);
// nothing else may change it. It must not contain "0.4": old clients that find this text believe that the server speaks the v1 API.
var Version = "0.2.0-dev"

// Revision is the commit from which a release was built, as the linker has set it. It is empty in other builds. The Go command
// may have recorded the commit in these; see debug.ReadBuildInfo.
var Revision string

// APILevel is the version of etcd whose v2 API Pando speaks. Clients read it from /version, and choose the features that they use by it.
const APILevel = "3.4.23"

// V3APILevel is the version of etcd whose v3 API Pando speaks: Status says so. Clients read its parts as numbers, and choose the features
// that they use by it. /version says APILevel, because clients of v2 read it, too, and etcd has no v2 from 3.6 on.
const V3APILevel = "3.6.0"

// ClusterAPILevel returns APILevel with 0 as the patch level, for "etcdcluster" in /version. It asks no other member.
func ClusterAPILevel() string {
	major, rest, _ := strings.Cut(APILevel, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor + ".0"
}
