#!/bin/sh
# Makes public/<name>/index.html of each note, and public/index.html of the first one.
set -eu
for note in notes/*.md; do
  name=$(basename "$note" .md)
  case $name in
    index) folder=public style=style/site.css ;;
    *) folder=public/$name style=../style/site.css ;;
  esac
  mkdir -p "$folder"
  awk -v title="$SITE_TITLE" -v style="$style" -f scripts/page.awk "$note" > "$folder/index.html"
  echo "$note -> $folder/index.html ($(wc -l < "$folder/index.html") lines)"
done
