#!/bin/sh
# Understands the public image's variables: POSTGRES_PASSWORD(_FILE), POSTGRES_USER, POSTGRES_DB,
# POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA; runs *.sql and *.sh of /docker-entrypoint-initdb.d once.
set -e
case $1 in -*) set -- postgres "$@" ;; esac

from_file() { # VARIABLE: its value, or what the file that VARIABLE_FILE names holds
  eval "value=\${$1:-} file=\${$1_FILE:-}"
  if [ -n "$file" ]; then value=$(cat "$file"); fi
  printf %s "$value"
}

if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  chmod 2775 /var/run/postgresql
  find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres:postgres '{}' +
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=$(from_file POSTGRES_USER)
  user=${user:-postgres}
  database=$(from_file POSTGRES_DB)
  database=${database:-$user}
  password=$(from_file POSTGRES_PASSWORD)
  method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [ -z "$password" ] && [ "$method" != trust ]; then
    echo 'Error: set POSTGRES_PASSWORD (or POSTGRES_HOST_AUTH_METHOD=trust): the database is not initialised' >&2
    exit 1
  fi
  secret=$(mktemp)
  printf '%s\n' "$password" >"$secret"
  # shellcheck disable=SC2086
  initdb --username="$user" ${password:+--pwfile="$secret"} ${POSTGRES_INITDB_ARGS:-}
  rm -f "$secret"
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
  printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  export PGPASSWORD="$password"
  if [ "$database" != postgres ]; then createdb --no-password -U "$user" --maintenance-db postgres "$database"; fi
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) . "$file" ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-password -U "$user" -d "$database" -f "$file" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
  echo 'PostgreSQL init process complete; ready for start up.'
fi
exec "$@"
