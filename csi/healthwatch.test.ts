// The look at everything: what the log and the metrics are told, and how often.
import { mkdtemp, rename, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import { storageSchema } from './config.ts';
import { HealthWatch } from './healthwatch.ts';
import { imageEngine } from './imageengine.ts';
import { startPool } from './openpool.ts';
import { openPool } from './pool.ts';
import { Pools } from './pools.ts';
import { StorageHealth } from './storagehealth.ts';
import { VolumeLimits } from './volumelimits.ts';
import type { VolumeRecord } from './volume.ts';
import { volumeMetrics } from './volumemetrics.ts';

let folder = '';
let lines: Record<string, unknown>[] = [];
let pools: Pools;
let watch: HealthWatch;
let registry: Registry;
const never = new AbortController().signal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bn-hw-'));
  const kernel = new FakeStorageKernel(8n << 30n);
  lines = [];
  const log = createLogger('info', {
    write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const {
    pools: [config],
  } = storageSchema.parse({ pools: [{ name: 'fast', path: join(folder, 'pool') }] });
  const atPoint = (): void => undefined;
  const pool = await openPool(config!, 'node-a');
  const engine = await imageEngine({
    mounts: kernel.mounts,
    loops: kernel.loops,
    filesystems: kernel.filesystems,
    folders: pool.folders,
    atPoint,
  });
  const limits = new VolumeLimits({ cgroups: kernel.cgroups, kubeletRoot: '/k', log });
  const onFrozen = (): void => undefined;
  const common = { kernel, kubeletRoot: '/k', runDir: join(folder, 'run'), limits, onFrozen, log, atPoint };
  pools = new Pools([await startPool(pool, config!, engine, common)]);
  registry = new Registry();
  const onChange = volumeMetrics(registry, () => watch);
  watch = new HealthWatch({ pools, health: new StorageHealth(kernel), log, onChange });
  lines = [];
});
afterEach(async () => {
  for (const { pool } of pools.all()) await pool.close();
  await rm(folder, { recursive: true });
});

async function create(name: string): Promise<VolumeRecord> {
  const uses = [{ kind: 'block', fsType: undefined, mountFlags: [], mode: 'SINGLE_NODE_WRITER' }] as const;
  const range = { required: 1n << 20n, limit: 0n };
  const rest = { provisioning: 'thick', parameters: {}, mutable: {}, pool: undefined } as const;
  return await pools.create({ name, range, uses, ...rest });
}

const imageOf = ({ id }: VolumeRecord): string => join(folder, 'pool/images', `${id}.img`);
const round = (): Promise<void> => watch.round(never, 0);

/** Events with what is wrong, in the order they were told. */
function told(): string[] {
  return lines.map(({ event, health }) => `${String(event)} ${String(health)}`);
}

test('what is well is not told', async () => {
  await create('a');
  await round();
  await round();
  expect(told()).toEqual([]);
  expect(watch.volumes()).toMatchObject([{ pool: 'fast', bytes: 1n << 20n, reasons: [] }]);
});

test('what becomes bad is told once, and once when it is well again', async () => {
  const volume = await create('a');
  await round();
  await truncate(imageOf(volume), 4096);
  await round();
  await round();
  expect(told()).toEqual(['volume.unhealthy ImageSizeMismatch']);
  expect(lines[0]).toMatchObject({ level: 'error', volume: volume.id, pool: 'fast', severity: 'data_loss' });
  await truncate(imageOf(volume), 1 << 20);
  await round();
  expect(told()).toEqual(['volume.unhealthy ImageSizeMismatch', 'volume.recovered ImageSizeMismatch']);
  const text = await registry.metrics();
  expect(text).toContain('berth_csi_health_changes_total{what="volume",health="ImageSizeMismatch",to="bad"} 1');
  expect(text).toContain('berth_csi_health_changes_total{what="volume",health="ImageSizeMismatch",to="well"} 1');
});

test('a pool that goes is told for the pool, not for each of its volumes', async () => {
  await create('a');
  await create('b');
  await round();
  await rename(join(folder, 'pool/pool.json'), join(folder, 'pool.json'));
  await round();
  expect(told()).toEqual(['pool.unhealthy PoolMissing']);
  expect([...watch.pools()]).toEqual([['fast', ['PoolMissing']]]);
  expect(await registry.metrics()).toContain('berth_csi_pool_unhealthy{pool="fast",health="PoolMissing"} 1');
  await rename(join(folder, 'pool.json'), join(folder, 'pool/pool.json'));
  await round();
  expect(told()).toEqual(['pool.unhealthy PoolMissing', 'pool.recovered PoolMissing']);
});

test('a deleted volume is forgotten without a word', async () => {
  const volume = await create('a');
  await rm(imageOf(volume));
  await round();
  await pools.deleteVolume(volume.id);
  await round();
  expect(told()).toEqual(['volume.unhealthy ImageMissing']);
  expect(watch.volumes()).toEqual([]);
});

describe('the metrics', () => {
  test('show sizes, space and what is wrong', async () => {
    const { id } = await create('a');
    await truncate(join(folder, 'pool/images', `${id}.img`), 2 << 20);
    await round();
    const text = await registry.metrics();
    expect(text).toContain(`berth_csi_volume_size_bytes{pool="fast",volume="${id}"} 1048576`);
    expect(text).toMatch(new RegExp(`berth_csi_volume_allocated_bytes{pool="fast",volume="${id}"} \\d+`));
    expect(text).toContain(`berth_csi_volume_unhealthy{pool="fast",volume="${id}",health="ImageSizeMismatch"} 1`);
    // Not attached: there is no device that could do without the page cache or not.
    expect(text).not.toContain('berth_csi_volume_direct_io{');
  });

  test('of many volumes show a bounded number, those in bad health before others', async () => {
    const one = { pool: 'fast', bytes: 1n, allocated: 1n, directIo: undefined } as const;
    const volumes = Array.from({ length: 600 }, (_, i) => ({ ...one, volume: `v${i}`, reasons: [] }));
    const bad = { ...one, volume: 'bad', reasons: ['ImageMissing'] as const };
    const many = new Registry();
    volumeMetrics(many, () => ({ volumes: () => [bad, ...volumes], pools: () => new Map() }));
    const text = await many.metrics();
    expect(text.match(/^berth_csi_volume_size_bytes\{/gm)).toHaveLength(500);
    expect(text).toContain('berth_csi_volume_unhealthy{pool="fast",volume="bad",health="ImageMissing"} 1');
  });
});
