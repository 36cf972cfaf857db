package v2

import (
	"slices"
	"testing"

	"pando/docs/openapi/check"
)

// TestEachParameterIsDescribed compares the parameters of requests for keys with the description of the API.
func TestEachParameterIsDescribed(t *testing.T) {
	const template = "/v2/keys/{key}"
	var described []string
	for _, method := range check.Pando(t).Methods(template) {
		described = append(described, check.Pando(t).Parameters(template, method)...)
	}
	for _, name := range fieldNames {
		if !slices.Contains(described, name) {
			t.Errorf("docs/openapi/source does not describe the parameter %q of %s", name, template)
		}
	}
	for _, name := range described {
		if _, known := fieldOf(name); !known {
			t.Errorf("docs/openapi/source describes the parameter %q of %s, which requests don't have", name, template)
		}
	}
}
