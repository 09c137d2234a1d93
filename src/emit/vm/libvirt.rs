//! `vm/NAME.xml`: a domain for libvirt, over the same disk as `pxelator vm` makes.

use super::folder;
use crate::out::table::{DiskRow, QEMU, VmRow};

/// Names, paths and MACs are plain letters by now: nothing needs to be escaped for XML.
pub(super) fn domain(vm: &VmRow, disk: &DiskRow) -> String {
    let (name, mac, bridge, folder) = (&vm.vm, &vm.mac, &vm.bridge, folder(vm));
    let (memory, cpus, file, format) = (disk.memory_mib, disk.cpus, &disk.file, &disk.format);
    let kind = if disk.format == "raw" { "" } else { "<backingStore/>" };
    let backing =
        format!("<backingStore type=\"file\"><format type=\"{format}\"/><source file=\"{file}\"/>{kind}</backingStore>");
    format!(
        "<!-- pxelator vm prepare {name} && virsh define {name}.xml && virsh start {name}
     Without KVM libvirt wants <domain type=\"qemu\">. Not beside pxelator-vm-{name}.service: the disk has one user. -->
<domain type=\"kvm\">
  <name>{name}</name>
  <memory unit=\"MiB\">{memory}</memory>
  <vcpu>{cpus}</vcpu>
  <os><type arch=\"x86_64\" machine=\"q35\">hvm</type><boot dev=\"hd\"/></os>
  <features><acpi/><apic/></features>
  <cpu mode=\"maximum\"/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>{QEMU}</emulator>
    <disk type=\"file\" device=\"disk\">
      <driver name=\"qemu\" type=\"qcow2\" discard=\"unmap\"/>
      <source file=\"{folder}/disk.qcow2\"/>
      {backing}
      <target dev=\"vda\" bus=\"virtio\"/>
    </disk>
    <interface type=\"bridge\">
      <mac address=\"{mac}\"/>
      <source bridge=\"{bridge}\"/>
      <model type=\"virtio\"/>
      <rom enabled=\"no\"/>
    </interface>
    <serial type=\"pty\"/>
    <console type=\"pty\"/>
    <rng model=\"virtio\"><backend model=\"random\">/dev/urandom</backend></rng>
  </devices>
</domain>
"
    )
}
