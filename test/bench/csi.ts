/** `csi`: a 512 MiB xfs volume, from its creation to a pod's folder and back, beside the same steps by shell tools. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { driverSocketPath } from '../../csi/serving.ts';
import { dial } from '../../protos/dial.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import { sampleInTurn, timed } from './sampling.ts';
import type { Side } from './sampling.ts';
import { figureOf } from './stats.ts';
import type { Figure } from './stats.ts';
import { startSubject } from './subjectprocess.ts';

const MiB = 1024 * 1024;
const bytes = 512 * MiB;
const limit = 0.8;
const driverName = 'csi.berth.dev';
const capability: VolumeCapability = { mount: { fs_type: 'xfs' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

/** What a person types for the same result: all space allocated, 4 KiB sectors, direct I/O, durable before it is used. */
const shellUp = `
  fallocate -l ${bytes} "$1/image"
  mkfs.xfs -q -K -s size=4096 "$1/image"
  sync "$1/image"
  mount "$(losetup --find --show --direct-io=on --sector-size 4096 "$1/image")" "$1/staging" -o nodev,nosuid
  mount --bind "$1/staging" "$1/target"`;
const shellDown = `
  umount "$1/target"
  device=$(findmnt -no SOURCE "$1/staging")
  umount "$1/staging"
  losetup -d "$device"
  rm "$1/image"`;
const shell = 'sh with fallocate, mkfs.xfs, sync, losetup, mount';

export const csiBenchmark: Benchmark = {
  name: 'csi',
  prepare: () => Promise.resolve(),
  async *run({ work, signal }: Scene): AsyncIterable<Figure> {
    const [kubeletRoot, pool] = [join(work, 'k'), join(work, 'pool')];
    await mkdir(kubeletRoot);
    execFileSync('mount', ['--bind', kubeletRoot, kubeletRoot]);
    execFileSync('mount', ['--make-shared', kubeletRoot]);
    const storage = { pools: [{ name: 'default', path: pool }], runDir: join(work, 'run') };
    const subject = await startSubject({ storage, kubeletRoot }, work, signal);
    const sides = { ours: await overCsi(kubeletRoot, pool), peer: await byShell(join(work, 'shell')) };
    const samples = await sampleInTurn(sides, { rounds: 60, withinMs: 45_000, signal });
    for (const name of ['up', 'down']) {
      const peer = { name: shell, samples: samples.peer.get(name) ?? [] };
      yield figureOf({ bench: `csi.${name}`, ours: samples.ours.get(name) ?? [], peer, limit });
    }
    await subject.stop();
  },
};

/** Calls the driver's socket as csi-provisioner and the kubelet do; the folders they make beforehand are not timed. */
async function overCsi(kubeletRoot: string, pool: string): Promise<Side> {
  const socket = driverSocketPath(kubeletRoot, driverName);
  const [controller, node] = [dial('csi.v1.Controller', socket), dial('csi.v1.Node', socket)];
  const staging = join(kubeletRoot, 'plugins/kubernetes.io/csi', driverName, 'bench/globalmount');
  const target = join(kubeletRoot, 'pods/bench/volumes/kubernetes.io~csi/bench/mount');
  await mkdir(staging, { recursive: true });
  await mkdir(join(target, '..'), { recursive: true });
  return async (round) => {
    let id = '';
    const up = await timed(async () => {
      const { volume } = await controller.CreateVolume({
        name: `bench-${round}`,
        capacity_range: { required_bytes: String(bytes) },
        volume_capabilities: [capability],
      });
      id = volume?.volume_id ?? '';
      const common = { volume_id: id, staging_target_path: staging, volume_capability: capability };
      await node.NodeStageVolume(common);
      await node.NodePublishVolume({ ...common, target_path: target });
    });
    const down = await timed(async () => {
      await node.NodeUnpublishVolume({ volume_id: id, target_path: target });
      await node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging });
      await controller.DeleteVolume({ volume_id: id });
    });
    // Space may be given back after the answer; it must not slow the other side down.
    while ((await readdir(join(pool, 'trash'))).length > 0) await sleep(1);
    return { up, down };
  };
}

async function byShell(folder: string): Promise<Side> {
  await mkdir(join(folder, 'staging'), { recursive: true });
  await mkdir(join(folder, 'target'));
  const run = (script: string): Promise<number> =>
    timed(() =>
      Promise.resolve(execFileSync('sh', ['-ec', script, 'sh', folder], { stdio: ['ignore', 'pipe', 'pipe'] })),
    );
  return async () => ({ up: await run(shellUp), down: await run(shellDown) });
}
