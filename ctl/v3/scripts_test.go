package v3

// scripts are the commands that are typed into both clients; see readScript. The scripts run at the same time, each on servers of its own.
var scripts = map[string]string{
	"keys": `
put foo bar
put foo bar -w json
put foo bar -w fields
put foo bar2 --prev-kv
put foo bar3 --prev-kv -w json
put foo bar4 --prev-kv -w fields
put foo bar4 --prev-kv --hex
put foo1 x1
put foo2 x2
put fop "a\nb"
get foo
get foo -w json
get foo -w fields
37: get foo -w fields --hex
get foo -w table
get foo -wjson
get -w=json foo
-w json get foo
get foo --write-out json
get foo --hex
get foo --hex -w json
get foo --print-value-only
get foo --hex --print-value-only
get foo --prefix
get foo --prefix -w json
get foo --prefix -w fields
get --prefix --limit=2 foo
get --prefix --limit 2 foo -w json
get --prefix --limit=2 foo -w fields
37: get foo --count-only --prefix
37: get foo --count-only --prefix -w fields
37: get --keys-only --count-only foo
get foo --keys-only --prefix
get foo --keys-only --prefix -w json
get foo --print-value-only --keys-only
37: get foo --print-value-only -w json
get foo foo2
get foo foo2 --rev 4
get fop -w fields
get --from-key foo1
get "" --from-key
get "" --prefix
get ""
get foo --prefix --sort-by=VALUE --order=DESCEND
get foo --prefix --sort-by=modify
get foo --prefix --sort-by CREATE --order ascend
get foo --prefix --sort-by VERSION --order DESCEND -w json
get foo --prefix --order DESCEND
37: get foo --prefix --min-mod-rev 8 --max-mod-rev 9
37: get foo --prefix --min-create-rev 9 --max-create-rev 9 -w json
get foo --consistency=s
get foo --consistency=x
get foo --prefix --sort-by=X
get foo --order=X
get nothing
get nothing -w json
get nothing -w fields
get foo --rev=1
get foo --rev=1000000
get foo --prefix=false
get
get --prefix a b
get --prefix --from-key a
get foo -- foo2
get -- foo
del foo2
del foo2 -w json
del foo2 -w fields
del nothing
37: del foo1 fop --range --prev-kv
put foo1 again
del foo1 --prev-kv
put foo1 again
del foo1 --prev-kv -w json
put foo1 again
del foo1 --prev-kv -w fields
del
del a b c
del --prefix a b
del --from-key a b
del --prefix --from-key a
put a1 v
put a2 v
del --prefix a
put -- -k -v
get -- -k
del -- -k
"from stdin\n" | put pipe
get pipe
"x" | put pipe -w json
"" | put pipe
put
put foo --ignore-value
put foo v --ignore-lease
put foo v --ignore-value
put nothing --ignore-value
put foo --lease=123 v
put foo --lease=xyz v
put foo v --lease=0
ETCDCTL_WRITE_OUT=json get foo
ETCDCTL_HEX=true get foo
ETCDCTL_DIAL_TIMEOUT=3s get foo
compaction
compaction abc
compaction 3
compaction 3
compaction 1000000
compaction 5 --physical
get foo --rev=2
get foo --rev=5
37: version
37: version -w json
`,
	"flags": `
37: get foo --xyz
37: get foo -q
37: get foo --limit
37: get foo --limit=abc
37: get foo --prefix=x
37: get foo --pre
37: put foo -5
37: get foo --dial-timeout=x
37: get foo -w
37: lease grant --bogus 3
37: lease --bogus
nosuch
get foo -w xyz
--cacert=/nope get foo
--cert=/nope get foo
--cert=/nope --key=/nope get foo
--user=foo:bar get foo
--user=foo --password=bar get foo
"pw\n" | --user=foo get foo
--command-timeout=0 get foo
ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s get foo
ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s put foo bar
ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s lease grant 5
ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s member list
ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s endpoint status
ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s endpoint hashkv
37: ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s endpoint health
ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s alarm list
37: ETCDCTL_ENDPOINTS=127.0.0.1:1 --command-timeout=300ms --dial-timeout=2s defrag
ETCDCTL_ENDPOINTS=127.0.0.1:1,<client> get foo
ETCDCTL_ENDPOINTS=http://<client> put foo bar
--discovery-srv=nope.invalid get foo
`,
	"txn": `
put k1 v1
put k2 v2
"mod(\"k1\") > \"0\"\n\nput k1 \"over written\"\nget k1\n\nput k1 created\n\n" | txn
37: "mod(\"k1\") > \"0\"\n\nput k1 \"over written\"\nget k1\n\nput k1 created\n\n" | txn -i
"val(\"k1\") = \"over written\"\n\nput k3 x --prev-kv\nget k1 k3\ndel z --prev-kv\nget none\n\nput k1 created\n\n" | txn
37: "value(\"k1\") = \"over written\"\n\nput k3 x --prev-kv\nget k1 k3\ndel z --prev-kv\nget none\n\nput k1 created\n\n" | txn -w json
"value(\"k1\") = \"over written\"\n\nput k3 x --prev-kv\nget k1 k3\ndel z --prev-kv\nget none\n\nput k1 created\n\n" | txn -w fields
"ver(\"k1\") = \"99\"\n\n\nget k1\nput z ' '\n\n" | txn
"create(\"k1\") = \"0\"\nval(\"k2\") != \"v2\"\n\n\n\n" | txn
"c(\"k1\") < \"3\"\nm(\"k1\") > \"1\"\n\nget k1 --keys-only\n\n\n" | txn
"\nput k1 \"a\\nb\"\nget k2\n\n\n" | txn
"\nput a b\nput a c\n\n\n" | txn
"\nput k1 x --lease=1\n\n\n" | txn
"foo(\"k1\") = \"0\"\n\n\n\n" | txn
"mod(\"k1\") = \"abc\"\n\n\n\n" | txn
"\nput k1\n\n\n" | txn
"" | txn
"\n\n\n" | txn
"mod(\"k1\") = \"0\"\n" | txn
txn x
get --prefix k
`,
	"leases": `
lease grant 300
put leased v --lease=<lease>
put other v --lease=<lease>
get leased -w json
37: get leased -w fields --hex
put leased w --ignore-lease
put leased --ignore-value --prev-kv -w fields
lease timetolive <lease>
lease timetolive <lease> -w json
lease timetolive <lease> -w fields
lease timetolive <lease> --keys
lease timetolive <lease> --keys -w json
lease timetolive <lease> --keys -w fields
lease list
lease list -w json
lease list -w fields
lease keep-alive --once <lease>
lease keep-alive --once <lease> -w json
lease keep-alive --once <lease> -w fields
lease revoke <lease>
get leased
lease revoke <lease>
lease timetolive <lease>
lease timetolive <lease> -w json
lease timetolive <lease> -w fields
lease keep-alive --once <lease>
lease keep-alive <lease>
lease list
lease grant 300 -w json
lease grant 300 -w fields
37: lease grant 300 -w fields --hex
lease grant 0
lease grant -- -1
lease grant 99999999999999
lease grant
lease grant abc
lease grant 1 2
lease revoke
lease revoke xyz
lease timetolive
lease timetolive abcg
lease keep-alive
lease timetolive 12 -w table
lock l1 echo hi
37: lock l1 -- sh -c 'echo ${ETCD_LOCK_KEY%/*} $ETCD_LOCK_REV; exit 7'
lock l1 nosuch
lock l1 -w json echo a
lock
elect
elect a
elect a b c
elect -l a b
`,
	"cluster": `
37: endpoint status
37: endpoint status -w json
37: endpoint status -w fields
37: endpoint health
endpoint health -w json
37: endpoint health -w fields
37: endpoint hashkv
37: endpoint hashkv -w json
37: endpoint hashkv -w fields
endpoint hashkv -w protobuf
37: endpoint hashkv -w table
37: endpoint status --cluster
37: endpoint health --cluster
37: endpoint hashkv --cluster
37: endpoint hashkv --rev 1
member list
member list -w json
37: member list -w fields
37: member list -w fields --hex
37: member list -w json --hex
37: member list -w table
member add
member add x
member add x y
37: member add x --peer-urls=bogus
37: ~member add x --peer-urls=http://127.0.0.1:1,http://127.0.0.1:2 --learner
37: member add x --peer-urls=http://127.0.0.1:1 --learner
37: member add y --peer-urls=http://127.0.0.1:3 --learner -w json
~member list
member remove
member remove xyz
member remove 1234
member update
member update 1234
member update 1234 --peer-urls=http://127.0.0.1:1
member update <member> --peer-urls=http://127.0.0.1:9
member promote
member promote xyz
member promote 1234
37: member promote <member>
alarm list
alarm list -w json
37: alarm list -w fields
37: alarm disarm
37: alarm disarm -w json
37: alarm disarm -w fields
alarm list x
alarm disarm x
move-leader
move-leader 1234
make-mirror
make-mirror a b
37: make-mirror --no-dest-prefix --dest-prefix z 127.0.0.1:1
37: check perf --load=z
37: check datascale --load=z
37: endpoint --cluster status
37: downgrade validate
37: downgrade validate 3.6 x
37: downgrade validate abc
37: downgrade validate 3.5
37: downgrade validate 3.6
37: downgrade validate 3.6.0 -w json
37: downgrade enable
37: downgrade enable 3.6
37: downgrade enable 3.6 -w json
37: downgrade cancel
37: downgrade cancel -w json
37: defrag
37: defrag -w json
37: defrag --cluster
37: snapshot save
37: snapshot save /nonexistent/x
37: snapshot save a b
37: ETCDCTL_ENDPOINTS=127.0.0.1:1,127.0.0.1:2 snapshot save x
`,
	"users": usersScript,
}
