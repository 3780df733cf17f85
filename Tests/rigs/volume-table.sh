#!/usr/bin/env bash
# Prints what was seen as a table in Markdown: volume-table.sh FOLDER NAME..., where FOLDER/NAME/record/cells has a line for each
# cell: the column, a tab, the text. A later line of a column replaces an earlier one.
set -euo pipefail

folder=$1
shift
columns=(volume doctor jobs clocks frozen submit logs rerun switch held away replies full figures)
titles=("volume" "\`doctor volume\`" "40 jobs, a kill each second" "clocks 120 s apart" "stopped beyond its lease"
  "\`submit\`, from the other mount" "\`logs -f\`, from the other mount" "\`result.json\` of a rerun, from the other mount"
  "\`KILLSWITCH\` made on the other mount"
  "\`results/\` held open" "server away for 20 s" "replies lost, server restarted" "full" "staging beside \`cp -a\`")

printf '|'; printf ' %s |' "${titles[@]}"
printf '\n|'; printf -- '---|%.0s' "${titles[@]}"
printf '\n'
for name in "$@"; do
  printf '|'
  for column in "${columns[@]}"; do
    text=$(awk -F '\t' -v column="$column" '$1 == column { text = $2 } END { print text }' "$folder/$name/record/cells" 2>/dev/null || true)
    if [ "$column" = volume ]; then printf ' %s |' "${text:-$name}"; else printf ' %s |' "${text:-not run}"; fi
  done
  printf '\n'
done
