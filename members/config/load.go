package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// envPrefixes are the prefixes of environment variables, in the order of precedence.
var envPrefixes = []string{"PANDO_", "ETCD_"}

// FlagError is the error of a setting with a wrong value. It names the flag even if the value is not from the command
// line.
type FlagError struct {
	Flag    string // without dashes
	Origin  string // where the value comes from; empty for the command line
	Problem string // what is wrong, beginning with the value if there is one
	Fix     string // what to do
}

func (e *FlagError) Error() string {
	from := ""
	if e.Origin != "" {
		from = " (" + e.Origin + ")"
	}
	return fmt.Sprintf("--%s%s: %s; %s", e.Flag, from, e.Problem, e.Fix)
}

// origin is where a value comes from. The zero origin is that of a default.
type origin struct {
	place string // "from ETCD_NAME in the environment", "from pando.yml, line 3"; empty for the command line
	given bool
}

// setting is one value as text, with its origin.
type setting struct {
	text string
	from origin
}

// settings holds all values that were given, by source.
type settings struct {
	flags map[string]string
	env   map[string]string
	file  map[string]setting
}

// sources returns a look-up function for each source of values, in the order of precedence: command line, PANDO_X, ETCD_X,
// file.
func (s *settings) sources() []func(name string) (setting, bool) {
	return []func(string) (setting, bool){
		func(name string) (setting, bool) {
			text, ok := s.flags[name]
			return setting{text, origin{given: true}}, ok
		},
		s.variable(envPrefixes[0]),
		s.variable(envPrefixes[1]),
		func(name string) (setting, bool) {
			value, ok := s.file[name]
			return value, ok
		},
	}
}

// variable returns a look-up function for environment variables with a prefix. An empty variable counts as not set, because
// scripts clear variables that way.
func (s *settings) variable(prefix string) func(name string) (setting, bool) {
	return func(name string) (setting, bool) {
		key := prefix + envSuffix(name)
		return setting{s.env[key], origin{"from " + key + " in the environment", true}}, s.env[key] != ""
	}
}

// find returns the value of a flag, and the flag by which it was given: spec or an old spelling of it. The first source
// with a value counts, whatever the spelling. If one source has several spellings, the new one counts.
func (s *settings) find(spec *flagSpec) (*flagSpec, setting, bool) {
	spellings := append([]*flagSpec{spec}, oldSpellings(spec.name)...)
	for _, look := range s.sources() {
		for _, spelling := range spellings {
			value, ok := look(spelling.name)
			if ok && (spelling.unset == nil || !spelling.unset(value.text)) {
				return spelling, value, true
			}
		}
	}
	return nil, setting{}, false
}

// envSuffix returns the name of a flag's variable without the prefix: SNAPSHOT_COUNT for snapshot-count.
func envSuffix(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Load makes a complete and valid Config from the flags of the command line (name to text), the environment (KEY=value)
// and the configuration file that one of them names. The warnings are for the log. The error joins all problems, so that
// a user can correct them at once.
func Load(flags map[string]string, environ []string) (*Config, []string, error) {
	s := &settings{flags: flags, env: environMap(environ)}
	cfg := Default()
	cfg.origins = map[string]origin{}
	var warnings []string
	if _, path, ok := s.find(SpecOf(ConfigFileFlag)); ok && path.text != "" {
		values, unknown, err := readConfigFile(path.text)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EISDIR) {
			return nil, nil, &FlagError{ConfigFileFlag, path.from.place, err.Error(), "check the path and its permissions"}
		}
		if err != nil {
			return nil, nil, err
		}
		cfg.ConfigFile, s.file, warnings = path.text, values, unknown
	}
	warnings = append(warnings, unknownEnvironment(s.env)...)
	errs := []error{applySettings(cfg, s, &warnings), requireAdvertise(cfg)}
	if err := errors.Join(errs...); err != nil {
		// A flag whose value could not be parsed has its default. Validate might report another flag because of that.
		return nil, nil, err
	}
	cfg.Complete()
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	if cfg.MaxRequestBytes > warnMaxRequestBytes {
		warnings = append(warnings, fmt.Sprintf("--max-request-bytes=%d is above the recommended %d: one such request delays all others",
			cfg.MaxRequestBytes, warnMaxRequestBytes))
	}
	return cfg, append(warnings, cfg.tlsWarnings()...), nil
}

// applySettings sets in cfg each value that was given.
func applySettings(cfg *Config, s *settings, warnings *[]string) error {
	var errs []error
	for i := range flagSpecs {
		spec := &flagSpecs[i]
		if spec.oldFor != "" {
			continue // find looks it up together with the new spelling
		}
		spelling, value, ok := s.find(spec)
		if !ok {
			continue
		}
		cfg.origins[spelling.name] = value.from
		if spelling != spec {
			cfg.origins[spec.name] = origin{strings.TrimRight("--"+spelling.name+" "+value.from.place, " "), true}
		}
		warning, err := spelling.use(cfg, value.text)
		if err != nil {
			errs = append(errs, asFlagError(cfg, spelling.name, err))
		}
		if warning != "" {
			*warnings = append(*warnings, "--"+spelling.name+parenthesised(value.from.place)+" has no effect: "+warning)
		}
	}
	return errors.Join(errs...)
}

// asFlagError turns an error about a value into a FlagError.
func asFlagError(cfg *Config, flag string, err error) error {
	if v, ok := errors.AsType[*valueError](err); ok {
		return cfg.FlagError(flag, v.problem, v.fix)
	}
	return cfg.FlagError(flag, err.Error(), "see pando --help")
}

// requireAdvertise returns an error, as the reference does, if --listen-client-urls is given without
// --advertise-client-urls: the default of the latter would be wrong for clients.
func requireAdvertise(cfg *Config) error {
	listen, advertise := cfg.origins["listen-client-urls"], cfg.origins["advertise-client-urls"]
	if !listen.given || advertise.given || cfg.Proxy != ProxyOff { // a proxy advertises nothing
		return nil
	}
	return cfg.FlagError("advertise-client-urls",
		"is required when --listen-client-urls is set"+parenthesised(listen.place)+": clients learn from it where to connect",
		"add --advertise-client-urls="+strings.Join(advertisable(cfg.ListenClientURLs), ","))
}

// advertisable returns URLs that could be advertised for the URLs to listen on. There is at least one.
func advertisable(listen []url.URL) []string {
	remote := slices.DeleteFunc(Dialable(listen), isUnix)
	if len(remote) == 0 {
		return []string{DefaultClientURL}
	}
	return URLStrings(remote)
}

func environMap(environ []string) map[string]string {
	env := map[string]string{}
	for _, entry := range environ {
		if key, value, ok := strings.Cut(entry, "="); ok {
			env[key] = value
		}
	}
	return env
}

func parenthesised(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}
