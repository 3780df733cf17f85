# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh
# Whether a broker has what workers need. Each case says in $cell what was seen.

# What `doctor` finds: the needed properties that the broker lacks.
case_doctor() {
  local status=0
  timeout $((300 * patience)) "$worker" doctor broker -u "mqtt://127.0.0.1:$port" -v "$version" >"$logs/doctor.log" 2>&1 || status=$?
  case $status in
    0) cell=fit ;;
    1) cell="NO: $(grep -E ' (NO|NO\?|\?) ' "$logs/doctor.log" | grep -vE 'no matching|retained|expiry|last will|strangers' |
      sed 's/^.* \(NO?\|NO\|?\)  *\([^ ]*\( [^ ]\+\)*\)  .*/\2/' | paste -sd ',' | sed 's/,/, /g')" ;;
    *) cell="exit $status" ;;
  esac
  # What a worker is told that speaks a version which the broker does not, or asks for `$share`, is in the logs.
  case=words ground=$home/words
  mkdir -p "$ground/jobs" "$logs/words"
  (shares=yes work words-share --idle-timeout 3s --connect-timeout 10s) & await 25 is_gone $! || kill -9 $! 2>/dev/null || true
  answers 5 || {
    (version=5 work words-5 --idle-timeout 3s --connect-timeout 10s) & await 25 is_gone $! || kill -9 $! 2>/dev/null || true
  }
}

# How two members of a $share group get 6 messages, and whether that is a group.
case_share() {
  local member members=() counts=()
  for member in 1 2; do
    (exec timeout $((30 * patience)) stdbuf -oL mosquitto_sub "${login[@]}" -d -h 127.0.0.1 -p "$port" -V "$(spoken "$version")" -q 1 -i "probe-$member" \
      -t "\$share/probe/probe/x" -F 'got %p') >"$logs/probe-$member" 2>&1 &
    members+=($!)
  done
  await 5 share_is_subscribed || true
  seq 6 | publish -t probe/x -l || true
  await 5 share_has 6 || true
  # What goes to both arrives at once, or not at all.
  await 1 share_has 7 || true
  kill "${members[@]}" 2>/dev/null || true
  wait "${members[@]}" 2>/dev/null || true
  for member in 1 2; do counts+=("$(grep -c '^got' "$logs/probe-$member" || true)"); done
  shares=no
  if [ $((counts[0] + counts[1])) = 6 ]; then
    shares=yes
    cell="yes, ${counts[0]} and ${counts[1]} of 6"
  elif ! grep -q '^Subscribed' "$logs/probe-1"; then
    cell="no: SUBSCRIBE is refused"
  elif grep -q '^Subscribed .*: 1[0-9][0-9]' "$logs/probe-1"; then
    cell="no: SUBACK $(sed -n 's/^Subscribed .*: \(1[0-9][0-9]\).*/\1/p' "$logs/probe-1" | head -1)"
  else
    cell="no: accepted, ${counts[0]} and ${counts[1]} of 6 come"
  fi
}
share_is_subscribed() { grep -q '^Subscribed' "$logs/probe-1" && grep -q '^Subscribed' "$logs/probe-2"; }
share_has() { [ "$(cat "$logs"/probe-[12] | grep -c '^got')" -ge "$1" ]; }
