#!/usr/bin/env bash
# hosts.sh MPIRUN PIXPRO: with Open MPI, trains on four hosts, which are network namespaces of this machine, and cuts
# hosts off meanwhile. The ranks of all hosts must end within 30 seconds, the lost rank must be named,
# and the resumed run must end with the weights of an undisturbed one.
set -euo pipefail
mpirun=$(command -v "$1")
pixpro=$(realpath "$2")

version=$("$mpirun" --version)

skip() {
  echo "skipped: $1"
  exit 77
}
fail() {
  tail -n 50 "$folder"/log* >&2
  echo "failed: $1" >&2
  exit 1
}
[[ $version = *"(Open"* ]] || skip "this MPI takes another agent than Open MPI, and sees that the hosts are one machine"
command -v ip unshare >/dev/null || skip "there is no ip (Debian package iproute2) or no unshare here"
[ "$(id -u)" = 0 ] || skip "only root can make network namespaces"

folder=$(mktemp -d)
bridge=pixpro$$
hosts=(${bridge}h1 ${bridge}h2 ${bridge}h3 ${bridge}h4)

processes_of_hosts() {
  local host
  for host in "${hosts[@]}"; do ip netns pids "$host" 2>/dev/null || true; done
}
end_processes() {
  local processes
  processes=$(processes_of_hosts)
  [ -z "$processes" ] || kill -KILL $processes 2>/dev/null || true
  wait
}
clean_up() {
  end_processes 2>/dev/null
  local namespace
  for namespace in "${hosts[@]}" $bridge; do ip netns delete $namespace 2>/dev/null || true; done
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# Each host has a name, an address, and a cable to the bridge.
make_hosts() {
  ip netns add $bridge && ip -n $bridge link add bridge type bridge && ip -n $bridge link set bridge up || return
  echo '127.0.0.1 localhost' >"$folder/names"
  local i host
  for i in 1 2 3 4; do
    host=${hosts[i - 1]}
    ip netns add $host && ip -n $host link set lo up &&
      ip -n $bridge link add port$i type veth peer name eth0 netns $host &&
      ip -n $bridge link set port$i master bridge up &&
      ip -n $host address add 10.213.0.$i/24 dev eth0 && ip -n $host link set eth0 up || return
    echo "10.213.0.$i $host" >>"$folder/names"
  done
  [ "$("$folder/enter" ${hosts[2]} hostname)" = ${hosts[2]} ]
}
# What mpirun takes for ssh: HOST COMMAND.
cat >"$folder/enter" <<'END'
#!/usr/bin/env bash
host=$1
shift
exec ip netns exec "$host" unshare --uts --mount bash -c '
  mount --bind "$0" /etc/hosts && hostname "$1" && shift && exec bash -c "$*"' "${0%/*}/names" "$host" "$@"
END
chmod +x "$folder/enter"
make_hosts 2>"$folder/why" || skip "network namespaces are not permitted here: $(tail -n 1 "$folder/why")"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_plm_rsh_agent=$folder/enter PRTE_MCA_plm_ssh_agent=$folder/enter
list=$(IFS=,; echo "${hosts[*]}")

mkdir "$folder/images"
for i in {1..17}; do
  { printf 'P6\n40 40\n255\n' && head -c 4800 /dev/urandom; } >"$folder/images/image$i.ppm"
done

# train RUN [MORE]: starts to train on a rank per host, from the first of them. Sets `job` to the process
# to wait for.
train() {
  local run=$1
  shift
  timeout -k 5 120 "$folder/enter" ${hosts[0]} "$mpirun" "$@" --host "$list" -np 4 \
    "$pixpro" pretrain --arch resnet18 --image-size 33 --batch-size 2 --epochs 4 --warmup-epoch 0 \
    --save-freq 1 --auto-resume --threads 1 --num-workers 1 --data-dir "$folder/images" \
    --output-dir "$folder/$run" >>"$folder/log.$run" 2>&1 &
  job=$!
}

ranks() {
  local process
  for process in $(processes_of_hosts); do
    [ "$(readlink /proc/$process/exe)" != "$pixpro" ] || echo $process
  done
}

# within SECONDS CONDITION...
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
no_rank_runs() { [ -z "$(ranks)" ]; }
has_ended() { ! kill -0 $1 2>/dev/null; }
has_saved() { [ "$(stat -c %i "$folder/run/current.safetensors" 2>/dev/null)" != "$1" ]; }

# cut_off HOST [MORE]: trains, and cuts the host off after the next checkpoint.
cut_off() {
  local host=$1 before
  shift
  before=$(stat -c %i "$folder/run/current.safetensors" 2>/dev/null || true)
  train run "$@"
  within 60 has_saved "$before" || fail "nothing is saved"
  ip -n $host link set eth0 down
  SECONDS=0
}
reconnect() {
  end_processes 2>/dev/null
  ip -n $1 link set eth0 up
}

train whole
wait $job || fail "the undisturbed run"
[ "$(ip netns exec ${hosts[1]} cat /sys/class/net/eth0/statistics/rx_bytes)" -gt 100000000 ] ||
  fail "the ranks do not speak through the network"

# mpirun itself waits for what it has started on that host.
cut_off ${hosts[2]}
within 30 no_rank_runs || fail "ranks run 30 s after their host is cut off"
echo "${hosts[2]} is cut off: all ranks have ended after $SECONDS s"
grep -q "rank 0 on ${hosts[0]} has heard nothing from rank 2 on ${hosts[2]}" "$folder/log.run" ||
  fail "the lost rank is not named"
reconnect ${hosts[2]}

# With these settings it does not.
if [[ $version = *") 4."* ]]; then
  cut_off ${hosts[1]} --mca oob_tcp_keepalive_time 10 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 5
  within 30 has_ended $job || fail "mpirun runs 30 s after a host is cut off"
  echo "${hosts[1]} is cut off: mpirun has ended after $SECONDS s"
  within $((30 - SECONDS)) no_rank_runs || fail "ranks run 30 s after their host is cut off"
  grep -q "on node ${hosts[1]}" "$folder/log.run" || fail "the lost host is not named"
  reconnect ${hosts[1]}
fi

train run
wait $job || fail "the resumed run"
cmp "$folder/whole/weights.safetensors" "$folder/run/weights.safetensors" || fail "the weights differ"
