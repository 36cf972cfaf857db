package conformance

import (
	"regexp"
	"slices"
	"strings"
)

// The rules for sequences with auth on.

// authRules are tried after exchangeRules.
var authRules = []exchangeRule{
	{"guests-are-checked-like-users", func(e *exchanged) bool {
		return !e.request.hasHeader("Authorization") && strings.Contains(e.request.target, "recursive=true") &&
			e.pando.denied() && !e.reference.denied()
	}},
	{"permissions-apply-to-the-clean-path", func(e *exchanged) bool {
		path, _, _ := strings.Cut(e.request.target, "?")
		return strings.HasSuffix(path, "/") && path != "/v2/keys/" && e.pando.denied() != e.reference.denied()
	}},
	{"empty-grants-are-not-kept", func(e *exchanged) bool {
		body := emptyGrant.ReplaceAllString(e.reference.body, "")
		return strings.HasPrefix(e.request.target, "/v2/auth/") && body != e.reference.body && body == e.pando.body && sameStatus(e)
	}},
}

// emptyGrant is a grant or a revoke of nothing, which the reference keeps in a role that was created with it.
var emptyGrant = regexp.MustCompile(`,"(?:grant|revoke)":\{"kv":\{"read":(?:null|\[\]),"write":(?:null|\[\])\}\}`)

// sameStatus compares the first lines of the heads.
func sameStatus(e *exchanged) bool { return e.pando.status() == e.reference.status() }

// authWatchRules are applied after watchRules.
var authWatchRules = []watchRule{{"watches-end-with-their-right", endWithRight}}

// denied reports whether the response says that the sender may not do this.
func (a *sideAnswer) denied() bool {
	return !a.none && a.status() == "401"
}

// endWithRight allows that a watch of Pando ends with the error of a missing right. Its events before must be those of the reference.
func endWithRight(_ *openPair, reference, pando watchResult) (watchResult, bool) {
	n := len(pando.lines) - 1
	if n < 0 || pando.end != "(ended)" || !strings.HasPrefix(pando.lines[n], `{"errorCode":110,`) || len(reference.lines) < n {
		return reference, false
	}
	before := pando.lines[:n]
	same := slices.EqualFunc(before, reference.lines[:n], func(p, r string) bool { return adoptCloseTTLs(p, r) == r })
	return pando, same
}
