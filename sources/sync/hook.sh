#!/bin/sh
# session-sync-hook AGENT [PROJECT]
#
# Takes one event of an agent's hook from stdin, spools it below the repository's git directory, and wakes the worker.
# The agent waits for this: nothing here may take time, print, or fail. Only built-in commands, one `cat`, and the
# worker when none runs.

# Exit 0 whatever happens: for Claude Code (2.1.330) an exit code of 2 changes the session.
cat=
trap 'trap "" 0 1 2 3 13 15; [ -z "$cat" ] || kill "$cat"; exit 0' 0 1 2 3 13 15
# Descriptor 3 is what the agent sends: a program in the background gets no stdin of its own.
exec 2>/dev/null >/dev/null 3<&0 || exit 0

agent=$1
dir=${2:-$PWD}
case $agent in '' | *[!a-z0-9-]*) exit 0 ;; esac
case $dir in /*) ;; *) dir=$PWD ;; esac

# The common git directory, found without starting git.
while :; do
  if [ -d "$dir/.git" ]; then
    common=$dir/.git
    break
  fi
  if [ -f "$dir/.git" ]; then
    IFS= read -r line < "$dir/.git"
    case $line in
      'gitdir: /'*) common=${line#gitdir: } ;;
      'gitdir: '*) common=$dir/${line#gitdir: } ;;
      *) exit 0 ;;
    esac
    if [ -f "$common/commondir" ]; then
      IFS= read -r line < "$common/commondir"
      case $line in
        /*) common=$line ;;
        *) common=$common/$line ;;
      esac
    fi
    break
  fi
  [ "$dir" != / ] || exit 0
  dir=${dir%/*}
  dir=${dir:-/}
done

state=$common/session-sync
# `init` makes the spool folder and `uninit` removes it: without it, this clone takes no part.
[ -d "$state/spool" ] || exit 0
[ ! -e "$state/paused" ] || exit 0

umask 077
# One file an event: appends of several hooks to one file tear (31 of 40 records of 300 KB). A killed hook's process
# number can come again while its file waits.
file=$state/spool/$agent.$$
while [ -e "$file" ]; do file=${file}x; done
# In the background, since a shell that waits for a program in the foreground hears no signal (an agent's time-out).
cat <&3 > "$file" &
cat=$!
wait "$cat" || { cat=; rm -f "$file"; exit 0; }
cat=

# A process number alone may have been given to somebody else since; on Linux the start time tells. In a container, a
# killed process may stay a zombie as long as the container runs; and one that gives back its memory still looks as if
# it ran, but for the flag that says it is exiting (4, PF_EXITING).
alive() {
  [ -n "$1" ] && kill -0 "$1" || return 1
  [ -n "$2" ] && [ -r "/proc/$1/stat" ] || return 0
  IFS= read -r stat < "/proc/$1/stat" || return 1
  want=$2
  set -- ${stat##*) }
  [ "${20}" = "$want" ] && [ "$1" != Z ] && [ $((${7:-0} & 4)) = 0 ]
}

pid= start=
[ ! -e "$state/worker" ] || read -r pid start rest < "$state/worker"
if alive "$pid" "$start"; then exit 0; fi

# Sixteen hooks at once need one worker, not sixteen: one that is starting leaves its number, and takes it away before
# it looks for events the last time.
pid= start=
[ ! -e "$state/waking" ] || read -r pid start rest < "$state/waking"
if alive "$pid" "$start"; then exit 0; fi

command -v session-sync-worker || exit 0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_NAMESPACE GIT_PREFIX GIT_CONFIG_PARAMETERS
unset NODE_EXTRA_CA_CERTS NODE_OPTIONS CLAUDE_CODE_CHILD_SESSION CLAUDECODE
command -v setsid && setsid=setsid || setsid=
# The number is written by the process that becomes the worker: never after the worker has looked at it.
{
  if read -r pid stat < /proc/self/stat; then
    set -- ${stat##*) }
    echo "$pid ${20}" > "$state/waking"
  fi
  exec $setsid session-sync-worker "$common" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
} < /dev/null &
[ -r /proc/self/stat ] || echo "$!" > "$state/waking"
exit 0
