#!/usr/bin/env bash
# Measures Pando beside etcd on this machine, in alternation, and prints the tables of docs/benchmarks.md.
# Needs: Go, etcd 3.4 (Debian: etcd-server), curl. Takes about 15 minutes. Run it on a quiet machine.
#
#   docs/measure.sh [one|many|big|watch ...]     without arguments: all
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

# start SERVER NAME CLIENT-PORT PEER-PORT INITIAL-CLUSTER [FLAG...]: starts one member and sets pid.
start() {
    local server=$1 name=$2 client=http://127.0.0.1:$3 peer=http://127.0.0.1:$4 cluster=$5
    shift 5
    "$server" --enable-v2 --name "$name" --data-dir "$work/$(basename "$server")-$name" \
        --listen-client-urls "$client" --advertise-client-urls "$client" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "$cluster" "$@" \
        >>"$work/$(basename "$server")-$name.log" 2>&1 &
    pid=$!
    pids+=("$pid")
    disown "$pid"
}

await() { # await URL: until it answers
    until curl -sf -o /dev/null --max-time 1 "$1"; do sleep 0.02; done
}

answered() { # answered URL: until it answers anything
    until curl -s -o /dev/null --max-time 20 "$1"; do sleep 0.02; done
}

stop_all() {
    kill -9 "${pids[@]}" 2>/dev/null || true
    pids=()
    sleep 1
    rm -rf "$work"/pando-* "$work"/etcd-*
}

memory() { awk '/^VmRSS/ {printf "%d MB", $2 / 1024}' "/proc/$1/status"; }

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
    compare "1000 streams on one key" $pando $etcd watch --watchers 1000 --mode stream --total 300 --val-size 256
    for server in pando etcd; do
        local url=${!server} pid_of=${server}_pid
        local before after
        before=$(memory "${!pid_of}")
        bench watch --endpoints "$url" --watchers 10000 --mode poll --clients 0 --duration 12s >/dev/null 2>&1 &
        local load=$!
        sleep 9
        after=$(memory "${!pid_of}")
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
    compare "three members, PUT, 1 connection" $ps $es put --conns 1 --total 2000 --val-size 256
    compare "three members, PUT, 64 connections" $ps $es put --conns 64 --total 40000 --val-size 256
    compare "three members, PUT, 256 connections" $ps $es put --conns 256 --total 80000 --val-size 256
    compare "three members, quorum GET, 64 connections" $ps $es get --quorum --conns 64 --total 60000 --val-size 256
    compare "three members, 90% GET 10% PUT, 64 connections" $ps $es mixed --conns 64 --total 60000 --val-size 256
    stop_all
}

big() {
    pair
    for server in pando etcd; do
        local url=${!server} pid_of=${server}_pid
        bench put --endpoints "$url" --sequential-keys --key-space-size 500000 --total 500000 --conns 64 --val-size 100 >/dev/null
        echo "500,000 keys of 100 bytes: $server $(memory "${!pid_of}")"
        bench put --endpoints "$url" --key-space-size 500000 --total 300000 --conns 64 --val-size 100 |
            grep -E '^ +(latency|all) ' | sed "s/^/PUT through checkpoints, $server: /" || true
    done
    kill -9 "$pando_pid" "$etcd_pid"
    sleep 1
    local began
    began=$(date +%s%N)
    start "$work/pando" one 12379 12380 one=http://127.0.0.1:12380
    answered $pando/v2/keys/none
    echo "restart after kill -9: pando $((($(date +%s%N) - began) / 1000000)) ms, $(memory "$pid")"
    began=$(date +%s%N)
    start etcd one 13379 13380 one=http://127.0.0.1:13380
    answered $etcd/v2/keys/none
    echo "restart after kill -9: etcd $((($(date +%s%N) - began) / 1000000)) ms, $(memory "$pid")"
    stop_all
}

for part in "${@:-one watch many big}"; do
    for name in $part; do "$name"; done
done
