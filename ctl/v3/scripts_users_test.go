package v3

// usersScript has the commands about users, roles and their rights.
const usersScript = `
37: auth status
37: auth status -w json
37: auth status -w fields
auth enable
37: auth enable x
37: auth disable x
user add u1:pw
user add u2 --no-password
37: user add u3 --new-user-password=x
user add u4:pw -w json
37: user add u5:pw:more
user add u1:pw
user add
user add a b
37: user add :pw
"pw\n" | user add u6 --interactive=false
user list
user list -w json
37: user list -w fields
user get u1
user get u1 -w json
user get u1 --detail
37: user get u1 -w fields
37: user get u1 -w table
37: user get u1 --detail -w json
37: user get u1 --detail -w fields
user get nobody
user get
role add r1
role add r2 -w json
role add r1
role add
role list
role list -w json
37: role list -w fields
role grant-permission r1 readwrite foo
role grant-permission r1 readwrite foo -w json
37: role grant-permission r1 readwrite foo -w fields
role grant-permission r1 read a b
role grant-permission r1 read a c
role grant-permission r1 write p --prefix
role grant-permission r1 write q --from-key
role grant-permission r1 read "" --prefix
role grant-permission r1 xx k
role grant-permission r1
role grant-permission r9 read k
role grant-permission r1 read a b --prefix
role grant-permission r1 read a --prefix --from-key
role get r1
role get r1 -w json
37: role get r1 -w fields
role get nobody
role get
role revoke-permission r1 foo
role revoke-permission r1 a b
role revoke-permission r1 p --prefix
37: role revoke-permission r1 q --from-key
role revoke-permission r1 zzz
role revoke-permission r1
user grant-role u1 r1
user grant-role u1 r2 -w json
user grant-role u1 nobody
user grant-role u1
user get u1
user get u1 --detail
user revoke-role u1 r2
user revoke-role u1 r2
user revoke-role u1
"new\n" | user passwd u1 --interactive=false
user passwd
user delete u2
user delete u2
user delete
role delete r2
role delete r2
role delete
user list x
role list x
user revoke-role u1 r1
put k1 secret
put foo open
user add root:root
role add reader
role grant-permission reader read k1
user grant-role u1 reader
auth enable
get k1
put k1 v
--user=u1:new get k1
--user=u1:new get k2
--user=u1:new get --prefix k
--user=u1:new put k1 v
--user=u1:new del k1
--user=u1:wrong get k1
--user=nobody:wrong get k1
ETCDCTL_USER=u1:new get k1
ETCDCTL_USER=u1 ETCDCTL_PASSWORD=new get k1
--user=u1:new user list
--user=u1:new user get u1
--user=u1:new role list
--user=u1:new lease grant 10
--user=u1:new compaction 2
"\nget k1\nput k2 v\n\n\n" | --user=u1:new txn
"\nget k1\n\n\n" | --user=u1:new txn
37: --user=u1:new watch k2
37: endpoint health
37: --user=u1:new endpoint health
lease grant 10
37: --user=root:root auth status
--user=root:root user list
--user=root:root get k1
--user=root:root auth disable
get k1
`
