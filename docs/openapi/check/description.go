package check

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pando/docs/openapi"
)

// Description is a description of an API in the format of OpenAPI 3.1.
type Description struct {
	root     map[string]any
	mu       sync.Mutex // protects compiler and schemas
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by the JSON pointers of their places
}

// address is the URL of the description for the compiler of schemas.
const address = "pando:openapi.json"

// Pando returns the description of Pando's API. All callers share it.
func Pando(t testing.TB) *Description {
	t.Helper()
	d, err := pando()
	if err != nil {
		t.Fatalf("docs/openapi/openapi.json: %v", err)
	}
	return d
}

var pando = sync.OnceValues(func() (*Description, error) { return Parse(openapi.JSON) })

// Parse returns the description with this text.
func Parse(text []byte) (*Description, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	root, ok := parsed.(map[string]any)
	if !ok || root["paths"] == nil {
		return nil, fmt.Errorf("the description has no paths")
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(address, root); err != nil {
		return nil, err
	}
	return &Description{root: root, compiler: compiler, schemas: map[string]*jsonschema.Schema{}}, nil
}

// place is an object of the description, with the JSON pointer of its place.
type place struct {
	pointer string
	object  map[string]any
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

// at returns the object with these names, one below the other. References are followed. It returns an empty place if there is none.
func (d *Description) at(from place, names ...string) place {
	if from.object == nil && from.pointer == "" {
		from.object = d.root
	}
	for _, name := range names {
		object, _ := from.object[name].(map[string]any)
		from = d.follow(place{from.pointer + "/" + escapePointer.Replace(name), object})
	}
	return from
}

// follow returns the object to which a reference points, or the object itself if it is none.
func (d *Description) follow(p place) place {
	ref, ok := p.object["$ref"].(string)
	if !ok {
		return p
	}
	target := place{object: d.root}
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		object, _ := target.object[name].(map[string]any)
		target = place{target.pointer + "/" + escapePointer.Replace(name), object}
	}
	return d.follow(target)
}

// validate validates a value with the schema at a pointer.
func (d *Description) validate(pointer string, value any) error {
	schema, err := d.schema(pointer)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// schema returns the compiled schema at a pointer.
func (d *Description) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if schema, ok := d.schemas[pointer]; ok {
		return schema, nil
	}
	schema, err := d.compiler.Compile(address + "#" + escapeFragment.Replace(pointer))
	if err != nil {
		return nil, fmt.Errorf("the schema at %s: %w", pointer, err)
	}
	d.schemas[pointer] = schema
	return schema, nil
}

// escapeFragment escapes the characters of our pointers that a fragment of a URL can't have.
var escapeFragment = strings.NewReplacer("%", "%25", " ", "%20", "{", "%7B", "}", "%7D", `"`, "%22")
