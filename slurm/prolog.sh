#!/bin/sh
# Slurm's Prolog: see godwit-node.
exec "$(dirname -- "$0")/godwit-node" start
