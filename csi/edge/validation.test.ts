// What bad requests get, over the socket, before anything is looked up or touched.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asBerthError } from '../../kit/errors.ts';
import { FakeStorageKernel } from '../../linux/fake/storage.ts';
import type { CreateVolumeRequest } from '../../protos/types/csi/v1/CreateVolumeRequest.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import { blockCapability, mountCapability, TestNode } from '../fake/testnode.ts';

const kernel = new FakeStorageKernel(8n << 30n);
let host: TestNode;

beforeAll(async () => {
  host = await TestNode.make({ kernel });
  await host.start();
});
afterAll(async () => {
  expect(await readdir(join(host.pool, 'images'))).toEqual([]);
  expect(await readdir(join(host.pool, 'meta'))).toEqual([]);
  expect(kernel.dump()).toEqual({ loops: [], mounts: [] });
  await host.close();
});

const ext4 = mountCapability({ fs_type: 'ext4' });
const good: CreateVolumeRequest = {
  name: 'v',
  capacity_range: { required_bytes: '67108864' },
  volume_capabilities: [ext4],
};

/** Names, IDs and parameters that want to be paths, tokens or too much. */
const traversals = [
  '../../etc/passwd',
  '..',
  '/etc/shadow',
  'a/../../b',
  'a\0b',
  'a\nb',
  'x'.repeat(129),
  '\u202e/../x',
];

describe('CreateVolume refuses', () => {
  const cases: [string, CreateVolumeRequest, string, RegExp][] = [
    ['no name', { ...good, name: '' }, 'INVALID_ARGUMENT', /name is missing/],
    ['a name of 129 bytes', { ...good, name: 'é'.repeat(65) }, 'INVALID_ARGUMENT', /130 bytes/],
    ['a name with a control character', { ...good, name: 'a\u0007' }, 'INVALID_ARGUMENT', /control/],
    ['no capability', { ...good, volume_capabilities: [] }, 'INVALID_ARGUMENT', /volume_capabilities is missing/],
    ['no access mode', { ...good, volume_capabilities: [{ mount: {} }] }, 'INVALID_ARGUMENT', /access_mode/],
    [
      'no access type',
      { ...good, volume_capabilities: [{ access_mode: { mode: 1 } }] },
      'INVALID_ARGUMENT',
      /neither block nor mount/,
    ],
    [
      'an access mode of tomorrow',
      { ...good, volume_capabilities: [{ block: {}, access_mode: { mode: 99 as 1 } }] },
      'INVALID_ARGUMENT',
      /access mode 99/,
    ],
    [
      'many nodes',
      { ...good, volume_capabilities: [{ block: {}, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }] },
      'INVALID_ARGUMENT',
      /lives on one node/,
    ],
    [
      'block and mount at once',
      { ...good, volume_capabilities: [ext4, blockCapability()] },
      'INVALID_ARGUMENT',
      /either raw block or a filesystem/,
    ],
    [
      'two filesystems',
      { ...good, volume_capabilities: [ext4, mountCapability({ fs_type: 'xfs' })] },
      'INVALID_ARGUMENT',
      /ext4 and xfs/,
    ],
    [
      'a filesystem it has not',
      { ...good, volume_capabilities: [mountCapability({ fs_type: 'ntfs' })] },
      'INVALID_ARGUMENT',
      /"ntfs" is not supported; use xfs or ext4/,
    ],
    [
      'an unknown parameter',
      { ...good, parameters: { replicas: '3' } },
      'INVALID_ARGUMENT',
      /"replicas" is unknown.*pool/,
    ],
    [
      'a parameter named like a member of every object',
      { ...good, parameters: { constructor: 'x' } },
      'INVALID_ARGUMENT',
      /unknown/,
    ],
    [
      'parameters beyond 4 KiB',
      { ...good, parameters: { pool: 'x'.repeat(4096) } },
      'INVALID_ARGUMENT',
      /4096 are allowed/,
    ],
    ['a mutable parameter', { ...good, mutable_parameters: { iops: '1' } }, 'INVALID_ARGUMENT', /mutable/],
    [
      'a source that never was one',
      { ...good, volume_content_source: { volume: { volume_id: 'x' } } },
      'NOT_FOUND',
      /source volume "x" does not exist/,
    ],
    [
      'a source of another node',
      {
        ...good,
        volume_content_source: { snapshot: { snapshot_id: 's1-ffffffff-0123456789abcdefghjkmnpqrs' } },
      },
      'RESOURCE_EXHAUSTED',
      /lies on another node/,
    ],
    ['an empty source', { ...good, volume_content_source: {} }, 'INVALID_ARGUMENT', /neither a snapshot nor a volume/],
    ['a kind of provisioning', { ...good, parameters: { provisioning: 'fat' } }, 'INVALID_ARGUMENT', /thick or thin/],
    [
      'a filesystem the pool does not make',
      { ...good, volume_capabilities: [mountCapability({ fs_type: 'tmpfs' })] },
      'INVALID_ARGUMENT',
      /pool "default" makes/,
    ],
    [
      'a pool that is not here',
      { ...good, parameters: { pool: '../fast' } },
      'RESOURCE_EXHAUSTED',
      /no pool "..\/fast"/,
    ],
    [
      'another node',
      { ...good, accessibility_requirements: { requisite: [{ segments: { 'csi.berth.dev/node': 'node-b' } }] } },
      'RESOURCE_EXHAUSTED',
      /another node/,
    ],
    ['an empty range', { ...good, capacity_range: {} }, 'INVALID_ARGUMENT', /neither/],
    ['a negative size', { ...good, capacity_range: { required_bytes: '-1' } }, 'INVALID_ARGUMENT', /negative/],
    [
      'a limit below the size',
      { ...good, capacity_range: { required_bytes: '67108864', limit_bytes: '4096' } },
      'INVALID_ARGUMENT',
      /less than/,
    ],
    [
      'a size no sector fits',
      { ...good, capacity_range: { required_bytes: '67108865', limit_bytes: '67108866' } },
      'OUT_OF_RANGE',
      /no multiple of 4096/,
    ],
    [
      'less than the filesystem can be',
      { ...good, capacity_range: { required_bytes: '1048576' } },
      'OUT_OF_RANGE',
      /1 MiB is too small: a ext4 volume has at least 32 MiB/,
    ],
    [
      '2^63 − 1 bytes',
      { ...good, capacity_range: { required_bytes: '9223372036854775807' } },
      'OUT_OF_RANGE',
      /more than a file can have/,
    ],
    [
      'more than the pool',
      { ...good, capacity_range: { required_bytes: String(16n << 30n) } },
      'RESOURCE_EXHAUSTED',
      /pool "default" can take a volume of 7.9 GiB, 16 GiB asked/,
    ],
  ];
  test.each(cases)('%s', async (_, request, code, message) => {
    const refused = host.controller.CreateVolume(request);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });
});

test.each([
  ['remount'],
  ['bind'],
  ['loop'],
  ['suid'],
  ['dev'],
  ['offset=4096'],
  ['logdev=/dev/sda'],
  ['journal_path=/dev/sda'],
  ['x-systemd.automount'],
  ['noatime,suid'],
  ['context=a:b,logdev=/dev/sda'],
  ['__proto__'],
])('mount flag %s is not allowed', async (flag) => {
  const request = { ...good, volume_capabilities: [mountCapability({ fs_type: 'ext4', mount_flags: [flag] })] };
  await expect(host.controller.CreateVolume(request)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

describe('node calls refuse', () => {
  const root = (): string => host.kubeletRoot;
  const paths: [string, () => string, RegExp][] = [
    ['a relative path', () => 'some/path', /absolute/],
    ['a path with ..', () => `${root()}/pods/../../../etc`, /must not hold/],
    ['a path with a needless slash', () => `${root()}/pods//a`, /must not hold/],
    ['a path outside', () => '/etc/cron.d', /must lie below/],
    ["the kubelet's folder itself", () => root(), /must lie below/],
    ["a neighbour of the kubelet's folder", () => `${root()}x/pods/a`, /must lie below/],
    ['a folder of another plugin', () => `${root()}/plugins/csi.other.dev/x`, /must lie below/],
    ['a control character', () => `${root()}/pods/a\nb`, /control/],
    ['5,000 bytes', () => `${root()}/pods/${'a'.repeat(5000)}`, /longer/],
  ];
  const volume_id = 'v1-00000000-00000000000000000000000000';
  test.each(paths)('%s', async (_, path, message) => {
    const refusal = { code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) as string };
    const staging_target_path = path();
    const volume_capability: VolumeCapability = ext4;
    const { node } = host;
    await expect(node.NodeStageVolume({ volume_id, staging_target_path, volume_capability })).rejects.toMatchObject(
      refusal,
    );
    await expect(node.NodeUnstageVolume({ volume_id, staging_target_path })).rejects.toMatchObject(refusal);
    const target_path = path();
    await expect(node.NodePublishVolume({ volume_id, target_path, volume_capability })).rejects.toMatchObject(refusal);
    await expect(node.NodeUnpublishVolume({ volume_id, target_path })).rejects.toMatchObject(refusal);
    await expect(node.NodeGetVolumeStats({ volume_id, volume_path: path() })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('a volume that does not exist', async () => {
    const staging_target_path = await host.stagingPath('none');
    const stage = host.node.NodeStageVolume({ volume_id, staging_target_path, volume_capability: ext4 });
    await expect(stage).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const publish = {
      volume_id,
      staging_target_path,
      target_path: await host.targetPath('p'),
      volume_capability: ext4,
    };
    await expect(host.node.NodePublishVolume(publish)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await host.node.NodeUnpublishVolume({ volume_id, target_path: publish.target_path });
    await host.node.NodeUnstageVolume({ volume_id, staging_target_path });
  });

  test('a raw block volume that shall be read-only', async () => {
    const request = {
      volume_id,
      target_path: await host.targetPath('p'),
      volume_capability: blockCapability(),
      readonly: true,
    };
    await expect(host.node.NodePublishVolume(request)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

test.each(traversals)('the name and the ID %j reach no file', async (text) => {
  const create = host.controller.CreateVolume({ ...good, name: text });
  const made = await create.then(({ volume }) => volume?.volume_id).catch(() => undefined);
  if (made !== undefined) {
    expect(await readdir(join(host.pool, 'images'))).toEqual([`${made}.img`]);
    await host.controller.DeleteVolume({ volume_id: made });
  }
  const outcome = await host.controller.DeleteVolume({ volume_id: text }).then(
    () => 'OK',
    (error: unknown) => asBerthError(error).code,
  );
  expect(['OK', 'INVALID_ARGUMENT']).toContain(outcome);
});

test('the plugin says what it can do, and offers growth to controllers only where it is central', async () => {
  const { capabilities } = await host.identity.GetPluginCapabilities({});
  expect(capabilities.map(({ service, volume_expansion }) => service?.type ?? volume_expansion?.type)).toEqual([
    'CONTROLLER_SERVICE',
    'VOLUME_ACCESSIBILITY_CONSTRAINTS',
    'GROUP_CONTROLLER_SERVICE',
    'SNAPSHOT_METADATA_SERVICE',
    'ONLINE',
  ]);
  const controller = await host.controller.ControllerGetCapabilities({});
  expect(controller.capabilities.map(({ rpc }) => rpc?.type)).not.toContain('EXPAND_VOLUME');
});

test('capabilities are confirmed or refused with the reason', async () => {
  const { volume } = await host.controller.CreateVolume(good);
  const volume_id = volume!.volume_id;
  const validate = (capability: VolumeCapability): Promise<{ confirmed: unknown; message: string }> =>
    host.controller.ValidateVolumeCapabilities({ volume_id, volume_capabilities: [capability] });
  expect((await validate(ext4)).confirmed).toMatchObject({ volume_capabilities: [{ access_type: 'mount' }] });
  expect(await validate(blockCapability())).toMatchObject({
    confirmed: null,
    message: expect.stringContaining('raw block asked') as string,
  });
  const many = { mount: {}, access_mode: { mode: 'MULTI_NODE_READER_ONLY' as const } };
  expect(await validate(many)).toMatchObject({
    confirmed: null,
    message: expect.stringContaining('one node') as string,
  });
  await host.controller.DeleteVolume({ volume_id });
});
