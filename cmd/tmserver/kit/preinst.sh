#!/bin/sh
# The user that the server runs as; its files are owned by it from the start.
set -e
getent group telemetry >/dev/null || groupadd --system telemetry
getent passwd telemetry >/dev/null ||
  useradd --system --gid telemetry --home-dir /var/lib/telemetry --no-create-home --shell /usr/sbin/nologin telemetry
