#!/bin/sh
# Slurm's TaskProlog: see godwit-node.
exec "$(dirname -- "$0")/godwit-node" announce
