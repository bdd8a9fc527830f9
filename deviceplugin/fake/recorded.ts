/** Devices for tests, written by hand from what the kernel documents. Each list has the devices above it, topmost first. */
import { camera } from './camera.ts';
import { gpu } from './gpu.ts';
import { misc } from './misc.ts';
import { nvme } from './nvme.ts';
import { sriov } from './sriov.ts';
import { twins, usbSerial } from './usbserial.ts';

/** What common folders of sysfs are shared by several lists is written once: `[...recorded.camera('1-5'), ...recorded.gpu()]`. */
export const recorded = { camera, gpu, misc, nvme, sriov, twins, usbSerial } as const;
