#!/bin/sh
# Programs that would change this machine, with the words and exit codes of the real ones. State: /var/fake.
name=${0##*/}
state=/var/fake/$name
say() { printf '%s\n' "$@"; }

case $name in
systemctl)
    verb=$1; shift
    now=no; units=
    for word; do case $word in --now) now=yes ;; *) units="$units $word" ;; esac; done
    for unit in $units; do
        enabled=$state/$unit.enabled; active=$state/$unit.active
        if [ ! -e "$enabled" ]; then
            case $verb in
            is-active) say inactive; exit 4 ;;
            is-enabled) say "Failed to get unit file state for $unit.service: No such file or directory" >&2; exit 1 ;;
            *) say "Failed to $verb $unit.service: Unit $unit.service not found." >&2; exit 5 ;;
            esac
        fi
        case $verb in
        is-enabled)
            [ $unit != cups ] || say "$unit.service is not a native service, redirecting to systemd-sysv-install." >&2
            cat "$enabled"; [ "$(cat "$enabled")" = enabled ] || exit 1 ;;
        is-active) cat "$active"; [ "$(cat "$active")" = active ] || exit 3 ;;
        enable) say enabled >"$enabled"; [ $now = no ] || say active >"$active" ;;
        disable) say disabled >"$enabled"; [ $now = no ] || say inactive >"$active" ;;
        mask) say masked >"$enabled" ;;
        start | restart | reload-or-restart) say active >"$active" ;;
        stop) say inactive >"$active" ;;
        *) say "Unknown command verb $verb." >&2; exit 1 ;;
        esac
    done ;;
nginx) [ "$*" = -t ] ;;
ufw)
    case "$*" in
    "show added")
        say "Added user rules (see 'ufw status' for running firewall):"
        if [ -s "$state/added" ]; then cat "$state/added"; else say "(None)"; fi ;;
    status) if [ -e "$state/on" ]; then say "Status: active"; else say "Status: inactive"; fi ;;
    "default deny incoming") say 'DEFAULT_INPUT_POLICY="DROP"' >/etc/default/ufw ;;
    "--force enable") : >"$state/on"; say "Firewall is active and enabled on system startup" ;;
    *)
        comment=
        all=$*
        case $all in *" comment "*) comment=" comment '${all##* comment }'"; set -- ${all%% comment *} ;; esac
        verb=$1; shift
        case $*:$# in
        ssh:1) line="ufw $verb 22/tcp" ;;
        http:1) line="ufw $verb 80/tcp" ;;
        *" "*:1) line="ufw $verb '$*'" ;;
        *) line="ufw $verb $*" ;;
        esac
        line=$line$comment
        if grep -qxF -- "$line" "$state/added" 2>/dev/null; then say "Skipping adding existing rule"; else say "$line" >>"$state/added"; fi ;;
    esac ;;
timedatectl)
    case "$1 $2" in
    "show --property=Timezone") cat "$state/zone" ;;
    "show --property=NTP") cat "$state/ntp" ;;
    "set-timezone "*) say "$2" >"$state/zone" ;;
    "set-ntp true") say yes >"$state/ntp" ;;
    "set-ntp false") say no >"$state/ntp" ;;
    *) say "Unknown command verb $1." >&2; exit 1 ;;
    esac ;;
hostnamectl)
    case $1 in
    --static) cat /etc/hostname ;;
    set-hostname) say "$2" >/etc/hostname ;;
    *) exit 1 ;;
    esac ;;
sysctl)
    case $1 in
    -n) cat "$state/$2" 2>/dev/null || { say "sysctl: cannot stat /proc/sys/$2: No such file or directory" >&2; exit 255; } ;;
    --system) : ;;
    -w) shift; for setting; do say "${setting#*=}" | tr ' ' '\t' >"$state/${setting%%=*}"; say "$setting"; done ;;
    *) exit 1 ;;
    esac ;;
a2enmod | a2ensite | a2enconf | a2dismod | a2dissite | a2disconf)
    case $name in *site) what=sites; end=conf ;; *mod) what=mods; end=load ;; *) what=conf; end=conf ;; esac
    for one; do
        [ -e "/etc/apache2/$what-available/$one.$end" ] || { say "ERROR: $what $one does not exist!" >&2; exit 1; }
        case $name in
        a2en*) mkdir -p "/etc/apache2/$what-enabled"; ln -sfn "../$what-available/$one.$end" "/etc/apache2/$what-enabled/$one.$end" ;;
        *) rm -f "/etc/apache2/$what-enabled/$one.$end" ;;
        esac
    done ;;
dpkg-query)
    # dpkg-query -W -f=FORMAT -- NAME
    for package; do :; done
    if [ -e "$state/$package" ]; then say installed; else say "dpkg-query: no packages found matching $package" >&2; exit 1; fi ;;
apt-get)
    for package; do :; done
    [ ! -e "$state/$package" ] || sh "$state/$package" || exit 100
    : >"/var/fake/dpkg-query/$package" ;;
exportfs) : ;;
wget)
    # The real one knows no file: addresses.
    [ "$1" = -O ] || exit 2
    cp "${3#file://}" "$2" ;;
*) say "no fake for $name" >&2; exit 99 ;;
esac
