package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestUsers goes from a server without users to one with auth, as a person would, and back.
func TestUsers(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/app/name", "public")
	put(t, s, "/secret/name", "hidden treasure")
	p := openTab(t, page(s, "#/users"), desktop)
	p.step("a role", func(t *testing.T) {
		p.see("Auth is disabled", "There are no users yet.")
		p.click("button", "New role")
		p.fill("Name", "app")
		p.addPattern("/app")
		p.addPattern("/app/*")
		p.click("checkbox", "write /app/*")
		p.click("button", "As a command")
		p.see("role add app", "role grant --path '/app/*' --readwrite app", `"read":["/app","/app/*"],"write":["/app/*"]`)
		p.checkAccessible("the dialog of a role")
		p.click("button", "Create")
		p.see("The role app is created.")
	})
	p.step("a user", func(t *testing.T) {
		p.click("button", "New user")
		p.fill("Name", "alice")
		p.fill("Password", "alice")
		p.click("checkbox", "app")
		p.click("button", "As a command")
		p.see("user add alice", `"password":"PASSWORD"`)
		p.click("button", "Create")
		p.see("The user alice is created.")
		if got := mustAs(t, s, "", "GET", "/v2/auth/users/alice", ""); !strings.Contains(got, `"write":["/app/*"]`) {
			t.Errorf("the server has %s", got)
		}
	})
	p.step("a name that is taken", func(t *testing.T) {
		p.click("button", "New user")
		p.fill("Name", "alice")
		p.fill("Password", "other")
		p.see("There is a user with this name.")
		p.press("\x1b")
	})
	p.step("rights", func(t *testing.T) {
		p.choose("User", "alice")
		p.fill("At the key", "app/name")
		p.see("read and watch the key yes role app, /app/*", "write and delete the key yes role app, /app/*")
		p.fill("At the key", "/app")
		p.see("read and watch everything below it, too no", "write and delete the key no")
		p.checkAccessible("the view of users")
	})
	p.step("enable auth", func(t *testing.T) { enableAuth(t, p, s) })
	p.step("few rights", func(t *testing.T) { asAlice(t, p) })
	p.step("change and delete", func(t *testing.T) { changeAlice(t, p, s) })
	p.step("disable auth", func(t *testing.T) {
		p.click("button", "Disable auth")
		p.click("button", "Disable")
		p.see("Auth is disabled: everybody who reaches this server may do everything.")
	})
}

// addPattern adds a pattern to the dialog of a role, with the right to read.
func (p *tab) addPattern(pattern string) {
	p.t.Helper()
	p.fill("Pattern to add", pattern)
	p.click("button", "Add")
	p.locate("checkbox", "read "+pattern)
}

// logIn logs in with the name of a user as its password. The login must be open.
func (p *tab) logIn(user, password string) {
	p.t.Helper()
	p.fill("User", user)
	p.fill("Password", password)
	p.click("dialog button[type=submit]", "Log in")
}

func enableAuth(t *testing.T, p *tab, s *servertest.Process) {
	p.click("button", "Enable auth")
	p.fill("Password of the new user root", "root")
	p.fill("The password again", "rot")
	p.see("It is different.")
	p.fill("The password again", "root")
	p.click("button", "Enable")
	p.see("Auth is enabled. You are logged in as root.", "You are root (by password).", "Auth is enabled")
	p.step("close the keys to guests", func(t *testing.T) {
		p.click("button", "Change the role guest")
		p.click("checkbox", "read /*")
		p.click("checkbox", "write /*")
		p.click("button", "Change")
		p.see("The role guest is changed.")
		if status, body := sendAs(t, s, "", "GET", "/v2/keys/app/name", ""); status != http.StatusUnauthorized {
			t.Errorf("a guest gets %d %s", status, body)
		}
	})
	p.click("button", "Log out")
	p.see("You are not logged in, and have the rights of guests.")
}

// asAlice logs in as a user who may not see users, and checks what the page shows.
func asAlice(t *testing.T, p *tab) {
	p.click("button", "Log in")
	p.logIn("alice", "wrong")
	p.see("The name or the password is wrong.")
	p.checkAccessible("the login")
	p.logIn("alice", "alice")
	p.see("Logged in as alice", "You are alice (by password). Your roles: app.", "All users and roles are shown to users with the role root.")
	p.fill("At the key", "/secret/name")
	p.see("read and watch the key no")
	if p.shows("New user") || p.shows("May write") || p.shows("Disable auth") {
		t.Error("the page shows what only root may see")
	}
	p.awaitTrue("the password is nowhere but in memory", `localStorage.length + sessionStorage.length === 0 && document.cookie === ""`)
	p.click("button", "Log out")
}

func changeAlice(t *testing.T, p *tab, s *servertest.Process) {
	p.click("button", "Log in")
	p.logIn("root", "root")
	p.click("button", "Change the user alice")
	p.click("checkbox", "app")
	p.fill("New password", "wonder")
	p.click("button", "As a command")
	p.see("ETCDCTL_API=2 etcdctl --endpoints " + s.Client + " -u root user revoke --roles app alice")
	p.click("button", "Change")
	p.see("The user alice is changed.")
	if status, body := sendAs(t, s, "alice", "GET", "/v2/auth/self", ""); status != http.StatusUnauthorized {
		t.Errorf("the old password: %d %s", status, body)
	}
	var list struct{ Users []struct{ User string } }
	p.click("button", "Delete the user alice")
	p.see("The user can't log in any more")
	p.click("button", "Delete")
	p.see("The user alice is deleted.")
	err := json.Unmarshal([]byte(mustAs(t, s, "root", "GET", "/v2/auth/users", "")), &list)
	if err != nil || fmt.Sprint(list.Users) != "[{root}]" {
		t.Errorf("%v: the users are %v", err, list.Users)
	}
}

// TestSessionEnds changes the password of a user who is logged in.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	mustAs(t, s, "", "PUT", "/v2/auth/users/root", `{"user":"root","password":"root"}`)
	mustAs(t, s, "", "PUT", "/v2/auth/enable", "")
	p := openTab(t, page(s, "#/users"), phone)
	p.click("button", "Log in")
	p.logIn("root", "root")
	p.see("You are root")
	p.checkAccessible("users on a phone")
	mustAs(t, s, "root", "PUT", "/v2/auth/users/root", `{"user":"root","password":"new"}`)
	p.click("button", "New user")
	p.fill("Name", "bob")
	p.fill("Password", "bob")
	p.click("button", "Create")
	p.logIn("root", "new")
	p.see("You are root")
}
