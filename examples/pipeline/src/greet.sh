#!/bin/sh
# Greets whoever is named. `greet --version` says which greet this is.
case ${1:-} in
  --version) echo "greet @VERSION@" ;;
  "") echo "Hello, world" ;;
  *) echo "Hello, $*" ;;
esac
