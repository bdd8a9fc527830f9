/**
 * A network card with four virtual functions (SR-IOV): the first has a network interface, the second and third are bound
 * to vfio-pci, the fourth to nothing. The node of an IOMMU group is no child of its function; that of VFIO's own device is.
 */
import { pciFunction, rootPort } from './pci.ts';
import type { RecordedDevice } from './recordeddevice.ts';

const physical = '0000:3b:00.0';

/** The card on NUMA node 0. IOMMU groups are 70 for the physical function and 71 to 74 for the virtual ones. */
export function sriov(): readonly RecordedDevice[] {
  const port = rootPort('0000:3a', '0000:3a:00.0', 0);
  const addressOf = (index: number): string => `0000:3b:02.${index}`;
  const four = [0, 1, 2, 3];
  const above = pciFunction(port.devpath, {
    address: physical,
    vendor: '8086',
    device: '158b',
    class: '020000',
    driver: 'i40e',
    numaNode: 0,
    iommuGroup: '70',
    attributes: { sriov_totalvfs: '64', sriov_numvfs: '4' },
    links: Object.fromEntries(four.map((index) => [`virtfn${index}`, `${port.devpath}/${addressOf(index)}`])),
  });
  const functions = four.map((index) =>
    pciFunction(port.devpath, {
      address: addressOf(index),
      vendor: '8086',
      device: '154c',
      class: '020000',
      driver: ['iavf', 'vfio-pci', 'vfio-pci', undefined][index],
      numaNode: 0,
      iommuGroup: `${71 + index}`,
      links: { physfn: above.devpath },
    }),
  );
  return [
    port,
    above,
    networkInterface(above, 'ens1f0', 3, '3c:fd:fe:a0:00:01'),
    ...functions.flatMap((each, index) => [
      each,
      ...(index === 0 ? [networkInterface(each, 'ens1f0v0', 4, '02:00:00:a0:00:01')] : []),
      ...(each.driver === 'vfio-pci' ? [vfioGroup(71 + index), vfioDevice(each, index)] : []),
    ]),
    {
      devpath: '/devices/virtual/misc/vfio',
      subsystem: 'class/misc',
      node: { kind: 'c', major: 10, minor: 196, name: 'vfio/vfio' },
    },
  ];
}

function networkInterface(on: RecordedDevice, name: string, index: number, address: string): RecordedDevice {
  return {
    devpath: `${on.devpath}/net/${name}`,
    subsystem: 'class/net',
    uevent: { INTERFACE: name, IFINDEX: `${index}` },
    attributes: { address, ifindex: `${index}`, operstate: 'up' },
    links: { device: on.devpath },
    udev: { ID_NET_NAME_SLOT: name },
  };
}

function vfioGroup(group: number): RecordedDevice {
  return {
    devpath: `/devices/virtual/vfio/${group}`,
    subsystem: 'class/vfio',
    node: { kind: 'c', major: 241, minor: group, name: `vfio/${group}` },
  };
}

function vfioDevice(on: RecordedDevice, index: number): RecordedDevice {
  return {
    devpath: `${on.devpath}/vfio-dev/vfio${index}`,
    subsystem: 'class/vfio-dev',
    node: { kind: 'c', major: 240, minor: index, name: `vfio/devices/vfio${index}` },
  };
}
