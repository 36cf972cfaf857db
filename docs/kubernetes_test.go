package docs

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pando/members/config"
	"pando/stats"
)

// imageUser is the user and the group of the image.
const imageUser = 65532

// The files for Kubernetes. A cluster needs the objects and one of the two files of settings.
var (
	objectsFile  = filepath.Join("docs", "deploy", "kubernetes", "pando.yml")
	settingsFile = filepath.Join("docs", "deploy", "kubernetes", "settings.yml")
	settingsTLS  = filepath.Join("docs", "deploy", "kubernetes", "settings-tls.yml")
)

// yamlObject is a part of a decoded YAML document.
type yamlObject = map[string]any

// readYAML decodes the documents of a file.
func readYAML(t *testing.T, file string) []yamlObject {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var documents []yamlObject
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		o := yamlObject{}
		switch err := decoder.Decode(&o); {
		case errors.Is(err, io.EOF):
			return documents
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		}
		documents = append(documents, o)
	}
}

// readObjects returns the objects of a file for Kubernetes, by their kind and name.
func readObjects(t *testing.T, file string) map[string]yamlObject {
	t.Helper()
	objects := map[string]yamlObject{}
	for _, o := range readYAML(t, file) {
		objects[at[string](t, o, "kind")+" "+at[string](t, o, "metadata", "name")] = o
	}
	return objects
}

// at returns what a path leads to. A number in the path is an index of a list. The test fails if there is nothing of type T.
func at[T any](t *testing.T, from any, path ...string) T {
	t.Helper()
	value := from
	for _, step := range path {
		switch v := value.(type) {
		case yamlObject:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				t.Fatalf("%v: no element %s", path, step)
			}
			value = v[i]
		default:
			t.Fatalf("%v: nothing at %s", path, step)
		}
	}
	result, ok := value.(T)
	if !ok {
		t.Fatalf("%v is %v (%T)", path, value, value)
	}
	return result
}

// statefulSet returns the StatefulSet, its pod and its only container.
func statefulSet(t *testing.T) (set, pod, container yamlObject) {
	t.Helper()
	set = readObjects(t, objectsFile)["StatefulSet pando"]
	pod = at[yamlObject](t, set, "spec", "template", "spec")
	return set, pod, at[yamlObject](t, pod, "containers", "0")
}

// TestKubernetesObjects checks that the objects fit each other, and that the pods may run where only the restricted profile is admitted.
func TestKubernetesObjects(t *testing.T) {
	objects := readObjects(t, objectsFile)
	set, pod, container := statefulSet(t)
	labels := at[yamlObject](t, set, "spec", "template", "metadata", "labels")
	t.Run("selectors", func(t *testing.T) {
		for name, path := range map[string][]string{
			"Service pando":             {"spec", "selector"},
			"Service pando-peers":       {"spec", "selector"},
			"PodDisruptionBudget pando": {"spec", "selector", "matchLabels"},
			"NetworkPolicy pando":       {"spec", "podSelector", "matchLabels"},
			"StatefulSet pando":         {"spec", "selector", "matchLabels"},
		} {
			if got := at[yamlObject](t, objects[name], path...); !maps.Equal(got, labels) {
				t.Errorf("%s selects %v, and the pods have %v", name, got, labels)
			}
		}
		peers := objects["Service pando-peers"]
		if at[string](t, set, "spec", "serviceName") != "pando-peers" || at[string](t, peers, "spec", "clusterIP") != "None" ||
			!at[bool](t, peers, "spec", "publishNotReadyAddresses") {
			t.Error("the pods have no names before they are ready")
		}
	})
	t.Run("ports", func(t *testing.T) {
		ports := containerPorts(t, container)
		for _, name := range []string{"Service pando", "Service pando-peers"} {
			for _, port := range at[[]any](t, objects[name], "spec", "ports") {
				if ports[at[string](t, port, "targetPort")] != at[int](t, port, "port") {
					t.Errorf("%s: %v", name, port)
				}
			}
		}
	})
	t.Run("the restricted profile", func(t *testing.T) {
		context := at[yamlObject](t, container, "securityContext")
		if !at[bool](t, pod, "securityContext", "runAsNonRoot") || at[int](t, pod, "securityContext", "runAsUser") != imageUser ||
			at[string](t, pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault" ||
			at[bool](t, context, "allowPrivilegeEscalation") || !at[bool](t, context, "readOnlyRootFilesystem") ||
			!slices.Equal(at[[]any](t, context, "capabilities", "drop"), []any{"ALL"}) {
			t.Errorf("%v, %v", pod["securityContext"], context)
		}
	})
	t.Run("the image is that of the release", func(t *testing.T) {
		if got, want := at[string](t, container, "image"), "pando:"+strings.TrimSuffix(stats.Version, "-dev"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// containerPorts returns the ports of a container by their names.
func containerPorts(t *testing.T, container yamlObject) map[string]int {
	t.Helper()
	ports := map[string]int{}
	for _, port := range at[[]any](t, container, "ports") {
		ports[at[string](t, port, "name")] = at[int](t, port, "containerPort")
	}
	return ports
}

// TestKubernetesSettings checks that every variable of a pod is a setting, and that the members have the names that the list has.
func TestKubernetesSettings(t *testing.T) {
	set, _, _ := statefulSet(t)
	for _, file := range []string{settingsFile, settingsTLS} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for ordinal := range at[int](t, set, "spec", "replicas") {
				environment := podEnvironment(t, file, ordinal)
				cfg, warnings, err := config.Load(nil, environment)
				if err != nil || len(warnings) > 0 {
					t.Fatalf("%v, %q", err, warnings)
				}
				if len(cfg.InitialCluster) != at[int](t, set, "spec", "replicas") || cfg.Name != podName(ordinal) {
					t.Errorf("%s in the cluster %v", cfg.Name, cfg.InitialCluster)
				}
				for _, setting := range environment {
					if strings.HasPrefix(setting, "PANDO_") {
						t.Errorf("%s is not the reference's", setting)
					}
				}
			}
		})
	}
	t.Run("a service of the same name does no harm", func(t *testing.T) {
		environment := append(podEnvironment(t, settingsFile, 0),
			"PANDO_PORT=tcp://10.96.0.7:2379", "PANDO_SERVICE_HOST=10.96.0.7", "ETCD_PORT=tcp://10.96.0.7:2379")
		if _, warnings, err := config.Load(nil, environment); err != nil || len(warnings) > 0 {
			t.Errorf("%v, %q", err, warnings)
		}
	})
}

func podName(ordinal int) string { return "pando-" + strconv.Itoa(ordinal) }

// podEnvironment returns the variables that Kubernetes sets in a pod: those of the ConfigMap, then those of the container, in which
// $(NAME) stands for the value of an earlier variable.
func podEnvironment(t *testing.T, settings string, ordinal int) []string {
	t.Helper()
	_, _, container := statefulSet(t)
	values := map[string]string{}
	source := at[string](t, container, "envFrom", "0", "configMapRef", "name")
	for name, value := range at[yamlObject](t, readObjects(t, settings)["ConfigMap "+source], "data") {
		text, ok := value.(string)
		if !ok {
			t.Fatalf("%s: Kubernetes takes text only: %v", name, value)
		}
		values[name] = text
	}
	for _, variable := range at[[]any](t, container, "env") {
		name := at[string](t, variable, "name")
		if from, ok := variable.(yamlObject)["valueFrom"]; ok {
			if field := at[string](t, from, "fieldRef", "fieldPath"); field != "metadata.name" {
				t.Fatalf("%s is the field %s", name, field)
			}
			values[name] = podName(ordinal)
			continue
		}
		value := at[string](t, variable, "value")
		for known, text := range values {
			value = strings.ReplaceAll(value, "$("+known+")", text)
		}
		if strings.Contains(value, "$(") {
			t.Fatalf("%s=%s has a variable that is not set before it", name, value)
		}
		values[name] = value
	}
	var environment []string
	for name, value := range values {
		environment = append(environment, name+"="+value)
	}
	slices.Sort(environment)
	return environment
}
