package program

import (
	"pando/members/config"
)

const helpIntro = `Pando keeps a tree of small values and serves it over the APIs of etcd: v2 (HTTP) and v3 (gRPC and
JSON), on the same keys. Every client of etcd v2 works with it unchanged.

The server:
  pando [flags]                start a server (127.0.0.1:2379, data in default.pando)
  pando --config-file FILE     start a server with settings from a YAML file
  pando snapshot save FILE     save the data of a running server; also status and restore
  pando import-etcd DIR        move in from etcd: DIR is that of a stopped member, or a snapshot file
  pando import-etcd-config F   move in from etcd: take the settings in /etc/default/etcd or etcd.conf.yml over
  pando migrate --from URL     follow a running etcd; also compare, switch (take over) and status
  pando export-etcd FROM DIR   move back: make a data directory of etcd from the data of Pando
  pando --version              print the version and the APIs that it serves
  pando help                   print this text

The client, with the commands of etcdctl; a link named etcdctl is the client, too:
  pando ctl set /message hi    write a key; also get, mk, rm, ls, mkdir, watch, exec-watch ...
  pando ctl member list        list the members; also member add, remove, update, cluster-health
  pando ctl user add root      users and roles; also user grant, role grant, auth enable ...
  pando ctl top                members, rates and busy directories, live; also diff, edit, find and du
  pando ctl tls init DIR       make the certificates of a cluster; tls check says what is wrong with files
  pando ctl --help             list its commands; each has a --help with examples
  ETCDCTL_API=3 pando ctl ...  the commands of etcdctl for the v3 API: put, get, watch, lease, txn ...

Start it and try it from another terminal:
  pando
  curl http://127.0.0.1:2379/v2/keys/message -XPUT -d value="Hello world"
  curl http://127.0.0.1:2379/v2/keys/message
  curl "http://127.0.0.1:2379/v2/keys/message?wait=true"       answers when the key changes

Serve a network, with TLS; the first command also prints the commands that start a whole cluster:
  pando ctl tls init certs --hosts 10.0.0.1
  pando --listen-client-urls https://10.0.0.1:2379 --advertise-client-urls https://10.0.0.1:2379 \
        --cert-file certs/server.pem --key-file certs/server-key.pem

Settings:
  Write --flag value or --flag=value; a single dash works too. The first place with a
  value counts: the command line, the environment (the two names shown, in their order), then the
  --config-file, where the name is that of the flag without the dashes in front. etcd's sections
  client-transport-security and peer-transport-security work, too.
`

const helpOutro = `
Read on:
  README.md                    a first session
  docs/api.md                  every request and answer
  docs/two-protocols.md        how the v2 and the v3 API share the keys
  docs/differences.md          the differences between Pando and etcd, and why
  docs/operations.md           clusters, backups, monitoring
  docs/ctl.md                  the client for people: top, find, du, diff, edit
  docs/security.md             who may do what, TLS, users, the audit log, a checklist
  docs/architecture.md         how it works and what it promises about your data
`

// HelpText returns the output of pando --help.
func HelpText() string { return helpIntro + config.FlagHelp() + helpOutro }
