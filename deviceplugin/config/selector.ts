/** Selectors: what a device node has to be. All conditions of one selector hold at the same time. */
import { z } from 'zod';
import { hexadecimal, pathGlob, pattern } from './text.ts';

const usb = z.strictObject({
  vendor: hexadecimal(4).optional().describe('`idVendor` of the USB device.'),
  product: hexadecimal(4).optional().describe('`idProduct`.'),
  serial: pattern.optional().describe('Pattern of `serial`.'),
  port: pattern.optional().describe('Pattern of the port it is plugged into, as the kernel writes it: `1-1.4`.'),
  interfaceClass: hexadecimal(2).optional().describe('`bInterfaceClass` of the interface that the node belongs to.'),
});

const pci = z.strictObject({
  vendor: hexadecimal(4).optional().describe('Vendor of the PCI function.'),
  device: hexadecimal(4).optional().describe('Device ID.'),
  class: z
    .string()
    .regex(/^([0-9a-f]{2}){1,3}$/, 'must be 2, 4 or 6 hexadecimal digits in small letters, in quotes')
    .meta({ title: '2, 4 or 6 hexadecimal digits' })
    .optional()
    .describe('Class, or its beginning: `03` is every display.'),
  driver: pattern.optional().describe('Pattern of the driver bound to the function.'),
  address: pattern.optional().describe('Pattern of the address, `0000:3b:00.0`.'),
  virtualFunction: z.boolean().optional().describe('Whether it is a virtual function (SR-IOV).'),
});

export interface Selector {
  readonly path?: string | undefined;
  readonly subsystem?: string | undefined;
  readonly name?: string | undefined;
  readonly driver?: string | undefined;
  readonly usb?: z.output<typeof usb> | undefined;
  readonly pci?: z.output<typeof pci> | undefined;
  readonly modalias?: string | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  readonly udev?: Readonly<Record<string, string>> | undefined;
  readonly numaNode?: number | undefined;
  readonly interface?: string | undefined;
  readonly parent?: Selector | undefined;
  readonly not?: Selector | undefined;
}

/** An attribute file below the device's folder in sysfs: `index`, `power/runtime_status`. */
export const attributeName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9_:.-]+(\/[A-Za-z0-9_:.-]+){0,2}$/, 'must be the name of a file below the device in sysfs')
  .refine((name) => !name.split('/').some((part) => part === '.' || part === '..'), 'must not contain "." or ".."');

/** Levels of `parent` and `not` within each other: enough for a bus behind a bus. */
const maxDepth = 4;

function depthOf({ parent, not }: Selector): number {
  return 1 + Math.max(parent === undefined ? 0 : depthOf(parent), not === undefined ? 0 : depthOf(not));
}

const anySelector: z.ZodType<Selector, Selector> = z.lazy(() =>
  z
    .strictObject({
      path: pathGlob.optional().describe('Pattern of the node below /dev, or of a link to it.'),
      subsystem: pattern.optional().describe('Pattern of the subsystem: `tty`, `video4linux`, `usb`.'),
      name: pattern.optional().describe("Pattern of the kernel's name: `ttyUSB*`."),
      driver: pattern
        .optional()
        .describe('Pattern of the driver of the device, or of the nearest above it that has one.'),
      usb: usb.optional().describe('The USB device that the node belongs to.'),
      pci: pci.optional().describe('The PCI function that the node belongs to.'),
      modalias: pattern.optional().describe('Pattern of the modalias of the device or of one above it.'),
      attributes: z
        .record(attributeName, pattern)
        .optional()
        .describe('Patterns by the name of an attribute file of the device in sysfs.'),
      udev: z
        .record(z.string().max(128), pattern)
        .optional()
        .describe('Patterns by the property of the udev database.'),
      numaNode: z
        .int()
        .min(0)
        .max(1_023)
        .optional()
        .describe('NUMA node of the device or of the nearest above it that has one.'),
      interface: pattern
        .optional()
        .describe('Pattern of a network interface that belongs to the same PCI function or USB device.'),
      parent: anySelector
        .optional()
        .meta({ title: 'selector' })
        .describe('Holds for one device above it (`path` never does).'),
      not: anySelector.optional().meta({ title: 'selector' }).describe('Does not hold.'),
    })
    .refine((selector) => Object.values(selector).some((value) => value !== undefined), {
      error: 'must have a condition',
      // A key that was mistaken for one is enough to say.
      when: ({ issues }) => issues.length === 0,
    }),
);

export const selector = anySelector
  .refine((value) => depthOf(value) <= maxDepth, `must not have more than ${maxDepth} levels of parent and not`)
  .meta({ title: 'selector' });
