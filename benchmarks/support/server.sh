# Sourced by benchmarks/run: the acknowledging server, from its start to its verdict.

# The server has the first core, a client the others. Left to itself, the scheduler puts both on one core in one run and
# not in the next, and the two are factors apart.
on_first=() on_others=()
if command -v taskset >/dev/null && [ "$(nproc)" -gt 1 ]; then
    on_first=(taskset -c 0) on_others=(taskset -c "1-$(($(nproc) - 1))")
fi

sink="" log=$(mktemp) certificate=$(mktemp) pulsar_dir=""
stop_pulsar() {
    [ -n "$pulsar_dir" ] || return 0
    "$top/tests/broker/pulsar" stop --dir "$pulsar_dir" >&2 || true
    rm -rf "$pulsar_dir"
    pulsar_dir=""
}
finish() {
    [ -z "$sink" ] || kill "$sink" 2>/dev/null || true
    stop_pulsar
    rm -f "$log" "$certificate"
}
trap finish EXIT
trap 'exit 130' INT TERM

# start_sink [ARGUMENT...]: leaves plain_url, tls_url and ca_file. With --server those of the server that is there.
start_sink() {
    plain_url="" tls_url="" ca_file=$ca
    case $server in
    http://* | ws://*) plain_url=$server && return ;;
    https://* | wss://*) tls_url=$server && return ;;
    ?*) echo "benchmarks/run: --server $server: allowed is http[s]:// and ws[s]://" >&2 && exit 2 ;;
    esac
    ca_file=$certificate
    "${on_first[@]}" "$bin/bench_sink" --ca "$certificate" "$@" >"$log" &
    sink=$!
    local port="" tls_port=""
    for _ in {1..200}; do
        port=$(sed -n 's/^listening on //p' "$log")
        tls_port=$(sed -n 's/^listening with TLS on //p' "$log")
        [ -z "$tls_port" ] || break
        sleep 0.05
    done
    [ -n "$tls_port" ] || { echo "benchmarks/run: the sink does not start" >&2 && exit 1; }
    plain_url=http://127.0.0.1:$port tls_url=https://127.0.0.1:$tls_port
}

# Fails if the sink saw a malformed frame, or one out of order.
stop_sink() {
    [ -n "$sink" ] || return 0
    local right=0
    kill "$sink"
    wait "$sink" || right=$?
    sink=""
    tail -n 1 "$log" >&2
    [ "$right" = 0 ] || { echo "benchmarks/run: the sink received malformed or disordered frames" >&2 && exit 1; }
}
