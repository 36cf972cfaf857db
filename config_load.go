package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// The prefixes of environment variables, the one that wins first.
var envPrefixes = []string{"PANDO_", "ETCD_"}

// knownForeignEnv are variables with one of our prefixes that are set for other reasons: images and legacy
// scripts carry them, and a warning would tell their owner nothing.
var knownForeignEnv = []string{"ETCD_VERSION", "ETCD_VER", "ETCD_UNSUPPORTED_ARCH"}

// FlagError is a setting that can't be used. It names the flag even when the value came from elsewhere.
type FlagError struct {
	Flag    string // without dashes
	Origin  string // where the value came from when it was not the command line, else empty
	Problem string // what is wrong, starting with the value where there is one
	Fix     string // what to do about it
}

func (e *FlagError) Error() string {
	from := ""
	if e.Origin != "" {
		from = " (" + e.Origin + ")"
	}
	return fmt.Sprintf("--%s%s: %s; %s", e.Flag, from, e.Problem, e.Fix)
}

// origin is the place a value was found at. The zero value is the default.
type origin struct {
	place string // "from ETCD_NAME in the environment", "from pando.yml, line 3"; empty for the command line
	given bool
}

func (o origin) describe() string { return o.place }

// setting is one value as text with the place it was found at.
type setting struct {
	text string
	from origin
}

// settings finds the value of a flag by the order of precedence: command line, PANDO_X, ETCD_X, file.
type settings struct {
	flags map[string]string
	env   map[string]string
	file  map[string]setting
}

func (s *settings) find(name string) (setting, bool) {
	if text, ok := s.flags[name]; ok {
		return setting{text, origin{given: true}}, true
	}
	for _, prefix := range envPrefixes {
		// An empty variable is an unset one: scripts clear them that way.
		if key := prefix + envSuffix(name); s.env[key] != "" {
			return setting{s.env[key], origin{"from " + key + " in the environment", true}}, true
		}
	}
	value, ok := s.file[name]
	return value, ok
}

// envSuffix is the flag's name as it appears in the environment: snapshot-count is SNAPSHOT_COUNT.
func envSuffix(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// loadConfig makes a complete and valid Config from the flags of the command line (name to text), the environment
// (KEY=value) and the configuration file that one of them names. The warnings are for the log. The error
// joins all problems found, so that a user can mend them in one go.
func loadConfig(flags map[string]string, environ []string) (*Config, []string, error) {
	s := &settings{flags: flags, env: environMap(environ)}
	cfg := defaultConfig()
	cfg.origins = map[string]origin{}
	if path, ok := s.find(configFileFlag); ok && path.text != "" {
		values, err := readConfigFile(path.text)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, nil, &FlagError{configFileFlag, path.from.place, err.Error(), "check the path and who may read it"}
		}
		if err != nil {
			return nil, nil, err
		}
		cfg.ConfigFile, s.file = path.text, values
	}
	warnings := unknownEnvironment(s.env)
	errs := []error{applySettings(cfg, s, &warnings), requireAdvertise(cfg)}
	if err := errors.Join(errs...); err != nil {
		// Values that could not be read leave defaults behind; checking those would blame the wrong flag.
		return nil, nil, err
	}
	cfg.complete()
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	if cfg.MaxRequestBytes > wiseMaxRequestBytes {
		warnings = append(warnings, fmt.Sprintf("--max-request-bytes=%d is above the recommended %d: one such request delays all others", cfg.MaxRequestBytes, wiseMaxRequestBytes))
	}
	return cfg, warnings, nil
}

// applySettings puts each value that was given into cfg, or says why it can't.
func applySettings(cfg *Config, s *settings, warnings *[]string) error {
	var errs []error
	for i := range flagSpecs {
		spec := &flagSpecs[i]
		value, ok := s.find(spec.name)
		if !ok {
			continue
		}
		cfg.origins[spec.name] = value.from
		warning, err := spec.use(cfg, value.text)
		if err != nil {
			errs = append(errs, asFlagError(cfg, spec.name, err))
		}
		if warning != "" {
			*warnings = append(*warnings, "--"+spec.name+parenthesised(value.from.place)+" has no effect: "+warning)
		}
	}
	return errors.Join(errs...)
}

// asFlagError gives an error about a value its flag and place.
func asFlagError(cfg *Config, flag string, err error) error {
	if v, ok := errors.AsType[*valueError](err); ok {
		return cfg.flagError(flag, v.problem, v.fix)
	}
	return cfg.flagError(flag, err.Error(), "see pando --help")
}

// requireAdvertise refuses, like the reference, to guess what clients are told when the address to listen on was
// chosen: the default would send them somewhere else.
func requireAdvertise(cfg *Config) error {
	listen, advertise := cfg.origins["listen-client-urls"], cfg.origins["advertise-client-urls"]
	if !listen.given || advertise.given || cfg.Proxy != proxyOff { // a proxy advertises nothing
		return nil
	}
	return cfg.flagError("advertise-client-urls", "is required when --listen-client-urls is set"+parenthesised(listen.place)+": clients learn from it where to connect",
		"add --advertise-client-urls="+strings.Join(urlStrings(dialable(cfg.ListenClientURLs)), ","))
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

// unknownEnvironment warns of variables that look like settings and are none. It never shows their values.
func unknownEnvironment(env map[string]string) []string {
	known := map[string]bool{}
	for i := range flagSpecs {
		for _, prefix := range envPrefixes {
			known[prefix+envSuffix(flagSpecs[i].name)] = true
		}
	}
	for _, name := range knownForeignEnv {
		known[name] = true
	}
	var warnings []string
	for key := range env {
		suffix, ours := cutAnyPrefix(key, envPrefixes)
		if !ours || known[key] {
			continue
		}
		hint := ""
		if near := nearest(strings.ToLower(strings.ReplaceAll(suffix, "_", "-")), flagNames()); near != "" {
			hint = fmt.Sprintf("; did you mean %s%s?", key[:len(key)-len(suffix)], envSuffix(near))
		}
		warnings = append(warnings, "unrecognized environment variable "+key+hint)
	}
	slices.Sort(warnings)
	return warnings
}

func cutAnyPrefix(text string, prefixes []string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(text, p); ok {
			return rest, true
		}
	}
	return "", false
}

func parenthesised(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}
