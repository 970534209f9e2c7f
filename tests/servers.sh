# The programs and the private servers of the tests, to be sourced by tests/run. Servers have free
# ports on the loopback address and all files below $scratch; they are gone at the end. Tests find
# both in the environment, PIPELINE_TEST_*.

# Where programs that are no packages are kept between runs.
programs="${PIPELINE_TEST_PROGRAMS:-${XDG_CACHE_HOME:-$HOME/.cache}/pipeline/bin}"
postgres_bin=
server_pids=()

install_packages() {
    local root=()
    if ((EUID != 0)); then
        root=(sudo)
    fi
    echo "installing $*"
    "${root[@]}" apt-get update --quiet=2
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet=2 --yes --no-install-recommends "$@" </dev/null
}

# Debian keeps the server's programs out of PATH, one folder for each version.
find_postgres() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort --version-sort | tail --lines=1)
    [[ -x $initdb ]] || initdb=$(command -v initdb) || return 1
    postgres_bin=$(dirname "$(readlink --canonicalize "$initdb")")
}

install_servers() {
    local missing=()
    find_postgres || missing+=(postgresql)
    command -v pgbouncer >/dev/null || [[ -x /usr/sbin/pgbouncer ]] || missing+=(pgbouncer)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v curl >/dev/null || missing+=(curl)
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
    find_postgres || {
        echo "no PostgreSQL server found" >&2
        return 1
    }
    # MinIO is distributed as source only.
    go_program minio github.com/minio/minio@latest
    go_program versitygw github.com/versity/versitygw/cmd/versitygw@v1.8.0
}

# kubectl renders the overlays of k8s/. Debian has none that is new enough; kustomize does the same
# and comes with Go.
install_kustomize() {
    if kubectl kustomize --help &>/dev/null; then
        export PIPELINE_TEST_KUSTOMIZE="kubectl kustomize"
    else
        go_program kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
        export PIPELINE_TEST_KUSTOMIZE="$programs/kustomize build"
    fi
}

# Python packages know the schemas of Kubernetes, and run exported models.
install_python_packages() {
    local python="$programs/python"
    local packages=(kubernetes-validate==1.37.0 onnx==1.23.2 onnxruntime==1.32.0)
    if [[ $(cat "$python/packages" 2>/dev/null) != "${packages[*]}" ]]; then
        echo "installing ${packages[*]}"
        rm -rf "$python"
        python3 -m venv "$python" 2>/dev/null || {
            install_packages python3-venv
            python3 -m venv "$python"
        }
        "$python/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
        echo "${packages[*]}" >"$python/packages"
    fi
    export PIPELINE_TEST_PYTHON="$python/bin/python"
}

# go_program NAME PACKAGE: builds it once.
go_program() {
    [[ -x $programs/$1 ]] && return
    command -v go >/dev/null || {
        echo "go is missing: install Go 1.25 or newer to build $1" >&2
        return 1
    }
    echo "building $1"
    mkdir -p "$programs"
    (cd "$scratch" && GOBIN="$programs" go install "$2")
}

# PostgreSQL refuses to run as root.
as_server() {
    local user=()
    if ((EUID == 0)); then
        user=(runuser --user "$server_user" --)
    fi
    (cd "$scratch" && PGDATA="$scratch/postgres" "${user[@]}" "$@")
}

start_servers() {
    server_user=postgres
    id postgres &>/dev/null || server_user=nobody
    echo "secret-of-the-tests" >"$scratch/password"
    make_certificates
    if ((EUID == 0)); then
        chown -R "$server_user" "$scratch"
    fi
    start_postgres
    start_pgbouncer
    PIPELINE_TEST_S3=
    start_s3 minio "$programs/minio" server --quiet --address 127.0.0.1:PORT \
        --console-address 127.0.0.1:0 "$scratch/minio"
    start_s3 versitygw "$programs/versitygw" --quiet --port 127.0.0.1:PORT \
        posix --sidecar "$scratch/metadata" "$scratch/versitygw"
    export PIPELINE_TEST_S3
}

stop_servers() {
    local pid
    for pid in "${server_pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    if [[ -f $scratch/postgres/postmaster.pid ]]; then
        as_server "$postgres_bin/pg_ctl" stop --silent --mode=immediate || true
    fi
    wait
}

# A port on which nothing answers now; whoever takes it must be ready to find it taken.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && listens "$port"; do :; done
    echo "$port"
}

listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A CA, and the certificate of a server on this machine.
make_certificates() {
    local tls="$scratch/tls"
    mkdir -p "$tls"
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$tls/names"
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=CA of the tests" \
            -addext keyUsage=keyCertSign -keyout "$tls/ca.key" -out "$tls/ca.pem"
        openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" \
            -keyout "$tls/server.key" -out "$tls/server.csr"
        openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" \
            -CAcreateserial -days 2 -extfile "$tls/names" -out "$tls/server.pem"
    } 2>"$scratch/openssl.log" || {
        cat "$scratch/openssl.log"
        return 1
    }
    chmod 600 "$tls"/*.key
}

start_postgres() {
    as_server "$postgres_bin/initdb" --username=pipeline --pwfile="$scratch/password" \
        --auth=scram-sha-256 --encoding=UTF8 --no-locale --no-sync >"$scratch/initdb.log" || {
        cat "$scratch/initdb.log"
        return 1
    }
    # Only the server itself can tell for sure that a port is free.
    local attempt tls="$scratch/tls"
    for attempt in {1..20}; do
        postgres_port=$(free_port)
        if as_server "$postgres_bin/pg_ctl" start --silent --wait --log="$scratch/postgres.log" \
            --options="-p $postgres_port -k $scratch -c listen_addresses=127.0.0.1 -c fsync=off \
                -c ssl=on -c ssl_cert_file=$tls/server.pem -c ssl_key_file=$tls/server.key" \
            >/dev/null 2>&1; then
            export PIPELINE_TEST_POSTGRES="postgresql://pipeline:$(<"$scratch/password")@127.0.0.1:$postgres_port/postgres"
            export PIPELINE_TEST_POSTGRES_CA="$tls/ca.pem" PIPELINE_TEST_POSTGRES_BIN="$postgres_bin"
            return
        fi
    done
    cat "$scratch/postgres.log"
    return 1
}

# A pooler that gives each transaction any connection.
start_pgbouncer() {
    local port attempt as_user=()
    if ((EUID == 0)); then
        as_user=(--user "$server_user")
    fi
    echo "\"pipeline\" \"$(<"$scratch/password")\"" >"$scratch/pgbouncer.users"
    for attempt in {1..20}; do
        port=$(free_port)
        cat >"$scratch/pgbouncer.ini" <<-END
			[databases]
			* = host=127.0.0.1 port=$postgres_port
			[pgbouncer]
			listen_addr = 127.0.0.1
			listen_port = $port
			unix_socket_dir =
			pool_mode = transaction
			auth_type = scram-sha-256
			auth_file = $scratch/pgbouncer.users
			logfile = $scratch/pgbouncer.log
			pidfile = $scratch/pgbouncer.pid
		END
        PATH="$PATH:/usr/sbin" pgbouncer --quiet "${as_user[@]}" "$scratch/pgbouncer.ini" \
            2>>"$scratch/pgbouncer.err" &
        server_pids+=($!)
        if answers "$!" "$port"; then
            export PIPELINE_TEST_PGBOUNCER="postgresql://pipeline:$(<"$scratch/password")@127.0.0.1:$port/postgres"
            return
        fi
    done
    cat "$scratch/pgbouncer.err"
    return 1
}

# start_s3 NAME COMMAND...: PORT in the command is replaced by a free port.
start_s3() {
    local name=$1 key=pipeline-tests secret=secret-of-the-tests attempt port bucket
    shift
    mkdir -p "$scratch/$name" "$scratch/metadata"
    for attempt in {1..20}; do
        port=$(free_port)
        MINIO_ROOT_USER=$key MINIO_ROOT_PASSWORD=$secret MINIO_UPDATE=off \
            ROOT_ACCESS_KEY=$key ROOT_SECRET_KEY=$secret \
            "${@//PORT/$port}" >"$scratch/$name.log" 2>&1 &
        server_pids+=($!)
        answers "$!" "$port" || continue
        for bucket in warehouse raw models sources; do
            curl --silent --show-error --fail --retry 10 --retry-all-errors --request PUT \
                --header "x-amz-content-sha256: $(sha256sum </dev/null | cut --fields=1 --delimiter=' ')" \
                --user "$key:$secret" --aws-sigv4 aws:amz:us-east-1:s3 \
                "http://127.0.0.1:$port/$bucket"
        done
        PIPELINE_TEST_S3="${PIPELINE_TEST_S3:+$PIPELINE_TEST_S3 }$name=http://$key:$secret@127.0.0.1:$port"
        return
    done
    cat "$scratch/$name.log"
    return 1
}

# answers PID PORT: waits until the process listens, or has ended.
answers() {
    local attempt
    for attempt in {1..100}; do
        kill -0 "$1" 2>/dev/null || return 1
        listens "$2" && return
        sleep 0.1
    done
    return 1
}
