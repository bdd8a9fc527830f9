/** USB as the kernel shows it: a controller, its root hub, hubs on the way to a port, devices and their interfaces. */
import type { RecordedDevice } from './recordeddevice.ts';

const controller = '/devices/pci0000:00/0000:00:14.0';

/** What a USB device says of itself; texts are its own. */
export interface UsbDescription {
  readonly vendor: string;
  readonly product: string;
  readonly serial?: string | undefined;
  readonly manufacturer?: string;
  readonly name?: string;
  /** bDeviceClass. */
  readonly class?: string;
  readonly udev?: Readonly<Record<string, string>>;
}

/** devpath of the USB device at a port: `1-2` sits at the root hub of bus 1, `1-1.4` at a hub on port 1. */
export function usbDevpath(port: string): string {
  const [bus = '', chain = ''] = port.split('-');
  const steps = chain.split('.');
  return steps.reduce(
    (above, _step, index) => `${above}/${bus}-${steps.slice(0, index + 1).join('.')}`,
    `${controller}/usb${bus}`,
  );
}

/** The device at a port and everything above it, topmost first. `devnum` is new at every plugging in. */
export function usbDevice(port: string, devnum: number, description: UsbDescription): readonly RecordedDevice[] {
  const [bus = '', chain = ''] = port.split('-');
  const hubs = chain.split('.').slice(0, -1);
  const above = hubs.map((_step, index) => {
    const at = `${bus}-${hubs.slice(0, index + 1).join('.')}`;
    const hub = { vendor: '0bda', product: '5411', name: '4-Port USB 2.0 Hub', class: '09' };
    return oneDevice(usbDevpath(at), Number(bus), 100 + index, hub, at);
  });
  const root = { vendor: '1d6b', product: '0002', serial: '0000:00:14.0', name: 'xHCI Host Controller', class: '09' };
  return [
    {
      devpath: controller,
      subsystem: 'bus/pci',
      driver: 'xhci_hcd',
      uevent: {
        PCI_CLASS: 'C0330',
        PCI_ID: '8086:A36D',
        PCI_SLOT_NAME: '0000:00:14.0',
        MODALIAS: 'pci:v00008086d0000A36Dsv00001458sd00005007bc0Csc03i30',
      },
      attributes: {
        vendor: '0x8086',
        device: '0xa36d',
        subsystem_vendor: '0x1458',
        subsystem_device: '0x5007',
        class: '0x0c0330',
        revision: '0x10',
        numa_node: '-1',
      },
      links: { iommu_group: '/kernel/iommu_groups/4' },
    },
    oneDevice(`${controller}/usb${bus}`, Number(bus), 1, root, '0'),
    ...above,
    oneDevice(usbDevpath(port), Number(bus), devnum, description, port),
  ];
}

function oneDevice(
  devpath: string,
  bus: number,
  devnum: number,
  description: UsbDescription,
  port: string,
): RecordedDevice {
  const { vendor, product, serial, manufacturer, name, udev } = description;
  const [busnum, number] = [bus, devnum].map((each) => `${each}`.padStart(3, '0'));
  const texts = { serial, manufacturer, product: name };
  const given = Object.entries(texts).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    devpath,
    subsystem: 'bus/usb',
    driver: 'usb',
    node: { kind: 'c', major: 189, minor: (bus - 1) * 128 + devnum - 1, name: `bus/usb/${busnum}/${number}` },
    uevent: {
      DEVTYPE: 'usb_device',
      PRODUCT: [vendor, product, '0100'].map((each) => parseInt(each, 16).toString(16)).join('/'),
      TYPE: `${parseInt(description.class ?? '00', 16)}/0/0`,
      BUSNUM: `${busnum}`,
      DEVNUM: `${number}`,
    },
    attributes: {
      idVendor: vendor,
      idProduct: product,
      bDeviceClass: description.class ?? '00',
      busnum: `${bus}`,
      devnum: `${devnum}`,
      devpath: port.slice(port.indexOf('-') + 1),
      speed: '480',
      'power/runtime_status': 'active',
      ...Object.fromEntries(given),
    },
    ...(udev === undefined ? {} : { udev }),
  };
}

/** An interface of the device at a port: its class in three bytes (`0e0100`), and the driver that has it. */
export function usbInterface(
  port: string,
  number: number,
  { vendor, product }: UsbDescription,
  classes: string,
  driver: string | undefined,
): RecordedDevice {
  const [kind = '', subclass = '', protocol = ''] = classes.match(/../g) ?? [];
  const id = `v${vendor}p${product}`.toUpperCase().replace('V', 'v').replace('P', 'p');
  const at = `${number}`.padStart(2, '0');
  return {
    devpath: `${usbDevpath(port)}/${port}:1.${number}`,
    subsystem: 'bus/usb',
    driver,
    uevent: {
      DEVTYPE: 'usb_interface',
      INTERFACE: [kind, subclass, protocol].map((each) => `${parseInt(each, 16)}`).join('/'),
      MODALIAS: `usb:${id}d0100dc00dsc00dp00ic${kind.toUpperCase()}isc${subclass.toUpperCase()}ip${protocol.toUpperCase()}in${at}`,
    },
    attributes: {
      bInterfaceClass: kind,
      bInterfaceSubClass: subclass,
      bInterfaceProtocol: protocol,
      bInterfaceNumber: at,
      bAlternateSetting: '0',
    },
  };
}
