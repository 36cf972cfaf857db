package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.yaml.in/yaml/v3"
)

// sourceFiles are the files of the folder source in the order of their parts of the description.
var sourceFiles = []string{
	"info", "keys", "txn", "parameters", "answers", "watches", "errors", "members", "users", "users_errors", "statistics", "maintenance",
	"mirror", "monitoring", "page",
}

// convert returns the description as JSON, from the files in source.
func convert(t *testing.T) []byte {
	t.Helper()
	merged := newObject()
	for _, name := range sourceFiles {
		text, err := os.ReadFile(filepath.Join("source", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var file yaml.Node
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatalf("source/%s.yaml: %v", name, err)
		}
		part, err := valueOf(file.Content[0])
		if err == nil {
			err = merged.merge(part.(*object))
		}
		if err != nil {
			t.Fatalf("source/%s.yaml: %v", name, err)
		}
	}
	compact, err := json.Marshal(merged)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", " "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// object is a JSON object that keeps the order of its members.
type object struct {
	names  []string
	values map[string]any
}

func newObject() *object { return &object{values: map[string]any{}} }

// set sets a member. A member that exists keeps its place.
func (o *object) set(name string, value any) {
	if _, known := o.values[name]; !known {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// merge adds the members of another object. Members that both have must be objects, and are merged.
func (o *object) merge(other *object) error {
	for _, name := range other.names {
		value := other.values[name]
		known, found := o.values[name]
		if !found {
			o.set(name, value)
			continue
		}
		into, isObject := known.(*object)
		from, both := value.(*object)
		if !isObject || !both {
			return fmt.Errorf("%s is defined twice", name)
		}
		if err := into.merge(from); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// MarshalJSON encodes the object.
func (o *object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, name := range o.names {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := encode(o.values[name])
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, strconv.Quote(name)...), ':'), value...)
	}
	return append(b, '}'), nil
}

// encode is json.Marshal without the escapes for HTML.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return b.Bytes(), err
}

// valueOf returns the value of a YAML node: an *object, a []any, a string, a number, a bool or nil.
func valueOf(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return valueOf(n.Alias)
	case yaml.MappingNode:
		return objectOf(n)
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			value, err := valueOf(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	}
	var value any
	err := n.Decode(&value)
	return value, err
}

// objectOf returns the object of a YAML mapping. The members of a mapping behind "<<" come first, and others take precedence.
func objectOf(n *yaml.Node) (*object, error) {
	o, given := newObject(), map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		name, line := n.Content[i].Value, n.Content[i].Line
		value, err := valueOf(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		if base, ok := value.(*object); ok && name == "<<" {
			for _, inherited := range base.names {
				if !given[inherited] {
					o.set(inherited, base.values[inherited])
				}
			}
			continue
		}
		if given[name] {
			return nil, fmt.Errorf("line %d: %s is defined twice", line, name)
		}
		given[name] = true
		o.set(name, value)
	}
	return o, nil
}
