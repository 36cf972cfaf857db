package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// fileSections maps each section of the reference's file to the prefix that the flags of its keys have.
var fileSections = map[string]string{
	"client-transport-security": "",
	"peer-transport-security":   "peer-",
}

// readConfigFile reads a YAML file whose keys are the names of flags. It returns each value as the text for the flag;
// lists are joined by commas. It leaves out keys without a value or with an empty one. Unknown keys are warnings, because a
// file may be written for several versions; the reference ignores them, too.
func readConfigFile(path string) (map[string]setting, []string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the configuration: %w", UnwrapPath(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, nil, fmt.Errorf("cannot read the configuration: %s: %w", path, syscall.EISDIR)
	}
	root, err := decodeMapping(f, path)
	if err != nil || root == nil {
		return nil, nil, err
	}
	r := &fileReader{path: path, values: map[string]setting{}, lines: map[string]int{}}
	r.readMapping(root, func(key string) string { return key })
	return r.values, r.warnings, errors.Join(r.errs...)
}

// decodeMapping parses the only document of a file. It returns nil if the file is empty.
func decodeMapping(f io.Reader, path string) (*yaml.Node, error) {
	var doc yaml.Node
	decoder := yaml.NewDecoder(f)
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not YAML: %w; write lines of the form data-dir: /var/lib/pando", path, err)
	}
	if decoder.Decode(new(yaml.Node)) != io.EOF {
		return nil, fmt.Errorf("%s holds more than one YAML document; keep everything in one, without --- between", path)
	}
	root := doc.Content[0]
	if root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s does not hold settings; write lines of the form data-dir: /var/lib/pando", path)
	}
	return root, nil
}

// fileReader collects the settings and the problems of one file.
type fileReader struct {
	path     string
	values   map[string]setting
	lines    map[string]int // line of each value
	warnings []string
	errs     []error
}

// readMapping reads the pairs of a mapping. flagOf returns the name of the flag for a key. As in the reference, the case of
// keys does not matter.
func (r *fileReader) readMapping(m *yaml.Node, flagOf func(string) string) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], resolveAlias(m.Content[i+1])
		name := strings.ToLower(key.Value)
		if prefix, ok := fileSections[name]; ok {
			r.readSection(key, value, prefix)
			continue
		}
		r.readPair(key, value, flagOf(name))
	}
}

// readSection reads the keys of a TLS section.
func (r *fileReader) readSection(key, value *yaml.Node, prefix string) {
	if value.Tag == "!!null" {
		return
	}
	if value.Kind != yaml.MappingNode {
		r.fail(key, "%s is a section; write its settings below it, indented", key.Value)
		return
	}
	r.readMapping(value, func(key string) string {
		key = strings.TrimPrefix(key, "peer-")
		if key == "ca-file" { // its name before etcd 3.0
			key = "trusted-ca-file"
		}
		if flag, ok := shortKeys[prefix+key]; ok {
			return flag
		}
		return prefix + key
	})
}

// shortKeys maps keys of the TLS sections, with the prefix of the section, to flags with longer names.
var shortKeys = map[string]string{
	"crl-file":              "client-crl-file",
	"allowed-hostname":      "client-cert-allowed-hostname",
	"peer-allowed-cn":       "peer-cert-allowed-cn",
	"peer-allowed-hostname": "peer-cert-allowed-hostname",
}

func (r *fileReader) readPair(key, value *yaml.Node, flag string) {
	if SpecOf(flag) == nil || flag == ConfigFileFlag {
		r.unknown(key, flag)
		return
	}
	text, err := scalarText(value)
	if err != nil {
		r.fail(key, "%s %w", key.Value, err)
		return
	}
	if text == "" {
		return
	}
	if first, twice := r.values[flag]; twice && first.text != text {
		r.fail(key, "%s is set twice, first in line %d; keep one", key.Value, r.lines[flag])
		return
	}
	r.lines[flag] = key.Line
	r.values[flag] = setting{text, origin{fmt.Sprintf("from %s, line %d", filepath.Base(r.path), key.Line), true}}
}

// unknown adds a warning for a key that is not a setting or not allowed in a file.
func (r *fileReader) unknown(key *yaml.Node, flag string) {
	hint := "see pando --help for the names"
	if near := Nearest(flag, FlagNames()); near != "" && near != ConfigFileFlag {
		hint = "did you mean " + near + "?"
	}
	r.warnings = append(r.warnings, fmt.Sprintf("%s line %d: unknown setting %q has no effect; %s", r.path, key.Line, key.Value, hint))
}

func (r *fileReader) fail(at *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s line %d: "+format, append([]any{r.path, at.Line}, args...)...))
}

// scalarText returns the value as it is written in the file, for the parser of the flag. The YAML parser would turn
// "proxy: off" into false.
func scalarText(value *yaml.Node) (string, error) {
	switch {
	case value.Tag == "!!null":
		return "", nil
	case value.Kind == yaml.ScalarNode:
		return value.Value, nil
	case value.Kind == yaml.SequenceNode:
		items := make([]string, 0, len(value.Content))
		for _, item := range value.Content {
			item = resolveAlias(item)
			if item.Kind != yaml.ScalarNode {
				return "", errors.New("is a list of more than plain values; list words or URLs")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", errors.New("takes one value, not a section; write it on the same line")
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// UnwrapPath removes the operation from an *os.PathError: "open x: no such file" becomes "x: no such file".
func UnwrapPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}
