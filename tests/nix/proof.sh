#!/bin/sh
# In a container with a real systemd: the units as `make install` puts them, and the first mistakes with them.
# What is seen goes into files below /result; the test reads them. /site holds two sites, each with its out/.
set -u
exec >/result/log 2>&1
set -x
said() { # waits until this start of the service says it, and keeps what it said
  for _ in $(seq 500); do
    journalctl "_SYSTEMD_INVOCATION_ID=$start" -o cat --no-pager >"/result/$1"
    grep -q "$2" "/result/$1" && break
    sleep 0.2
  done
}
loaded() { journalctl --sync; journalctl "_SYSTEMD_INVOCATION_ID=$start" -o cat --no-pager | grep -c 'now serving'; }
loaded_at_least() {
  for _ in $(seq 500); do
    [ "$(loaded)" -ge "$1" ] && break
    sleep 0.2
  done
}
start() {
  systemctl reset-failed pxelator # five starts in ten seconds are too many for systemd
  systemctl restart pxelator
  start=$(systemctl show -P InvocationID pxelator)
  said "$1" "$2"
}
ip link set lo up
ip address add 10.77.0.2/24 dev lo
mkdir -p /site && cp -r /given/* /site

# The boot did it: there is the user, and the state folder is his.
stat -c '%U %a' /var/lib/pxelator >/result/state-before

start absent 'error:'
pxelator deploy /srv/pxelator --out /site/first/out --without-assets --why "the first" || touch /result/failed-deploy

rm -r /var/lib/pxelator
start state 'error:'
systemd-tmpfiles --create pxelator.conf

cp /etc/passwd /run/passwd
sed -i '/^pxelator:/d' /etc/passwd
start nobody 'error:'
cp /run/passwd /etc/passwd

systemctl stop pxelator # or its next try takes the port first
dnsmasq --conf-file=/dev/null --port=53 --no-resolv --user=root --pid-file=/run/rival.pid
start taken 'error:'
rival=$(cat /run/rival.pid)
kill "$rival"; while [ -e "/proc/$rival" ]; do sleep 0.1; done

# The secret is root's.
mkdir -p /run/secrets; echo geheim >/run/secrets/couchdb; chmod 600 /run/secrets/couchdb
start secret 'serving /srv'
logger --server 127.0.0.1 --port 514 --udp hello
said secret 'secret lies here'
start good 'serving /srv'
pid=$(systemctl show -P MainPID pxelator)
grep -E '^(Uid|Gid|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):' "/proc/$pid/status" >/result/status
ss -H -lntup | grep pxelator >/result/ports
dig +time=2 +tries=2 @10.77.0.2 +short printer.lab.example >/result/name
find /var/lib/pxelator ! -user pxelator >/result/foreign

# Again, and with another generation, which it takes over by itself: the deploy asks it.
start again 'serving /srv'
pxelator deploy /srv/pxelator --out /site/second/out --without-assets --why "printer moved" >/result/second 2>&1; echo "exit $?" >>/result/second
dig +time=2 +tries=2 @10.77.0.2 +short printer.lab.example >>/result/name
loaded_at_least 1; before=$(loaded)
systemctl kill --signal=HUP pxelator
loaded_at_least $((before + 1))
echo "$before $(loaded)" >/result/hangup

# One address alone, by a drop-in, as the module of NixOS makes it.
mkdir -p /etc/systemd/system/pxelator.service.d
printf '[Service]\nEnvironment="SERVE_OPTIONS=--bind 10.77.0.2"\n' >/etc/systemd/system/pxelator.service.d/overrides.conf
systemctl daemon-reload
start bound 'serving /srv'
ss -H -lntup | grep pxelator >/result/ports-bound
systemctl stop pxelator; systemctl show -P Result pxelator >/result/stopped

# The timers, and what they start.
systemctl start pxelator-track.timer pxelator-rules.timer
systemctl show -P NextElapseUSecRealtime pxelator-track.timer pxelator-rules.timer >/result/timers

# The unit of a VM, with a QEMU that has no disk and no bridge: what is asked here is how it ends.
unit=pxelator-vm-ci-1 vm=/var/lib/pxelator/vm/ci-1
mkdir -p $vm /run/systemd/system/$unit.service.d
touch $vm/disk.qcow2
cp /site/first/out/vm/$unit.service /run/systemd/system/
printf '[Service]\nExecStart=\nExecStart=/usr/bin/qemu-system-x86_64 -nodefaults -display none -S -machine q35,accel=tcg -m 64 -qmp unix:%s/qmp.sock,server=on,wait=off\n' \
  $vm >/run/systemd/system/$unit.service.d/qemu.conf
systemctl daemon-reload
until_is() { for _ in $(seq 500); do [ "$(systemctl show -P "$1" $unit)" = "$2" ] && break; sleep 0.1; done; }
begin() {
  systemctl restart $unit
  for _ in $(seq 500); do [ -S $vm/qmp.sock ] && break; sleep 0.1; done
}
ended() { until_is ActiveState inactive; sleep 1; echo "$(systemctl is-active $unit) $(systemctl show -P Result $unit) $(systemctl show -P NRestarts $unit)"; }
begin
(cd / && pxelator vm stop ci-1 --wait 1s) >/result/vm-stop
ended >/result/vm-stopped
# By itself, as after the guest's poweroff: QEMU ends with 0.
begin
systemctl kill --kill-whom=main $unit
ended >/result/vm-off
begin
systemctl kill --kill-whom=main --signal=KILL $unit
until_is NRestarts 1; until_is ActiveState active
echo "$(systemctl is-active $unit) $(systemctl show -P NRestarts $unit)" >/result/vm-killed
systemctl stop --no-block $unit; sleep 1; systemctl kill --kill-whom=main $unit; until_is ActiveState inactive
systemctl is-active $unit >/result/vm-ended
touch /result/done
