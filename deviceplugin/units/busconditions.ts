/** What selectors ask of the USB device and of the PCI function that a node belongs to. */
import type { Selector } from '../config/selector.ts';
import type { SysDevice } from '../inventory/inventory.ts';
import { about, textFits, valueIs } from './condition.ts';
import { own } from './own.ts';
import type { Condition } from './condition.ts';
import type { DeviceFacts } from './facts.ts';

/** `usb` of a selector. Empty it means: any USB device. */
export function usbConditions(usb: NonNullable<Selector['usb']>, prefix: string): readonly Condition[] {
  const key = `${prefix}usb`;
  return [
    belongs(`${key}: it belongs to no USB device`, (device) => device.usb?.device),
    ...(usb.vendor === undefined ? [] : [valueIs(`${key}.vendor`, usb.vendor, (device) => device.usb?.vendor)]),
    ...(usb.product === undefined ? [] : [valueIs(`${key}.product`, usb.product, (device) => device.usb?.product)]),
    ...(usb.serial === undefined ? [] : [textFits(`${key}.serial`, usb.serial, (device) => device.usb?.serial)]),
    ...(usb.port === undefined ? [] : [textFits(`${key}.port`, usb.port, (device) => device.usb?.device.name)]),
    ...(usb.interfaceClass === undefined ? [] : [valueIs(`${key}.interfaceClass`, usb.interfaceClass, interfaceClass)]),
  ];
}

/** `pci` of a selector. Empty it means: any PCI function. */
export function pciConditions(pci: NonNullable<Selector['pci']>, prefix: string): readonly Condition[] {
  const key = `${prefix}pci`;
  const { class: wantedClass, virtualFunction } = pci;
  return [
    belongs(`${key}: it belongs to no PCI function`, (device) => device.pci?.device),
    ...(pci.vendor === undefined ? [] : [valueIs(`${key}.vendor`, pci.vendor, (device) => device.pci?.vendor)]),
    ...(pci.device === undefined ? [] : [valueIs(`${key}.device`, pci.device, (device) => device.pci?.product)]),
    ...(wantedClass === undefined
      ? []
      : [
          about(
            `${key}.class`,
            `${wantedClass}*`,
            (device) => device.pci?.class,
            (value) => value.startsWith(wantedClass),
          ),
        ]),
    ...(pci.driver === undefined ? [] : [textFits(`${key}.driver`, pci.driver, (device) => device.pci?.device.driver)]),
    ...(pci.address === undefined
      ? []
      : [textFits(`${key}.address`, pci.address, (device) => device.pci?.device.name)]),
    ...(virtualFunction === undefined
      ? []
      : [valueIs(`${key}.virtualFunction`, `${virtualFunction}`, isVirtualFunction)]),
  ];
}

function belongs(failure: string, whose: (device: DeviceFacts) => SysDevice | undefined): Condition {
  return {
    holds: ({ device }) => device !== undefined && whose(device) !== undefined,
    failure: () => failure,
  };
}

function interfaceClass({ usbInterface }: DeviceFacts): string | undefined {
  return usbInterface && own(usbInterface.attributes, 'bInterfaceClass');
}

function isVirtualFunction({ pci }: DeviceFacts): string | undefined {
  return pci && `${pci.device.physicalFunction !== undefined}`;
}

/** `0403:6001 A5069RR4` of a USB device itself. */
export function usbIds({ devtype, attributes }: SysDevice): string | undefined {
  if (devtype !== 'usb_device') return undefined;
  const ids = [own(attributes, 'idVendor'), own(attributes, 'idProduct')].map((id) => id ?? '?').join(':');
  const serial = own(attributes, 'serial');
  return serial === undefined ? ids : `${ids} ${serial}`;
}

/** `8086:154c 020000` of a PCI function itself. */
export function pciIds({ subsystem, attributes }: SysDevice): string | undefined {
  if (subsystem !== 'pci') return undefined;
  const [vendor, device, kind] = ['vendor', 'device', 'class'].map(
    (name) => own(attributes, name)?.replace(/^0x/, '') ?? '?',
  );
  return `${vendor}:${device} ${kind}`;
}
