#!/usr/bin/env bash
# Measures Pando beside etcd on this machine, in alternation, and prints the tables of docs/benchmarks.md.
# Needs: Go, etcd 3.4 (Debian: etcd-server), curl, jq. Takes about half an hour. Run it on a quiet machine.
#
#   docs/measure.sh [one|watch|many|tls|auth|big|memory|floor|huge|connections|checkpoint|v3 ...]     without arguments: all but v3
#
# v3 compares the v3 API with that of etcd 3.7, whose program it takes from the directory PANDO_ETCD37. It takes six minutes.
# connections and checkpoint draw docs/plots/*.svg.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
pids=()
cleanup() {
    [ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

go build -o "$work/pando" .
bench() { "$work/pando" ctl bench "$@"; }
rounds=${ROUNDS:-5}

fail() {
    echo "measure.sh: $*" >&2
    exit 1
}

free() { # free URL: fails where something answers already, which would be measured instead
    ! curl -s -o /dev/null --max-time 1 "$1" || fail "something listens on $1 already: stop it first"
}

scheme=http           # of the client URLs
enable_v2=--enable-v2 # the flag for both servers; empty for an etcd that does not have it
# start SERVER NAME CLIENT-PORT PEER-PORT INITIAL-CLUSTER [FLAG...]: starts one member and sets pid.
start() {
    local server=$1 name=$2 client=$scheme://127.0.0.1:$3 peer=http://127.0.0.1:$4 cluster=$5
    shift 5
    free "$client"
    free "$peer"
    "$server" $enable_v2 --name "$name" --data-dir "$work/$(basename "$server")-$name" \
        --listen-client-urls "$client" --advertise-client-urls "$client" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "$cluster" "$@" \
        >>"$work/$(basename "$server")-$name.log" 2>&1 &
    pid=$!
    pids+=("$pid")
    disown "$pid"
}

alive() { # alive: fails once a server that was started has ended
    local server
    for server in "${pids[@]}"; do
        kill -0 "$server" 2>/dev/null || fail "a server has ended:"$'\n'"$(tail -qn 1 "$work"/*.log)"
    done
}

await() { # await URL: until it answers
    until curl -sf -o /dev/null --max-time 1 "$1"; do
        alive
        sleep 0.02
    done
}

answered() { # answered URL: until it answers anything
    until curl -s -o /dev/null --max-time 20 "$1"; do
        alive
        sleep 0.02
    done
}

stop_all() {
    kill -9 "${pids[@]}" 2>/dev/null || true
    pids=()
    sleep 1
    rm -rf "$work"/pando-* "$work"/etcd-*
}

resident() { awk '/^VmRSS/ {printf "%d MB", $2 / 1024}' "/proc/$1/status"; }

pando=http://127.0.0.1:12379 etcd=http://127.0.0.1:13379
pair() { # pair [FLAG...]: one member of each
    start "$work/pando" one 12379 12380 one=http://127.0.0.1:12380 "$@"
    pando_pid=$pid
    start etcd one 13379 13380 one=http://127.0.0.1:13380 "$@"
    etcd_pid=$pid
    await $pando/health
    await $etcd/health
}

compare() { # compare TITLE ENDPOINTS OTHER LOAD...
    echo "### $1"
    local a=$2 b=$3
    shift 3
    bench "$@" --endpoints "$a" --compare "$b" --rounds "$rounds" 2>/dev/null | grep -E '^ +(A|throughput|p50|p99|p99.9) ' || true
    echo
}

one() {
    pair
    compare "PUT, 1 connection" $pando $etcd put --conns 1 --total 5000 --val-size 256
    compare "PUT, 64 connections" $pando $etcd put --conns 64 --total 100000 --val-size 256
    compare "GET, 1 connection" $pando $etcd get --conns 1 --total 20000 --val-size 256
    compare "GET, 64 connections" $pando $etcd get --conns 64 --total 200000 --val-size 256
    compare "quorum GET, 64 connections" $pando $etcd get --quorum --conns 64 --total 100000 --val-size 256
    compare "recursive sorted list of 100 keys, 16 connections" $pando $etcd list --conns 16 --total 20000 --key-space-size 100 --val-size 256
    stop_all
}

watch() {
    pair
    local writers
    for writers in 1 4 16; do
        compare "1000 streams on one key, writers: $writers" $pando $etcd watch --watchers 1000 --mode stream \
            --conns $writers --clients $writers --total 600 --val-size 256
    done
    for server in pando etcd; do
        local url=${!server} pid_of=${server}_pid
        local before after
        before=$(resident "${!pid_of}")
        bench watch --endpoints "$url" --watchers 10000 --mode poll --clients 0 --duration 12s >/dev/null 2>&1 &
        local load=$!
        sleep 9
        after=$(resident "${!pid_of}")
        echo "10,000 idle long polls: $server $before before, $after with them"
        wait $load || true
    done
    stop_all
}

many() {
    local p=a=http://127.0.0.1:12381,b=http://127.0.0.1:12382,c=http://127.0.0.1:12383
    local e=a=http://127.0.0.1:13381,b=http://127.0.0.1:13382,c=http://127.0.0.1:13383
    local i=1
    for name in a b c; do
        start "$work/pando" $name 1237$i 1238$i $p
        start etcd $name 1337$i 1338$i $e
        i=$((i + 1))
    done
    local ps=http://127.0.0.1:12371,http://127.0.0.1:12372,http://127.0.0.1:12373
    local es=http://127.0.0.1:13371,http://127.0.0.1:13372,http://127.0.0.1:13373
    await http://127.0.0.1:12371/health
    await http://127.0.0.1:13371/health
    sleep 2
    compare "three members, PUT to the leader, 1 connection" $ps $es put --conns 1 --target-leader --total 2000 --val-size 256
    compare "three members, PUT, 64 connections" $ps $es put --conns 64 --total 40000 --val-size 256
    compare "three members, PUT, 256 connections" $ps $es put --conns 256 --total 80000 --val-size 256
    compare "three members, quorum GET, 64 connections" $ps $es get --quorum --conns 64 --total 60000 --val-size 256
    compare "three members, 90% GET 10% PUT, 64 connections" $ps $es mixed --conns 64 --total 60000 --val-size 256
    stop_all
}

# tls compares both servers over TLS with the same certificates.
tls() {
    "$work/pando" ctl tls init "$work/tls" --hosts 127.0.0.1 >/dev/null
    scheme=https
    local pando=https://127.0.0.1:12379 etcd=https://127.0.0.1:13379
    export CURL_CA_BUNDLE=$work/tls/ca.pem
    pair --cert-file "$work/tls/server.pem" --key-file "$work/tls/server-key.pem"
    local ca=(--cacert "$work/tls/ca.pem")
    compare "PUT over TLS, 1 connection" $pando $etcd put "${ca[@]}" --conns 1 --total 5000 --val-size 256
    compare "PUT over TLS, 64 connections" $pando $etcd put "${ca[@]}" --conns 64 --total 60000 --val-size 256
    compare "GET over TLS, 1 connection" $pando $etcd get "${ca[@]}" --conns 1 --total 20000 --val-size 256
    compare "GET over TLS, 64 connections" $pando $etcd get "${ca[@]}" --conns 64 --total 120000 --val-size 256
    local writers
    for writers in 1 16; do
        compare "1000 streams over TLS on one key, writers: $writers" $pando $etcd watch "${ca[@]}" --watchers 1000 --mode stream \
            --conns $writers --clients $writers --total 600 --val-size 256
    done
    stop_all
    scheme=http
    unset CURL_CA_BUNDLE
    rm -rf "$work/tls"
}

enable_auth() { # enable_auth URL: user root and user reader, who may read and write everything
    local as_root=(--endpoints "$1" --username root:secret)
    "$work/pando" ctl --endpoints "$1" user add root:secret >/dev/null
    "$work/pando" ctl --endpoints "$1" role add all >/dev/null
    "$work/pando" ctl --endpoints "$1" role grant all --path '/*' --readwrite >/dev/null
    "$work/pando" ctl --endpoints "$1" user add reader:secret >/dev/null
    "$work/pando" ctl --endpoints "$1" user grant reader --roles all >/dev/null
    "$work/pando" ctl "${as_root[@]}" auth enable >/dev/null
}

# auth compares a user's requests with etcd's, which hashes the password for each request, and with those of open access.
auth() {
    (cd docs/measure && go build -o "$work/guess" ./guess)
    pair
    local open=http://127.0.0.1:14379 as=(--user reader:secret)
    start "$work/pando" open 14379 14380 open=http://127.0.0.1:14380
    await $open/health
    enable_auth $pando
    enable_auth $etcd
    compare "GET of a user, 4 connections, beside etcd" $pando $etcd get "${as[@]}" --conns 4 --clients 4 --duration 5s --key-space-size 4 --val-size 256
    compare "GET of a user, 64 connections, beside open access" $pando $open get "${as[@]}" --conns 64 --total 200000 --val-size 256
    compare "GET of a user, 1 connection, beside open access" $pando $open get "${as[@]}" --conns 1 --total 20000 --val-size 256
    compare "PUT of a user, 64 connections, beside open access" $pando $open put "${as[@]}" --conns 64 --total 100000 --val-size 256
    compare "PUT of a user, 1 connection, beside open access" $pando $open put "${as[@]}" --conns 1 --total 5000 --val-size 256
    local load=(get --endpoints $pando "${as[@]}" --conns 8 --rate 2000 --duration 10s --val-size 256 --json)
    for _ in $(seq "$rounds"); do
        echo "p99 of a user: $(bench "${load[@]}" 2>/dev/null | jq .latencyUs.p99) us alone, $(under_attack) us beside 20 attackers"
    done
    stop_all
}

# under_attack prints the p99 of the load while 20 connections send wrong passwords for the same user.
under_attack() {
    "$work/guess" -url $pando/v2/keys/none -user reader -duration 15s >&2 &
    local attackers=$!
    sleep 4 # the first ten guesses are verified at once
    bench "${load[@]}" 2>/dev/null | jq .latencyUs.p99
    wait "$attackers"
}

big() {
    pair
    for server in pando etcd; do
        local url=${!server} pid_of=${server}_pid
        bench put --endpoints "$url" --sequential-keys --key-space-size 500000 --total 500000 --conns 64 --val-size 100 >/dev/null
        echo "500,000 keys of 100 bytes: $server $(resident "${!pid_of}")"
        bench put --endpoints "$url" --key-space-size 500000 --total 300000 --conns 64 --val-size 100 |
            grep -E '^ +(latency|all) ' | sed "s/^/PUT through checkpoints, $server: /" || true
    done
    kill -9 "$pando_pid" "$etcd_pid"
    pids=()
    sleep 1
    local began
    began=$(date +%s%N)
    start "$work/pando" one 12379 12380 one=http://127.0.0.1:12380
    answered $pando/v2/keys/none
    echo "restart after kill -9: pando $((($(date +%s%N) - began) / 1000000)) ms, $(resident "$pid")"
    began=$(date +%s%N)
    start etcd one 13379 13380 one=http://127.0.0.1:13380
    answered $etcd/v2/keys/none
    echo "restart after kill -9: etcd $((($(date +%s%N) - began) / 1000000)) ms, $(resident "$pid")"
    stop_all
}

# memory compares what 500,000 keys of 100 bytes under directories of a hundred take up: after the load, and a minute later.
memory() {
    pair
    local server
    for server in pando etcd; do
        local url=${!server} pid_of=${server}_pid
        bench put --endpoints "$url" --sequential-keys --key-space-size 500000 --directories 5000 --total 500000 --conns 64 --val-size 100 >/dev/null
        local loaded
        loaded=$(resident "${!pid_of}")
        sleep 60
        echo "500,000 keys of 100 bytes under 5000 directories: $server $loaded loaded, $(resident "${!pid_of}") a minute later"
    done
    stop_all
}

# floor measures beside a bare handler, and a bare handler that writes a log.
floor() {
    (cd docs/measure && go build -o "$work/floor" ./floor)
    start "$work/pando" one 12379 12380 one=http://127.0.0.1:12380
    local bare=http://127.0.0.1:14379 logged=http://127.0.0.1:14380
    free $bare
    free $logged
    "$work/floor" -listen 127.0.0.1:14379 >/dev/null &
    pids+=($!)
    "$work/floor" -listen 127.0.0.1:14380 -log "$work/floor-log" >/dev/null &
    pids+=($!)
    await $pando/health
    await $bare/health
    await $logged/health
    compare "PUT, 1 connection, beside the floor" $pando $logged put --conns 1 --total 5000 --val-size 256
    compare "PUT, 64 connections, beside the floor" $pando $logged put --conns 64 --total 100000 --val-size 256
    compare "GET, 64 connections, beside the bare handler" $pando $bare get --conns 64 --total 200000 --val-size 256
    stop_all
}

# huge compares Pando with itself: many keys with few, a wide directory with a narrow one.
huge() {
    start "$work/pando" few 12379 12380 few=http://127.0.0.1:12380
    local few=$pando many=http://127.0.0.1:13379
    start "$work/pando" many 13379 13380 many=http://127.0.0.1:13380
    local many_pid=$pid
    await $few/health
    await $many/health
    bench put --endpoints $many --sequential-keys --key-space-size 5000000 --directories 5000 --total 5000000 --conns 64 --val-size 16 >/dev/null
    bench put --endpoints $few --sequential-keys --key-space-size 5000 --directories 5 --total 5000 --conns 64 --val-size 16 >/dev/null
    echo "5,000,000 keys of 16 bytes: $(resident "$many_pid")"
    # A checkpoint comes every 100,000 writes: each run has two, so that no run is without its share.
    for load in put get; do
        for _ in $(seq "$rounds"); do
            for server in many few; do
                local space=5000 dirs=5
                [ $server = few ] || { space=5000000 dirs=5000; }
                echo "$load $server $(bench $load --endpoints "${!server}" $([ $load = put ] || echo --skip-prepare) --key-space-size $space --directories $dirs \
                    --conns 64 --total 200000 --val-size 16 --json 2>/dev/null | jq -r '"\(.throughput | floor)/s p50 \(.latencyUs.p50) us"')"
            done
        done
    done
    bench put --endpoints $few --prefix /wide --sequential-keys --key-space-size 200000 --total 200000 --conns 64 --val-size 16 >/dev/null
    bench put --endpoints $few --prefix /narrow --sequential-keys --key-space-size 100 --total 100 --conns 64 --val-size 16 >/dev/null
    for _ in $(seq "$rounds"); do
        for width in "wide 200000" "narrow 100"; do
            set -- $width
            echo "put $1 $(bench put --endpoints $few --prefix "/$1" --key-space-size "$2" --conns 64 --total 50000 --val-size 16 --json 2>/dev/null |
                jq -r '"\(.throughput | floor)/s p50 \(.latencyUs.p50) us"')"
        done
    done
    stop_all
}

# v3_pair starts one member of each for the v3 API. v3_load then compares them.
v3_pair() {
    start "$work/pando" one 12379 12380 one=http://127.0.0.1:12380
    pando_pid=$pid
    start "$PANDO_ETCD37/etcd" one 13379 13380 one=http://127.0.0.1:13380
    etcd_pid=$pid
    await $pando/health
    await $etcd/health
    servers=(-a Pando=127.0.0.1:12379 -a-pids "$pando_pid" -b etcd=127.0.0.1:13379 -b-pids "$etcd_pid")
}

v3_load() { "$work/v3load" "${servers[@]}" -rounds "$rounds" "$@"; }

v3_head() { # v3_head TITLE: the head of a table of v3load
    echo
    echo "| $1 | Pando | etcd | ratio | p50, ms | p99, ms | p99.9, ms | server, µs |"
    echo "|---|---|---|---|---|---|---|---|"
}

# v3 measures the v3 API beside etcd 3.7. Each client of the first table has a connection.
v3() {
    [ -x "${PANDO_ETCD37:-}/etcd" ] || fail "PANDO_ETCD37 must be a directory with the program etcd of version 3.7"
    (cd docs/measure && go build -o "$work/v3load" ./v3load)
    enable_v2=
    local servers
    v3_pair
    v3_head "one member"
    v3_load -duration 700ms put/1 put/64 put/256 range/1 range/64 range/256 linear/1 linear/64 linear/256 txn/1 txn/64 txn/256
    v3_head "one member, 8 connections for all clients"
    v3_load -duration 700ms -conns 8 put/64 put/256 range/64 linear/64 txn/64
    v3_head "watches of one key"
    v3_load watch/1000
    v3_load -writers 16 -changes 800 watch/1000
    v3_load -streams 1 -watch-conns 1 watch/1000
    v3_load -streams 1000 -watch-conns 1000 -changes 200 watch/1000
    stop_all
    v3_keys
    v3_members
    enable_v2=--enable-v2
}

# v3_keys measures memory and restarts with 500,000 keys of 100 bytes.
v3_keys() {
    v3_pair
    local server port restarted=()
    echo
    echo "| 500,000 keys of 100 bytes | Pando | etcd |"
    echo "|---|---|---|"
    "$work/v3load" -a Pando=127.0.0.1:12379 -val-size 100 -fill 500000
    "$work/v3load" -a etcd=127.0.0.1:13379 -val-size 100 -fill 500000
    echo "| resident memory after the load | $(resident "$pando_pid") | $(resident "$etcd_pid") |"
    sleep 15
    echo "| the same, 15 s later | $(resident "$pando_pid") | $(resident "$etcd_pid") |"
    kill -9 "$pando_pid" "$etcd_pid"
    pids=()
    sleep 1
    for server in "$work/pando 12379 12380" "$PANDO_ETCD37/etcd 13379 13380"; do
        set -- $server
        local began
        began=$(date +%s%N)
        start "$1" one "$2" "$3" one=http://127.0.0.1:"$3"
        until curl -sf --max-time 20 -d '{"key":"L2JlbmNoLzAwMDAwMDAx"}' "http://127.0.0.1:$2/v3/kv/range" | grep -q '"count":"1"'; do
            alive
            sleep 0.02
        done
        restarted+=("$((($(date +%s%N) - began) / 1000000)) ms" "$(resident "$pid")")
    done
    echo "| \`kill -9\` to the first answer | ${restarted[0]} | ${restarted[2]} |"
    echo "| resident memory then | ${restarted[1]} | ${restarted[3]} |"
    stop_all
}

# v3_members measures three members. The clients are spread over all of them.
v3_members() {
    local p=a=http://127.0.0.1:12381,b=http://127.0.0.1:12382,c=http://127.0.0.1:12383
    local e=a=http://127.0.0.1:13381,b=http://127.0.0.1:13382,c=http://127.0.0.1:13383
    local i=1 name pando_pids="" etcd_pids=""
    for name in a b c; do
        start "$work/pando" $name 1237$i 1238$i $p
        pando_pids+=${pando_pids:+,}$pid
        start "$PANDO_ETCD37/etcd" $name 1337$i 1338$i $e
        etcd_pids+=${etcd_pids:+,}$pid
        i=$((i + 1))
    done
    await http://127.0.0.1:12371/health
    await http://127.0.0.1:13371/health
    sleep 2
    servers=(-a Pando=127.0.0.1:12371,127.0.0.1:12372,127.0.0.1:12373 -a-pids "$pando_pids"
        -b etcd=127.0.0.1:13371,127.0.0.1:13372,127.0.0.1:13373 -b-pids "$etcd_pids")
    v3_head "three members"
    v3_load put/1 put/64 put/256 linear/64
    stop_all
}

plots=$PWD/docs/plots
plot() { # plot NAME FLAG...: draws docs/plots/NAME.tsv
    local name=$1
    shift
    (cd docs/measure && go run ./plot "$@" <"$plots/$name.tsv" >"$plots/$name.svg")
    echo "drawn: docs/plots/$name.svg"
}

# connections measures throughput over the number of connections.
connections() {
    mkdir -p "$plots"
    pair
    for load in put get; do
        : >"$plots/$load.tsv"
        for conns in ${CONNS:-1 2 4 8 16 32 64 128 256}; do
            bench $load --endpoints $pando --compare $etcd --rounds "$rounds" --conns $conns --duration 2s --val-size 256 --json 2>/dev/null |
                jq -r --arg conns $conns 'def median: map(.throughput) | sort | .[length / 2 | floor] | floor;
                    "Pando\t\($conns)\t\(.a | median)\netcd 3.4.23\t\($conns)\t\(.b | median)"' >>"$plots/$load.tsv"
        done
        plot $load -title "$(tr '[:lower:]' '[:upper:]' <<<$load) of 256 bytes, one member" -x connections -y requests/s -log x
    done
    stop_all
}

# checkpoint writes at a steady rate into 500,000 keys, a server after the other, and draws each second's p99.9.
checkpoint() {
    mkdir -p "$plots"
    pair
    : >"$plots/checkpoint.tsv"
    for server in pando etcd; do
        local url=${!server} name="etcd 3.4.23"
        [ $server = etcd ] || name=Pando
        bench put --endpoints "$url" --sequential-keys --key-space-size 500000 --total 500000 --conns 64 --val-size 100 >/dev/null
        bench put --endpoints "$url" --key-space-size 500000 --conns 64 --rate 10000 --duration 60s --val-size 100 --timeline "$work/seconds.csv" >/dev/null
        awk -F, -v name="$name" 'NR > 1 {printf "%s\t%d\t%.3f\n", name, $1, $3 / 1000}' "$work/seconds.csv" >>"$plots/checkpoint.tsv"
    done
    plot checkpoint -title "10,000 PUT/s into 500,000 keys while checkpoints are written" -x seconds -y "p99.9 of the second, ms" -log y
    stop_all
}

for part in "${@:-one watch many tls auth big memory floor huge connections checkpoint}"; do
    for name in $part; do "$name"; done
done
