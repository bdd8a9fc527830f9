/** A USB camera with microphone and button: UVC interface with two video nodes and an input, audio interface with a sound card. */
import { usbDevice, usbInterface } from './usb.ts';
import type { RecordedDevice } from './recordeddevice.ts';

export interface CameraOptions {
  readonly serial?: string | undefined;
  /** Numbers that the kernel gave: of the first video node, the sound card and the input. Default 0, 1 and 5. */
  readonly video?: number;
  readonly card?: number;
  readonly input?: number;
  /** Default 7. */
  readonly devnum?: number;
}

/** A camera at a port such as `1-5`, with all devices above it. */
export function camera(port: string, options: CameraOptions = {}): readonly RecordedDevice[] {
  const { video = 0, card = 1, input = 5, devnum = 7 } = options;
  const serial = 'serial' in options ? options.serial : '9B2C7F1E';
  const texts = { vendor: '046d', product: '082d', name: 'HD Pro Webcam C920', class: 'ef' };
  const path = `pci-0000:00:14.0-usb-0:${port.slice(port.indexOf('-') + 1)}`;
  const id = `usb-046d_HD_Pro_Webcam_C920${serial === undefined ? '' : `_${serial}`}`;
  const properties = {
    ID_BUS: 'usb',
    ID_VENDOR_ID: '046d',
    ID_MODEL_ID: '082d',
    ...(serial === undefined ? {} : { ID_SERIAL_SHORT: serial }),
  };
  const description = { ...texts, serial, udev: properties };
  const control = usbInterface(port, 0, description, '0e0100', 'uvcvideo');
  const streaming = usbInterface(port, 1, description, '0e0200', 'uvcvideo');
  const audio = usbInterface(port, 2, description, '010100', 'snd-usb-audio');
  const sound = `${audio.devpath}/sound/card${card}`;
  return [
    ...usbDevice(port, devnum, description),
    control,
    streaming,
    audio,
    ...[0, 1].map((index): RecordedDevice => ({
      devpath: `${control.devpath}/video4linux/video${video + index}`,
      subsystem: 'class/video4linux',
      node: {
        kind: 'c',
        major: 81,
        minor: video + index,
        name: `video${video + index}`,
        links: [`v4l/by-id/${id}-video-index${index}`, `v4l/by-path/${path}:1.0-video-index${index}`],
      },
      attributes: { index: `${index}`, name: 'HD Pro Webcam C920' },
      udev: { ...properties, ID_V4L_CAPABILITIES: index === 0 ? ':capture:' : ':' },
    })),
    {
      devpath: `${control.devpath}/input/input${input}`,
      subsystem: 'class/input',
      uevent: { PRODUCT: '3/46d/82d/11', NAME: '"HD Pro Webcam C920"' },
      attributes: { name: 'HD Pro Webcam C920' },
    },
    {
      devpath: `${control.devpath}/input/input${input}/event${input}`,
      subsystem: 'class/input',
      node: {
        kind: 'c',
        major: 13,
        minor: 64 + input,
        name: `input/event${input}`,
        links: [`input/by-id/${id}-event-if00`, `input/by-path/${path}:1.0-event`],
      },
      udev: { ...properties, ID_INPUT: '1', ID_INPUT_KEY: '1' },
    },
    { devpath: sound, subsystem: 'class/sound', attributes: { id: 'C920', number: `${card}` }, udev: properties },
    {
      devpath: `${sound}/controlC${card}`,
      subsystem: 'class/sound',
      node: {
        kind: 'c',
        major: 116,
        minor: 32 * card,
        name: `snd/controlC${card}`,
        links: [`snd/by-id/${id}-02`, `snd/by-path/${path}:1.2`],
      },
    },
    {
      devpath: `${sound}/pcmC${card}D0c`,
      subsystem: 'class/sound',
      node: { kind: 'c', major: 116, minor: 32 * card + 24, name: `snd/pcmC${card}D0c` },
      attributes: { pcm_class: 'generic' },
    },
  ];
}
