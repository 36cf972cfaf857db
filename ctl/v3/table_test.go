package v3

import "testing"

func TestTable(t *testing.T) {
	out := &text{}
	(&table{[]string{"ENDPOINT", "HEALTH", "ERROR"}, [][]string{{"10.0.0.1:2379", "true", ""}, {"b:1", "false", "größer"}}}).write(out)
	const want = `┌───────────────┬────────┬────────┐
│   ENDPOINT    │ HEALTH │ ERROR  │
├───────────────┼────────┼────────┤
│ 10.0.0.1:2379 │   true │        │
│           b:1 │  false │ größer │
└───────────────┴────────┴────────┘
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}
