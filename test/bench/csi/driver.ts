/** A CSI driver on a socket, called as csi-provisioner, csi-snapshotter and the kubelet do. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dial } from '../../../protos/dial.ts';
import type { Caller } from '../../../protos/dial.ts';
import type { VolumeCapability } from '../../../protos/types/csi/v1/VolumeCapability.ts';

const access_mode = { mode: 'SINGLE_NODE_WRITER' } as const;
export const xfs: VolumeCapability = { mount: { fs_type: 'xfs' }, access_mode };
export const block: VolumeCapability = { block: {}, access_mode };

/** A volume that was made, and where it is to be used. */
export interface DrivenVolume {
  readonly id: string;
  readonly staging: string;
  readonly target: string;
}

export class Driver {
  readonly controller: Caller<'csi.v1.Controller'>;
  readonly node: Caller<'csi.v1.Node'>;
  readonly #kubeletRoot: string;

  constructor(socket: string, kubeletRoot: string) {
    [this.controller, this.node] = [dial('csi.v1.Controller', socket), dial('csi.v1.Node', socket)];
    this.#kubeletRoot = kubeletRoot;
  }

  /** The folders that the kubelet makes beforehand. */
  async pathsOf(name: string): Promise<Pick<DrivenVolume, 'staging' | 'target'>> {
    const staging = join(this.#kubeletRoot, 'plugins/kubernetes.io/csi', name, 'globalmount');
    const target = join(this.#kubeletRoot, 'pods', name, 'volumes/kubernetes.io~csi/bench/mount');
    await mkdir(staging, { recursive: true });
    await mkdir(join(target, '..'), { recursive: true });
    return { staging, target };
  }

  async create(name: string, bytes: number, capability: VolumeCapability): Promise<string> {
    const { volume } = await this.controller.CreateVolume({
      name,
      capacity_range: { required_bytes: String(bytes) },
      volume_capabilities: [capability],
    });
    return volume?.volume_id ?? '';
  }

  /** Stages and publishes it. */
  async use({ id, staging, target }: DrivenVolume, capability: VolumeCapability): Promise<void> {
    const common = { volume_id: id, staging_target_path: staging, volume_capability: capability };
    await this.node.NodeStageVolume(common);
    await this.node.NodePublishVolume({ ...common, target_path: target });
  }

  /** Unpublishes, unstages and deletes it. */
  async takeBack({ id, staging, target }: DrivenVolume): Promise<void> {
    await this.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
    await this.node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging });
    await this.controller.DeleteVolume({ volume_id: id });
  }

  close(): void {
    this.controller.close();
    this.node.close();
  }
}
