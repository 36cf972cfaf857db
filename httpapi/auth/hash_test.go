package auth

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// etcdHash is a hash of "secret" as etcd stores it, but of the least cost.
func etcdHash(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func TestVerify(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, test := range map[string]struct {
		stored, password string
		want             bool
	}{
		"right":                         {newHash("secret"), "secret", true},
		"wrong":                         {newHash("secret"), "Secret", false},
		"a prefix":                      {newHash("secret"), "secre", false},
		"empty":                         {newHash("secret"), "", false},
		"the hash of an empty password": {newHash(""), "", false},
		"unicode":                       {newHash("påß:wörd€"), "påß:wörd€", true},
		"5,000 bytes":                   {newHash(long), long, true},
		"5,000 bytes, the last differs": {newHash(long), long[1:] + "y", false},
		"etcd: right":                   {etcdHash(t, "secret"), "secret", true},
		"etcd: wrong":                   {etcdHash(t, "secret"), "Secret", false},
		"etcd: empty":                   {etcdHash(t, ""), "", false},
		"etcd: after 72 bytes":          {etcdHash(t, long[:72]), long, true},
		"etcd: before 72 bytes":         {etcdHash(t, long[:71]+"y"), long, false},
		"unknown user":                  {unknownHash, "secret", false},
	} {
		t.Run(name, func(t *testing.T) {
			if ok, err := verify(test.stored, test.password); ok != test.want || err != nil {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
}

func TestVerifyOfBadHashes(t *testing.T) {
	good := newHash("secret")
	for name, stored := range map[string]string{
		"empty":            "",
		"a password":       "secret",
		"cut off":          good[:len(good)-30],
		"other version":    strings.Replace(good, "v=19", "v=16", 1),
		"too much memory":  strings.Replace(good, "m=19456", "m=4000000", 1),
		"no memory":        strings.Replace(good, "m=19456", "m=", 1),
		"no passes":        strings.Replace(good, "t=2", "t=0", 1),
		"too many passes":  strings.Replace(good, "t=2", "t=1000", 1),
		"no lanes":         strings.Replace(good, "p=1", "p=0", 1),
		"too many lanes":   strings.Replace(good, "p=1", "p=256", 1),
		"another number":   strings.Replace(good, "t=2", "t=+2", 1),
		"more parts":       good + "$",
		"bcrypt cost":      "$2a$31$" + etcdHash(t, "secret")[7:],
		"bcrypt cut off":   etcdHash(t, "secret")[:40],
		"another argon2":   strings.Replace(good, "argon2id", "argon2i", 1),
		"short salt":       "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$" + strings.Repeat("A", 43),
		"salt: not base64": "$argon2id$v=19$m=19456,t=2,p=1$!$" + strings.Repeat("A", 43),
	} {
		t.Run(name, func(t *testing.T) {
			if ok, err := verify(stored, "secret"); ok || !errors.Is(err, errFormat) {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
}

func TestNewHash(t *testing.T) {
	a, b := newHash("secret"), newHash("secret")
	if a == b {
		t.Error("two hashes have the same salt")
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", a)
	}
}

func TestNewBcryptHash(t *testing.T) {
	long := strings.Repeat("p", maxBcrypt)
	hash, err := newBcryptHash(long)
	if err != nil {
		t.Fatal(err)
	}
	if cost, err := bcrypt.Cost([]byte(hash)); cost != 10 || err != nil {
		t.Errorf("%s has the cost %d: %v", hash, cost, err)
	}
	for password, want := range map[string]bool{long: true, long[1:]: false} {
		if ok, err := verify(hash, password); ok != want || err != nil {
			t.Errorf("%d bytes: %v, %v", len(password), ok, err)
		}
	}
	if _, err := newBcryptHash(long + "p"); !errors.Is(err, ErrLongPassword) {
		t.Errorf("%v, want %v", err, ErrLongPassword)
	}
}

func FuzzParseArgon(f *testing.F) {
	f.Add(newHash("secret"))
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$")
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := parseArgon(stored)
		if err == nil && h.String() != stored {
			t.Errorf("%q is parsed as %s", stored, h.String())
		}
	})
}

func BenchmarkNewHash(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newHash("secret")
	}
}

// BenchmarkBcrypt is the alternative with which NewHash is compared.
func BenchmarkBcrypt(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.DefaultCost); err != nil {
			b.Fatal(err)
		}
	}
}
