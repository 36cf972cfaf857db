package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pando/members/servertest"
)

// The files of docs/monitoring, and the page to which the alerts point.
var (
	alertsFile    = filepath.Join("docs", "monitoring", "alerts.yml")
	alertTests    = filepath.Join("docs", "monitoring", "alerts_test.yml")
	dashboardFile = filepath.Join("docs", "monitoring", "grafana.json")
	runbooksFile  = filepath.Join("docs", "runbooks.md")
)

// alertRules is the form of alerts.yml.
type alertRules struct {
	Groups []struct {
		Name  string
		Rules []alertRule
	}
}

type alertRule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func readAlerts(t *testing.T) (all []alertRule) {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var rules alertRules
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("%d alerts", len(all))
	}
	return all
}

// TestAlerts checks that each alert has a severity, a text and a section in the runbooks, and each section an alert.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile(runbooksFile)
	if err != nil {
		t.Fatal(err)
	}
	anchors := servertest.Anchors(string(text))
	sections := regexp.MustCompile(`(?m)^#+ (Pando\w+)$`).FindAllStringSubmatch(string(text), -1)
	names := map[string]bool{}
	for _, a := range readAlerts(t) {
		if names[a.Alert] {
			t.Errorf("two alerts have the name %s", a.Alert)
		}
		names[a.Alert] = true
		if s := a.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s: severity %q", a.Alert, s)
		}
		if a.Annotations["summary"] == "" {
			t.Errorf("%s has no summary", a.Alert)
		}
		anchor := strings.ToLower(a.Alert)
		if want := filepath.ToSlash(runbooksFile) + "#" + anchor; a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		if !anchors[anchor] {
			t.Errorf("%s has no section %s", runbooksFile, a.Alert)
		}
	}
	for _, s := range sections {
		if !names[s[1]] {
			t.Errorf("%s has the section %s, and there is no such alert", runbooksFile, s[1])
		}
	}
}

// TestAlertsFire lets promtool evaluate the rules.
func TestAlertsFire(t *testing.T) {
	promtool := servertest.RequireProgram(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", alertsFile}, {"test", "rules", alertTests}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	text, err := os.ReadFile(alertTests)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range readAlerts(t) {
		if n := strings.Count(string(text), "alertname: "+a.Alert+"\n"); n != 1 {
			t.Errorf("%s has %d tests in which %s fires", alertTests, n, a.Alert)
		}
		if !strings.Contains(string(text), "alertname: "+a.Alert+", exp_alerts: []") {
			t.Errorf("%s has no test in which %s does not fire", alertTests, a.Alert)
		}
	}
}

// panel is a panel of a dashboard of Grafana.
type panel struct {
	ID          int
	Title, Type string
	Targets     []struct{ RefID, Expr string }
}

func readPanels(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) < 20 {
		t.Fatalf("%d panels", len(dashboard.Panels))
	}
	return dashboard.Panels
}

// TestDashboard checks the form of the panels.
func TestDashboard(t *testing.T) {
	ids := map[int]bool{}
	for _, p := range readPanels(t) {
		if ids[p.ID] {
			t.Errorf("two panels have the ID %d", p.ID)
		}
		ids[p.ID] = true
		if p.Title == "" || (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("panel %d: title %q, type %s, %d queries", p.ID, p.Title, p.Type, len(p.Targets))
		}
	}
}

// TestMonitoredMetrics checks that a member has the metrics and the labels of all alerts and panels.
func TestMonitoredMetrics(t *testing.T) {
	m := servertest.NewMembers(t, "m1")[0]
	m.PeerScheme = "https"
	p := m.StartPando(t, "--listen-client-urls", m.ClientURL()+",https://127.0.0.1:0", "--auto-tls", "--peer-auto-tls",
		"--initial-cluster", servertest.InitialCluster([]servertest.Member{m}), "--audit-log", filepath.Join(t.TempDir(), "audit.log"))
	servertest.Await(t, "a leader", func() bool {
		return strings.Contains(p.Stderr.String(), "serving clients")
	})
	exposed := parseMetrics(p.Get("/metrics"))
	check := func(where, expr string) {
		t.Helper()
		used := metricsOf(expr)
		if len(used) == 0 {
			t.Errorf("%s uses no metric: %s", where, expr)
		}
		for _, u := range used {
			if problem := exposed.missing(u); problem != "" {
				t.Errorf("%s: %s", where, problem)
			}
		}
	}
	for _, a := range readAlerts(t) {
		check(a.Alert, a.Expr)
	}
	for _, p := range readPanels(t) {
		for _, target := range p.Targets {
			check("panel "+p.Title, target.Expr)
		}
	}
	t.Run("finds mistakes", func(t *testing.T) {
		for _, expr := range []string{
			"pando_no_such_metric > 0", `pando_requests_total{outcomes="internal"}`, `pando_requests_total{outcome=~"internal|timeouts"}`,
		} {
			if exposed.missing(metricsOf(expr)[0]) == "" {
				t.Errorf("%s is accepted", expr)
			}
		}
	})
}

// exposedMetrics has the values of each label, by the names of metrics.
type exposedMetrics map[string]map[string][]string

var (
	sampleLine   = regexp.MustCompile(`(?m)^([a-z][a-z0-9_]*)(?:\{(.*)\})? \S+$`)
	labelPair    = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
	metricInExpr = regexp.MustCompile(`\b((?:pando|process|etcd|go)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?`)
	matcher      = regexp.MustCompile(`([a-z_]+)(=~|!=|!~|=)"([^"]*)"`)
)

func parseMetrics(text string) exposedMetrics {
	all := exposedMetrics{}
	for _, line := range sampleLine.FindAllStringSubmatch(text, -1) {
		if all[line[1]] == nil {
			all[line[1]] = map[string][]string{}
		}
		for _, pair := range labelPair.FindAllStringSubmatch(line[2], -1) {
			all[line[1]][pair[1]] = append(all[line[1]][pair[1]], pair[2])
		}
	}
	return all
}

// usedMetric is a metric in an expression of PromQL.
type usedMetric struct {
	name     string
	matchers [][]string // label, operator, value
}

func metricsOf(expr string) (used []usedMetric) {
	for _, found := range metricInExpr.FindAllStringSubmatch(expr, -1) {
		u := usedMetric{name: found[1]}
		for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
			u.matchers = append(u.matchers, m[1:])
		}
		used = append(used, u)
	}
	return used
}

// missing says what a member does not have of a metric. Prometheus itself makes the metric up and the labels job and instance.
func (e exposedMetrics) missing(u usedMetric) string {
	if u.name == "up" {
		return ""
	}
	labels, ok := e[u.name]
	if !ok {
		return "there is no metric " + u.name
	}
	for _, m := range u.matchers {
		if m[0] == "job" || m[0] == "instance" {
			continue
		}
		for value := range strings.SplitSeq(m[2], "|") {
			if !slices.Contains(labels[m[0]], value) {
				return u.name + " has no label " + m[0] + " with the value " + value
			}
		}
	}
	return ""
}
