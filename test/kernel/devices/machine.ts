/** A recorded machine under the whole service: what it raises is heard as the kernel's own events are. */
import { join } from 'node:path';
import { writeMachine } from '../../../deviceplugin/fake/machine.ts';
import type { Machine, PlugOptions } from '../../../deviceplugin/fake/machine.ts';
import type { RecordedDevice } from '../../../deviceplugin/fake/recordeddevice.ts';
import type { Uevent } from '../../../linux/uevent.ts';
import type { UeventOptions } from '../../../linux/uevents.ts';
import { folder, startService } from './scene.ts';

export class MachineUnderService {
  readonly machine: Machine;
  #kernel: UeventOptions | undefined;

  private constructor(machine: Machine) {
    this.machine = machine;
  }

  static async with(devices: readonly RecordedDevice[]): Promise<MachineUnderService> {
    return new MachineUnderService(await writeMachine(join(folder, 'machine'), devices));
  }

  /** Starts a service on it; another may have run before. */
  async serve(config: object): Promise<void> {
    const { devRoot, sysRoot, udevRoot } = this.machine.roots;
    const openEvents = (opened: UeventOptions): void => {
      this.#kernel = opened;
    };
    await startService({ devRoot, sysRoot, udevRoot, ...config }, { openEvents });
  }

  async plug(devices: readonly RecordedDevice[], options?: PlugOptions): Promise<void> {
    this.#raise(await this.machine.plug(devices, options));
  }

  async unplug(devpath: string): Promise<void> {
    this.#raise(await this.machine.unplug(devpath));
  }

  #raise(events: readonly Uevent[]): void {
    for (const event of events) this.#kernel?.onEvent(event);
  }
}
