# Writes an identity into the root file system within a disk that show.sh shows as a raw file.
#   sh -c "$(cat identify.sh)" identify WORK IDENTITY
# Ends with 3 where no root file system is in it, with 4 where one is damaged, and with 1 where anything else fails.
# debugfs and e2fsck read and write the file system by themselves: the kernel mounts nothing of the disk. So no
# file system of others can harm it, links lead nowhere out of the disk, and whatever ends us, no mount and no
# loop device is left that waits for a disk which nobody shows any more.
set -eu
work=$1 identity=$2
cd "$work"

say() { echo "$*" >&2; }
fs=
# Asks the file system, or changes it: one command of debugfs a line. It ends with 0 whatever happens.
ask() { printf '%s\n' "$@" | debugfs -f - "$fs" 2>debugfs.err; }
change() {
  printf '%s\n' "$@" | debugfs -w -f - "$fs" >/dev/null 2>debugfs.err
  # It greets on the same channel.
  ! grep -v '^debugfs [0-9]' debugfs.err >&2 || exit 1
}
# The kind of what a path names, a link taken as a link: `directory`, `regular`, `symlink`, or nothing.
kind() { ask "stat $1" | sed -n 's/^Inode: .*Type: \([a-z]*\) .*/\1/p'; }
content() { ask "cat $1" | sed '1{/^debugfs: cat /d}'; }
# A number of its inode.
number() { ask "stat $1" | sed -n "s/.*$2: *\([0-9]*\).*/\1/p" | head -n 1; }
# put FROM TO MODE: the owner and the permissions of a file that is there stay.
put() {
  mode=$3 user=0 group=0
  case $(kind "$2") in
  regular) mode=$(number "$2" Mode) user=$(number "$2" User) group=$(number "$2" Group) ;;
  symlink | '') ;;
  *) say "$2 is no file"; exit 1 ;;
  esac
  cp "$1" new
  [ -z "$(kind "$2")" ] || change "rm $2"
  change "write new $2" "sif $2 mode 010$mode" "sif $2 uid $user" "sif $2 gid $group"
  written="$written $2"
}

# The whole disk, and each partition: where it begins.
places=0
if parts=$(partx --raw --noheadings --output START raw 2>/dev/null); then
  places="$places $parts"
fi
found='' root='' damaged=''
# What e2fsck says first that is no preamble.
telling() { grep -v -e '^e2fsck [0-9]' -e 'contains a file system with errors' -e 'recovering journal' -e '^ *$' e2fsck.out | head -n 1 | sed 's/^raw?offset=[0-9]*: *//; s/ *$//'; }
for start in $places; do
  offset=$((start * 512))
  type=$(blkid -p -O $offset -o value -s TYPE raw 2>/dev/null || true)
  [ -n "$type" ] || continue
  found="$found $type"
  case $type in ext2 | ext3 | ext4) ;; *) continue ;; esac
  fs="raw?offset=$offset"
  # The disk of a machine that ran has a journal to replay, as after a loss of power.
  status=0
  e2fsck -p "$fs" >e2fsck.out 2>&1 || status=$?
  [ $status -le 1 ] || { damaged=$(telling); found="$found (damaged)"; continue; }
  if [ "$(kind /etc)" = directory ] && { [ -n "$(kind /usr)" ] || [ -n "$(kind /bin)" ]; }; then
    root=yes
    break
  fi
done
if [ -z "$root" ] && [ -n "$damaged" ]; then
  say "$damaged"
  exit 4
fi
if [ -z "$root" ]; then
  say "found:${found:- nothing}"
  exit 3
fi

written=
name=$(cat "$identity/hostname") domain=$(cat "$identity/domain")
old=$(content /etc/hostname | head -n 1 | tr -d '[:space:]')
if [ -n "$old" ] && [ "${old%%.*}" != localhost ] && [ "$(kind /etc/hosts)" = regular ]; then
  content /etc/hosts | awk -v old="${old%%.*}" -v name="$name" -v domain="$domain" '
    { line = $0; sub(/#.*/, ""); touched = 0
      for (at = 2; at <= NF; at++) {
        if ($at == old) { $at = name; touched = 1 }
        else if (index($at, old ".") == 1) { $at = name "." domain; touched = 1 }
      }
      # The address of the old machine is not ours.
      if (touched && $1 !~ /^127\./ && $1 != "::1") $1 = "127.0.1.1"
      print touched ? $0 : line }' >"$identity/hosts"
  put "$identity/hosts" /etc/hosts 0644
fi
put "$identity/hostname" /etc/hostname 0644
put "$identity/machine-id" /etc/machine-id 0444
if [ "$(kind /var/lib/dbus/machine-id)" = regular ]; then
  put "$identity/machine-id" /var/lib/dbus/machine-id 0444
fi
# Two machines with the same seed draw the same numbers.
if [ "$(kind /var/lib/systemd/random-seed)" = regular ]; then
  change "rm /var/lib/systemd/random-seed"
fi
if [ "$(kind /etc/ssh)" = directory ]; then
  kinds=
  for key in $(ask "ls -p /etc/ssh" | awk -F/ '$6 ~ /^ssh_host_[a-z0-9]+_key$/ { print $6 }'); do
    type=${key#ssh_host_}
    type=${type%_key}
    case $type in
    rsa | ecdsa | ed25519) kinds="$kinds $type" ;;
    *) for old in "$key" "$key.pub"; do [ -z "$(kind "/etc/ssh/$old")" ] || change "rm /etc/ssh/$old"; done ;;
    esac
  done
  for type in ${kinds:-ed25519}; do
    file=ssh_host_${type}_key
    [ -f "$identity/$file" ] || ssh-keygen -q -t "$type" -N '' -C "root@$name" -f "$identity/$file"
    put "$identity/$file" "/etc/ssh/$file" 0600
    put "$identity/$file.pub" "/etc/ssh/$file.pub" 0644
  done
fi

# What was written is read back from the disk itself.
for path in $written; do
  case $path in
  */machine-id) from=$identity/machine-id ;;
  *) from=$identity/${path##*/} ;;
  esac
  content "$path" | cmp - "$from" >&2 || exit 1
done
