# Turns a note (headings, lists, paragraphs, *emphasis*) into an HTML page.
# Variables: title, the name of the site; style, the way to the stylesheet.
function inline(text,    out) {
  gsub(/&/, "\\&amp;", text)
  gsub(/</, "\\&lt;", text)
  gsub(/>/, "\\&gt;", text)
  while (match(text, /\*[^*]+\*/)) {
    out = out substr(text, 1, RSTART - 1) "<em>" substr(text, RSTART + 1, RLENGTH - 2) "</em>"
    text = substr(text, RSTART + RLENGTH)
  }
  return out text
}
function close_block() {
  if (block != "") print "</" block ">"
  block = ""
}
function open_block(name) {
  if (block == name) return
  close_block()
  block = name
  print "<" name ">"
}
BEGIN {
  print "<!DOCTYPE html>"
  print "<html><head><meta charset=\"utf-8\"><title>" inline(title) "</title>"
  print "<link rel=\"stylesheet\" href=\"" style "\"></head><body>"
}
/^## /  { close_block(); print "<h2>" inline(substr($0, 4)) "</h2>"; next }
/^# /   { close_block(); print "<h1>" inline(substr($0, 3)) "</h1>"; next }
/^- /   { open_block("ul"); print "<li>" inline(substr($0, 3)) "</li>"; next }
/^ *$/  { close_block(); next }
        { open_block("p"); print inline($0) }
END {
  close_block()
  print "</body></html>"
}
