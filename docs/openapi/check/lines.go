package check

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// isWatch reports whether a request is a watch.
func isWatch(e *Exchange) bool {
	flag := func(name string) bool {
		set, err := strconv.ParseBool(e.URL.Query().Get(name))
		return err == nil && set
	}
	return e.Method == http.MethodGet && flag("wait") && !flag("quorum")
}

// checkLines checks the lines of the response to a watch. Empty lines need the parameter heartbeat.
func (d *Description) checkLines(media place, e *Exchange) error {
	lines := strings.Split(string(e.Body), "\n")
	if last := len(lines) - 1; lines[last] != "" && e.Incomplete || lines[last] == "" {
		lines = lines[:last]
	}
	events := strings.HasSuffix(media.pointer, "event-stream")
	for _, line := range lines {
		text := line
		if events {
			var isData bool
			if text, isData = strings.CutPrefix(line, "data: "); !isData {
				if err := checkEventField(line); err != nil {
					return err
				}
				continue
			}
		}
		if text == "" && e.URL.Query().Has("heartbeat") {
			continue
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err == nil {
			err = d.validate(media.pointer+"/x-pando-lines", value)
		}
		if err != nil {
			return fmt.Errorf("the line %.500q: %w", line, err)
		}
	}
	return nil
}

// checkEventField checks a line of server-sent events that has no data.
func checkEventField(line string) error {
	for _, prefix := range []string{":", "id: ", "event: cleared", "event: failed", "retry: "} {
		if line == "" || strings.HasPrefix(line, prefix) {
			return nil
		}
	}
	return fmt.Errorf("the line %.300q is none of server-sent events", line)
}
