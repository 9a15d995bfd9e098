#!/bin/sh
# git-hook NAME [ARGUMENTS]
#
# What session-sync does at a hook of git, beside the hook that was there. Lies in <git dir>/session-sync, so that it needs
# neither Node nor a PATH of the person's. Whoever waits for git waits for this: it prints nothing and exits 0. Each part
# happens only where this clone's own configuration asks for it.

trap 'trap "" 0 1 2 3 13 15; exit 0' 0 1 2 3 13 15
exec < /dev/null > /dev/null 2> /dev/null || exit 0

state=${0%/*}
name=$1
[ "$#" -gt 0 ] && shift
[ -d "$state/spool" ] || exit 0
[ ! -e "$state/paused" ] || exit 0

# Starts the program, detached from everything. Which one `init` was run with stands in a file: an editor's PATH may have
# neither it nor Node.
start() {
  common=$(cd "$state/.." && pwd -P) || return 0
  node= cli=
  [ ! -r "$state/program" ] || { IFS= read -r node; IFS= read -r cli; } < "$state/program"
  if [ -x "$node" ] && [ -f "$cli" ]; then
    set -- "$node" "$cli" auto "$common" "$@"
  elif command -v session-sync; then
    set -- session-sync auto "$common" "$@"
  else
    return 0
  fi
  unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_NAMESPACE GIT_PREFIX GIT_CONFIG_PARAMETERS
  unset NODE_EXTRA_CA_CERTS NODE_OPTIONS SESSION_SYNC_HOOK
  command -v setsid && setsid=setsid || setsid=
  { exec $setsid "$@" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; } &
}

# Finds the push that is being made, from a process that it has started, and fails for one that only tries (--dry-run):
# git runs the hook for it all the same, and tells it nothing.
finds_push() {
  git=$1 above=$1
  for _ in 1 2 3 4 5 6 7 8; do
    [ "${above:-0}" -gt 1 ] || return 0
    if [ -r "/proc/$above/cmdline" ]; then
      line=" $(tr '\0' ' ' < "/proc/$above/cmdline") " parent=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$above/status")
    else
      line=" $(ps -o args= -p "$above") " parent=$(ps -o ppid= -p "$above")
    fi
    case $line in
      *git*' push '*) break ;;
    esac
    above=$((parent)) line=
  done
  [ -n "$line" ] || return 0
  git=$above
  set -f
  for word in $line; do
    case $word in
      --dr*) return 1 ;;
      --*) ;;
      # Short options in one; what follows an `o` is its value.
      -*) case ${word%%o*} in *n*) return 1 ;; esac ;;
    esac
  done
  set +f
}

# Where the message says something, the sessions that were at work in this working tree lately are named in a trailer.
trailer() {
  # A message is bytes, in whatever encoding.
  LC_ALL=C
  export LC_ALL
  file=$1
  [ -s "$state/live" ] && [ -s "$file" ] || return 0
  [ "$(git config --local --no-includes --type=bool session-sync.trailer)" = true ] || return 0
  places=$(git rev-parse --absolute-git-dir --show-toplevel) || return 0
  git=${places%%
*} top=${places#*
}
  # What is put together or done again here was made before.
  for sign in MERGE_HEAD SQUASH_MSG CHERRY_PICK_HEAD REVERT_HEAD rebase-merge rebase-apply; do
    [ ! -e "$git/$sign" ] || return 0
  done

  # Nothing but comments, a sign-off or the template ends the commit. With a trailer in it, git would take it for a message.
  said=$(said < "$file")
  # Where git has no editor run, a line like `#12 Fix it` is no comment but stays. Unless `:` is the person's own editor,
  # which git's hints tell: they have blanks, and a line of nothing else.
  comment=
  if [ "${GIT_EDITOR-}" = : ] && ! grep -q -e "$SCISSORS" -e '^#$' "$file"; then
    comment=$(printf '\001')
    [ -n "$said" ] || ! grep -q '^#[^[:blank:]#]' "$file" || said=$(cat "$file")
  fi
  [ -n "$said" ] || return 0
  template=$(git config --type=path commit.template)
  [ -z "$template" ] || [ ! -f "$template" ] || [ "$said" != "$(said < "$template")" ] || return 0

  now=$(date +%s)
  set --
  while read -r at turn session root; do
    case $at$session in '' | *[!0-9a-z-]*) continue ;; esac
    case $at in *[!0-9]*) continue ;; esac
    [ "$root" = "$top" ] || continue
    # A command that an agent has started may run for long before it commits.
    if [ "$turn" = running ]; then longest=3600; else longest=600; fi
    [ $((now - at)) -le "$longest" ] && [ $((at - now)) -le 60 ] || continue
    set -- "$@" --trailer "Session-Sync: $session"
  done < "$state/live"
  [ "$#" -gt 0 ] || return 0
  [ -z "$(tail -c 1 "$file")" ] || echo >> "$file"
  # With another character for comments the trailer goes below such a line, and not above it.
  git -c trailer.separators=: ${comment:+-c core.commentChar="$comment"} interpret-trailers --in-place --no-divider --where end --if-exists addIfDifferent --if-missing add "$@" "$file"
}

SCISSORS='^[^ ]* -\{24\} >8 -\{24\}$'

said() {
  sed "/$SCISSORS/,\$d" | git stripspace --strip-comments | grep -v '^Signed-off-by: '
}

case $name in
  commit-msg) trailer "$1" ;;
  # The user's push goes first: ours begins when that git has ended.
  pre-push) ! finds_push "${SESSION_SYNC_GIT:-$PPID}" || start push --after "$git" -- "$1" "$2" ;;
  post-merge) start pull ;;
  # `pull --rebase`; an amended commit was not fetched.
  post-rewrite) [ "$1" != rebase ] || start pull ;;
esac
exit 0
