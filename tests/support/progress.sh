# For bash, to be sourced. Shows how far a stage is.

# Reads lines and shows the newest: on a terminal in place, elsewhere one every ten seconds.
show_progress() {
  local line shown=$SECONDS
  while IFS= read -r line; do
    if [ -t 1 ]; then
      printf '\r\033[K  %s' "$line"
    elif ((SECONDS - shown >= 10)); then
      echo "  $line"
      shown=$SECONDS
    fi
  done
  if [ -t 1 ]; then printf '\r\033[K'; fi
}
