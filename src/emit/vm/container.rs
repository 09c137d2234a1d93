//! A container over a base: `vm/NAME.nspawn`, the `.mount` of its root, and the `.network` within it.

use super::super::nfs::unit_name;
use crate::model::{Union, union_options};
use crate::out::table::{ContainerRow, VmRow};

/// systemd.nspawn(5): lies in /etc/systemd/nspawn.
pub(super) fn nspawn(vm: &VmRow) -> String {
    format!(
        "# Container {name}: link it as /etc/systemd/nspawn/{name}.nspawn
[Exec]
Boot=yes
Hostname={name}
PrivateUsers=no
LinkJournal=no

[Network]
VirtualEthernet=yes
Bridge={bridge}
",
        name = vm.vm,
        bridge = vm.bridge
    )
}

/// systemd.network(5), within the container: nspawn cannot say which MAC it gives.
pub(super) fn network(vm: &VmRow) -> String {
    format!(
        "# Lies in the container as /etc/systemd/network/10-pxelator.network; `pxelator vm prepare {}` puts it there.
[Match]
Kind=veth
Name=host0

[Link]
MACAddress={}

[Network]
DHCP=ipv4

[DHCPv4]
ClientIdentifier=mac
",
        vm.vm, vm.mac
    )
}

pub(super) fn mount(vm: &VmRow, container: &ContainerRow) -> (String, String) {
    let ContainerRow { base, lower, upper, root } = container;
    let name = &vm.vm;
    let options = union_options(Union::Overlayfs, lower, upper);
    let text = format!(
        "[Unit]
Description=Root of the container {name}: its changes over {base}
Before=systemd-nspawn@{name}.service
# `pxelator vm prepare {name}` makes it.
ConditionPathIsDirectory={upper}/upper

[Mount]
What=pxelator-{name}
Where={root}
Type=overlay
Options={options}

[Install]
WantedBy=multi-user.target
"
    );
    (unit_name(root), text)
}
