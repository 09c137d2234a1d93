# What a rule's lines do on a host, for any POSIX sh. Set before: NONCE, MODE (plan or apply), OFFLINE (1 inside
# an overlay), CHECK_SECS, APPLY_SECS, SHOWN_BYTES. Nothing that a line prints reaches our output but by `mark`,
# as hexadecimal digits, so that no output can be taken for a result.
set -u
umask 022
LC_ALL=C PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
export LC_ALL PATH
W=$(mktemp -d) || exit 70
trap 'rm -rf "$W"' EXIT

# One apply at a time; services that a line starts do not inherit the lock.
if [ "$MODE" = apply ] && [ "$OFFLINE" = 0 ] && command -v flock >/dev/null; then
  exec 9>/run/pxelator-rule.lock || exit 70
  flock -n 9 || exit 75
fi

# Nothing runs in an overlay: what is kept in files can be asked and changed, all else is not known.
if [ "$OFFLINE" = 1 ]; then
  mkdir "$W/bin"
  cat >"$W/bin/systemctl" <<'END'
#!/bin/sh
for word; do
  shift
  [ "$word" = --now ] || set -- "$@" "$word"
done
for word; do
  case $word in
  -*) ;;
  is-enabled | enable | disable | mask | unmask | preset | get-default | set-default | cat | list-unit-files)
    PATH=${PATH#*:} SYSTEMD_OFFLINE=1 exec systemctl "$@" ;;
  daemon-reload | restart | try-restart | reload | reload-or-restart) exit 0 ;;
  *)
    echo "systemctl $word: no service runs inside an overlay" >&2
    exit 69 ;;
  esac
done
exit 69
END
  chmod 0755 "$W/bin/systemctl"
  PATH="$W/bin:$PATH"
fi

# mark LINE STATUS: a result, and the end of what was printed.
mark() {
  printf '%s %s %s %s ' "$NONCE" "$R" "$1" "$2"
  tail -c "$SHOWN_BYTES" "$W/o" | od -An -v -tx1 | tr -d ' \n'
  echo
}

# timed SECS COMMAND
timed() {
  timeout -k 5 "$1" sh -c "$2" 9>&-
  e=$?
  case $e in
  124 | 137) echo "stopped after $1 s" ;;
  esac
  return $e
}

# owned PATH MODE OWNER GROUP
owned() {
  m=$2 u=$3 g=$4
  s=$(stat -c '%a %U %u %G %g' -- "$1") || return 2
  # shellcheck disable=SC2086
  set -- $s
  e=0
  [ "$1" = "$m" ] || { echo "its mode is $1 and not $m"; e=1; }
  [ "$2" = "$u" ] || [ "$3" = "$u" ] || { echo "its owner is $2 and not $u"; e=1; }
  [ "$4" = "$g" ] || [ "$5" = "$g" ] || { echo "its group is $4 and not $g"; e=1; }
  return $e
}

# enter FOLDER make|look: stands in it afterwards, having followed no link. Users may write some of the folders on
# the way, and put a link there at any moment: so we go one part at a time, and ask where we are. From then on a
# path is ./NAME, and nobody can lead it elsewhere. 1: it is missing, 2: no way.
enter() {
  cd / || return 2
  rest=${1#/} at=''
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in
    */*) rest=${rest#*/} ;;
    *) rest='' ;;
    esac
    at=$at/$part
    if [ -L "./$part" ]; then
      echo "the folder $at is a link, and no link is followed: write the path that it points to"
      return 2
    fi
    if [ ! -e "./$part" ]; then
      [ "$2" = make ] || { echo "its folder $at is missing"; return 1; }
      mkdir -- "./$part" || return 2
    fi
    [ -d "./$part" ] || { echo "$at is no folder"; return 2; }
    cd -P -- "./$part" || return 2
    [ "$(pwd -P)" = "$at" ] || { echo "the folder $at became another just now"; return 2; }
  done
}

look_package() {
  command -v dpkg-query >/dev/null || { echo "there is no dpkg-query here"; return 2; }
  # shellcheck disable=SC2016
  s=$(dpkg-query -W -f='${db:Status-Status}\n' -- "$1" 2>"$W/e")
  e=$?
  [ $e -le 1 ] || { cat "$W/e"; return 2; }
  echo "$s" | grep -qx installed && return 0
  if [ "$OFFLINE" = 1 ]; then
    echo "it is not installed, and inside an overlay there is no network to install it from"
    return 2
  fi
  echo "it is not installed"
  return 1
}

mend_package() {
  install="DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Options::=--force-confold install -- $1"
  timed "$APPLY_SECS" "$install" && return 0
  # The lists may be old, or not there yet.
  timed "$APPLY_SECS" "apt-get -q update" && timed "$APPLY_SECS" "$install"
}

# look_file PATH MODE OWNER GROUP SUM TEXT
look_file() (
  enter "${1%/*}" look || return $?
  f=./${1##*/}
  if [ -L "$f" ]; then echo "it is a link"; return 1; fi
  if [ -d "$f" ]; then echo "it is a folder"; return 2; fi
  if [ ! -e "$f" ]; then echo "it is missing"; return 1; fi
  if [ ! -f "$f" ]; then echo "it is no plain file"; return 2; fi
  h=$(sha256sum <"$f") || return 2
  owned "$f" "$2" "$3" "$4"
  w=$?
  [ "${h%% *}" = "$5" ] || { echo "its text is another"; [ $w -ne 0 ] || w=1; }
  return $w
)

# Whoever may write the folder may put another file in the place of the new one, at any moment: so it is opened
# once, under a name that nobody knew, and all that is done to it goes through that.
mend_file() (
  enter "${1%/*}" look || return 1
  t=$(mktemp -u ./.pxelator.XXXXXXXXXX) || return 1
  umask 077
  set -C
  exec 8>"$t" || return 1
  set +C
  if "text_$6" >&8 && s=$(sha256sum </proc/self/fd/8) && [ "${s%% *}" = "$5" ] \
    && chown -- "$3:$4" /proc/self/fd/8 && chmod -- "$2" /proc/self/fd/8 && mv -f -T -- "$t" "./${1##*/}"; then
    return 0
  fi
  rm -f -- "$t"
  return 1
)

# look_folder PATH MODE OWNER GROUP
look_folder() (
  enter "${1%/*}" look || return $?
  f=./${1##*/}
  if [ -L "$f" ]; then echo "it is a link"; return 2; fi
  if [ -d "$f" ]; then owned "$f" "$2" "$3" "$4"; return $?; fi
  if [ -e "$f" ]; then echo "it is no folder"; return 2; fi
  echo "it is missing"
  return 1
)

mend_folder() (
  enter "$1" make && chown -- "$3:$4" . && chmod -- "$2" .
)

# look_link PATH TARGET
look_link() (
  enter "${1%/*}" look || return $?
  f=./${1##*/}
  if [ -L "$f" ]; then
    s=$(readlink -- "$f") || return 2
    [ "$s" = "$2" ] && return 0
    echo "it points to $s"
    return 1
  fi
  if [ -d "$f" ]; then echo "it is a folder"; return 2; fi
  if [ -e "$f" ]; then echo "it is a file"; else echo "it is missing"; fi
  return 1
)

mend_link() (
  enter "${1%/*}" look || return 1
  t=$(mktemp -u ./.pxelator.XXXXXXXXXX) && ln -s -- "$2" "$t" || return 1
  mv -f -T -- "$t" "./${1##*/}" && return 0
  rm -f -- "$t"
  return 1
)

look_absent() (
  enter "${1%/*}" look
  case $? in
  0) ;;
  1) return 0 ;;
  *) return 2 ;;
  esac
  f=./${1##*/}
  if [ -L "$f" ]; then echo "it is a link"; return 1; fi
  [ -e "$f" ] || return 0
  [ -d "$f" ] || { echo "it is there"; return 1; }
  s=$(ls -A -- "$f") || return 2
  [ -z "$s" ] || { echo "it is a folder, and something lies in it"; return 2; }
  echo "it is an empty folder"
  return 1
)

mend_absent() (
  enter "${1%/*}" look || return 1
  f=./${1##*/}
  if [ -d "$f" ] && [ ! -L "$f" ]; then rmdir -- "$f"; else rm -f -- "$f"; fi
)

look_check() {
  timed "$CHECK_SECS" "$1"
}

# line NUMBER KIND ARGUMENTS: what the phase wants of one line.
line() {
  n=$1 kind=$2
  shift 2
  case $PHASE:$kind in
  look:apply | look:manual) ;;
  look:*)
    "look_$kind" "$@" >"$W/o" 2>&1 </dev/null
    c=$?
    case $c in
    0) mark "$n" kept ;;
    1) DRIFT=1 DRIFTS="$DRIFTS $n "; mark "$n" drift ;;
    *)
      UNKNOWN=1
      [ "$kind" != check ] || echo "exit code $c" >>"$W/o"
      mark "$n" unknown ;;
    esac ;;
  mend:check | mend:apply | mend:manual) ;;
  mend:*)
    case $FAILED:$DRIFTS in
    0:*" $n "*) ;;
    *) return 0 ;;
    esac
    "mend_$kind" "$@" >"$W/o" 2>&1 </dev/null
    c=$?
    if [ $c -eq 0 ]; then mark "$n" changed; else FAILED=1; mark "$n" failed; fi ;;
  run:apply)
    [ "$FAILED" = 0 ] || return 0
    timed "$APPLY_SECS" "$1" >"$W/o" 2>&1 </dev/null
    c=$?
    if [ $c -eq 0 ]; then mark "$n" ran; else FAILED=1; echo "exit code $c" >>"$W/o"; mark "$n" failed; fi ;;
  esac
}

# rule NUMBER BEFORE…: checks it, applies what drifts, and checks again.
HOLD=' '
rule() {
  R=$1
  shift
  : >"$W/o"
  if [ "$MODE" = apply ]; then
    for b; do
      case $HOLD in
      *" $b "*) ;;
      *) printf '%s' "$b" >"$W/o"; mark - waits; return 0 ;;
      esac
    done
  fi
  DRIFT=0 UNKNOWN=0 FAILED=0 DRIFTS=' '
  PHASE=look; "rule_$R"; : >"$W/o"
  if [ $UNKNOWN = 1 ]; then mark - unknown; return 0; fi
  if [ $DRIFT = 0 ]; then HOLD="$HOLD$R "; mark - kept; return 0; fi
  if [ "$MODE" = plan ]; then mark - drift; return 0; fi
  PHASE=mend; "rule_$R"
  PHASE=run; "rule_$R"
  : >"$W/o"
  if [ $FAILED = 1 ]; then mark - failed; return 0; fi
  DRIFT=0 UNKNOWN=0 DRIFTS=' '
  PHASE=look; "rule_$R"; : >"$W/o"
  if [ $DRIFT$UNKNOWN = 00 ]; then HOLD="$HOLD$R "; mark - applied; else mark - still; fi
}
