package conformance

import (
	"testing"

	"pando/members/servertest"
)

// extensionDir has transcripts of what Pando answers to parameters and headers that etcd ignores, in the format of the golden transcripts.
const extensionDir = "testdata/extensions"

// TestExtensions plays the transcripts of the extensions. With -update it records them.
func TestExtensions(t *testing.T) {
	for _, script := range loadTranscripts(t, extensionDir) {
		t.Run(script.name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartSingle(t, startComparedPando)
			if *servertest.Update {
				playTranscript(t, script, server, recordReference)
				script.save(t)
				return
			}
			playTranscript(t, script, server, expectPando)
		})
	}
}
