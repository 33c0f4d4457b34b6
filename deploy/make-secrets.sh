#!/bin/sh
# Makes the secrets of compose.yaml that are missing, in deploy/secrets/. Run it as often as you like.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
# Nobody else gets into the folder; the files are mounted one by one, for containers without root.
chmod 700 secrets

make() { # NAME VALUE
    test -s "secrets/$1" && return
    printf '%s' "$2" > "secrets/$1"
    chmod 444 "secrets/$1"
    echo "made deploy/secrets/$1"
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

make admin_key "tw-admin-$(random)"
make metrics_key "tw-metrics-$(random)"
make postgres_password "$(random)"
make valkey_password "$(random)"
make grafana_password "$(random)"
# A provider's key comes from its variable. Without one the file says so, and its calls are refused.
make openai_api_key "${OPENAI_API_KEY:-write-your-key-here}"
