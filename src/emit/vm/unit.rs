//! `vm/pxelator-vm-NAME.service`: QEMU as a systemd unit, with the command line of `pxelator vm start`.

use super::folder;
use crate::out::table::{DiskRow, QEMU, VmRow};

pub(super) fn name(vm: &VmRow) -> String {
    format!("pxelator-vm-{}.service", vm.vm)
}

pub(super) fn unit(vm: &VmRow, disk: &DiskRow) -> String {
    let (name, folder) = (&vm.vm, folder(vm));
    let words = disk.words(vm, &folder);
    let words: Vec<String> = words.chunks(2).map(|pair| pair.join(" ")).collect();
    let snapshot = &disk.snapshot;
    format!(
        "[Unit]
Description=VM {name} over the snapshot {snapshot}
After=network-online.target
Wants=network-online.target
# `pxelator vm prepare {name}` makes it.
ConditionPathExists={folder}/disk.qcow2

[Service]
# Its serial line is nobody else's.
UMask=0077
ExecStart={QEMU} {words}
# It is asked to turn itself off, and loses its power after a minute. When it has turned itself off, this does nothing.
ExecStop=-/usr/bin/env pxelator vm stop {name} --wait 60s
TimeoutStopSec=90
# Off by itself or by `pxelator vm stop` is off: it begins again only when QEMU was killed or failed.
Restart=on-failure

[Install]
WantedBy=multi-user.target
",
        words = words.join(" \\\n  ")
    )
}
