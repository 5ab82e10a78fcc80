# Sourced by benchmarks/run: the parts. Each starts the server that it needs; run_part stops it.

peers_of() { # NAME...: those of the peers that are wanted
    local name
    for name in "$@"; do [[ " $peers " != *" $name "* ]] || echo "peer:$name"; done
    [ -z "$binary" ] || echo peer:pulsar
}

part_throughput() {
    start_sink
    if [ -n "$payload$window" ]; then
        row "$plain_url" "${payload:-100}" "${window:-1000}" limit beast $modes $(peers_of node python rust go)
        row "$tls_url" "${payload:-100}" "${window:-1000}" limit beast $modes $(peers_of node rust)
        return
    fi
    row "$plain_url" 100 1000 limit beast $modes $(peers_of node python rust go)
    row "$tls_url" 100 1000 limit beast $modes $(peers_of node python rust go)
    local size
    for size in 1024 16384 65536; do
        row "$plain_url" $size 200 limit beast send send_all $(peers_of node rust)
        row "$tls_url" $size 200 limit beast send send_all $(peers_of node rust)
    done
}

part_latency() {
    start_sink
    local wide
    for wide in ${window:-1 10 100 1000}; do
        row "$plain_url" "${payload:-100}" "$wide" limit beast send $(peers_of node rust)
        # Over TLS the one message in flight alone: what the records cost.
        [ "$wide" != 1 ] || row "$tls_url" "${payload:-100}" 1 limit beast send $(peers_of node rust)
    done
}

# Neither the server nor the threads are bound to a core: there are more threads than cores.
part_threads() {
    local on_first=() pin=() round threads
    start_sink --order 1
    for ((round = 0; round < rounds; ++round)); do
        for threads in 1 2 4 8; do
            measure bench_produce --mode push --url "$plain_url" --seconds "$seconds" --payload "${payload:-100}" \
                --window "${window:-1000}" --threads $threads
        done
    done
}

part_connect() {
    start_sink
    local round
    for ((round = 0; round < rounds; ++round)); do
        measure bench_connect --url "$tls_url" --ca "$ca_file" --round-trip 50
        measure bench_connect --url "$plain_url" --round-trip 50
    done
}

part_memory() {
    start_sink
    local round
    for ((round = 0; round < rounds; ++round)); do
        measure bench_memory --url "$plain_url" --producers 10000
        measure bench_memory --url "$tls_url" --ca "$ca_file" --producers 1000
    done
}

part_compile() {
    local round lines line
    for ((round = 0; round < rounds; ++round)); do
        lines=$(python3 -B "$here/compile.py")
        while read -r line; do keep "$line"; done <<<"$lines"
    done
}

# With the broker's codecs a client has the same to do as without: that it has is shown.
part_compression() {
    start_sink --deflate 1
    local places=(broker packed end_to_end) codecs=(NONE LZ4 ZLIB ZSTD SNAPPY) batches=(1 10 100 1000) round batch place codec
    [ -z "$short" ] || codecs=(NONE ZSTD) batches=(1 1000)
    for ((round = 0; round < rounds; ++round)); do
        for batch in "${batches[@]}"; do
            local common=(bench_produce --url "$plain_url" --seconds "$seconds" --events 5000 --batch "$batch")
            for place in "${places[@]}"; do
                for codec in "${codecs[@]}"; do
                    measure "${common[@]}" --compress-at "$place" --compression "$codec"
                done
            done
            measure "${common[@]}" --deflate on
            measure "${common[@]}" --deflate on --level 1
        done
    done
}

# A broker is slower than any of the clients, and what it does varies more than what the sink does.
part_broker() {
    "$here/peers/install" "$build/peers" pulsar >&2
    pulsar_dir=$(mktemp -d)
    if ! "$top/tests/broker/pulsar" start --dir "$pulsar_dir" --port-http 28080 --timeout 300 >"$log"; then
        echo "broker: left out, a Pulsar cannot be had: $(tail -n 1 "$log")" >&2
        return
    fi
    server=$(sed -n 's/^PULSAR_WS=//p' "$log") binary=$(sed -n 's/^PULSAR_BROKER=//p' "$log")
    start_sink
    # Java gets faster in the first seconds of its life, and whoever is first would pay for all.
    timeout 120 "$bin/bench_limit" --url "$plain_url" --seconds $((seconds * 5)) >/dev/null
    row "$plain_url" 100 1000 limit send send_all peer:pulsar
    server="" binary=""
    stop_pulsar
}

part_gateway() {
    start_sink
    payload=${payload:-100} window=${window:-1000}
    local round
    for ((round = 0; round < rounds; ++round)); do
        pin=() # two threads, the producer's and the gateway's: on all cores
        measure bench_gateway --seconds "$seconds" --payload "$payload" --window "$window" --least 300000
        pin=("${on_others[@]}")
        measure bench_produce --mode push --url "$plain_url" --seconds "$seconds" --payload "$payload" --window "$window"
    done
}
