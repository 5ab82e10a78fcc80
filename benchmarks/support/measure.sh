# Sourced by benchmarks/run: one measurement, and rows of them.

# measure PROGRAM [ARGUMENT...]: its line of JSON goes to the part's results. A program that was not built is left out;
# one that hangs must not take the run with it; one of ours that fails is the run's failure.
measure() {
    local program=$bin/$1 line
    [ -x "$program" ] || return 0
    shift
    line=$(timeout $((seconds * 2 + 120)) "${pin[@]}" "$program" "$@") ||
        { echo "benchmarks/run: ${program##*/} $* failed" >&2 && exit 1; }
    keep "$line"
}

# The same for a peer, whose failure is told and no more.
measure_peer() {
    local name=$1 line
    shift
    [ -x "$build/peers/$name/produce" ] || return 0
    line=$(timeout $((seconds * 2 + 120)) "${pin[@]}" "$build/peers/$name/produce" "$@") ||
        { echo "benchmarks/run: the $name peer failed: $*" >&2 && return 0; }
    keep "$line"
}

keep() {
    local server_member=${server:+",\"server\":\"$server\""}
    sed "s|^{|{\"part\":\"$part\"$server_member,|" <<<"$1" | tee -a "$results/$part.jsonl" >&2
}

# What the machine is, the first line of a part's results.
machine() {
    local model system compiler commit
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    system="$(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r)"
    compiler=$(${CXX:-c++} --version | head -n 1)
    commit=unknown
    if git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
        commit=$(git -C "$top" describe --always)
        git -C "$top" diff --quiet HEAD -- . ':!docs' || commit+=-dirty # what a run writes is no change
    fi
    keep "{\"machine\":\"$(nproc) cores, ${model:-unknown}\",\"system\":\"$system\",\"compiler\":\"$compiler\",\
\"commit\":\"$commit\",\"rounds\":$rounds,\"seconds\":$seconds}"
}

# row URL PAYLOAD WINDOW PROGRAM...: a program is limit, beast, one of bench_produce's modes, or peer:NAME. In turn, so
# that what disturbs the machine disturbs them alike.
row() {
    local url=$1 size=$2 wide=$3 round program
    shift 3
    [ -n "$url" ] || return 0
    local common=(--url "$url" ${ca_file:+--ca "$ca_file"} --seconds "$seconds" --payload "$size" --window "$wide")
    for ((round = 0; round < rounds; ++round)); do
        for program in "$@"; do
            case $program in
            limit | beast) measure "bench_$program" "${common[@]}" ;;
            peer:pulsar) measure_peer pulsar "${common[@]}" --url "$binary" ;;
            peer:*) measure_peer "${program#peer:}" "${common[@]}" ;;
            *) measure bench_produce --mode "$program" "${common[@]}" ;;
            esac
        done
    done
}

run_part() {
    part=$1
    pin=("${on_others[@]}")
    local rounds=$rounds seconds=$seconds
    case $part in
    broker) [ -z "$full" ] || rounds=7 ;;
    compression) [ -z "$full" ] || seconds=1 ;; # many rows, none of which takes long to settle
    compile) [ -z "$short" ] || rounds=1 ;; # a compiler takes a minute, and hardly varies
    esac
    : >"$results/$part.jsonl"
    echo "== $part" >&2
    machine
    "part_$part"
    stop_sink
}
