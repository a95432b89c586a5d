#!/bin/sh
# Slurm's Epilog: see godwit-node.
exec "$(dirname -- "$0")/godwit-node" stop
