#!/usr/bin/env bash
# Runs the interop checks: PyPI peers read what port writes, and llama.cpp's converter says what it should write.
# Everything that is needed is installed under .build; a peer that cannot be had is a failure, never a skip.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD venv=$PWD/.build/interop-venv reference=$PWD/.build/interop-reference interop=$PWD/Tests/Interop
ascend=$PWD/.build/interop-ascend
llama_cpp=$(grep '^llama-cpp-python==' "$interop/requirements.txt")
mkdir -p .build

if ! cmp -s "$interop/requirements.txt" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$interop/requirements.txt"
  cp "$interop/requirements.txt" "$venv/installed.txt"
fi

if [ "$(cat "$reference/version.txt" 2>/dev/null)" != "$llama_cpp" ]; then
  rm -rf "$reference" .build/interop-download
  mkdir -p "$reference"
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python \
    -d .build/interop-download "$llama_cpp"
  tar xzf .build/interop-download/*.tar.gz -C "$reference" --strip-components 3 --wildcards \
    '*/vendor/llama.cpp/convert_hf_to_gguf.py' '*/vendor/llama.cpp/conversion/*' '*/vendor/llama.cpp/gguf-py/*'
  rm -rf .build/interop-download
  echo "$llama_cpp" > "$reference/version.txt"
fi

# Of the wheels only the Python sources are read, so the platform is that of the published ones.
wheels="vllm-ascend==0.23.0 msmodelslim==26.1.0"
if [ "$(cat "$ascend/version.txt" 2>/dev/null)" != "$wheels" ]; then
  rm -rf "$ascend" .build/interop-download
  mkdir -p "$ascend"
  # shellcheck disable=SC2086
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
    --platform manylinux_2_34_x86_64 -d .build/interop-download $wheels
  for wheel in .build/interop-download/*.whl; do
    "$venv/bin/python" -m zipfile -e "$wheel" .build/interop-download/unpacked
  done
  mkdir "$ascend/vllm_ascend"
  mv .build/interop-download/unpacked/vllm_ascend/quantization "$ascend/vllm_ascend/"
  mv .build/interop-download/unpacked/msmodelslim "$ascend/"
  rm -rf .build/interop-download
  echo "$wheels" > "$ascend/version.txt"
fi

# Reports are looked at in a browser.
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v google-chrome || true)}
if [ -z "$CHROMIUM" ]; then
  sudo=$(command -v sudo || true)
  $sudo apt-get update -qq && $sudo apt-get install -y -qq chromium >&2 || echo "there is no chromium" >&2
  CHROMIUM=chromium
fi
export CHROMIUM

# An up-to-date product costs the build a few seconds.
swift build -c release --product port >&2

export PORT=${PORT:-$root/.build/release/port} REFERENCE=$reference ASCEND=$ascend
export RESULTS=$root/.build/interop-results.txt
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONDONTWRITEBYTECODE=1
: > "$RESULTS"
broken=0
for script in compare_reference compare_llama_cpp compare_safetensors compare_mixes compare_verify compare_quants compare_fp8 \
  compare_ascend_controls compare_ascend compare_reports; do
  lines=$(wc -l < "$RESULTS")
  "$venv/bin/python" "$interop/$script.py" || true
  if [ "$(wc -l < "$RESULTS")" -eq "$lines" ]; then
    echo "FAILED $script.py ended without a result"
    broken=$((broken + 1))
  fi
done

awk -v broken="$broken" '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed + broken
  exit failed + broken > 0 || passed == 0 }' "$RESULTS"
