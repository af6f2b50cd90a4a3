#!/usr/bin/env bash
# Times port against cp and llama.cpp's converter on a checkpoint of 0.8 GB; see run.py.
# The Python with numpy and the reference converter are those that `make interop` installs.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.build/interop-venv/bin/python
test -x $python && test -d .build/interop-reference || {
  echo "run 'make interop' once: it installs numpy and the reference converter" >&2
  exit 2
}
model=.build/bench/models/qwen2
test -e $model/model.safetensors || $python Tests/Benchmarks/make_model.py $model
exec $python Tests/Benchmarks/run.py "$@"
