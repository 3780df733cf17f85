# Prints each word of four letters or more with how often it occurs.
{
  line = tolower($0)
  gsub(/[^a-z]+/, " ", line)
  count = split(line, words, " ")
  for (i = 1; i <= count; i++) if (length(words[i]) > 3) seen[words[i]]++
}
END {
  for (word in seen) print seen[word] "\t" word
}
