#!/bin/sh
# The server is not started by its installation: it would listen before anybody said
# where. After an upgrade, one that runs is restarted.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  if [ -n "$2" ]; then
    systemctl try-restart tmserver.service
  fi
fi
