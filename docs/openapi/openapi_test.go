package openapi

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "make openapi.json from the files in source")

// TestDescriptionIsMadeFromSource compares openapi.json with the files in source. With -update it writes openapi.json.
func TestDescriptionIsMadeFromSource(t *testing.T) {
	want := convert(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(JSON, want) {
		t.Error("openapi.json is not what the files in source describe: run `go test ./docs/openapi -update`")
	}
}

// TestDescriptionIsValid validates the description with the schema of OpenAPI 3.1, which leaves the schemas of bodies to their own
// meta-schema.
func TestDescriptionIsValid(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile("testdata/schema-3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	description, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(description); err != nil {
		t.Errorf("%#v", err)
	}
	t.Run("a description that is not valid", func(t *testing.T) {
		delete(description.(map[string]any), "info")
		if err := schema.Validate(description); err == nil {
			t.Error("it was taken for valid")
		}
	})
}
