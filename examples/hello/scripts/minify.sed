# Comments on one line, leading blanks and empty lines are left out.
s|/\*[^*]*\*/||g
s/^[[:space:]]*//
/^$/d
