#!/usr/bin/env bash
# What the action does. Everything comes in by the environment, and nothing of it is ever read as a command.
set -euo pipefail

arguments=(check --profile="${DAVY_PROFILE:-starter}")
[[ -n "${DAVY_CHECK_NAMESPACE:-}" ]] && arguments+=(--namespace="$DAVY_CHECK_NAMESPACE")
[[ -n "${DAVY_BASE:-}" ]] && arguments+=(--base="$DAVY_BASE")
[[ "${DAVY_CHANGED_ONLY:-false}" == "true" ]] && arguments+=(--changed-only)
while IFS= read -r line; do
  [[ -n "$line" ]] && arguments+=(--waivers="$line")
done <<<"${DAVY_WAIVERS:-}"
paths=()
while IFS= read -r line; do
  [[ -n "$line" ]] && paths+=("$line")
done <<<"${DAVY_PATHS:-}"

if [[ -n "${DAVY_SARIF_FILE:-}" ]]; then
  "${DAVY:-davy}" "${arguments[@]}" --output=sarif -- "${paths[@]}" >"$DAVY_SARIF_FILE" || true
fi
exec "${DAVY:-davy}" "${arguments[@]}" --output=github -- "${paths[@]}"
