# Each line of output begins with PASS or FAIL.
check() {
  if [ "$2" = "$3" ]; then echo "PASS $1"; else echo "FAIL $1: '$2' is not '$3'"; fi
}
check "greets the world" "$(sh ../src/greet.sh)" "Hello, world"
check "greets by name" "$(sh ../src/greet.sh Ada Lovelace)" "Hello, Ada Lovelace"
check "knows its version" "$(sh ../src/greet.sh --version)" "greet @VERSION@"
