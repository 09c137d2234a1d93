# Shows a disk in qcow2 as a raw file, and runs a script beside it.
#   sh -c "$(cat show.sh)" show WORK DISK IDENTITY SCRIPT
# Runs in mount and process namespaces of its own: whatever ends it, no process and no mount is left.
set -eu
work=$1 disk=$2 identity=$3 script=$4
raw=$work/raw
: >"$raw"
json="{\"driver\":\"qcow2\",\"node-name\":\"disk\",\"file\":{\"driver\":\"file\",\"filename\":\"$disk\"}}"
qemu-storage-daemon --blockdev "$json" --export "type=fuse,id=raw,node-name=disk,mountpoint=$raw,writable=on" </dev/null &
daemon=$!
until [ "$(head -c 512 "$raw" | wc -c)" = 512 ]; do
  kill -0 $daemon 2>/dev/null || { echo "the disk cannot be opened" >&2; exit 1; }
  sleep 0.05
done
status=0
sh -c "$script" identify "$work" "$identity" || status=$?
kill $daemon
wait $daemon || true
[ $status -ne 0 ] || sync "$disk"
exit $status
