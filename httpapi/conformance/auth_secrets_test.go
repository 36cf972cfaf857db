package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"pando/members/servertest"
)

// TestPasswordsAreNowhere uses passwords, and searches for them in everything that a member writes: its data directory, the audit log and
// its output with debug messages. Wrong passwords must not be there either: users often type that of another system.
func TestPasswordsAreNowhere(t *testing.T) {
	t.Parallel()
	const newPassword, wrongPassword = "Copper-Lantern-64", "Walnut-Ribbon-93"
	dir := t.TempDir()
	audit := filepath.Join(dir, "audit.log")
	place := servertest.NewMembers(t, "default")[0]
	place.DataDir = filepath.Join(dir, "data")
	p := place.StartPando(t, "--debug", "--snapshot-count", "5", "--audit-log", audit)
	p.AwaitServing()
	makeUsers(t, p.Client)
	url := p.Client
	expectAs(t, 201, asRoot, "PUT", url+"/v2/auth/users/bob", `{"user":"bob","password":"`+newPassword+`"}`)
	expectAs(t, 200, asRoot, "PUT", url+"/v2/auth/users/alice", `{"user":"alice","password":"`+newPassword+`"}`)
	expectAs(t, 400, asRoot, "PUT", url+"/v2/auth/users/bob", `{"user":"alice","password":"`+wrongPassword+`"}`)
	expectAs(t, 400, asRoot, "PUT", url+"/v2/auth/users/bob", `{"user":"bob","password":"`+wrongPassword)
	expectAs(t, 409, asRoot, "PUT", url+"/v2/auth/users/bob", `{"user":"bob","password":"`+wrongPassword+`","roles":["app"]}`)
	expectAs(t, 401, "bob:"+wrongPassword, "PUT", url+"/v2/auth/users/bob", `{"user":"bob","password":"`+wrongPassword+`"}`)
	for _, login := range []string{asAlice, "alice:" + newPassword, "alice:" + wrongPassword, "none:" + wrongPassword, wrongPassword + ":x"} {
		sendAs(t, login, "GET", url+"/v2/keys/app/one", "")
		sendAs(t, login, "PUT", url+"/v2/keys/app/one", "value=x")
		sendAs(t, login, "GET", url+"/v2/auth/users", "")
		sendAs(t, login, "DELETE", url+"/v2/members/1234", "")
		sendAs(t, login, "GET", url+"/v2/snapshot", "")
		sendAs(t, login, "GET", url+"/metrics", "")
	}
	for range 20 { // so that there is a checkpoint
		expectAs(t, 200, asRoot, "PUT", url+"/v2/keys/app/one", "value=x")
	}
	p.Terminate()

	written := map[string][]byte{"stdout": []byte(p.Stdout.String()), "stderr": []byte(p.Stderr.String())}
	read := func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		written[path], err = os.ReadFile(path)
		return err
	}
	if err := filepath.WalkDir(dir, read); err != nil {
		t.Fatal(err)
	}
	if countFilesWith(written, "alice") < 2 || !bytes.Contains(written[audit], []byte(`"alice"`)) {
		t.Error("the data or the audit log lacks the name of a user: the test does not find what it searches")
	}
	for _, password := range []string{rootPassword, alicePassword, newPassword, wrongPassword} {
		for _, form := range encodings(password) {
			if n := countFilesWith(written, form); n > 0 {
				t.Errorf("%d of %d files have a password as %q", n, len(written), form)
			}
		}
	}
}

// countFilesWith returns the number of files that contain a text.
func countFilesWith(written map[string][]byte, text string) (n int) {
	for _, content := range written {
		if bytes.Contains(content, []byte(text)) {
			n++
		}
	}
	return n
}

// encodings returns the password as it is, in hexadecimal, and the parts of its base64 that do not depend on the bytes around it.
func encodings(password string) []string {
	forms := []string{password, hex.EncodeToString([]byte(password))}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte("xx"[:shift] + password))
		forms = append(forms, encoded[4:len(encoded)-4])
	}
	return forms
}
