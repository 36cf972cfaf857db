package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"pando/members/config"
)

const importConfigHelp = `Takes the settings of etcd on this machine over into the files of the service pando, as the packages install
it. FILE is an environment file such as /etc/default/etcd or /etc/etcd/etcd.conf, or a configuration file such
as etcd.conf.yml.

An environment file becomes /etc/default/pando. A configuration file becomes /etc/pando/pando.yml, and
/etc/default/pando names it. A file that is replaced is kept with .old at the end of its name. The data directory
becomes Pando's own. Each setting without a meaning in Pando is named and left out. Nothing of etcd is changed:
neither FILE nor its data. The last lines of the output are the commands that stop etcd, import its data and start
Pando.

Examples:
  pando import-etcd-config /etc/default/etcd --dry-run
      shows what would be written, and writes nothing
  sudo pando import-etcd-config /etc/default/etcd
  sudo pando import-etcd-config /etc/etcd/etcd.conf.yml`

// configImporter is one call of import-etcd-config.
type configImporter struct {
	stdout                    io.Writer
	dryRun                    bool
	environmentFile, yamlFile string // to write
	dataDir                   string // of Pando
	etcdDataDir, etcdWALDir   string // as the settings of etcd name them
	settings                  *etcdSettings
	notes                     []string // what the operator has to know
}

// importConfigCommand returns "pando import-etcd-config".
func importConfigCommand(stdout io.Writer) *cli.Command {
	i := &configImporter{stdout: stdout}
	command := &cli.Command{
		Name: "import-etcd-config", Usage: "take the settings of etcd over into /etc/default/pando or pando.yml", ArgsUsage: "FILE",
		Description: importConfigHelp, HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: dryRunFlag, Destination: &i.dryRun, Usage: "show what would be written, and write nothing"},
			&cli.StringFlag{Name: "data-dir", Destination: &i.dataDir, Value: "/var/lib/pando", Usage: "data `DIR` of Pando"},
			&cli.StringFlag{Name: "environment-file", Destination: &i.environmentFile, Value: "/etc/default/pando",
				Usage: "environment `FILE` of the service, which is written"},
			&cli.StringFlag{Name: "config-file", Destination: &i.yamlFile, Value: "/etc/pando/pando.yml",
				Usage: "configuration `FILE` that is written if FILE is one"},
		},
		Action: func(c *cli.Context) error {
			if err := refuseUnknownFlags(c); err != nil {
				return err
			}
			if c.NArg() != 1 {
				return config.AsUsage(errors.New("pando import-etcd-config takes one file, for example: pando import-etcd-config /etc/default/etcd"))
			}
			return i.run(c.Args().First())
		},
	}
	wrapErrors(command)
	return command
}

func (i *configImporter) run(file string) error {
	settings, err := readEtcdSettings(file)
	if err != nil {
		return config.AsUsage(err)
	}
	if other := settings.get("config-file"); other != "" {
		return config.AsUsage(fmt.Errorf("%s names the configuration file %s, and etcd ignores all other settings then; take that file over: "+
			"pando import-etcd-config %s", file, other, other))
	}
	i.settings, i.notes = settings, settings.notes
	i.adapt()
	files, err := i.compose()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := i.write(f); err != nil {
			return err
		}
	}
	return i.report()
}

// debianDefaults are the settings of etcd in the unit of Debian, for which /etc/default/etcd is the environment file.
const (
	debianEnvironmentFile = "default/etcd"
	debianDataDir         = "/var/lib/etcd/default"
)

// adapt changes the settings of etcd to those of Pando, and collects notes about what it leaves out.
func (i *configImporter) adapt() {
	s := i.settings
	debian := strings.HasSuffix(filepath.ToSlash(s.file), debianEnvironmentFile)
	if s.get("name") == "" && debian {
		if host, err := os.Hostname(); err == nil {
			s.set("name", host)
			i.note("name: Debian's unit of etcd sets it to the name of the machine, %s", host)
		}
	}
	i.etcdDataDir, i.etcdWALDir = s.get("data-dir"), s.get("wal-dir")
	if i.etcdDataDir == "" {
		i.etcdDataDir = debianDataDir
		if !debian {
			name := s.get("name")
			if name == "" {
				name = "default"
			}
			i.etcdDataDir = name + ".etcd"
		}
	}
	for _, flag := range s.flags() {
		if reason, known := config.WithoutEffect(flag); known && reason != "" {
			s.remove(flag)
			i.note("%s is left out: %s", flag, reason)
		}
	}
	i.leaveOut("wal-dir", "the log of Pando is in its data directory; set another directory by hand, and not the one of etcd")
	i.leaveOut("force-new-cluster", "it is for one start of etcd")
	i.leaveOut("discovery", "the members of etcd have used the URL up; list the members of the new cluster in initial-cluster")
	if s.get("initial-cluster-state") == "existing" {
		i.leaveOut("initial-cluster-state", "the members of Pando make a new cluster")
	}
	s.set("data-dir", i.dataDir)
}

func (i *configImporter) note(format string, args ...any) {
	i.notes = append(i.notes, fmt.Sprintf(format, args...))
}

// leaveOut removes a setting that would be wrong for Pando.
func (i *configImporter) leaveOut(flag, reason string) {
	if i.settings.get(flag) != "" {
		i.settings.remove(flag)
		i.note("%s is left out: %s", flag, reason)
	}
}

// newFile is a file to write.
type newFile struct {
	path string
	text []byte
}

// compose returns the files to write. It returns an error if Pando would not start with them.
func (i *configImporter) compose() ([]newFile, error) {
	head := fmt.Sprintf("# The settings of the service pando, taken over from %s by pando import-etcd-config.\n", i.settings.file)
	if i.settings.yaml == nil {
		text := i.environment()
		if err := i.check(nil, text); err != nil {
			return nil, err
		}
		return []newFile{{i.environmentFile, []byte(head + strings.Join(text, "\n") + "\n")}}, nil
	}
	var b bytes.Buffer
	b.WriteString(head)
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(i.settings.yaml); err != nil {
		return nil, fmt.Errorf("%s cannot be written as YAML: %w", i.settings.file, err)
	}
	draft, err := os.CreateTemp("", "pando.*.yml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(b.Bytes())
	if err := errors.Join(err, draft.Close()); err != nil {
		return nil, err
	}
	if err := i.check(map[string]string{config.ConfigFileFlag: draft.Name()}, nil); err != nil {
		return nil, err
	}
	names := fmt.Sprintf("%sETCD_CONFIG_FILE=%s\n", head, i.yamlFile)
	return []newFile{{i.yamlFile, b.Bytes()}, {i.environmentFile, []byte(names)}}, nil
}

// environment returns the lines of the environment file.
func (i *configImporter) environment() []string {
	var lines []string
	for _, e := range i.settings.list {
		lines = append(lines, config.VariableOf(e.flag)+"="+quoteVariable(e.value))
	}
	for _, e := range i.settings.others {
		lines = append(lines, e.flag+"="+quoteVariable(e.value))
	}
	return lines
}

// check loads the new settings as the server will, and notes what the operator has to do about them.
func (i *configImporter) check(flags map[string]string, lines []string) error {
	environ := make([]string, len(lines))
	for n, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		words, err := splitWords(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		environ[n] = name + "=" + strings.Join(words, " ")
	}
	cfg, warnings, err := config.Load(flags, environ)
	if err != nil {
		return config.AsUsage(fmt.Errorf("a server would not start with these settings, so nothing was written: %w", err))
	}
	i.notes = append(i.notes, warnings...)
	i.notePaths(cfg)
	return nil
}

// notePaths notes files that the service can't use yet.
func (i *configImporter) notePaths(cfg *config.Config) {
	for _, output := range cfg.LogOutputs {
		if filepath.IsAbs(output) && !isInside(output, "/var/log/pando") && !isInside(output, i.dataDir) {
			i.note("log-outputs: the unit lets the service write below /var/log/pando and its data directory alone; change %s", output)
		}
	}
	var files []string
	for _, tls := range []config.TLS{cfg.ClientTLS, cfg.PeerTLS} {
		for _, file := range []string{tls.CertFile, tls.KeyFile, tls.TrustedCAFile, tls.CRLFile} {
			if file != "" && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	if len(files) > 0 {
		i.note("the user pando must be able to read %s", strings.Join(files, ", "))
	}
}

// quoteVariable quotes a value so that systemd and shells read it as it is.
func quoteVariable(value string) string {
	if !strings.ContainsAny(value, " \t\"'\\$`;#&|<>()*?~") {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`
}

// write writes a file in place of the one that is there, which it keeps with another name.
func (i *configImporter) write(f newFile) error {
	if i.dryRun {
		fmt.Fprintf(i.stdout, "%s would be:\n\n", f.path)
		for line := range strings.Lines(string(f.text)) {
			fmt.Fprint(i.stdout, "    "+line)
		}
		fmt.Fprintln(i.stdout)
		return nil
	}
	mode := os.FileMode(0o644)
	switch old, err := os.ReadFile(f.path); {
	case err == nil && bytes.Equal(old, f.text):
		fmt.Fprintf(i.stdout, "%s has these settings already.\n", f.path)
		return nil
	case err == nil:
		if info, err := os.Stat(f.path); err == nil {
			mode = info.Mode().Perm()
		}
		kept, err := keepOld(f.path)
		if err != nil {
			return err
		}
		fmt.Fprintf(i.stdout, "%s is kept as %s.\n", f.path, kept)
	case !errors.Is(err, os.ErrNotExist):
		return config.UnwrapPath(err)
	}
	if err := replaceFile(f.path, f.text, mode); err != nil {
		return fmt.Errorf("cannot write the settings: %w", config.UnwrapPath(err))
	}
	fmt.Fprintf(i.stdout, "%s has the settings of %s.\n", f.path, i.settings.file)
	return nil
}

// keepOld gives a file a second name that is free, and returns it.
func keepOld(path string) (string, error) {
	for n := 0; ; n++ {
		name := path + ".old"
		if n > 0 {
			name = fmt.Sprintf("%s.old%d", path, n)
		}
		err := os.Link(path, name)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("cannot keep the old settings: %w", err)
		}
	}
}

// replaceFile writes a file under another name and renames it.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(text)
	if err := errors.Join(err, draft.Chmod(mode), draft.Sync(), draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), path)
}

// report prints what the operator has to know, and the next commands.
func (i *configImporter) report() error {
	var b strings.Builder
	for _, note := range i.notes {
		b.WriteString("  - " + note + "\n")
	}
	if b.Len() > 0 {
		fmt.Fprint(i.stdout, "\nPlease note:\n"+b.String())
	}
	_, err := fmt.Fprintf(i.stdout, `
Next, if these settings are right:
  systemctl disable --now etcd
  %s
  chown -R pando:pando %s
  systemctl enable --now pando
A cluster of several members: see docs/migration.md, in /usr/share/doc/pando
`, i.importLine(), quoteVariable(i.dataDir))
	return err
}

// importLine returns the command that imports the data of etcd with the new settings.
func (i *configImporter) importLine() string {
	words := []string{"pando import-etcd", quoteVariable(i.etcdDataDir)}
	if i.etcdWALDir != "" {
		words = append(words, "--"+fromWALDirFlag, quoteVariable(i.etcdWALDir))
	}
	if i.settings.yaml != nil {
		return strings.Join(append(words, "--config-file", quoteVariable(i.yamlFile)), " ")
	}
	for _, flag := range restoreFlags {
		if value := i.settings.get(flag); value != "" {
			words = append(words, "--"+flag, quoteVariable(value))
		}
	}
	return strings.Join(words, " ")
}
