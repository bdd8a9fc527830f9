/** A USB serial adapter: USB device → interface → port of usb-serial → tty, as drivers/usb/serial/bus.c makes them. */
import { usbDevice, usbInterface } from './usb.ts';
import type { RecordedDevice } from './recordeddevice.ts';

export interface UsbSerialOptions {
  /** What the device says; `undefined` for one without. Default `A5069RR4`. */
  readonly serial?: string | undefined;
  /** Number of the tty: `/dev/ttyUSB0`. Default 0. */
  readonly tty?: number;
  /** Number on the bus, which changes with every plugging in. Default 5. */
  readonly devnum?: number;
}

/** An FTDI adapter at a port such as `1-2` or `1-1.4`, with all devices above it. */
export function usbSerial(port: string, options: UsbSerialOptions = {}): readonly RecordedDevice[] {
  const { tty = 0, devnum = 5 } = options;
  const serial = 'serial' in options ? options.serial : 'A5069RR4';
  const texts = { vendor: '0403', product: '6001', manufacturer: 'FTDI', name: 'FT232R USB UART' };
  const properties = {
    ID_BUS: 'usb',
    ID_VENDOR_ID: '0403',
    ID_MODEL_ID: '6001',
    ID_MODEL: 'FT232R_USB_UART',
    ID_PATH: `pci-0000:00:14.0-usb-0:${port.slice(port.indexOf('-') + 1)}:1.0`,
    // udev writes what it takes from a device with the odd characters replaced.
    ...(serial === undefined ? {} : { ID_SERIAL_SHORT: serial.replace(/[^A-Za-z0-9#+.:=@_-]/g, '_').slice(0, 200) }),
  };
  const description = { ...texts, serial, udev: { ...properties, ID_USB_INTERFACES: ':ffffff:' } };
  const face = usbInterface(port, 0, description, 'ffffff', 'ftdi_sio');
  const name = `ttyUSB${tty}`;
  return [
    ...usbDevice(port, devnum, description),
    face,
    {
      devpath: `${face.devpath}/${name}`,
      subsystem: 'bus/usb-serial',
      driver: 'ftdi_sio',
      attributes: { port_number: '0' },
    },
    {
      devpath: `${face.devpath}/${name}/tty/${name}`,
      subsystem: 'class/tty',
      node: {
        kind: 'c',
        major: 188,
        minor: tty,
        name,
        links: [
          `serial/by-id/usb-FTDI_FT232R_USB_UART${serial === undefined ? '' : `_${properties.ID_SERIAL_SHORT}`}-if00-port0`,
          `serial/by-path/${properties.ID_PATH}-port0`,
        ],
      },
      udev: { ...properties, ID_USB_INTERFACE_NUM: '00', ID_USB_DRIVER: 'ftdi_sio' },
    },
  ];
}

/** Two adapters of a maker who gives every one the same serial number, at two ports. */
export function twins(ports: readonly [string, string] = ['1-3', '1-4']): readonly RecordedDevice[] {
  return ports.flatMap((port, index) => usbSerial(port, { serial: '0123456789', tty: index, devnum: 10 + index }));
}
