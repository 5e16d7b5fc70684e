#!/bin/sh
# An upgrade restarts the server afterwards; a removal stops it, and it converts what it
# has.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now tmserver.service
fi
