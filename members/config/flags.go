package config

import (
	"slices"

	"github.com/urfave/cli/v2"
)

// Flags that package program looks up by name.
const (
	ConfigFileFlag = "config-file"
	VersionFlag    = "version"
)

// The groups of --help, in the order of --help.
const (
	groupMember        = "Member"
	groupClustering    = "Clustering"
	groupSecurity      = "Security"
	groupProxy         = "Proxy"
	groupDurability    = "Durability"
	groupLimits        = "Limits"
	groupLogging       = "Logging"
	groupObservability = "Observability"
	groupCompatibility = "Compatibility"
)

var flagGroups = []string{groupMember, groupClustering, groupSecurity, groupProxy, groupDurability, groupLimits, groupLogging,
	groupObservability, groupCompatibility}

// flagSpec describes one flag: its syntax, its help and its effect. Exactly one of set, ignored and refused is set.
type flagSpec struct {
	name  string
	group string
	arg   string // placeholder of the value; empty for a switch
	def   string // default as help shows it; for an ignored or refused flag that of the reference
	usage string
	// example is a value to show; empty when usage needs none.
	example string

	// oldFor is the new name of the flag, if this name is an old spelling. With a value for which unset returns true an old
	// spelling counts as not given; unset may be nil.
	oldFor string
	unset  func(string) bool

	set     func(*Config, string) error
	ignored string   // why the flag has no effect
	refused string   // why the flag is refused
	off     []string // values without an effect in the reference, in addition to def and the empty value
}

// use applies a value to cfg. It returns a warning if the flag is ignored, and an error if the flag or the value is refused.
func (s *flagSpec) use(cfg *Config, text string) (string, error) {
	switch {
	case s.set != nil:
		return "", s.set(cfg, text)
	case s.isReferenceDefault(text):
		return "", nil
	case s.refused != "":
		return "", &valueError{"is not supported by this version", s.refused}
	}
	return s.ignored, nil
}

// isReferenceDefault reports whether a value has no effect in the reference, because it is the default there. Such a value
// is accepted without a warning.
func (s *flagSpec) isReferenceDefault(text string) bool {
	if text == "" || text == s.def {
		return true
	}
	for _, off := range s.off {
		if text == off {
			return true
		}
	}
	if s.arg == "" {
		on, err := parseBool(text)
		standard, _ := parseBool(s.def)
		return err == nil && on == standard
	}
	return false
}

// flagSpecs are all flags, in the order of --help.
var flagSpecs = append(effectiveFlags(), compatibilityFlags()...)

// SpecOf returns the flag with a name, or nil if there is none.
func SpecOf(name string) *flagSpec {
	for i := range flagSpecs {
		if flagSpecs[i].name == name {
			return &flagSpecs[i]
		}
	}
	return nil
}

// oldSpellings returns the flags that are old names of a flag.
func oldSpellings(name string) []*flagSpec {
	var old []*flagSpec
	for i := range flagSpecs {
		if flagSpecs[i].oldFor == name {
			old = append(old, &flagSpecs[i])
		}
	}
	return old
}

// FlagNames returns the names of all flags.
func FlagNames() []string {
	names := make([]string, len(flagSpecs))
	for i := range flagSpecs {
		names[i] = flagSpecs[i].name
	}
	return names
}

// CommandLine holds the text of each flag on the command line. Load parses the texts.
type CommandLine struct{ raw map[string]*rawFlag }

// NewCommandLine makes a CommandLine without values.
func NewCommandLine() *CommandLine {
	c := &CommandLine{raw: map[string]*rawFlag{}}
	for i := range flagSpecs {
		c.raw[flagSpecs[i].name] = &rawFlag{isSwitch: flagSpecs[i].arg == ""}
	}
	return c
}

// CliFlags returns the flags for package cli. The help of package cli shows the flags in shown, or all if shown is empty.
func (c *CommandLine) CliFlags(shown ...string) []cli.Flag {
	var flags []cli.Flag
	for i := range flagSpecs {
		spec := &flagSpecs[i]
		flags = append(flags, &cli.GenericFlag{
			Name: spec.name, Usage: spec.usage, Value: c.raw[spec.name], DefaultText: spec.def,
			Hidden: len(shown) > 0 && !slices.Contains(shown, spec.name),
		})
	}
	return flags
}

// Values returns the texts of the flags that were given, by name.
func (c *CommandLine) Values() map[string]string {
	values := map[string]string{}
	for name, raw := range c.raw {
		if raw.given {
			values[name] = raw.text
		}
	}
	return values
}

// rawFlag is the text of one flag. It is a flag.Value.
type rawFlag struct {
	text     string
	given    bool
	isSwitch bool
}

// Set stores the text without parsing it.
func (r *rawFlag) Set(text string) error {
	r.text, r.given = text, true
	return nil
}

// String returns the text.
func (r *rawFlag) String() string { return r.text }

// IsBoolFlag reports whether the flag needs no value, for package flag.
func (r *rawFlag) IsBoolFlag() bool { return r.isSwitch }
