package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pando/ctl/program"
	"pando/members/config"
	"pando/members/servertest"
)

// TestManual checks that each command has a page that man can show, and that says what --help says.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	if err := testRelease.writeFiles(dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "man", "*.1"))
	if err != nil || len(pages) < 30 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	t.Run("mandoc finds no fault", func(t *testing.T) {
		mandoc := servertest.RequireProgram(t, "mandoc", "mandoc")
		if out, err := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("each verb has a page", func(t *testing.T) {
		for _, verb := range program.NewApp(nil, nil).VisibleCommands() {
			if _, err := os.Stat(filepath.Join(dir, "man", "pando-"+verb.Name+".1")); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("pando(1) has every word of --help", func(t *testing.T) {
		help, _, _ := strings.Cut(program.HelpText(), "\nRead on:")
		missingWords(t, shown(t, filepath.Join(dir, "man", "pando.1")), help)
	})
	for _, command := range []string{
		"pando ctl", "pando ctl lock", "pando ctl member", "pando import-etcd", "pando snapshot",
		v3Client, v3Client + " get", v3Client + " lease", v3Client + " downgrade",
	} {
		t.Run(command+" has every word of --help", func(t *testing.T) {
			help, err := helpOf(command)
			if err != nil {
				t.Fatal(err)
			}
			missingWords(t, shown(t, filepath.Join(dir, "man", pageOf(command)+".1")), strings.ReplaceAll(help, "USAGE:", ""))
		})
	}
	t.Run("the compressed pando(1) has the date and the version of the release", func(t *testing.T) {
		if err := testRelease.compressManual(filepath.Join(dir, "man")); err != nil {
			t.Fatal(err)
		}
		page := unzip(t, filepath.Join(dir, "man", "pando.1.gz"))
		if !strings.HasPrefix(page, `.TH PANDO 1 "2026-11-30" "Pando 1.2.3-rc.1"`) {
			t.Errorf("the page begins with %.80s", page)
		}
	})
}

// shown returns a page as man shows it.
func shown(t *testing.T, page string) string {
	t.Helper()
	out, err := exec.Command(servertest.RequireProgram(t, "mandoc", "mandoc"), "-T", "utf8", "-O", "width=500", page).Output()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(".\b").ReplaceAllString(string(out), "") // bold characters are printed twice
}

// missingWords reports the words of the help that a page does not have.
func missingWords(t *testing.T, page, help string) {
	t.Helper()
	has := map[string]bool{}
	for _, word := range strings.Fields(page) {
		has[word] = true
	}
	for _, word := range strings.Fields(help) {
		if !has[word] && !has[strings.TrimSuffix(word, ":")] && !has[strings.TrimSuffix(word, ",")] {
			t.Errorf("%q is missing", word)
		}
	}
}

// TestExample loads the example of the configuration file, as it is and with each setting that it shows.
func TestExample(t *testing.T) {
	example := configurationExample()
	load := func(text string) (*config.Config, []string, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "pando.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Load(map[string]string{config.ConfigFileFlag: file}, nil)
	}
	cfg, warnings, err := load(example)
	if err != nil || len(warnings) > 0 || cfg.DataDir != "/var/lib/pando" {
		t.Fatalf("%+v, %q, %v", cfg, warnings, err)
	}
	settings := regexp.MustCompile(`(?m)^#([a-z0-9-]+: .*)$`).FindAllStringSubmatch(example, -1)
	if len(settings) < 50 {
		t.Fatalf("only %d settings", len(settings))
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting[1], ": ")
		if config.SpecOf(name) == nil {
			t.Errorf("%s is no setting", name)
		}
		if value == strings.ToUpper(value) && strings.ContainsAny(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || name == "listen-client-urls" {
			continue // the name of a value, for a setting without a default; one that another has to go with
		}
		if _, _, err := load(setting[1] + "\n"); err != nil {
			t.Errorf("%s: %v", setting[1], err)
		}
	}
}

// TestCompletion loads the scripts in the directories of the distribution, as a shell does at the first press of Tab.
func TestCompletion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	if err := testRelease.writeFiles(dir); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		shell string
		args  []string
		want  string
	}{
		"bash": {
			"bash", []string{"--noprofile", "--norc", "-c", `source "$0/bash/pandoctl"; complete -p pandoctl`},
			"-F _pandoctl_client pandoctl",
		},
		"zsh": {
			"zsh", []string{"-f", "-c", `fpath=("$0/zsh" $fpath)
			autoload -Uz compinit; compinit -u -D; print $_comps[pando] $_comps[pandoctl]`},
			"_pando _pandoctl",
		},
		"zsh, the first completion": {"zsh", []string{"-f", "-c", `fpath=("$0/zsh" $fpath); autoload -Uz _pando
			compdef() { :; }; compadd() { shift; print -l -- "$@"; }; words=(pando ctl me); CURRENT=3; PREFIX=me; _pando`}, "member"},
		"fish": {"fish", []string{"--no-config", "-c", `source $argv[1]/fish/pando.fish; complete -C "pando ctl mem"`}, "member"},
		"bash, the v3 API": {"bash", []string{"--noprofile", "--norc", "-c", `source "$0/bash/pandoctl"; COMP_WORDS=(pandoctl lease gr)
			COMP_CWORD=2; ETCDCTL_API=3; _pandoctl_client; echo $COMPREPLY`}, "grant"},
		"fish, the v3 API": {
			"fish", []string{"--no-config", "-c", `set ETCDCTL_API 3; source $argv[1]/fish/pando.fish; complete -C "pando ctl lease gr"`}, "grant",
		},
		"zsh, the v3 API": {"zsh", []string{"-f", "-c", `fpath=("$0/zsh" $fpath); autoload -Uz _pando; ETCDCTL_API=3; compdef() { :; }
			compadd() { shift; print -l -- "$@"; }; words=(pando ctl lease gr); CURRENT=4; PREFIX=gr; _pando`}, "grant"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(test.args, filepath.Join(dir, "completion"))
			cmd := exec.Command(servertest.RequireProgram(t, test.shell, test.shell), args...)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("%v, %q, want %q in it", err, out, test.want)
			}
		})
	}
}
